//! Calls that are not let in, and what they are told.

use std::time::Duration;

use crate::{
    broker::{Error, Reason},
    domain::Caller,
    rpc::status,
};

/// What a caller waits for calls to end: most take less.
pub(super) const RETRY_AFTER: Duration = Duration::from_secs(1);

/// A call that is not let in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Shed {
    /// Which limit it met.
    pub kind: ShedKind,
    /// When trying again makes sense.
    pub retry_after: Duration,
    /// The limit, in calls, in bytes, or in calls per second.
    pub limit: u64,
    /// Who called.
    pub subject: Caller,
}

/// A limit that a call can meet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ShedKind {
    /// The broker has all the calls that it takes.
    Overloaded,
    /// The requests of all calls under way have all the bytes that they may.
    BytesFull,
    /// The caller has all the calls under way that it may have.
    CallerInFlight,
    /// The requests of the caller's calls under way have all the bytes that they may.
    CallerBytes,
    /// The caller makes more calls per second than it may.
    CallerRate,
}

impl ShedKind {
    /// The limit's name in the configuration.
    pub(super) fn setting(self) -> &'static str {
        match self {
            Self::Overloaded => "limits.calls_in_flight",
            Self::BytesFull => "limits.request_bytes_in_flight",
            Self::CallerInFlight => "limits.calls_in_flight_per_caller",
            Self::CallerBytes => "limits.request_bytes_in_flight_per_caller",
            Self::CallerRate => "limits.calls_per_second_per_caller",
        }
    }
}

/// The broker takes no more calls.
pub(in crate::rpc) fn overloaded() -> Error {
    let message = "the broker has as many calls under way as it takes; try again later";
    Error::new(Reason::Overloaded, message)
        .with("limit", ShedKind::Overloaded.setting())
        .retry_after(RETRY_AFTER)
}

impl From<Shed> for Error {
    fn from(Shed { kind, retry_after, limit, subject }: Shed) -> Self {
        let (reason, message) = match kind {
            ShedKind::Overloaded => return overloaded().retry_after(retry_after),
            ShedKind::BytesFull => (
                Reason::Overloaded,
                "the broker has as much of requests in memory as it takes; try again later"
                    .to_owned(),
            ),
            ShedKind::CallerInFlight => (
                Reason::QuotaExceeded,
                format!(
                    "{subject} has {limit} calls under way, and may have no more; let one end first"
                ),
            ),
            ShedKind::CallerBytes => (
                Reason::QuotaExceeded,
                format!(
                    "the requests of {subject} that are under way may have {limit} bytes together; let one end first"
                ),
            ),
            ShedKind::CallerRate => (
                Reason::QuotaExceeded,
                format!("this caller makes more than {limit} calls per second; call less often"),
            ),
        };
        let error =
            Self::new(reason, message).with("limit", kind.setting()).retry_after(retry_after);
        if reason == Reason::QuotaExceeded { error.with(status::CALLER, subject) } else { error }
    }
}
