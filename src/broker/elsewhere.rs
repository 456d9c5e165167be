//! What another replica did, or a person at the database, counts here, too.

use std::{sync::Arc, time::Duration};

use tokio::task::JoinSet;
use tracing::{debug, info, warn};

use super::{Broker, tokens::CachedToken};
use crate::{domain::AccountId, store::Heeded};

/// How often the database is asked what was changed: what was switched off elsewhere is used here for so long.
const POLL_EVERY: Duration = Duration::from_secs(5);

/// What was cached for an account.
type Cached = (AccountId, Vec<Arc<CachedToken>>);

impl Broker {
    /// Forgets what is known of accounts that were changed elsewhere, and their tokens and refusals, for as long as it is polled.
    /// Without it nothing is used that is known without asking the database.
    pub async fn heed_other_replicas(self) {
        let mut heeded = Heeded::default();
        let mut endings = JoinSet::new();
        loop {
            // Begun before the database is asked, as is what is due.
            let polled = self.inner.parts.clock.sleep(POLL_EVERY);
            match self.store().heed_changes(&mut heeded, self.now()).await {
                Ok(accounts) => {
                    let cached = self.forget_tokens(accounts);
                    if !cached.is_empty() {
                        // Beside this: GitHub may take its time, and the next change may not.
                        endings.spawn(self.clone().end_unused(cached));
                    }
                }
                Err(error) => {
                    warn!(%error, "what was changed elsewhere could not be read; tried again in {} s", POLL_EVERY.as_secs());
                }
            }
            while endings.try_join_next().is_some() {}
            polled.await;
        }
    }

    fn forget_tokens(&self, accounts: Vec<AccountId>) -> Vec<Cached> {
        let forget = |account: AccountId| {
            // Refusals go, too: what was not granted may be now.
            let cached = self.inner.tokens.purge(&account);
            debug!(%account, "changed elsewhere");
            (!cached.is_empty()).then_some((account, cached))
        };
        accounts.into_iter().filter_map(forget).collect()
    }

    /// Ends the tokens of accounts that have no installation any more, or that it is switched off for.
    async fn end_unused(self, cached: Vec<Cached>) {
        for (account, cached) in cached {
            match self.store().view(&account, self.now()).await {
                Ok(view) if view.installation.is_none() => {
                    let revoked = self.revoke(&account, cached).await;
                    info!(%account, revoked, "tokens of an account that was disconnected or switched off elsewhere were ended");
                }
                Ok(_) => {}
                Err(error) => {
                    warn!(%account, %error, "it could not be read whether cached tokens are to be ended; they end by themselves within the hour");
                }
            }
        }
    }
}
