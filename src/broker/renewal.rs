//! The tokens of users who have authorized the broker, renewed ahead of their end.
//!
//! A renewal ends the pair that it is made with, at once: of all replicas one renews, and the new pair is in the database before
//! anybody uses it. So that no token that was handed out ends earlier than said, its end is told as the time of its renewal.

use std::{sync::Arc, time::Duration};

use tracing::{debug, error, info, warn};

use super::{
    Broker,
    credential::UserToken,
    error::{Error, Reason},
    refusal,
    user_tokens::{AHEAD, Pair, user_token},
};
use crate::{
    domain::{
        AccountId, Clock, ConnectionStatus, CredentialSource, OAuthUser, SealedSecret, Token,
    },
    github::{self, Kind},
};

/// Accounts that nobody has worked with for so long are not renewed ahead.
const IN_USE: time::Duration = time::Duration::minutes(30);
/// How often it is looked what is due.
const SWEEP_EVERY: Duration = Duration::from_secs(60);
/// An authorization that would end for good is renewed so long before, whether it is used or not.
const FOR_GOOD: time::Duration = time::Duration::days(14);
/// So many of those in one sweep, so that they take no calls from others.
const IDLE_AT_ONCE: u64 = 10;
/// A replica that has not renewed after this has died.
const CLAIM: time::Duration = time::Duration::minutes(2);
/// How often, and how many times, a call looks whether another one has renewed.
const LOOK_EVERY: Duration = Duration::from_millis(100);
const LOOKS: usize = 100;
/// How often the new pair is tried to be stored: nobody else has it, and the old one is worth nothing any more.
const STORE_ATTEMPTS: u32 = 5;
/// The first wait between those; it doubles with each.
const STORE_AGAIN: Duration = Duration::from_millis(400);

/// Renews ahead for as long as it is polled.
pub async fn keep_users_fresh(broker: Broker, clock: Arc<dyn Clock>) {
    loop {
        clock.sleep(SWEEP_EVERY).await;
        broker.renew_ahead().await;
    }
}

impl Broker {
    /// The token of a user, renewed if that is due.
    pub(super) async fn oauth_token(
        &self,
        user: OAuthUser,
        sealed: SealedSecret,
    ) -> Result<UserToken, Error> {
        self.inner.user_tokens_in_use.insert(user.account.clone(), self.now());
        self.fresh_oauth_token(user, sealed).await
    }

    async fn fresh_oauth_token(
        &self,
        mut user: OAuthUser,
        mut sealed: SealedSecret,
    ) -> Result<UserToken, Error> {
        for _ in 0..LOOKS {
            let pair = self.open_pair(&user.account, &sealed)?;
            let now = self.now();
            let due = user.expires_at.is_some_and(|end| end - AHEAD <= now);
            let refresh = pair.refresh.as_ref().filter(|_| due);
            let Some(refresh) = refresh.filter(|_| user.state(now) == ConnectionStatus::Active)
            else {
                return Ok(user_token(&user, &pair, sealed, now));
            };
            let claim = uuid::Uuid::now_v7().to_string();
            let claimed =
                self.store().claim_renewal(&user.account, &sealed, &claim, now, now + CLAIM);
            if claimed.await? {
                // A task of its own: a caller who gives up must not lose the new pair.
                let (broker, refresh) = (self.clone(), Token::new(refresh.clone()));
                let work =
                    tokio::spawn(
                        async move { broker.renew(user, sealed, pair, refresh, claim).await },
                    );
                return work.await.map_err(Error::internal)?;
            }
            // By the machine's time, as answers of GitHub come by it.
            tokio::time::sleep(LOOK_EVERY).await;
            let row = self.store().oauth_user(&user.account).await?;
            (user, sealed) = row.ok_or_else(super::credential::not_connected)?;
        }
        Err(Error::unavailable())
    }

