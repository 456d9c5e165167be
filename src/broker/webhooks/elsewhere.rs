//! What another replica did counts here, too.

use std::{collections::HashSet, time::Duration};

use tracing::{info, warn};

use super::work::POLL_EVERY;
use crate::{broker::Broker, store::Finished};

/// The clocks of replicas may differ by this much, and a commit in the database may take so long to be seen.
const CLOCKS_APART: Duration = Duration::from_secs(60);

impl Broker {
    /// Forgets tokens and refusals of accounts for which another replica has followed a webhook, for as long as it is polled.
    pub async fn heed_other_replicas(self) {
        let mut since = self.now();
        let mut heeded = HashSet::new();
        loop {
            // Begun before the database is asked, as is what is due.
            let polled = self.inner.parts.clock.sleep(POLL_EVERY);
            let now = self.now();
            match self.store().followed_elsewhere(since - CLOCKS_APART).await {
                Ok(finished) => {
                    let new = finished.iter().filter(|delivery| !heeded.contains(&delivery.id));
                    new.for_each(|delivery| self.heed(delivery));
                    // What is older than the next question is not seen again.
                    heeded = finished.into_iter().map(|delivery| delivery.id).collect();
                    since = now;
                }
                Err(error) => {
                    warn!(%error, "what other replicas followed could not be read; tried again in {} s", POLL_EVERY.as_secs());
                }
            }
            polled.await;
        }
    }

    fn heed(&self, delivery: &Finished) {
        for account in &delivery.accounts {
            self.inner.tokens.purge(account);
            info!(%account, delivery = delivery.id, "webhook followed by another replica");
        }
    }
}
