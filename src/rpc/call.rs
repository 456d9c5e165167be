//! What every call has.

use std::{future::Future, panic::AssertUnwindSafe};

use futures_util::FutureExt;
use tokio::time::timeout_at;
use tonic::{Request, Response, Status};
use tracing::{Instrument, error, info, info_span};
use uuid::Uuid;

use super::{arrival::Arrival, present::presentable, status};
use crate::{
    audit::Record,
    broker::{self, Broker, Error, Reason, Sites, Trail},
    domain::{AccountId, Method, redact},
    telemetry::causes,
};

/// Key of the id by which the log knows the call, in the metadata of every error.
pub(super) const REQUEST_ID: &str = "request_id";
/// All that a caller learns of a panic.
const BUG: &str = "the broker failed";
/// Longest account, as a caller wrote it, that is logged.
const MAX_ACCOUNT: usize = 128;

/// One call on its way through its handler. Cheap to clone.
#[derive(Clone)]
pub(super) struct Call {
    pub sites: Sites,
    pub arrival: Arrival,
    method: Method,
    trail: Trail,
}

/// A request, and the call that it is. Fails for one that did not come in by the door.
pub(super) fn open<T>(
    sites: &Sites,
    method: Method,
    request: Request<T>,
) -> Result<(Call, T), Status> {
    let arrival = request.extensions().get::<Arrival>().cloned();
    let arrival = arrival.ok_or_else(|| Status::internal(BUG))?;
    let mut record = Record::new(arrival.request_id, Some(&arrival.caller), method.name());
    (record.peer, record.trace_id) = (Some(arrival.peer), arrival.trace_id.clone());
    let trail = Trail::new(record);
    Ok((Call { sites: sites.clone(), arrival, method, trail }, request.into_inner()))
}

impl Call {
    /// Asks the policy whether it may be made for `account`.
    pub async fn admit(&self, account: &AccountId) -> Result<broker::Call, Error> {
        self.policy().admit(&self.trail, &self.arrival.caller, self.method, account).await
    }

    /// Asks the policy whether it may be made for all accounts that its caller may see.
    pub async fn admit_for_any(&self) -> Result<broker::AnyAccount, Error> {
        self.policy().admit_for_any(&self.trail, &self.arrival.caller, self.method).await
    }

    /// The site of the account that it is admitted for.
    pub async fn site(&self, admitted: &broker::Call) -> Result<&Broker, Error> {
        self.sites.of(admitted).await
    }

    /// Policy and audit are those of all sites.
    fn policy(&self) -> &Broker {
        self.sites.default_site()
    }

    /// Runs it: in a span with an id, within its deadline. A failure is logged once, here, with its cause.
    pub async fn run<T: Send + 'static>(
        self,
        account: String,
        work: impl Future<Output = Result<T, Error>> + Send + 'static,
    ) -> Result<Response<T>, Status> {
        // In one place from here on: each step that takes it would copy some kilobytes.
        let work = Box::pin(work);
        let account = loggable(account);
        let (request_id, deadline) = (self.arrival.request_id, self.arrival.deadline);
        let mut id = Uuid::encode_buffer();
        let id = &*request_id.hyphenated().encode_lower(&mut id);
        let (rpc, caller) = (self.method.name(), &*self.arrival.caller.text());
        let span = info_span!("call", rpc, request_id = id, caller, account);
        let outcome = if self.method.changes() {
            // A task of its own: a caller who gives up does not stop a change half way, nor keep its end out of the audit.
            let task =
                tokio::spawn(async move { self.conclude(work).await }.instrument(span.clone()));
            let in_time = timeout_at(deadline, task).await;
            in_time.map_or_else(
                |_| span.in_scope(|| Err(log(too_late(), request_id))),
                |ended| ended.unwrap_or_else(|_| Err(Error::new(Reason::Internal, BUG))),
            )
        } else {
            let in_time =
                async move { timeout_at(deadline, work).await.unwrap_or_else(|_| Err(too_late())) };
            self.conclude(in_time).instrument(span).await
        };
        match outcome {
            Ok(answer) => Ok(Response::new(answer)),
            Err(error) => Err(status::of(error.with(REQUEST_ID, request_id), &account)),
        }
    }

    /// Does the work, and writes its end into the audit. What cannot be written there does not leave.
    async fn conclude<T>(self, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let done = AssertUnwindSafe(work).catch_unwind().await;
        let done = done.unwrap_or_else(|_| Err(Error::new(Reason::Internal, BUG)));
        let reason = done.as_ref().err().map(|error| error.reason.word());
        let written = self.policy().conclude(&self.trail, reason).await;
        // A failure stays what it is: nothing leaves with it.
        done.and_then(|answer| written.map(|()| answer))
            .map_err(|error| log(presentable(error), self.arrival.request_id))
    }
}

/// The account as a caller wrote it, who may write anything.
fn loggable(account: String) -> String {
    let plain = account.len() <= MAX_ACCOUNT && !account.contains(char::is_control);
    let account = if plain {
        account
    } else {
        account.chars().filter(|c| !c.is_control()).take(MAX_ACCOUNT).collect()
    };
    redact(&account)
}

/// The deadline was over.
pub(super) fn too_late() -> Error {
    Error::new(
        Reason::DeadlineExceeded,
        "the call was not done in time; read the state before you try again",
    )
}

fn log(error: Error, request_id: Uuid) -> Error {
    let reason = error.reason.word();
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
