//! How much of the broker a caller may take, and when the broker takes no more: decided before the body of a request is read.
//!
//! Calls in flight are counted, all of them and by caller; the rate of a caller is kept by governor on the injected clock
//! ([`steady`]), as is how many refusals are told of ([`refusals`]). What is known of a caller is forgotten when it has no call under way and its whole burst again.

mod refusals;
mod steady;

use std::{
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use dashmap::{DashMap, Entry};
use governor::{
    Quota, RateLimiter, clock::Clock as _, middleware::NoOpMiddleware, nanos::Nanos,
    state::keyed::DashMapStateStore,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub use refusals::Refusals;
use steady::Steady;

use super::status;
use crate::{
    broker::{Error, Reason},
    domain::{Caller, Clock, Limits},
};

/// What a caller waits for calls to end: most take less.
const RETRY_AFTER_CALLS: Duration = Duration::from_secs(1);
/// What a caller waits for commits to end: they take some calls of GitHub each.
const RETRY_AFTER_COMMITS: Duration = Duration::from_secs(5);
/// Rates of idle callers are forgotten after at least so many calls.
const SWEEP_EVERY: usize = 1024;

/// The counts of all calls. A clone shares them.
#[derive(Clone)]
pub struct Quotas(Arc<Counts>);

struct Counts {
    calls: Arc<Semaphore>,
    commits: Arc<Semaphore>,
    in_flight: InFlight,
    committing: InFlight,
    rate: Rate,
    limits: Limits,
}

/// Calls under way, or commits among them, of each caller that has any.
type InFlight = Arc<DashMap<Caller, usize>>;

/// Leave for one call. Given back when it is dropped.
#[derive(Debug)]
#[must_use = "dropping it gives the leave back"]
pub struct Ticket {
    _share: Share,
    _call: OwnedSemaphorePermit,
    _commit: Option<(Share, OwnedSemaphorePermit)>,
}

/// A call that is not let in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Shed {
    /// Which limit it met.
    pub kind: ShedKind,
    /// When trying again makes sense.
    pub retry_after: Duration,
    /// The limit, in calls, or calls per second for [`ShedKind::CallerRate`].
    pub limit: u64,
    /// Who called.
    pub subject: Caller,
}

/// A limit that a call can meet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ShedKind {
    /// The broker has all the calls that it takes.
    Overloaded,
    /// The broker has all the commits that it takes.
    CommitsFull,
    /// The caller has all the calls under way that it may have.
    CallerInFlight,
    /// The caller has all the commits under way that it may have.
    CallerCommits,
    /// The caller makes more calls per second than it may.
    CallerRate,
}

impl Quotas {
    /// Nothing is under way. A limit of 0 counts as 1 for rate and burst, and lets nothing in for calls in flight.
    pub fn new(limits: &Limits, clock: Arc<dyn Clock>) -> Self {
        let room = |calls: usize| Arc::new(Semaphore::new(calls.min(Semaphore::MAX_PERMITS)));
        Self(Arc::new(Counts {
            calls: room(limits.calls_in_flight),
            commits: room(limits.commits_in_flight),
            in_flight: InFlight::default(),
            committing: InFlight::default(),
            rate: Rate::new(limits, clock),
            limits: limits.clone(),
        }))
    }

    /// Lets a call in, or says which limit it meets. `commit`: it is a CommitFiles.
    ///
    /// The caller's own limits come first: whoever asks too often takes no place that is another's, not even for a moment.
    pub fn take(&self, caller: &Caller, commit: bool) -> Result<Ticket, Shed> {
        let Counts { calls, commits, in_flight, committing, rate, limits } = &*self.0;
        let shed = |kind, limit: usize, retry_after| Shed {
            kind,
            retry_after,
            limit: limit as u64,
            subject: caller.clone(),
        };
        let most = limits.calls_in_flight_per_caller;
        let share = Share::take(in_flight, caller, most)
            .ok_or_else(|| shed(ShedKind::CallerInFlight, most, RETRY_AFTER_CALLS))?;
        rate.take(caller).map_err(|wait| {
            shed(ShedKind::CallerRate, limits.calls_per_second_per_caller as usize, wait)
        })?;
        let call = calls
            .clone()
            .try_acquire_owned()
            .map_err(|_| shed(ShedKind::Overloaded, limits.calls_in_flight, RETRY_AFTER_CALLS))?;
        let commit = commit.then(|| {
            let most = limits.commits_in_flight_per_caller;
            let share = Share::take(committing, caller, most)
                .ok_or_else(|| shed(ShedKind::CallerCommits, most, RETRY_AFTER_COMMITS))?;
            let place = commits.clone().try_acquire_owned().map_err(|_| {
                shed(ShedKind::CommitsFull, limits.commits_in_flight, RETRY_AFTER_COMMITS)
            })?;
            Ok((share, place))
        });
        Ok(Ticket { _share: share, _call: call, _commit: commit.transpose()? })
    }
}

