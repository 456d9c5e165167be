//! What is done only so often for one account, however often it is asked for.

use std::time::Duration;

use dashmap::{DashMap, Entry};
use time::OffsetDateTime;

use crate::domain::AccountId;

/// When something was last done for each account.
pub(super) struct Seldom {
    every: Duration,
    done: DashMap<AccountId, OffsetDateTime>,
}

impl Seldom {
    /// At most once in `every` for an account.
    pub fn once_in(every: Duration) -> Self {
        Self { every, done: DashMap::new() }
    }

    /// Whether it may be done again; then it is as good as done.
    pub fn may(&self, account: &AccountId, now: OffsetDateTime) -> bool {
        self.done.retain(|_, at| now - *at < self.every);
        match self.done.entry(account.clone()) {
            Entry::Occupied(_) => false,
            Entry::Vacant(place) => {
                place.insert(now);
                true
            }
        }
    }
}
