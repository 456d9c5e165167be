//! The map of cached tokens.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use dashmap::DashMap;

use super::{
    error::MintError,
    slot::{CachedToken, Key, Slot},
};
use crate::{
    audit::Cache,
    domain::{AccountId, Clock, InstallationId, Token},
    github::GitHub,
};

/// A token as handed out.
#[derive(Clone, Debug)]
pub struct Vended {
    /// The token.
    pub token: Arc<CachedToken>,
    /// Where it came from.
    pub cache: Cache,
}

/// A token that is older than this much before its end is not handed out even in an outage: it would end on the way.
const LEAST_LIFE: Duration = Duration::from_secs(60);

/// A caller that reports every new token, too, costs one mint in this time and not one each call. A new token that is
/// refused so soon is one that GitHub does not know everywhere yet.
const REJECT_EVERY: Duration = Duration::from_secs(10);

/// Installation tokens by what they are for. Cheap to clone.
#[derive(Clone)]
pub struct TokenCache {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub github: GitHub,
    pub clock: Arc<dyn Clock>,
    pub slots: DashMap<Key, Slot>,
    pub flights: AtomicU64,
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
            return Ok(Vended { token, cache: Cache::Hit });
        }
        match self.mint(key).await {
            Ok(token) => Ok(Vended { token, cache: Cache::Miss }),
            Err(error) if error.is_transient() => {
                let token = self.warm(key, LEAST_LIFE).ok_or(error)?;
                Ok(Vended { token, cache: Cache::Stale })
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

    /// Forgets the token that GitHub answered 401 to, if it is cached for this account. Not again within
    /// [`REJECT_EVERY`] for one key: each time costs a mint.
    pub fn reject(&self, account: &AccountId, token: &Token) -> bool {
        let hash = token.hashed();
        let is_it = |slot: &Slot| slot.token.as_ref().is_some_and(|cached| cached.hash == hash);
        let mut slots = self.inner.slots.iter();
        let found = slots.find(|slot| slot.key().account == *account && is_it(slot));
        // The reference locks a part of the map.
        let Some(key) = found.map(|slot| slot.key().clone()) else { return false };
        drop(slots);
        let Some(mut slot) = self.inner.slots.get_mut(&key).filter(|slot| is_it(slot)) else {
            return false;
        };
        let now = self.inner.clock.now();
        if slot.rejected.is_some_and(|at| now - at < REJECT_EVERY) {
            return false;
        }
        slot.rejected = Some(now);
        slot.token = None;
        true
    }

    /// Forgets what an installation did not allow: it may be allowed now. Anybody can say so. What GitHub does not want to be
    /// asked for is not forgotten.
    pub fn forgive(&self, id: InstallationId) {
        for mut slot in self.inner.slots.iter_mut().filter(|slot| slot.key().installation == id) {
            slot.failed.take_if(|(_, error)| error.is_not_allowed());
        }
    }

    /// Forgets everything of an account, failures too, and gives back the tokens that were cached, those that were renewed
    /// and have not ended too. A mint that is under way is not kept.
    pub fn purge(&self, account: &AccountId) -> Vec<Arc<CachedToken>> {
        let mut purged = Vec::new();
        self.inner.slots.retain(|key, slot| {
            let keep = key.account != *account;
            if !keep {
                purged.extend(slot.token.take());
                purged.extend(slot.replaced.take());
            }
            keep
        });
        purged
    }
}
