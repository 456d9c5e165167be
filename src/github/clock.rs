//! GitHub's clock, by which tokens end, quotas start anew and the App's JWT is judged.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use time::{Duration, OffsetDateTime};

use crate::domain::Clock;

/// GitHub's clock: ours, corrected by what its answers say.
pub(super) struct GitHubClock {
    ours: Arc<dyn Clock>,
    offset_seconds: AtomicI64,
}

impl GitHubClock {
    pub(super) fn new(ours: Arc<dyn Clock>) -> Self {
        Self { ours, offset_seconds: AtomicI64::new(0) }
    }

    /// The time by our own clock.
    pub(super) fn ours(&self) -> OffsetDateTime {
        self.ours.now()
    }

    /// Ends when our own clock has advanced by `duration`.
    pub(super) fn sleep(&self, duration: std::time::Duration) -> impl Future<Output = ()> + Send {
        self.ours.sleep(duration)
    }

    /// The time by GitHub's clock.
    pub(super) fn now(&self) -> OffsetDateTime {
        self.ours.now().saturating_add(self.offset())
    }

    /// How far GitHub's clock is ahead of ours.
    pub(super) fn offset(&self) -> Duration {
        Duration::seconds(self.offset_seconds.load(Ordering::Relaxed))
    }

    /// Takes note of the date of an answer that has just come.
    pub(super) fn learn(&self, date: OffsetDateTime) {
        let offset = (date - self.ours.now()).whole_seconds();
        self.offset_seconds.store(offset, Ordering::Relaxed);
    }
}
