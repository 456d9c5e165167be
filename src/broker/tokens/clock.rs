//! The time by which tokens end.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use time::{Duration, OffsetDateTime};

use crate::domain::Clock;

/// The machine's clock, but never back: whoever sets that back by ten minutes must not have tokens served for ten minutes beyond
/// their end. From then on it goes as the steady clock does, which nobody sets. Where the machine's clock is set forward it follows:
/// while a machine sleeps the steady one may stand still.
pub(super) struct TokenClock {
    machine: Arc<dyn Clock>,
    /// Milliseconds that the machine's clock was ahead of the steady one at the most.
    most_ahead: AtomicI64,
}

impl TokenClock {
    pub fn new(machine: Arc<dyn Clock>) -> Self {
        Self { machine, most_ahead: AtomicI64::new(i64::MIN) }
    }

    /// The time. Takes no lock.
    pub fn now(&self) -> OffsetDateTime {
        let (machine, set_back) = self.read();
        machine.saturating_add(set_back)
    }

    /// How far it is ahead of the machine's clock: what that was set back by.
    pub fn ahead(&self) -> Duration {
        self.read().1
    }

    /// Ends when it has advanced by `duration`.
    pub fn sleep(&self, duration: std::time::Duration) -> impl Future<Output = ()> + Send {
        self.machine.sleep(duration)
    }

    /// The machine's time, and how far it is behind.
    fn read(&self) -> (OffsetDateTime, Duration) {
        // In this order: what comes between the two makes the one seem less ahead, which does no harm, and never more.
        let machine = self.machine.now();
        let steady = i64::try_from(self.machine.steady().as_millis()).unwrap_or(i64::MAX);
        let since_1970 =
            machine.unix_timestamp().saturating_mul(1000) + i64::from(machine.millisecond());
        let ahead = since_1970.saturating_sub(steady);
        let mut most = self.most_ahead.load(Ordering::Relaxed);
        // Written hardly ever: all callers share its cache line.
        if ahead > most {
            most = self.most_ahead.fetch_max(ahead, Ordering::Relaxed).max(ahead);
        }
        (machine, Duration::milliseconds(most.saturating_sub(ahead)))
    }
}
