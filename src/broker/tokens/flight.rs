//! Minting, as a task of its own: one request to GitHub for each key, whoever and however many wait for it.

use std::{sync::Arc, time::Duration};

use tokio::sync::watch;
use tracing::{debug, warn};

use super::{
    cache::TokenCache,
    entry::{Entry, Minted},
    error::MintError,
    key::{CachedToken, Key, LEAST_LIFE, in_scope},
    source::{Proof, Source},
    sync::spawn,
};

/// Waits between tries to prove a new token: GitHub's machines learn of it within seconds.
const PROVE_AFTER: [Duration; 4] =
    [Duration::ZERO, Duration::from_secs(3), Duration::from_secs(10), Duration::from_secs(30)];
/// A renewal does not wait any longer for its proof when the old token has less life than this: callers ask for 5 minutes.
const UNPROVEN_BEFORE: Duration = Duration::from_secs(6 * 60);

impl<S: Source> TokenCache<S> {
    /// Begins a mint. It runs as a task of its own: a caller who gives up cancels nobody. `ahead`: nobody waits, and the old
    /// token serves until the new one is known to work.
    pub(super) fn fly(
        &self,
        key: Key,
        entry: Arc<Entry>,
        tell: watch::Sender<Option<Minted>>,
        ahead: bool,
    ) {
        let cache = self.clone();
        spawn(async move {
            match cache.mint(&key, ahead).await {
                Ok(token) => cache.arrive(&key, &entry, token, &tell, ahead).await,
                Err(error) => cache.give_up(&key, &entry, error, &tell),
            }
        });
    }

    async fn mint(&self, key: &Key, ahead: bool) -> Result<Arc<CachedToken>, MintError> {
        let source = &self.inner.source;
        let minted = source.mint(key, ahead).await?;
        let as_asked = in_scope(&minted, key);
        let (now, offset) = (self.now(), source.clock_offset());
        let token = CachedToken::new(minted, now, offset, source.random());
        if as_asked && token.lives(now, LEAST_LIFE) {
            return Ok(Arc::new(token));
        }
        self.end(key, &token).await;
        Err(MintError::NotAsAsked)
    }

    async fn arrive(
        &self,
        key: &Key,
        entry: &Entry,
        token: Arc<CachedToken>,
        tell: &watch::Sender<Option<Minted>>,
        ahead: bool,
    ) {
        // First what says no, then what says yes.
        self.allow(key.installation);
        let kept = if ahead {
            entry.hand(&token, tell) && self.renew(key, entry, &token).await
        } else {
            entry.land(token.clone(), self.now()) && {
                tell.send_replace(Some(Ok(token.clone())));
                true
            }
        };
        if !kept {
            self.end(key, &token).await;
        }
    }

    fn give_up(
        &self,
        key: &Key,
        entry: &Entry,
        error: MintError,
        tell: &watch::Sender<Option<Minted>>,
    ) {
        let error = Arc::new(error);
        if error.is_of_installation() {
            self.refuse(key, &error);
        }
        let kept = entry.fail(&error, self.now());
        // Of an account that was purged meanwhile the failure may be an old one.
        let told = if kept { error } else { Arc::new(MintError::GivenUp) };
        tell.send_replace(Some(Err(told)));
    }

    /// Serves a new token in place of the old one, once it is known to work. False if it is not kept.
    async fn renew(&self, key: &Key, entry: &Entry, token: &Arc<CachedToken>) -> bool {
        if self.works(key, entry, token).await {
            return entry.land(token.clone(), self.now());
        }
        warn!(account = %key.account, repository = key.repository.0, "a renewed token is refused by GitHub and not used; the one before it serves on, and another one is asked for later");
        entry.discard(self.now());
        false
    }

    /// Whether a new token is to be served. One that could not be tried out is: GitHub minted it, and has not refused it.
    async fn works(&self, key: &Key, entry: &Entry, token: &CachedToken) -> bool {
        let mut proof = Proof::Unknown;
        for wait in PROVE_AFTER {
            self.inner.clock.sleep(wait).await;
            let now = self.now();
            if !entry.token().is_some_and(|old| old.lives(now, UNPROVEN_BEFORE)) {
                debug!(account = %key.account, "a renewed token is served unproven: the one before it is about to end");
                return true;
            }
            proof = self.inner.source.prove(key, token).await;
            if proof == Proof::Works {
                return true;
            }
        }
        proof == Proof::Unknown
    }

    /// Ends a token at GitHub that nobody has, or nobody should.
    async fn end(&self, key: &Key, token: &CachedToken) {
        if let Err(error) = self.inner.source.end(&token.token).await {
            warn!(account = %key.account, %error, "a token that is not used could not be revoked; it ends by itself within the hour");
        }
    }
}
