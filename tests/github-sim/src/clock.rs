//! The simulator's own time, so that an hour passes in a test without waiting.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use time::OffsetDateTime;

/// 2026-01-15 12:00:00 UTC: an arbitrary fixed start, so that tests read the same every day.
const FIXED_START: i64 = 1_768_478_400;

/// A clock that is shared by its clones.
#[derive(Clone, Debug)]
pub struct SimClock {
    /// Milliseconds since the epoch of a manual clock; milliseconds added to real time otherwise.
    milliseconds: Arc<AtomicI64>,
    real: bool,
}

impl SimClock {
    /// A clock that stands still at a fixed instant until it is advanced.
    pub fn manual() -> Self {
        Self::starting_at(
            OffsetDateTime::from_unix_timestamp(FIXED_START).unwrap_or(OffsetDateTime::UNIX_EPOCH),
        )
    }

    /// A clock that stands still at `start` until it is advanced.
    pub fn starting_at(start: OffsetDateTime) -> Self {
        let start = start.unix_timestamp().saturating_mul(1000);
        Self { milliseconds: Arc::new(AtomicI64::new(start)), real: false }
    }

    /// Real time, which `advance` can still push forward.
    pub fn real() -> Self {
        Self { milliseconds: Arc::new(AtomicI64::new(0)), real: true }
    }

    /// Moves time forward.
    pub fn advance(&self, by: Duration) {
        let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        self.milliseconds.fetch_add(by, Ordering::SeqCst);
    }

    /// The time now, in UTC.
    pub fn now(&self) -> OffsetDateTime {
        let offset = time::Duration::milliseconds(self.milliseconds.load(Ordering::SeqCst));
        let origin = if self.real { OffsetDateTime::now_utc() } else { OffsetDateTime::UNIX_EPOCH };
        origin.saturating_add(offset)
    }

    /// Seconds since the epoch.
    pub fn seconds(&self) -> i64 {
        self.now().unix_timestamp()
    }
}

impl Default for SimClock {
    fn default() -> Self {
        Self::manual()
    }
}

/// `2026-01-15T12:00:00Z`, as GitHub writes times in JSON.
pub(crate) fn iso(seconds: i64) -> String {
    let t = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let (date, clock) = (t.date(), t.time());
    format!("{date}T{:02}:{:02}:{:02}Z", clock.hour(), clock.minute(), clock.second())
}

/// `Thu, 15 Jan 2026 12:00:00 GMT`, as the `Date` header has it.
pub(crate) fn http_date(seconds: i64) -> String {
    let t = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let weekday = t.weekday().to_string();
    let month = t.month().to_string();
    format!(
        "{:.3}, {:02} {:.3} {:04} {:02}:{:02}:{:02} GMT",
        weekday,
        t.day(),
        month,
        t.year(),
        t.hour(),
        t.minute(),
        t.second()
    )
}
