//! GitHub's clock, by which tokens end, quotas start anew and the App's JWT is judged.

use std::{
    collections::VecDeque,
    future::Future,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
};

use time::{Duration, OffsetDateTime};

use crate::domain::Clock;

/// Of so many of the last answers the one in the middle counts: two that lie change nothing.
const ANSWERS: usize = 5;

/// GitHub's clock: ours, corrected by what its answers say.
pub(super) struct GitHubClock {
    ours: Arc<dyn Clock>,
    // A std mutex: held for a few instructions, never across an await.
    answers: Mutex<VecDeque<Duration>>,
    /// What they come to: read at every call.
    offset_seconds: AtomicI64,
}

impl GitHubClock {
    pub(super) fn new(ours: Arc<dyn Clock>) -> Self {
        Self { ours, answers: Mutex::default(), offset_seconds: AtomicI64::new(0) }
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

    /// How far GitHub's clock is ahead of ours: zero until its first answer.
    pub(super) fn offset(&self) -> Duration {
        Duration::seconds(self.offset_seconds.load(Ordering::Relaxed))
    }

    /// How far GitHub's clock was ahead of ours if it was `date` there just now.
    pub(super) fn measure(&self, date: OffsetDateTime) -> Duration {
        Duration::seconds((date - self.ours.now()).whole_seconds())
    }

    /// Takes note of what an answer that has just come shows.
    pub(super) fn learn(&self, offset: Duration) {
        self.note(ANSWERS - 1, offset);
    }

    /// Believes an answer at once, whatever those before it showed: GitHub has judged by this clock, and ours may have
    /// jumped.
    pub(super) fn believe(&self, offset: Duration) {
        self.note(0, offset);
    }

    fn note(&self, kept: usize, offset: Duration) {
        // Each offset is right by itself.
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.truncate(kept);
        answers.push_front(offset);
        let offset = middle(answers.iter().copied().collect());
        self.offset_seconds.store(offset.whole_seconds(), Ordering::Relaxed);
    }
}

fn middle(mut offsets: Vec<Duration>) -> Duration {
    offsets.sort_unstable();
    // Of two in the middle one may be a lie, which is seldom nearer to our clock than the truth.
    let places = [offsets.len().saturating_sub(1) / 2, offsets.len() / 2];
    let both = places.iter().filter_map(|place| offsets.get(*place));
    both.copied().min_by_key(|offset| offset.abs()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::github::testing::Manual;

    const NOW: OffsetDateTime = datetime!(2026-11-20 12:00:00 UTC);

    /// The offset in minutes after each of these answers.
    fn after(minutes: &[i64]) -> Vec<i64> {
        let clock = GitHubClock::new(Manual::at(NOW));
        let learn = |minutes: &i64| {
            clock.learn(clock.measure(NOW + Duration::minutes(*minutes)));
            clock.offset().whole_minutes()
        };
        minutes.iter().map(learn).collect()
    }

    #[test]
    fn the_first_answer_counts_and_one_lie_does_not() {
        assert_eq!(after(&[5]), [5]);
        assert_eq!(after(&[5, 999, 5, 5]), [5, 5, 5, 5]);
        assert_eq!(after(&[-5, -999, -5]), [-5, -5, -5]);
        // A first one that lies is corrected by the next.
        assert_eq!(after(&[999, 5, 5]), [999, 5, 5]);
        assert_eq!(after(&[0, 0, 0, 0, 0, 999, -999, 0]), [0; 8]);
    }

    #[test]
    fn a_clock_that_has_changed_is_followed() {
        assert_eq!(after(&[0, 0, 0, 0, 0, 5, 5, 5]), [0, 0, 0, 0, 0, 0, 0, 5]);
        let clock = GitHubClock::new(Manual::at(NOW));
        (0..5).for_each(|_| clock.learn(Duration::ZERO));
        clock.believe(Duration::minutes(5));
        assert_eq!(clock.now(), NOW + Duration::minutes(5));
    }
}
