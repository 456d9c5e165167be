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
        self.done.retain(|_, at| now - *at < self.every);
        match self.done.entry(whom.clone()) {
            Entry::Occupied(_) => false,
            Entry::Vacant(place) => {
                place.insert(now);
                true
            }
        }
    }
}