    /// Renews what is due of the accounts that are worked with, so that no call waits for it; and what would end for good of
    /// the others.
    async fn renew_ahead(&self) {
        let now = self.now();
        self.inner.user_tokens_in_use.retain(|_, used| now - *used <= IN_USE);
        let in_use = self.inner.user_tokens_in_use.iter().map(|entry| entry.key().clone());
        for account in in_use.collect::<Vec<_>>() {
            self.renew_one(&account, false).await;
        }
        match self.store().oauth_users_ending(now, now + FOR_GOOD, IDLE_AT_ONCE).await {
            Ok(accounts) => {
                for account in accounts {
                    self.renew_one(&account, true).await;
                }
            }
            Err(error) => warn!(%error, "users whose authorization ends soon are not known"),
        }
    }

    async fn renew_one(&self, account: &AccountId, now_at_the_latest: bool) {
        let renewed = async {
            let Some((mut user, sealed)) = self.store().oauth_user(account).await? else {
                return Ok(());
            };
            if now_at_the_latest {
                user.expires_at = user.expires_at.map(|_| self.now());
            }
            self.fresh_oauth_token(user, sealed).await.map(drop)
        };
        if let Err(error) = renewed.await {
            debug!(%account, %error, "a user's tokens were not renewed ahead");
        }
    }

    async fn renew(
        &self,
        mut user: OAuthUser,
        sealed: SealedSecret,
        pair: Pair,
        refresh: Token,
        claim: String,
    ) -> Result<UserToken, Error> {
        let account = user.account.clone();
        let renewed = match self.github().renew_user_tokens(&refresh).await {
            Ok(renewed) => renewed,
            Err(refused) => return self.not_renewed(user, sealed, pair, &claim, refused).await,
        };
        let (new, next) =
            self.seal_pair(&account, &sealed.row_id, sealed.row_version + 1, &renewed)?;
        user.expires_at = renewed.expires_at;
        user.refresh_expires_at = renewed.refresh_expires_at;
        user.fingerprint = renewed.access.fingerprint();
        if self.keep_pair(&user, &next, &claim).await? {
            info!(%account, login = %user.login, fingerprint = %user.fingerprint, "the user's tokens are renewed");
            return Ok(user_token(&user, &new, next, self.now()));
        }
        // The account was connected anew or disconnected meanwhile: nobody else will ever end these.
        self.end_user_tokens(&account, &renewed.access, renewed.refresh.as_ref()).await;
        Err(Error::unavailable())
    }

    /// Stores a new pair, whatever the database has at the moment.
    async fn keep_pair(
        &self,
        user: &OAuthUser,
        sealed: &SealedSecret,
        claim: &str,
    ) -> Result<bool, Error> {
        let mut attempt = 1;
        loop {
            match self.store().renew_oauth_user(user, sealed, claim).await {
                Err(error) if attempt < STORE_ATTEMPTS => {
                    warn!(account = %user.account, %error, "the renewed tokens could not be stored; tried again");
                    tokio::time::sleep(STORE_AGAIN * 2u32.pow(attempt - 1)).await;
                    attempt += 1;
                }
                Err(error) => {
                    error!(account = %user.account, "the renewed tokens are lost: the user has to connect again");
                    return Err(error.into());
                }
                Ok(kept) => return Ok(kept),
            }
        }
    }

    async fn not_renewed(
        &self,
        user: OAuthUser,
        sealed: SealedSecret,
        pair: Pair,
        claim: &str,
        refused: github::Error,
    ) -> Result<UserToken, Error> {
        let account = &user.account;
        if refused.kind == Kind::Unauthorized {
            warn!(%account, login = %user.login, "GitHub does not renew the user's tokens any more");
            let revoked = ConnectionStatus::Revoked;
            self.store().set_oauth_user_status(account, &sealed, revoked).await?;
            let message = format!(
                "{} cannot be renewed any more; {}",
                CredentialSource::OAuthUser.noun(),
                refusal::CONNECT_AGAIN
            );
            return Err(Error::new(Reason::CredentialRejected, message).caused_by(refused));
        }
        warn!(%account, error = %refused, "the user's tokens could not be renewed; tried again at the next call");
        self.store().leave_renewal(account, claim).await?;
        let now = self.now();
        if user.expires_at.is_some_and(|end| end > now) {
            return Ok(user_token(&user, &pair, sealed, now));
        }
        Err(refusal::cannot_ask(refused))
    }
}
