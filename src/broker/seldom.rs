//! What is done only so often, however often it is asked for.

use std::{hash::Hash, time::Duration};

use dashmap::{DashMap, Entry};
use time::OffsetDateTime;

/// When something was last done for each `K`, such as an account.
pub(super) struct Seldom<K> {
    every: Duration,
    done: DashMap<K, OffsetDateTime>,
}

impl<K: Clone + Eq + Hash> Seldom<K> {
    /// At most once in `every` for each.
    pub fn once_in(every: Duration) -> Self {
        Self { every, done: DashMap::new() }
    }

    /// Whether it may be done again; then it is as good as done.
    pub fn may(&self, whom: &K, now: OffsetDateTime) -> bool {
        // What was done in the future was done before the clock was set back.
        self.done.retain(|_, at| (now - *at).unsigned_abs() < self.every);
        match self.done.entry(whom.clone()) {
            Entry::Occupied(_) => false,
            Entry::Vacant(place) => {
                place.insert(now);
                true
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_clock_that_is_set_back_forbids_nothing() {
        let (seldom, now) =
            (Seldom::once_in(Duration::from_secs(10)), datetime!(2026-11-20 12:00 UTC));
        assert!(seldom.may(&"a", now));
        assert!(!seldom.may(&"a", now + time::Duration::seconds(9)));
        assert!(seldom.may(&"a", now - time::Duration::HOUR));
    }
}
