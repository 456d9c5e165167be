//! All keys of one App on one host, by account. The warm path.

use std::{
    collections::HashMap,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use dashmap::DashMap;
use futures_util::future::{Either, select};
use time::OffsetDateTime;

use super::{
    clock::TokenClock,
    entry::{Entry, Joined, Minted, Outcome},
    error::MintError,
    key::{CachedToken, Key, LEAST_LIFE, Scope},
    source::Source,
};
use crate::{
    audit::Cache,
    domain::{AccountId, Clock, InstallationId},
    github::GitHub,
    metrics::{self, Found},
};

/// A token as handed out.
#[derive(Clone, Debug)]
pub struct Vended {
    /// The token.
    pub token: Arc<CachedToken>,
    /// Where it came from.
    pub cache: Cache,
}

/// Who has a token with less life than asked for waits for a better one no longer than this: half the time that a request to
/// GitHub may take. GitHub may be away, and what there is will do.
const PATIENCE: Duration = Duration::from_secs(5);

/// Installation tokens by what they are for. Cheap to clone.
///
/// Bounded by what is minted: an entry ends with its token, within the hour, or with its failure, within half a minute.
pub struct TokenCache<S = GitHub> {
    pub(super) inner: Arc<Inner<S>>,
}

impl<S> Clone for TokenCache<S> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone() }
    }
}

pub(super) struct Inner<S> {
    pub source: S,
    pub clock: TokenClock,
    pub counted: metrics::Tokens,
    /// In two steps, so that what concerns one account looks at nothing of another's.
    pub accounts: DashMap<AccountId, HashMap<Scope, Arc<Entry>>>,
    /// Installations that GitHub does not mint for, and until when it is not asked again.
    refused: DashMap<InstallationId, (OffsetDateTime, Arc<MintError>)>,
    /// How often tokens were taken away from anybody.
    taken: AtomicU64,
}

impl<S: Source> TokenCache<S> {
    /// An empty cache, of which nobody sees what is counted.
    pub fn new(source: S, clock: Arc<dyn Clock>) -> Self {
        Self::counting(source, clock, metrics::Tokens::default())
    }

    /// An empty cache.
    pub fn counting(source: S, clock: Arc<dyn Clock>, counted: metrics::Tokens) -> Self {
        let clock = TokenClock::new(clock);
        let (accounts, refused) = (DashMap::new(), DashMap::new());
        let taken = AtomicU64::new(0);
        Self { inner: Arc::new(Inner { source, clock, counted, accounts, refused, taken }) }
    }

    /// What is counted of its tokens.
    pub fn counted(&self) -> &metrics::Tokens {
        &self.inner.counted
    }

    /// A token for `key` with at least `min_ttl` of life left.
    ///
    /// Waits for GitHub only when none is cached. When GitHub then fails for a passing reason, or takes long, a cached token
    /// with less life is handed out, marked stale.
    pub async fn get(&self, key: &Key, min_ttl: Duration) -> Result<Vended, Arc<MintError>> {
        match self.hit(key, min_ttl) {
            Some(hit) => Ok(hit),
            None => self.fetch(key, min_ttl, self.taken()).await,
        }
    }

    /// The token that is cached for `key`, if it has at least `min_ttl` of life left.
    pub fn hit(&self, key: &Key, min_ttl: Duration) -> Option<Vended> {
        let now = self.now();
        let token = self.cached(key, now).filter(|token| token.lives(now, min_ttl))?;
        self.inner.counted.found(Found::Hit);
        Some(Vended { token, cache: Cache::Hit })
    }

    /// How often tokens were taken away from anybody so far. Whoever looks whether an account may have a token notes it before
    /// the look.
    pub fn taken(&self) -> u64 {
        self.inner.taken.load(Ordering::Relaxed)
    }

    /// From now on nothing is minted for who has looked before.
    pub(in crate::broker) fn look_again(&self) {
        self.inner.taken.fetch_add(1, Ordering::Relaxed);
    }

