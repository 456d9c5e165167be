//! The injected clock as governor wants it: one that never goes back.

use std::sync::{Arc, Mutex, PoisonError};

use governor::{clock, nanos::Nanos};
use time::{Duration, OffsetDateTime};

use crate::domain::Clock;

/// Most that one reading adds: by then every caller has its whole burst again, and no jump to the end of the calendar makes
/// the count of nanoseconds overflow.
const MOST_AT_ONCE: Duration = Duration::DAY;
/// Nanoseconds are counted no further than this (292 years), so that governor can add to them.
const END: u64 = u64::MAX / 2;

/// Time that has passed since the start. Where the clock steps back it goes on from there: nobody waits until the clock is
/// where it was before.
pub(super) struct Steady {
    clock: Arc<dyn Clock>,
    // A std mutex: held for a few additions, never across an await.
    last: Mutex<Reading>,
}

struct Reading {
    shown: OffsetDateTime,
    passed: u64,
}

impl Steady {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        let last = Mutex::new(Reading { shown: clock.now(), passed: 0 });
        Self { clock, last }
    }
}

impl clock::Clock for Steady {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        // Read under the lock, else a thread that was overtaken would take the difference for a step back.
        let shown = self.clock.now();
        let step = (shown - last.shown).clamp(Duration::ZERO, MOST_AT_ONCE).whole_nanoseconds();
        last.shown = shown;
        last.passed = last.passed.saturating_add(u64::try_from(step).unwrap_or(0)).min(END);
        Nanos::new(last.passed)
    }
}
