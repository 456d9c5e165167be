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
use crate::metrics::{Mint, Renewal};

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
            let minted = cache.mint(&key, ahead).await;
            cache.inner.counted.mint(ahead, outcome(&minted));
            match minted {
                Ok(token) => cache.arrive(&key, &entry, token, &tell, ahead).await,
                Err(error) => cache.give_up(&key, &entry, error, &tell, ahead),
            }
        });
    }

    async fn mint(&self, key: &Key, ahead: bool) -> Result<Arc<CachedToken>, MintError> {
        let source = &self.inner.source;
        let minted = source.mint(key, ahead).await?;
        let as_asked = in_scope(&minted, key);
        // GitHub's is ahead of the machine's clock by one, and ours by the other.
        let offset = source.clock_offset().saturating_sub(self.inner.clock.ahead());
        let now = self.now();
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
            let outcome = self.renew(key, entry, &token, tell).await;
            self.inner.counted.renewal(outcome);
            outcome != Renewal::Discarded
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
        ahead: bool,
    ) {
        let error = Arc::new(error);
        if error.is_of_installation() {
            self.refuse(key, &error);
        }
        let kept = entry.fail(&error, ahead, self.now());
        // Of an account that was purged meanwhile the failure may be an old one.
        let told = if kept { error } else { Arc::new(MintError::GivenUp) };
        tell.send_replace(Some(Err(told)));
    }

    /// Gives a new token to those who wait, and serves it in place of the old one once it is known to work.
    async fn renew(
        &self,
        key: &Key,
        entry: &Entry,
        token: &Arc<CachedToken>,
        tell: &watch::Sender<Option<Minted>>,
    ) -> Renewal {
        if !entry.hand(token, tell) {
            return Renewal::Discarded;
        }
        let outcome = self.try_out(key, entry, token).await;
        if outcome == Renewal::Discarded {
            warn!(account = %key.account, repository = key.repository.0, "a renewed token is refused by GitHub and not used; the one before it serves on, and another one is asked for later");
            entry.discard(self.now());
            return outcome;
        }
        if entry.land(token.clone(), self.now()) { outcome } else { Renewal::Discarded }
    }

    /// Whether a new token is to be served. One that could not be tried out is: GitHub minted it, and has not refused it.
    async fn try_out(&self, key: &Key, entry: &Entry, token: &CachedToken) -> Renewal {
        let mut proof = Proof::Unknown;
        for wait in PROVE_AFTER {
            self.inner.clock.sleep(wait).await;
            let now = self.now();
            if !entry.token().is_some_and(|old| old.lives(now, UNPROVEN_BEFORE)) {
                debug!(account = %key.account, "a renewed token is tried out no longer: the one before it is about to end, or gone");
                break;
            }
            proof = self.inner.source.prove(key, token).await;
            if proof == Proof::Works {
                return Renewal::Proven;
            }
        }
        if proof == Proof::Unknown { Renewal::Unproven } else { Renewal::Discarded }
    }

    /// Ends a token at GitHub that nobody has, or nobody should.
    async fn end(&self, key: &Key, token: &CachedToken) {
        let ended = self.inner.source.end(&token.token).await;
        self.inner.counted.revocation(ended.is_ok());
        if let Err(error) = ended {
            warn!(account = %key.account, %error, "a token that is not used could not be revoked; it ends by itself within the hour");
        }
    }
}

fn outcome(minted: &Result<Arc<CachedToken>, MintError>) -> Mint {
    match minted {
        Ok(_) => Mint::Minted,
        Err(error) if error.is_transient() => Mint::Failed,
        Err(_) => Mint::Refused,
    }
}