    /// A token for `key` where there was no [`hit`](Self::hit), for an account that had its installation after tokens were
    /// [`taken`](Self::taken) away so often. Where some were since, that may have been this account's: the mint is given up.
    pub async fn fetch(
        &self,
        key: &Key,
        min_ttl: Duration,
        taken: u64,
    ) -> Result<Vended, Arc<MintError>> {
        let vended = self.get_by_waiting(key, min_ttl, taken).await;
        self.inner.counted.found(match vended.as_ref().map(|vended| vended.cache) {
            Ok(Cache::Hit) => Found::Hit,
            Ok(Cache::Miss) => Found::Miss,
            Ok(Cache::Stale) => Found::Stale,
            Err(_) => Found::None,
        });
        vended
    }

    /// The same where what is cached does not live long enough.
    async fn get_by_waiting(
        &self,
        key: &Key,
        min_ttl: Duration,
        taken: u64,
    ) -> Result<Vended, Arc<MintError>> {
        let now = self.now();
        let fallback = self.cached(key, now).is_some_and(|token| token.lives(now, LEAST_LIFE));
        let minted = if fallback {
            Box::pin(self.wait_a_little(key, min_ttl, taken)).await
        } else {
            Some(Box::pin(self.wait(key, min_ttl, taken)).await)
        };
        let error = match minted {
            Some(Ok(token)) => {
                let enough = token.lives(self.now(), min_ttl);
                return Ok(Vended {
                    token,
                    cache: if enough { Cache::Miss } else { Cache::Stale },
                });
            }
            Some(Err(error)) if error.is_of_those_before() => return Err(error),
            Some(Err(error)) => error,
            None => Arc::new(MintError::GivenUp),
        };
        let now = self.now();
        let token = self.cached(key, now).filter(|token| token.lives(now, LEAST_LIFE));
        token.map(|token| Vended { token, cache: Cache::Stale }).ok_or(error)
    }

    /// The token that is cached, however long it lives. Takes no lock but for reading the part of the map that it is in.
    fn cached(&self, key: &Key, now: OffsetDateTime) -> Option<Arc<CachedToken>> {
        let scopes = self.inner.accounts.get(&key.account)?;
        let entry = scopes.get(&key.scope())?;
        entry.touch(now);
        entry.token()
    }

    /// Waits for the mint that is under way for `key`, or for a new one.
    async fn wait(&self, key: &Key, min_ttl: Duration, taken: u64) -> Minted {
        let mut again = false;
        loop {
            let now = self.now();
            if let Some(error) = self.refusal(key.installation, now) {
                return Err(error);
            }
            let entry = self.entry(key);
            // Only now that it is in the map: whoever takes tokens away from here on finds it there.
            if self.taken() != taken {
                return Err(Arc::new(MintError::GivenUp));
            }
            match entry.join(now, min_ttl) {
                Joined::Has(token) => return Ok(token),
                Joined::Waits(outcome) => match landed(outcome).await {
                    // Maybe a renewal, which was put off because it can wait.
                    Err(error) if error.may_be_of_others() && !again => again = true,
                    minted => return minted,
                },
                Joined::Failed(error) => return Err(error),
                Joined::Begins(tell, outcome) => {
                    self.fly(key.clone(), entry, tell, false);
                    return landed(outcome).await;
                }
                Joined::Retired => self.forget(key, &entry),
            }
        }
    }

    async fn wait_a_little(&self, key: &Key, min_ttl: Duration, taken: u64) -> Option<Minted> {
        let (wait, patience) =
            (pin!(self.wait(key, min_ttl, taken)), self.inner.clock.sleep(PATIENCE));
        match select(wait, patience).await {
            Either::Left((minted, _)) => Some(minted),
            Either::Right(_) => None,
        }
    }

