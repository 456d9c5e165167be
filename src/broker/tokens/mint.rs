//! Minting: one request to GitHub for each key, whoever and however many wait for it.

use std::sync::{Arc, atomic::Ordering};

use time::OffsetDateTime;
use tokio::sync::watch;
use tracing::{Instrument, warn};

use super::{
    cache::TokenCache,
    error::MintError,
    slot::{CachedToken, Flight, Key, Minted, Slot},
};
use crate::{
    domain::{InstallationId, Permissions},
    github::{Kind, MintedToken, RepoScope},
};

/// No installation token lives longer. One false `Date` of a machine on the way must not keep a token beyond its end.
const LIFE: time::Duration = time::Duration::hours(1);
/// Renewal begins this long before the end of a token, so that an outage of GitHub of that length goes unnoticed.
const RENEW_BEFORE: time::Duration = time::Duration::minutes(15);
/// Spread of the renewals, so that tokens minted together are not renewed together.
const RENEW_JITTER_SECONDS: i64 = 5 * 60;

impl TokenCache {
    /// Joins the mint that is under way for `key`, or begins one.
    pub(super) async fn mint(&self, key: &Key) -> Minted {
        let mut outcome = match self.join(key) {
            Ok(outcome) => outcome,
            Err(recent) => return Err(recent),
        };
        match outcome.wait_for(Option::is_some).await.map(|done| (*done).clone()) {
            Ok(Some(minted)) => minted,
            _ => Err(Arc::new(MintError::GivenUp)),
        }
    }

    fn join(&self, key: &Key) -> Result<watch::Receiver<Option<Minted>>, Arc<MintError>> {
        let mut slot = self.inner.slots.entry(key.clone()).or_default();
        let now = self.inner.clock.now();
        if let Some((_, error)) = slot.failed.as_ref().filter(|(until, _)| now < *until) {
            return Err(error.clone());
        }
        slot.used.store(now.unix_timestamp(), Ordering::Relaxed);
        Ok(self.fly(key, &mut slot))
    }

    /// Begins a mint unless one is under way. It runs as a task of its own: a caller who gives up cancels nobody.
    pub(super) fn fly(&self, key: &Key, slot: &mut Slot) -> watch::Receiver<Option<Minted>> {
        if let Some(outcome) = slot.in_flight() {
            return outcome;
        }
        let (done, outcome) = watch::channel(None);
        let number = self.inner.flights.fetch_add(1, Ordering::Relaxed);
        slot.flight = Some(Flight { number, outcome: outcome.clone() });
        let (cache, key) = (self.clone(), key.clone());
        let flight = async move {
            let minted = cache.ask(&key).await;
            let landed = cache.land(&key, number, minted.clone());
            let kept = landed.is_ok();
            done.send_replace(Some(landed));
            if let (Ok(token), false) = (minted, kept) {
                cache.end(&key, &token).await;
            }
        };
        tokio::spawn(flight.in_current_span());
        outcome
    }

    async fn ask(&self, key: &Key) -> Minted {
        let scope = RepoScope::Ids(&[key.repository]);
        match self.mint_for(key.installation, scope, key.permissions).await {
            Ok(minted) if in_scope(&minted, key) => Ok(Arc::new(self.cached(minted))),
            Ok(_) => Err(Arc::new(MintError::WrongScope)),
            Err(error) => Err(Arc::new(error)),
        }
    }

    /// One mint, past the cache, with its refusal sorted.
    pub(in crate::broker) async fn mint_for(
        &self,
        installation: InstallationId,
        scope: RepoScope<'_>,
        permissions: Permissions,
    ) -> Result<MintedToken, MintError> {
        let refused = match self.inner.github.mint(installation, scope, permissions).await {
            Ok(minted) => return Ok(minted),
            Err(refused) => refused,
        };
        if !matches!(refused.kind, Kind::Invalid | Kind::Forbidden | Kind::RepositoryNotAccessible)
        {
            return Err(MintError::GitHub(refused));
        }
        // The refusal does not say in a dependable way whether a permission or the repository is missing: the
        // installation does.
        match self.inner.github.installation(installation).await {
            Ok(found) => match permissions.missing_from(found.permissions) {
                Permissions::NONE => Err(MintError::NotAccessible(refused)),
                missing => Err(MintError::NotGranted { missing, refused }),
            },
            Err(error) => Err(MintError::GitHub(error)),
        }
    }

    fn cached(&self, minted: MintedToken) -> CachedToken {
        let jitter = time::Duration::seconds(rand::random_range(0..=RENEW_JITTER_SECONDS));
        let now = self.inner.clock.now();
        let offset = self.inner.github.clock_offset();
        let ends_at = minted.expires_at.saturating_sub(offset).min(now.saturating_add(LIFE));
        CachedToken {
            minted_at: now,
            ends_at,
            renew_at: ends_at.saturating_sub(RENEW_BEFORE).saturating_sub(jitter),
            hash: minted.token.hashed(),
            token: minted.token,
            expires_at: minted.expires_at,
            permissions: minted.permissions,
            repository: minted.repository,
        }
    }

    /// Ends a token at GitHub that nobody has: the account was disconnected while it was minted.
    async fn end(&self, key: &Key, token: &CachedToken) {
        if let Err(error) = self.inner.github.revoke(&token.token).await {
            warn!(account = %key.account, %error, "a token that nobody has could not be revoked; it ends by itself within the hour");
        }
    }

    /// Puts the outcome into the map, unless the key was purged while it was under way.
    fn land(&self, key: &Key, number: u64, minted: Minted) -> Minted {
        let Some(mut slot) = self.inner.slots.get_mut(key) else {
            return Err(Arc::new(MintError::GivenUp));
        };
        if slot.flight.as_ref().is_none_or(|flight| flight.number != number) {
            return Err(Arc::new(MintError::GivenUp));
        }
        slot.flight = None;
        match &minted {
            Ok(token) => {
                slot.failed = None;
                if let Some(before) = slot.token.replace(token.clone()) {
                    slot.replaced = Some(before);
                }
            }
            Err(error) => {
                let until: OffsetDateTime = self.inner.clock.now() + error.answers_for();
                slot.failed = Some((until, error.clone()));
                if !error.is_transient() {
                    slot.token = None;
                }
            }
        }
        minted
    }
}

/// True if the token is for the one repository and grants what was asked for and no more.
fn in_scope(minted: &MintedToken, key: &Key) -> bool {
    // Reading metadata is in every key, as it is in every token.
    let allowed = key.permissions;
    let repositories_match =
        minted.repository_ids.as_ref().is_none_or(|ids| ids == &[key.repository]);
    let nothing_missing = key.permissions.missing_from(minted.permissions) == Permissions::NONE;
    let nothing_more = minted.permissions.missing_from(allowed) == Permissions::NONE;
    !minted.unbounded && repositories_match && nothing_missing && nothing_more
}
