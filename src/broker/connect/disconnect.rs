//! Undoing the connection of an account.

use std::sync::Arc;

use futures_util::{StreamExt, stream};
use tracing::{info, warn};

use crate::{
    broker::{Broker, Call, error::Error, tokens::CachedToken},
    domain::AccountId,
    store::Deleted,
};

/// What was undone.
#[derive(Clone, Copy, Debug)]
pub struct Disconnected {
    /// False if there was nothing.
    pub existed: bool,
    /// Tokens that GitHub confirmed as revoked: cached ones, and the one of a user.
    pub tokens_revoked: usize,
}

/// Revocations at once: an account rarely has more cached tokens than this.
const REVOKE_AT_ONCE: usize = 8;

impl Broker {
    /// Deletes all of an account, and ends at GitHub the tokens that are cached for it and those of its user. A task of its
    /// own: once the account is deleted nobody else knows of its tokens, so that a caller who gives up must not stop it half
    /// way.
    pub(in crate::broker) async fn disconnect(&self, call: &Call) -> Result<Disconnected, Error> {
        let (broker, account) = (self.clone(), call.account().clone());
        let work = tokio::spawn(async move { broker.disconnect_now(&account).await });
        work.await.map_err(Error::internal)?
    }

    async fn disconnect_now(&self, account: &AccountId) -> Result<Disconnected, Error> {
        let Deleted { existed, user } = self.store().disconnect(account).await?;
        let mut revoked = self.revoke_cached(account).await;
        if let Some((user, sealed)) = user
            && self.end_stored_pair(&user, &sealed).await
        {
            revoked += 1;
        }
        info!(%account, existed, revoked, "account disconnected");
        Ok(Disconnected { existed, tokens_revoked: revoked })
    }

    /// Ends at GitHub the installation tokens that are cached for an account; says how many.
    pub(in crate::broker) async fn revoke_cached(&self, account: &AccountId) -> usize {
        let cached = self.inner.tokens.purge(account);
        self.revoke(account, cached).await
    }

    /// Ends at GitHub all installation tokens that are cached for anybody; says how many.
    pub async fn revoke_all(&self) -> usize {
        let all = self.inner.tokens.purge_all();
        let accounts = all
            .into_iter()
            .map(|(account, cached)| async move { self.revoke(&account, cached).await });
        stream::iter(accounts)
            .buffer_unordered(REVOKE_AT_ONCE)
            .fold(0, async |all, of| all + of)
            .await
    }

    /// Ends tokens of an account at GitHub; says how many.
    async fn revoke(&self, account: &AccountId, tokens: Vec<Arc<CachedToken>>) -> usize {
        stream::iter(tokens)
            .map(async |cached| {
                let revoked = self.github().revoke(&cached.token).await;
                self.inner.tokens.counted().revocation(revoked.is_ok());
                if let Err(error) = &revoked {
                    warn!(%account, %error, "a cached token could not be revoked; it ends by itself within the hour");
                }
                revoked.is_ok()
            })
            .buffer_unordered(REVOKE_AT_ONCE)
            .filter(|revoked| std::future::ready(*revoked))
            .count()
            .await
    }
}
