//! What another replica did, or a person at the database, counts here, too.

use std::time::Duration;

use tokio::task::JoinSet;
use tracing::{debug, info, warn};

use super::{Broker, error::Error};
use crate::{
    domain::{AccountId, ConnectionStatus},
    store::{Elsewhere, Heeded},
};

/// How often the database is asked what was changed: what was switched off elsewhere is used here for so long.
const POLL_EVERY: Duration = Duration::from_secs(5);

impl Broker {
    /// Forgets what is known of accounts that were changed elsewhere, for as long as it is polled, and lets their tokens follow.
    /// Without it nothing is used that is known without asking the database.
    pub async fn heed_other_replicas(self) {
        let mut heeded = Heeded::default();
        let mut followed = JoinSet::new();
        loop {
            // Begun before the database is asked, as is what is due.
            let polled = self.inner.parts.clock.sleep(POLL_EVERY);
            match self.store().heed_changes(&mut heeded, self.now()).await {
                Ok(changed) => {
                    let accounts = self.with_tokens(changed);
                    if !accounts.is_empty() {
                        // Beside this: GitHub may take its time, and the next change may not.
                        followed.spawn(self.clone().follow_accounts(accounts));
                    }
                }
                Err(error) => {
                    warn!(%error, "what was changed elsewhere could not be read; tried again in {} s", POLL_EVERY.as_secs());
                }
            }
            while followed.try_join_next().is_some() {}
            polled.await;
        }
    }

    /// The accounts that have tokens, of those that were changed.
    fn with_tokens(&self, changed: Elsewhere) -> Vec<AccountId> {
        let tokens = &self.inner.tokens;
        match changed {
            Elsewhere::These(mut accounts) => {
                if !accounts.is_empty() {
                    tokens.look_again();
                }
                accounts.retain(|account| tokens.knows(account));
                accounts
            }
            Elsewhere::Any => {
                tokens.look_again();
                let accounts = tokens.accounts();
                info!(
                    accounts = accounts.len(),
                    "changes may have been missed; all that is known of accounts is read anew"
                );
                accounts
            }
        }
    }

    async fn follow_accounts(self, accounts: Vec<AccountId>) {
        let mut ending = JoinSet::new();
        for account in accounts {
            debug!(%account, "changed elsewhere");
            if let Err(error) = self.follow_account(&account, &mut ending).await {
                self.inner.tokens.forget_tokens(&account);
                warn!(%account, %error, "it could not be read whether cached tokens are to be ended; they end by themselves within the hour");
            }
        }
        while ending.join_next().await.is_some() {}
    }

    /// Lets an account's tokens follow what is stored of it: they end where it has no installation any more, or that is switched
    /// off, and are renewed where they may be good for more or less than before.
    async fn follow_account(
        &self,
        account: &AccountId,
        ending: &mut JoinSet<()>,
    ) -> Result<(), Error> {
        let tokens = &self.inner.tokens;
        match self.store().view(account, self.now()).await?.installation {
            Some((id, ConnectionStatus::Active)) => {
                tokens.keep_only(account, id);
                self.take_over_names(account).await?;
                tokens.refresh(account);
            }
            Some(_) => tokens.forget_tokens(account),
            None => {
                let (broker, account) = (self.clone(), account.clone());
                // Beside this: GitHub may take its time with one account's tokens, and the next account's are to end, too.
                ending.spawn(async move {
                    let revoked = broker.revoke_cached(&account).await;
                    info!(%account, revoked, "tokens of an account that was disconnected or switched off elsewhere were ended");
                });
            }
        }
        Ok(())
    }
}
