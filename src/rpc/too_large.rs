//! A request that is too large. tonic refuses it before any handler sees it, in words and a code of its own.

use tonic::{Code, Status, body::Body, codegen::http::Response};

use super::{MAX_REQUEST, present::presentable, status};
use crate::broker::Error;

/// Gives such a refusal the form of every other error; leaves all other answers as they are.
pub fn explain_too_large(answer: Response<Body>) -> Response<Body> {
    // tonic alone uses this code, for this one case; an answer of success has no status in its headers.
    let too_large = Status::from_header_map(answer.headers())
        .is_some_and(|status| status.code() == Code::OutOfRange);
    if !too_large {
        return answer;
    }
    let limit = MAX_REQUEST / 1024 / 1024;
    let error = Error::invalid(
        "request",
        format!(
            "is too large: CommitFiles takes {limit} MiB, split the files into several commits"
        ),
    );
    status::of(presentable(error), "").into_http()
}