    /// The entry of `key`, made if there is none.
    pub(super) fn entry(&self, key: &Key) -> Arc<Entry> {
        let (account, scope) = (&key.account, key.scope());
        let found = self.inner.accounts.get(account).and_then(|scopes| scopes.get(&scope).cloned());
        found.unwrap_or_else(|| {
            let mut scopes = self.inner.accounts.entry(account.clone()).or_default();
            scopes.entry(scope).or_default().clone()
        })
    }

    /// All entries of an account.
    pub(super) fn entries(&self, account: &AccountId) -> Vec<(Scope, Arc<Entry>)> {
        let Some(scopes) = self.inner.accounts.get(account) else { return Vec::new() };
        scopes.iter().map(|(scope, entry)| (*scope, entry.clone())).collect()
    }

    /// All entries that `wanted` says, of all accounts.
    pub(super) fn entries_that(
        &self,
        wanted: impl Fn(&Scope, &Entry) -> bool,
    ) -> Vec<(Key, Arc<Entry>)> {
        let mut found = Vec::new();
        // The reference locks a part of the map for writers, so that nothing but looking is done with it.
        for account in &self.inner.accounts {
            let scopes = account.value().iter().filter(|(scope, entry)| wanted(scope, entry));
            found.extend(
                scopes.map(|(scope, entry)| (Key::of(account.key(), *scope), entry.clone())),
            );
        }
        found
    }

    /// Takes a retired entry out of the map.
    pub(super) fn forget(&self, key: &Key, retired: &Arc<Entry>) {
        let Some(mut scopes) = self.inner.accounts.get_mut(&key.account) else { return };
        let scope = key.scope();
        if scopes.get(&scope).is_some_and(|entry| Arc::ptr_eq(entry, retired)) {
            scopes.remove(&scope);
        }
        drop(scopes);
        self.inner.accounts.remove_if(&key.account, |_, scopes| scopes.is_empty());
    }

    /// Why GitHub does not mint for an installation at all, as it said just now.
    fn refusal(&self, id: InstallationId, now: OffsetDateTime) -> Option<Arc<MintError>> {
        let refused = self.inner.refused.get(&id)?;
        let (until, error) = refused.value();
        (now < *until).then(|| error.clone())
    }

    /// Takes note that an installation is gone or suspended: all tokens of it are dead.
    pub(super) fn refuse(&self, key: &Key, error: &Arc<MintError>) {
        let now = self.now();
        self.inner.refused.insert(key.installation, (now + error.answers_for(), error.clone()));
        for (scope, entry) in self.entries(&key.account) {
            if scope.installation == key.installation {
                entry.evict(now);
            }
        }
    }

    /// Forgets that an installation was refused.
    pub(super) fn allow(&self, id: InstallationId) {
        self.inner.refused.remove(&id);
    }

    /// Drops refusals that no longer answer for GitHub.
    pub(super) fn drop_old_refusals(&self, now: OffsetDateTime) {
        self.inner.refused.retain(|_, (until, _)| now < *until);
    }

    /// How many keys there are.
    pub(super) fn keys(&self) -> usize {
        self.inner.accounts.iter().map(|scopes| scopes.len()).sum()
    }

    /// Whether a call for `key` would be answered at once.
    #[cfg(test)]
    pub(super) fn is_warm(&self, key: &Key, min_ttl: Duration) -> bool {
        let entries = self.entries(&key.account);
        let entry = entries.iter().find(|(scope, _)| *scope == key.scope());
        let token = entry.and_then(|(_, entry)| entry.token());
        token.is_some_and(|token| token.lives(self.now(), min_ttl))
    }

    /// The time by which its tokens end.
    pub(in crate::broker) fn now(&self) -> OffsetDateTime {
        self.inner.clock.now()
    }
}

async fn landed(mut outcome: Outcome) -> Minted {
    match outcome.wait_for(Option::is_some).await.map(|done| (*done).clone()) {
        Ok(Some(minted)) => minted,
        // Its task is gone without a word, or the entry was retired.
        _ => Err(Arc::new(MintError::GivenUp)),
    }
}
