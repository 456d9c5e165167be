//! What every call has.

use std::{future::Future, panic::AssertUnwindSafe, time::Duration};

use futures_util::FutureExt;
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
                Ok(Err(_)) => Error::new(Reason::Internal, "the broker failed"),
                Err(_) => Error::new(
                    Reason::DeadlineExceeded,
                    format!(
                        "the call was not done within {} s; read the state before you try again",
                        deadline.as_secs()
                    ),
                ),
            };
        let error = log(presentable(error), request_id);
        Err(status::of(error, &account))
    }
    .instrument(span)
    .await
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
