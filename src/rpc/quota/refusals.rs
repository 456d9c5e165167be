//! How many refusals are told of.

use std::{
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use governor::{
    Quota, RateLimiter,
    middleware::NoOpMiddleware,
    nanos::Nanos,
    state::{InMemoryState, NotKeyed},
};

use super::steady::Steady;
use crate::domain::Clock;

/// Refusals in a second that are told of: more than an operator reads, and 3 GB a day at most if an attacker makes them.
const PER_SECOND: NonZeroU32 = NonZeroU32::new(100).unwrap();

/// Counts refusals, so that whoever is refused cannot fill disks with lines about it.
pub struct Refusals {
    limiter: RateLimiter<NotKeyed, InMemoryState, Steady, NoOpMiddleware<Nanos>>,
    untold: AtomicU64,
}

impl Refusals {
    /// None yet.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let quota = Quota::per_second(PER_SECOND);
        let limiter = RateLimiter::direct_with_clock(quota, Steady::new(clock));
        Self { limiter, untold: AtomicU64::new(0) }
    }

    /// One more. Whether it is to be told of, and then of how many before nothing was told.
    pub fn tell(&self) -> Option<u64> {
        if self.limiter.check().is_ok() {
            return Some(self.untold.swap(0, Ordering::Relaxed));
        }
        self.untold.fetch_add(1, Ordering::Relaxed);
        None
    }
}
