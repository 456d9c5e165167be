//! Renewal ahead of time, and forgetting.

use std::time::Duration;

use super::{cache::TokenCache, entry::Due, source::Source, sync::apart};

/// How often the map is looked through: small against the 15 minutes that are left when a renewal is due.
const SWEEP_EVERY: Duration = Duration::from_secs(15);

/// Renews what is due and in use and forgets what has ended, for as long as it is polled.
pub async fn keep_fresh<S: Source>(cache: TokenCache<S>) {
    loop {
        cache.inner.clock.sleep(SWEEP_EVERY).await;
        cache.sweep().await;
    }
}

impl<S: Source> TokenCache<S> {
    pub(in crate::broker) async fn sweep(&self) {
        let (cache, now) = (self.clone(), self.now());
        // With a million keys it takes a while.
        let look = move || {
            cache.inner.counted.keys(cache.keys());
            cache.entries_that(|_, entry| entry.is_awake(now))
        };
        let awake = apart(look).await;
        for (key, entry) in awake.unwrap_or_default() {
            match entry.tidy(now) {
                Due::Nothing => {}
                Due::Renewal(tell) => self.fly(key, entry, tell, true),
                Due::Retired => self.forget(&key, &entry),
            }
        }
        self.drop_old_refusals(now);
    }
}
