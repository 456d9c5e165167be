//! The state of the simulated GitHub: one struct behind one mutex that is never held across an await or a
//! git process.

mod account;
mod app;
mod caller;
mod pattern;
mod pull;
mod repository;
mod rules;
mod token;

use std::collections::{BTreeMap, BTreeSet, HashMap};

pub(crate) use account::{Account, AccountKind};
pub(crate) use app::{App, Installation, InstallationRequest, OAuthCode, Webhook};
pub use caller::Credential;
pub(crate) use caller::{Caller, Grant};
pub(crate) use pattern::matches_glob;
pub use pattern::{Operator, Pattern};
pub(crate) use pull::{Comment, Issue, Label, Pull, Review};
pub(crate) use repository::{Meta, Repository};
pub use rules::Rule;
pub(crate) use rules::{Protection, Ruleset};
pub(crate) use token::{Token, TokenKind};

use crate::secrets::TokenFormat;
use crate::seed::Role;

/// How fresh tokens are refused before every machine of GitHub knows them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReplicationLag {
    /// Tokens work at once.
    #[default]
    None,
    /// Tokens answer 401 for this many seconds of the simulator's clock.
    Seconds(i64),
    /// The first so many uses of each token answer 401.
    Uses(u32),
}

/// Everything the simulator knows beside the contents of the git repositories.
#[derive(Debug, Default)]
pub(crate) struct World {
    next_id: u64,
    pub accounts: BTreeMap<u64, Account>,
    pub apps: BTreeMap<u64, App>,
    pub installations: BTreeMap<u64, Installation>,
    pub repositories: BTreeMap<u64, Repository>,
    pub tokens: HashMap<String, Token>,
    pub codes: HashMap<String, OAuthCode>,
    /// Wishes of members, until an owner answers them.
    pub requests: BTreeMap<u64, InstallationRequest>,
    /// Which user authorized which App, as `(user, app)`.
    pub authorizations: BTreeSet<(u64, u64)>,
    /// The people who are signed in, by the value of their cookie.
    pub sessions: HashMap<String, u64>,
    pub authorize_as: Option<String>,
    pub secret_patterns: Vec<String>,
    /// Addresses by user id that no push may publish.
    pub private_emails: BTreeMap<u64, String>,
    pub token_format: TokenFormat,
    pub lag: ReplicationLag,
    /// Seconds that GitHub's clock is ahead of the simulator's: seen in `Date` and in claim checks.
    pub skew: i64,
    pub graphql_disabled: bool,
    pub disabled_mutations: BTreeSet<String>,
}

/// The first id given out; high enough not to be taken for a count.
const FIRST_ID: u64 = 1000;

impl World {
    /// The next free id of anything.
    pub fn fresh_id(&mut self) -> u64 {
        self.next_id = self.next_id.max(FIRST_ID) + 1;
        self.next_id
    }

    /// Uses the id that was asked for, or the next free one.
    pub fn claim_id(&mut self, wanted: Option<u64>) -> u64 {
        match wanted {
            Some(id) => {
                self.next_id = self.next_id.max(id);
                id
            }
            None => self.fresh_id(),
        }
    }

    /// The account of a login; logins ignore case.
    pub fn account(&self, login: &str) -> Option<&Account> {
        self.accounts.values().find(|account| account.login.eq_ignore_ascii_case(login))
    }

    /// The repository that has the name now.
    pub fn repository(&self, owner: &str, name: &str) -> Option<&Repository> {
        let owner = self.account(owner)?.id;
        self.repositories
            .values()
            .find(|r| r.meta.owner_id == owner && r.meta.name.eq_ignore_ascii_case(name))
    }

    /// The repository that had the name before it was renamed or transferred.
    pub fn moved_repository(&self, owner: &str, name: &str) -> Option<&Repository> {
        let old = format!("{owner}/{name}").to_lowercase();
        self.repositories.values().find(|r| r.old_names.contains(&old))
    }

    /// The repository of a full name, for the functions that tests call.
    pub fn repository_mut(&mut self, full_name: &str) -> Option<&mut Repository> {
        let (owner, name) = full_name.split_once('/')?;
        let id = self.repository(owner, name)?.meta.id;
        self.repositories.get_mut(&id)
    }
}

impl World {
    /// Takes an installation away, with every token minted for it.
    pub fn uninstall(&mut self, id: u64) {
        self.installations.remove(&id);
        self.tokens.retain(|_, token| {
            !matches!(&token.kind,
                TokenKind::Installation { installation_id, .. } if *installation_id == id)
        });
    }

    /// The installation of an App on an account.
    pub fn installed(&self, app: u64, account: u64) -> Option<&Installation> {
        self.installations.values().find(|i| (i.app_id, i.account_id) == (app, account))
    }

    /// The repositories that an installation covers.
    pub fn covered(&self, installation: &Installation) -> BTreeSet<u64> {
        let metas = self.repositories.values().map(|r| &r.meta);
        metas.filter(|r| installation.covers(r.id, r.owner_id)).map(|r| r.id).collect()
    }

    /// The person who does things on an account when nobody is named: the user, or the first owner.
    pub fn owner_of(&self, account: u64) -> u64 {
        match self.accounts.get(&account).map(|a| &a.kind) {
            Some(AccountKind::Organization { members, .. }) => members
                .iter()
                .find(|(_, role)| **role == Role::Admin)
                .map_or(account, |(user, _)| *user),
            _ => account,
        }
    }

    /// Whether a person may administer an account: the user's own, or an organization's owner.
    pub fn administers(&self, user: u64, account: u64) -> bool {
        user == account
            || self.accounts.get(&account).and_then(|a| a.role_of(user)) == Some(Role::Admin)
    }

    /// The active rules for a branch, each with its ruleset.
    pub fn rules_for(&self, repository: u64, branch: &str) -> Vec<(&Ruleset, &Rule)> {
        let Some(repository) = self.repositories.get(&repository) else { return Vec::new() };
        repository
            .rulesets
            .iter()
            .filter(|set| matches_glob(&set.pattern, branch))
            .flat_map(|set| set.rules.iter().map(move |rule| (set, rule)))
            .collect()
    }

    /// The classic protection of a branch.
    pub fn protection_of(&self, repository: u64, branch: &str) -> Option<&Protection> {
        let repository = self.repositories.get(&repository)?;
        repository.protections.iter().find(|p| matches_glob(&p.pattern, branch))
    }
}

impl World {
    /// Takes back what a user authorized an App for, with all its tokens; whether there was anything.
    pub fn revoke_authorization(&mut self, user: u64, app: u64) -> bool {
        self.tokens.retain(|_, token| token.kind.authorized() != Some((user, app)));
        self.authorizations.remove(&(user, app))
    }

    /// Takes a token away; an access token and its refresh token go together.
    pub fn drop_user_token(&mut self, secret: &str) {
        if let Some(Token { kind: TokenKind::Refresh { access, .. }, .. }) =
            self.tokens.remove(secret)
        {
            self.tokens.remove(&access);
        }
        self.tokens.retain(|_, token| {
            !matches!(&token.kind, TokenKind::Refresh { access, .. } if access == secret)
        });
    }
}
