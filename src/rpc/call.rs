//! What every call has.

use std::{future::Future, panic::AssertUnwindSafe, time::Duration};

use futures_util::FutureExt;
use tokio::{
    task::JoinError,
    time::{Instant, timeout_at},
};
use tonic::{Request, Response, Status};
use tracing::{Instrument, error, info, info_span};
use uuid::Uuid;

use super::{deadline::Deadline, present::presentable, status};
use crate::{
    broker::{Error, Reason},
    domain::redact,
    telemetry::causes,
};

/// Longest that a call may take; GitHub answers within 10 s or not at all, and a call needs few of its answers.
pub(super) const DEADLINE: Duration = Duration::from_secs(30);
/// Longest that CommitFiles may take: it sends up to 48 MiB on.
pub(super) const COMMIT_DEADLINE: Duration = Duration::from_secs(60);

/// Key of the id by which the log knows the call, in the metadata of every error.
pub(super) const REQUEST_ID: &str = "request_id";
/// All that a caller learns of a panic.
const BUG: &str = "the broker failed";

/// A request, and when its call has to end: when the caller gives up, and after `most` at the latest.
pub(super) fn open<T>(request: Request<T>, most: Duration) -> (Instant, T) {
    (Deadline::of(request.extensions(), most), request.into_inner())
}

/// Runs one call: in a span with an id, within its deadline; a failure is logged once, here, with its cause.
pub(super) async fn run<T>(
    rpc: &'static str,
    account: &str,
    deadline: Instant,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<Response<T>, Status> {
    let request_id = Uuid::now_v7();
    let account: String = account.chars().filter(|c| !c.is_control()).take(128).collect();
    let account = redact(&account);
    let span = info_span!("call", rpc, %request_id, account);
    async {
        let error = match timeout_at(deadline, AssertUnwindSafe(work).catch_unwind()).await {
            Ok(Ok(Ok(answer))) => return Ok(Response::new(answer)),
            Ok(Ok(Err(error))) => error,
            Ok(Err(_)) => Error::new(Reason::Internal, BUG),
            Err(_) => too_late(),
        };
        let error = log(presentable(error), request_id).with(REQUEST_ID, request_id);
        Err(status::of(error, &account))
    }
    .instrument(span)
    .await
}

/// The deadline was over.
pub(super) fn too_late() -> Error {
    Error::new(
        Reason::DeadlineExceeded,
        "the call was not done in time; read the state before you try again",
    )
}

/// What became of a call's own task. A panic has its message in the error, which may hold what was being worked on: that
/// is left out, and the log says the place.
pub(super) fn lost(error: JoinError) -> Error {
    if error.is_panic() {
        return Error::new(Reason::Internal, BUG);
    }
    Error::internal(error)
}

fn log(error: Error, request_id: Uuid) -> Error {
    let reason = status::word(error.reason);
    let cause = causes(&error);
    if error.reason == Reason::Internal {
        error!(reason, said = %error, cause, "call failed");
        return Error::new(
            Reason::Internal,
            format!("{error}; tell the operator the request id {request_id}"),
        );
    }
    info!(reason, said = %error, cause, "call refused");
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panics_message_is_not_passed_on() {
        let ended =
            tokio::spawn(async { std::panic::panic_any("was working on ghs_secret".to_owned()) });
        let error = lost(ended.await.unwrap_err());
        assert_eq!((error.reason, causes(&error)), (Reason::Internal, None));
        assert!(!format!("{error:?}").contains("ghs_secret"));
    }
}
