//! What every call has.

use std::{future::Future, panic::AssertUnwindSafe, time::Duration};

use futures_util::FutureExt;
use tokio::task::JoinError;
use tonic::{Response, Status};
use tracing::{Instrument, error, info, info_span};
use uuid::Uuid;

use super::{present::presentable, status};
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
const REQUEST_ID: &str = "request_id";
/// All that a caller learns of a panic.
const BUG: &str = "the broker failed";

/// Runs one call: in a span with an id, within its deadline; a failure is logged once, here, with its cause.
pub(super) async fn run<T>(
    rpc: &'static str,
    account: &str,
    deadline: Duration,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<Response<T>, Status> {
    let request_id = Uuid::now_v7();
    let account: String = account.chars().filter(|c| !c.is_control()).take(128).collect();
    let account = redact(&account);
    let span = info_span!("call", rpc, %request_id, account);
    async {
        let error =
            match tokio::time::timeout(deadline, AssertUnwindSafe(work).catch_unwind()).await {
                Ok(Ok(Ok(answer))) => return Ok(Response::new(answer)),
                Ok(Ok(Err(error))) => error,
                Ok(Err(_)) => Error::new(Reason::Internal, BUG),
                Err(_) => Error::new(
                    Reason::DeadlineExceeded,
                    format!(
                        "the call was not done within {} s; read the state before you try again",
                        deadline.as_secs()
                    ),
                ),
            };
        let error = log(presentable(error), request_id).with(REQUEST_ID, request_id);
        Err(status::of(error, &account))
    }
    .instrument(span)
    .await
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
