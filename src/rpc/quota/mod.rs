//! How much of the broker a caller may take, and when the broker takes no more.
//!
//! Calls under way and the bytes of their requests are counted, all of them and by caller: the calls before a request is
//! read, the bytes while it comes. The [`rate`] of a caller is kept by governor on the injected clock ([`steady`]), as is how
//! many refusals are told of ([`refusals`]). What is known of a caller is forgotten when it has no call under way and its
//! whole burst again. [`shed`]: what a call is told that is not let in.

mod rate;
mod refusals;
mod shed;
mod steady;

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use dashmap::DashMap;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use rate::Rate;
pub use refusals::Refusals;
use shed::RETRY_AFTER;
pub(super) use shed::overloaded;
pub use shed::{Shed, ShedKind};

use crate::domain::{Caller, Clock, Limits};

/// The counts of all calls. A clone shares them.
#[derive(Clone)]
pub struct Quotas(Arc<Counts>);

struct Counts {
    calls: Arc<Semaphore>,
    /// Of the requests of all calls under way.
    bytes: AtomicUsize,
    by_caller: DashMap<Caller, Load>,
    rate: Rate,
    limits: Limits,
}

/// What a caller has under way.
#[derive(Default)]
struct Load {
    calls: usize,
    /// Of the requests of those calls.
    bytes: usize,
}

impl Quotas {
    /// Nothing is under way. A limit of 0 counts as 1 for rate and burst, and lets nothing in for calls in flight.
    pub fn new(limits: &Limits, clock: Arc<dyn Clock>) -> Self {
        let calls = limits.calls_in_flight.min(Semaphore::MAX_PERMITS);
        Self(Arc::new(Counts {
            calls: Arc::new(Semaphore::new(calls)),
            bytes: AtomicUsize::new(0),
            by_caller: DashMap::new(),
            rate: Rate::new(limits, clock),
            limits: limits.clone(),
        }))
    }

    /// Waits until no call is under way. New ones wait behind it, and so this is for the end.
    pub async fn idle(&self) {
        let all = self.0.limits.calls_in_flight.min(Semaphore::MAX_PERMITS);
        // Fails for a semaphore that was closed, which this one never is, or has more than fit into a number.
        drop(self.0.calls.acquire_many(u32::try_from(all).unwrap_or(u32::MAX)).await);
    }

    /// Lets a call in, or says which limit it meets.
    ///
    /// The caller's own limits come first: whoever asks too often takes no place that is another's, not even for a moment.
    pub fn take(&self, caller: &Caller) -> Result<Ticket, Shed> {
        let counts = &self.0;
        let share = Share::take(counts, caller)
            .ok_or_else(|| counts.shed(ShedKind::CallerInFlight, caller))?;
        counts.rate.take(caller).map_err(|wait| Shed {
            retry_after: wait,
            ..counts.shed(ShedKind::CallerRate, caller)
        })?;
        let place = counts.calls.clone().try_acquire_owned();
        let place = place.map_err(|_| counts.shed(ShedKind::Overloaded, caller))?;
        Ok(Ticket { share, _place: place })
    }
}

impl Counts {
    fn shed(&self, kind: ShedKind, caller: &Caller) -> Shed {
        let limits = &self.limits;
        let limit = match kind {
            ShedKind::Overloaded => limits.calls_in_flight,
            ShedKind::BytesFull => limits.request_bytes_in_flight,
            ShedKind::CallerInFlight => limits.calls_in_flight_per_caller,
            ShedKind::CallerBytes => limits.request_bytes_in_flight_per_caller,
            ShedKind::CallerRate => limits.calls_per_second_per_caller as usize,
        };
        Shed { kind, retry_after: RETRY_AFTER, limit: limit as u64, subject: caller.clone() }
    }
}

/// Leave for one call. Given back when it is dropped.
#[derive(Debug)]
#[must_use = "dropping it gives the leave back"]
pub struct Ticket {
    share: Share,
    _place: OwnedSemaphorePermit,
}

impl Ticket {
    /// Counts bytes of the call's request that have come, or says which limit they meet.
    pub fn add(&self, bytes: usize) -> Result<(), Shed> {
        self.share.add(bytes)
    }
}

/// What one call takes of its caller's share, and of all the bytes.
struct Share {
    counts: Arc<Counts>,
    caller: Caller,
    bytes: AtomicUsize,
}

impl Share {
    fn take(counts: &Arc<Counts>, caller: &Caller) -> Option<Self> {
        let most = counts.limits.calls_in_flight_per_caller;
        let mut load = counts.by_caller.entry(caller.clone()).or_default();
        if load.calls < most {
            load.calls += 1;
            drop(load);
            return Some(Self { counts: counts.clone(), caller: caller.clone(), bytes: 0.into() });
        }
        drop(load);
        counts.by_caller.remove_if(caller, |_, load| load.calls == 0);
        None
    }

    fn add(&self, bytes: usize) -> Result<(), Shed> {
        let Counts { bytes: all, by_caller, limits, .. } = &*self.counts;
        let shed = |kind| self.counts.shed(kind, &self.caller);
        let mut own = by_caller.entry(self.caller.clone()).or_default();
        let sum = own.bytes.saturating_add(bytes);
        if sum > limits.request_bytes_in_flight_per_caller {
            return Err(shed(ShedKind::CallerBytes));
        }
        let most = limits.request_bytes_in_flight;
        let add = |all: usize| all.checked_add(bytes).filter(|sum| *sum <= most);
        all.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add)
            .map_err(|_| shed(ShedKind::BytesFull))?;
        own.bytes = sum;
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        Ok(())
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let bytes = *self.bytes.get_mut();
        self.counts.bytes.fetch_sub(bytes, Ordering::Relaxed);
        self.counts.by_caller.remove_if_mut(&self.caller, |_, load| {
            load.calls = load.calls.saturating_sub(1);
            load.bytes = load.bytes.saturating_sub(bytes);
            load.calls == 0
        });
    }
}

impl fmt::Debug for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Share").field("caller", &self.caller).field("bytes", &self.bytes).finish()
    }
}

#[cfg(test)]
mod tests;
