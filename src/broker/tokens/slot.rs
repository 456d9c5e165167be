//! What is kept for one key.

use std::{
    sync::{Arc, atomic::AtomicI64},
    time::Duration,
};

use time::OffsetDateTime;
use tokio::sync::watch;

use super::error::MintError;
use crate::domain::{AccountId, InstallationId, Permissions, RepoId, RepoName, Token};

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
    /// Its hash, by which it is found again.
    pub(in crate::broker) hash: String,
    /// When GitHub stops accepting it, by GitHub's clock.
    pub expires_at: OffsetDateTime,
    /// What GitHub granted.
    pub permissions: Permissions,
    /// The name that the repository had when it was minted, if GitHub said it.
    pub repository: Option<RepoName>,
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

/// How a mint ended, for all who waited.
pub(super) type Minted = Result<Arc<CachedToken>, Arc<MintError>>;

/// What is kept for one key.
#[derive(Default)]
pub(super) struct Slot {
    pub token: Option<Arc<CachedToken>>,
    /// The token before it, which somebody may still have until it ends. Not handed out, but ended with the other. The one
    /// before that has ended: nothing is renewed in the first half of its life.
    pub replaced: Option<Arc<CachedToken>>,
    /// The mint under way, if any.
    pub flight: Option<Flight>,
    /// The last failure, and until when it answers for GitHub.
    pub failed: Option<(OffsetDateTime, Arc<MintError>)>,
    /// When its token was last reported as refused.
    pub rejected: Option<OffsetDateTime>,
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
