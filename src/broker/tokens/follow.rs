//! What is told of accounts and installations, and what their tokens do then.

use std::sync::Arc;

use super::{
    cache::TokenCache,
    error::MintError,
    key::{CachedToken, Key, Scope},
    source::Source,
};
use crate::domain::{AccountId, InstallationId, RepoId, RepoName, Token};

impl<S: Source> TokenCache<S> {
    /// Whether anything is kept of an account.
    pub fn knows(&self, account: &AccountId) -> bool {
        self.inner.accounts.contains_key(account)
    }

    /// All accounts of which anything is kept.
    pub fn accounts(&self) -> Vec<AccountId> {
        self.inner.accounts.iter().map(|of| of.key().clone()).collect()
    }

    /// A token of an installation that lives, for the broker itself to look with.
    pub fn any_of(&self, account: &AccountId, id: InstallationId) -> Option<Token> {
        let now = self.now();
        let entries = self.entries(account);
        let mut own = entries.iter().filter(|(scope, _)| scope.installation == id);
        own.find_map(|(_, entry)| entry.any_token(now)).map(|token| token.token.clone())
    }

    /// Forgets the tokens of an account that are not of this installation.
    pub fn keep_only(&self, account: &AccountId, id: InstallationId) {
        let now = self.now();
        for (scope, entry) in self.entries(account) {
            if scope.installation != id {
                entry.evict(now);
            }
        }
    }

    /// Forgets the token that GitHub answered 401 to, if it is cached for this account. Not again within ten seconds for one
    /// key: each time costs a mint.
    pub fn reject(&self, account: &AccountId, token: &Token) -> bool {
        let (hash, now) = (token.hashed(), self.now());
        self.entries(account).iter().any(|(_, entry)| entry.reject(&hash, now))
    }

    /// Forgets what an installation did not allow: it may be allowed now. Anybody can say so. What GitHub does not want to be
    /// asked for is not forgotten.
    pub fn forgive(&self, id: InstallationId) {
        let now = self.now();
        for (_, entry) in self.entries_that(|scope, _| scope.installation == id) {
            entry.forgive(MintError::is_not_allowed, now);
        }
    }

    /// Forgets what was refused to an account, but for what GitHub does not want to be asked for: GitHub itself says that it
    /// may be granted now.
    pub fn forgive_account(&self, account: &AccountId) {
        let now = self.now();
        for (scope, entry) in self.entries(account) {
            self.allow(scope.installation);
            entry.forgive(|error| !error.is_transient(), now);
        }
    }

    /// Takes over the name that a repository has now.
    pub fn rename(&self, account: &AccountId, repository: RepoId, name: &RepoName) {
        for (scope, entry) in self.entries(account) {
            if scope.repository == repository {
                entry.rename(name);
            }
        }
    }

    /// Forgets the tokens for a repository that an account no longer reaches.
    pub fn forget_repository(&self, account: &AccountId, repository: RepoId) {
        self.begin_anew(account, |scope| scope.repository == repository);
    }

    /// Forgets what was minted for an account, and failures: what GitHub allows has changed. The tokens stay known, to be
    /// ended with the account: some may be good for what is left.
    pub fn forget_tokens(&self, account: &AccountId) {
        self.begin_anew(account, |_| true);
    }

    /// Puts a new entry in the place of each, so that a mint which is under way, and may be from before, is not kept.
    fn begin_anew(&self, account: &AccountId, which: impl Fn(&Scope) -> bool) {
        self.look_again();
        let now = self.now();
        for (scope, entry) in self.entries(account).into_iter().filter(|(scope, _)| which(scope)) {
            let (key, tokens) = (Key::of(account, scope), entry.retire());
            // First what says no, as in a purge.
            self.allow(scope.installation);
            self.forget(&key, &entry);
            if !tokens.is_empty() {
                self.entry(&key).remember(tokens, now);
            }
        }
    }

    /// Forgets everything of an account, failures too, and gives back the tokens that were cached, those that were renewed
    /// and have not ended too. A mint that is under way is not kept.
    pub fn purge(&self, account: &AccountId) -> Vec<Arc<CachedToken>> {
        // Before they go: whoever then finds nothing knows that something was.
        self.look_again();
        let Some((_, scopes)) = self.inner.accounts.remove(account) else { return Vec::new() };
        // First what says no, then what says yes: whoever asks in between asks GitHub.
        scopes.keys().for_each(|scope| self.allow(scope.installation));
        scopes.values().flat_map(|entry| entry.retire()).collect()
    }

    /// Forgets everything, and gives back each account's tokens.
    pub fn purge_all(&self) -> Vec<(AccountId, Vec<Arc<CachedToken>>)> {
        let purged = |account: AccountId| (account.clone(), self.purge(&account));
        self.accounts().into_iter().map(purged).collect()
    }

    /// Renews all tokens of an account that are in use, while the old ones serve: they may be good for less than before, and what
    /// was refused may be granted.
    pub fn refresh(&self, account: &AccountId) {
        self.forgive_account(account);
        for (scope, entry) in self.entries(account) {
            if entry.token().is_some()
                && let Some(tell) = entry.begin_renewal(self.now())
            {
                self.fly(Key::of(account, scope), entry, tell, true);
            }
        }
    }
}