/// One of a caller's calls, or commits, in flight.
#[derive(Debug)]
struct Share {
    of: InFlight,
    caller: Caller,
}

impl Share {
    fn take(of: &InFlight, caller: &Caller, most: usize) -> Option<Self> {
        match of.entry(caller.clone()) {
            Entry::Occupied(mut count) if *count.get() < most => *count.get_mut() += 1,
            Entry::Vacant(place) if most > 0 => drop(place.insert(1)),
            _ => return None,
        }
        Some(Self { of: of.clone(), caller: caller.clone() })
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.of.remove_if_mut(&self.caller, |_, count| {
            *count = count.saturating_sub(1);
            *count == 0
        });
    }
}

/// Calls of each caller over time.
struct Rate {
    limiter: RateLimiter<Caller, DashMapStateStore<Caller>, Steady, NoOpMiddleware<Nanos>>,
    until_sweep: AtomicUsize,
}

impl Rate {
    fn new(limits: &Limits, clock: Arc<dyn Clock>) -> Self {
        let at_least_one = |number| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::per_second(at_least_one(limits.calls_per_second_per_caller))
            .allow_burst(at_least_one(limits.burst_per_caller));
        let limiter = RateLimiter::dashmap_with_clock(quota, Steady::new(clock));
        Self { limiter, until_sweep: AtomicUsize::new(SWEEP_EVERY) }
    }

    /// Counts a call, or says how long to wait until one is allowed.
    fn take(&self, caller: &Caller) -> Result<(), Duration> {
        let taken = self.limiter.check_key(caller);
        // Exactly one call gets to 0; the others count below it until the new number is there.
        if self.until_sweep.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.limiter.retain_recent();
            // As many calls as there are callers left: a sweep looks at all of them.
            self.until_sweep.store(self.limiter.len().max(SWEEP_EVERY), Ordering::Relaxed);
        }
        taken.map_err(|until| until.wait_time_from(self.limiter.clock().now()))
    }
}

impl ShedKind {
    /// The limit's name in the configuration.
    fn setting(self) -> &'static str {
        match self {
            Self::Overloaded => "limits.calls_in_flight",
            Self::CommitsFull => "limits.commits_in_flight",
            Self::CallerInFlight => "limits.calls_in_flight_per_caller",
            Self::CallerCommits => "limits.commits_in_flight_per_caller",
            Self::CallerRate => "limits.calls_per_second_per_caller",
        }
    }
}

/// The broker takes no more calls.
pub(super) fn overloaded() -> Error {
    let message = "the broker has as many calls under way as it takes; try again later";
    Error::new(Reason::Overloaded, message)
        .with("limit", ShedKind::Overloaded.setting())
        .retry_after(RETRY_AFTER_CALLS)
}

impl From<Shed> for Error {
    fn from(Shed { kind, retry_after, limit, subject }: Shed) -> Self {
        let (reason, message) = match kind {
            ShedKind::Overloaded => return overloaded().retry_after(retry_after),
            ShedKind::CommitsFull => (
                Reason::Overloaded,
                "the broker has as many commits under way as it takes; try again later".to_owned(),
            ),
            ShedKind::CallerInFlight => (
                Reason::QuotaExceeded,
                format!(
                    "{subject} has {limit} calls under way, and may have no more; let one end first"
                ),
            ),
            ShedKind::CallerCommits => (
                Reason::QuotaExceeded,
                format!(
                    "{subject} has {limit} commits under way, and may have no more; let one end first"
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

#[cfg(test)]
mod tests;
