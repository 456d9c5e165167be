//! What a token is for, and the token.

use std::{sync::Arc, time::Duration};

use time::OffsetDateTime;

use crate::{
    domain::{AccountId, InstallationId, Permissions, RepoId, RepoName, Token},
    github::MintedToken,
};

/// What a token is for. Equal requests have equal keys, and a token is only ever served for exactly its key: one
/// with more permissions or repositories is never handed to a smaller request.
///
/// Host and App are not in it: each cache is of one App on one host.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Key {
    /// Who owns it.
    pub account: AccountId,
    /// The installation that it is minted from.
    pub installation: InstallationId,
    /// The one repository that it reaches: by its id, which survives renames.
    pub repository: RepoId,
    /// What it may do there.
    pub permissions: Permissions,
}

/// What a token is for within its account.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Scope {
    pub installation: InstallationId,
    pub repository: RepoId,
    pub permissions: Permissions,
}

impl Key {
    /// The key without its account.
    pub(super) fn scope(&self) -> Scope {
        let Self { installation, repository, permissions, .. } = *self;
        Scope { installation, repository, permissions }
    }

    /// The key of a scope of `account`.
    pub(super) fn of(account: &AccountId, scope: Scope) -> Self {
        let Scope { installation, repository, permissions } = scope;
        Self { account: account.clone(), installation, repository, permissions }
    }
}

/// A token in the cache.
#[derive(Clone, Debug)]
pub struct CachedToken {
    /// The token.
    pub token: Token,
    /// Its hash, by which it is found again.
    pub(in crate::broker) hash: Arc<str>,
    /// When GitHub stops accepting it, by GitHub's clock.
    pub expires_at: OffsetDateTime,
    /// What GitHub granted.
    pub permissions: Permissions,
    /// The name that the repository had when it was minted, if GitHub said it.
    pub repository: Option<RepoName>,
    /// When it was minted, by the [cache's clock](super::clock), as the two below.
    pub(super) minted_at: OffsetDateTime,
    /// When GitHub stops accepting it.
    pub(super) ends_at: OffsetDateTime,
    /// When to mint the next one.
    pub(super) renew_at: OffsetDateTime,
}

/// Life of an installation token; none lives longer. One false `Date` of a machine on the way must not keep a token beyond its end.
pub(in crate::broker) const LIFE: time::Duration = time::Duration::hours(1);
/// Renewal begins this long before the end of a token, so that an outage of GitHub of that length goes unnoticed.
const RENEW_BEFORE: time::Duration = time::Duration::minutes(15);
/// Spread of the renewals, so that tokens minted together are not renewed together.
const RENEW_JITTER_SECONDS: i64 = 5 * 60;
/// GitHub says nothing about how long a new token takes to be known everywhere; a few seconds were seen.
const FRESH_FOR: Duration = Duration::from_secs(10);
/// A token with less life is not handed out, not even in an outage: it would end on the way.
pub(super) const LEAST_LIFE: Duration = Duration::from_secs(60);

impl CachedToken {
    /// A token that was minted just now; `offset` is how far GitHub's clock is ahead of the cache's, and `random` is in 0..1.
    pub(super) fn new(
        minted: MintedToken,
        now: OffsetDateTime,
        offset: time::Duration,
        random: f64,
    ) -> Self {
        let ends_at = minted.expires_at.saturating_sub(offset).min(now.saturating_add(LIFE));
        let jitter = time::Duration::seconds(RENEW_JITTER_SECONDS) * random;
        Self {
            minted_at: now,
            ends_at,
            renew_at: ends_at.saturating_sub(RENEW_BEFORE).saturating_sub(jitter),
            hash: minted.token.hashed().into(),
            token: minted.token,
            expires_at: minted.expires_at,
            permissions: minted.permissions,
            repository: minted.repository,
        }
    }

    /// True if it was minted so recently that GitHub may not know it everywhere yet.
    pub fn is_fresh(&self, now: OffsetDateTime) -> bool {
        now - self.minted_at < FRESH_FOR
    }

    /// True if it has this much life left.
    pub(super) fn lives(&self, now: OffsetDateTime, at_least: Duration) -> bool {
        self.ends_at - now >= at_least
    }

    /// When it has ended whatever was believed of clocks. Until then it is remembered, to be ended at GitHub.
    pub(super) fn surely_ended_at(&self) -> OffsetDateTime {
        self.minted_at.saturating_add(LIFE)
    }

    /// True if it is time for the next one.
    pub(super) fn is_due(&self, now: OffsetDateTime) -> bool {
        self.renew_at <= now
    }
}

/// True if a new token is for the one repository and grants what was asked for and no more.
pub(super) fn in_scope(minted: &MintedToken, key: &Key) -> bool {
    // Reading metadata is in every key, as it is in every token.
    let repositories_match =
        minted.repository_ids.as_ref().is_none_or(|ids| ids == &[key.repository]);
    let nothing_missing = key.permissions.missing_from(minted.permissions) == Permissions::NONE;
    let nothing_more = minted.permissions.missing_from(key.permissions) == Permissions::NONE;
    !minted.unbounded && repositories_match && nothing_missing && nothing_more
}
