//! The map of cached tokens.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use dashmap::DashMap;
use time::OffsetDateTime;
use tokio::sync::watch;

use super::mint::{MintError, Minted};
use crate::{
    domain::{AccountId, Clock, InstallationId, Permissions, RepoId, Token},
    github::GitHub,
};

/// What a token is for. Equal requests have equal keys, and a token is only ever served for exactly its key: one
/// with more permissions or repositories is never handed to a smaller request.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Key {
    /// Who owns it.
    pub account: AccountId,
    /// The installation that it is minted from.
    pub installation: InstallationId,
    /// The one repository that it reaches.
    pub repository: RepoId,
    /// What it may do there.
    pub permissions: Permissions,
}

/// A token in the cache.
#[derive(Debug)]
pub struct CachedToken {
    /// The token.
    pub token: Token,
    /// When GitHub stops accepting it, by GitHub's clock.
    pub expires_at: OffsetDateTime,
    /// What GitHub granted.
    pub permissions: Permissions,
    /// The same by the broker's clock, which may be off.
    pub(super) ends_at: OffsetDateTime,
    /// When it was minted, by the broker's clock.
    pub(super) minted_at: OffsetDateTime,
    /// When to mint the next one, by the broker's clock.
    pub(super) renew_at: OffsetDateTime,
}

/// GitHub says nothing about how long a new token takes to be known everywhere; a few seconds were seen.
const FRESH_FOR: Duration = Duration::from_secs(10);

impl CachedToken {
    /// True if it was minted so recently that GitHub may not know it everywhere yet.
    pub fn is_fresh(&self, now: OffsetDateTime) -> bool {
        now - self.minted_at < FRESH_FOR
    }

    pub(super) fn lives(&self, now: OffsetDateTime, at_least: Duration) -> bool {
        self.ends_at - now >= at_least
    }
}

/// A token as handed out.
#[derive(Clone, Debug)]
pub struct Vended {
    /// The token.
    pub token: Arc<CachedToken>,
    /// True if it has less life left than asked for, because GitHub could not give a new one.
    pub stale: bool,
}

/// A token that is older than this much before its end is not handed out even in an outage: it would end on the way.
const LEAST_LIFE: Duration = Duration::from_secs(60);

/// What is kept for one key.
#[derive(Default)]
pub(super) struct Slot {
    pub token: Option<Arc<CachedToken>>,
    /// The mint under way, if any.
    pub flight: Option<Flight>,
    /// The last failure, and until when it answers for GitHub.
    pub failed: Option<(OffsetDateTime, Arc<MintError>)>,
    /// Unix seconds of the last use: renewal is only for keys in use.
    pub used: AtomicI64,
}

/// A mint under way: its number tells it from a later one for the same key.
pub(super) struct Flight {
    pub number: u64,
    pub outcome: watch::Receiver<Option<Minted>>,
}

impl Slot {
    /// The mint under way. One whose task is gone without a word (it panicked) does not count.
    pub fn in_flight(&self) -> Option<watch::Receiver<Option<Minted>>> {
        let outcome = &self.flight.as_ref()?.outcome;
        let alive = outcome.has_changed().is_ok() || outcome.borrow().is_some();
        alive.then(|| outcome.clone())
    }
}

/// Installation tokens by what they are for. Cheap to clone.
#[derive(Clone)]
pub struct TokenCache {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub github: GitHub,
    pub clock: Arc<dyn Clock>,
    pub slots: DashMap<Key, Slot>,
    pub flights: std::sync::atomic::AtomicU64,
}

impl TokenCache {
    /// An empty cache.
    pub fn new(github: GitHub, clock: Arc<dyn Clock>) -> Self {
        let inner = Inner { github, clock, slots: DashMap::new(), flights: 0.into() };
        Self { inner: Arc::new(inner) }
    }

    /// A token for `key` with at least `min_ttl` of life left.
    ///
    /// Waits for GitHub only when none is cached. When GitHub then fails for a passing reason, a cached token with
    /// less life is handed out, marked stale.
    pub async fn get(&self, key: &Key, min_ttl: Duration) -> Result<Vended, Arc<MintError>> {
        if let Some(token) = self.warm(key, min_ttl) {
            return Ok(Vended { token, stale: false });
        }
        match self.mint(key).await {
            Ok(token) => Ok(Vended { token, stale: false }),
            Err(error) if error.is_transient() => {
                let token = self.warm(key, LEAST_LIFE).ok_or(error)?;
                Ok(Vended { token, stale: true })
            }
            Err(error) => Err(error),
        }
    }

    fn warm(&self, key: &Key, min_ttl: Duration) -> Option<Arc<CachedToken>> {
        let now = self.inner.clock.now();
        let slot = self.inner.slots.get(key)?;
        slot.used.store(now.unix_timestamp(), Ordering::Relaxed);
        slot.token.as_ref().filter(|token| token.lives(now, min_ttl)).cloned()
    }

    /// Forgets the token that GitHub answered 401 to, if it is cached for this account.
    pub fn reject(&self, account: &AccountId, token: &Token) -> bool {
        let rejected = token.hashed();
        let mut dropped = false;
        for mut slot in self.inner.slots.iter_mut().filter(|slot| slot.key().account == *account) {
            if slot.token.as_ref().is_some_and(|cached| cached.token.hashed() == rejected) {
                slot.token = None;
                dropped = true;
            }
        }
        dropped
    }

    /// Forgets everything of an account, failures too, and gives back the tokens that were cached. A mint that is
    /// under way is not kept.
    pub fn purge(&self, account: &AccountId) -> Vec<Arc<CachedToken>> {
        let mut purged = Vec::new();
        self.inner.slots.retain(|key, slot| {
            let keep = key.account != *account;
            if !keep {
                purged.extend(slot.token.take());
            }
            keep
        });
        purged
    }
}
