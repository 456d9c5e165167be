//! How often each caller calls.

use std::{
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use governor::{
    Quota, RateLimiter, clock::Clock as _, middleware::NoOpMiddleware, nanos::Nanos,
    state::keyed::DashMapStateStore,
};

use super::steady::Steady;
use crate::domain::{Caller, Clock, Limits};

/// Rates of idle callers are forgotten after at least so many calls.
pub(super) const SWEEP_EVERY: usize = 1024;

/// Calls of each caller over time.
pub(super) struct Rate {
    pub(super) limiter:
        RateLimiter<Caller, DashMapStateStore<Caller>, Steady, NoOpMiddleware<Nanos>>,
    until_sweep: AtomicUsize,
}

impl Rate {
    /// Nobody has called yet.
    pub fn new(limits: &Limits, clock: Arc<dyn Clock>) -> Self {
        let at_least_one = |number| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::per_second(at_least_one(limits.calls_per_second_per_caller))
            .allow_burst(at_least_one(limits.burst_per_caller));
        let limiter = RateLimiter::dashmap_with_clock(quota, Steady::new(clock));
        Self { limiter, until_sweep: AtomicUsize::new(SWEEP_EVERY) }
    }

    /// Counts a call, or says how long to wait until one is allowed.
    pub fn take(&self, caller: &Caller) -> Result<(), Duration> {
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
