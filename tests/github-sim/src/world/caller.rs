//! Who makes a request, and what that one may do with a repository.

use std::collections::{BTreeMap, BTreeSet};

use super::{Account, AccountKind, Meta, TokenKind, World};
use crate::level::Level;
use crate::seed::Role;

/// The credential of a request as tests see it: what it was, never the secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    /// None was sent.
    None,
    /// One was sent that was refused.
    Rejected,
    /// An App's JWT.
    App {
        /// The App's id.
        app_id: u64,
    },
    /// An installation token.
    Installation {
        /// The installation it acts for.
        installation_id: u64,
        /// A number that differs for every token minted.
        token_id: u64,
    },
    /// A user token of an App (`ghu_`) or of an OAuth App (`gho_`).
    UserToken {
        /// The user.
        login: String,
        /// The App.
        app_id: u64,
    },
    /// A personal access token.
    Pat {
        /// Its owner.
        login: String,
        /// Whether it is classic; fine-grained otherwise.
        classic: bool,
    },
    /// An OAuth client by its id and secret.
    Client {
        /// The client id.
        client_id: String,
    },
}

/// A token that was accepted.
#[derive(Clone, Debug)]
pub(crate) struct Grant {
    pub token_id: u64,
    pub kind: TokenKind,
    pub expires_at: Option<i64>,
}

/// Who makes a request.
#[derive(Clone, Debug)]
pub(crate) enum Caller {
    Anonymous,
    App { app_id: u64 },
    Client { app_id: u64 },
    Token(Grant),
}

/// What everybody may read in a public repository.
const PUBLIC: &[&str] =
    &["metadata", "contents", "issues", "pull_requests", "checks", "statuses", "actions"];

impl Caller {
    /// The kind of token, if it is one.
    pub fn token(&self) -> Option<&TokenKind> {
        match self {
            Self::Token(grant) => Some(&grant.kind),
            Self::Anonymous | Self::App { .. } | Self::Client { .. } => None,
        }
    }

    /// The person behind the token.
    pub fn user_id(&self) -> Option<u64> {
        match self.token()? {
            TokenKind::Installation { .. } => None,
            TokenKind::UserToServer { user_id, .. }
            | TokenKind::Refresh { user_id, .. }
            | TokenKind::OAuth { user_id, .. }
            | TokenKind::Classic { user_id, .. }
            | TokenKind::FineGrained { user_id, .. } => Some(*user_id),
        }
    }

    /// Whether GitHub calls this one an integration in its refusals.
    pub fn is_integration(&self) -> bool {
        !matches!(
            self.token(),
            Some(
                TokenKind::OAuth { .. } | TokenKind::Classic { .. } | TokenKind::FineGrained { .. }
            )
        )
    }

    /// How tests see the credential.
    pub fn credential(&self, world: &World) -> Credential {
        let login = |id: &u64| world.accounts.get(id).map(|a| a.login.clone()).unwrap_or_default();
        match self {
            Self::Anonymous => Credential::None,
            Self::App { app_id } => Credential::App { app_id: *app_id },
            Self::Client { app_id } => Credential::Client {
                client_id: world.apps.get(app_id).map(|a| a.client_id.clone()).unwrap_or_default(),
            },
            Self::Token(grant) => match &grant.kind {
                TokenKind::Installation { installation_id, .. } => Credential::Installation {
                    installation_id: *installation_id,
                    token_id: grant.token_id,
                },
                TokenKind::UserToServer { user_id, app_id }
                | TokenKind::OAuth { user_id, app_id, .. }
                | TokenKind::Refresh { user_id, app_id, .. } => {
                    Credential::UserToken { login: login(user_id), app_id: *app_id }
                }
                TokenKind::Classic { user_id, .. } => {
                    Credential::Pat { login: login(user_id), classic: true }
                }
                TokenKind::FineGrained { user_id, .. } => {
                    Credential::Pat { login: login(user_id), classic: false }
                }
            },
        }
    }
}

impl World {
    /// The account as which a caller acts: the user, or the App's bot.
    pub fn actor(&self, caller: &Caller) -> Option<&Account> {
        if let Some(user) = caller.user_id() {
            return self.accounts.get(&user);
        }
        let app_id = match (caller, caller.token()) {
            (_, Some(TokenKind::Installation { installation_id, .. })) => {
                self.installations.get(installation_id)?.app_id
            }
            (Caller::App { app_id } | Caller::Client { app_id }, _) => *app_id,
            _ => return None,
        };
        self.accounts.get(&self.apps.get(&app_id)?.bot_id)
    }

    /// What a person may do with a repository, whatever the token.
    pub fn role(&self, user: u64, repo: &Meta) -> Level {
        if repo.owner_id == user {
            return Level::Admin;
        }
        let named = repo.collaborators.get(&user).copied().unwrap_or_default();
        let member = self.accounts.get(&repo.owner_id).map_or(Level::None, |owner| {
            match (&owner.kind, owner.role_of(user)) {
                (AccountKind::Organization { .. }, Some(Role::Admin)) => Level::Admin,
                (AccountKind::Organization { base_permission, .. }, Some(Role::Member)) => {
                    *base_permission
                }
                _ => Level::None,
            }
        });
        let public = if repo.private { Level::None } else { Level::Read };
        named.max(member).max(public)
    }

    /// Whether a caller can see that the repository exists.
    pub fn sees(&self, caller: &Caller, repo: &Meta) -> bool {
        self.level(caller, repo, "metadata") >= Level::Read
    }

    /// How much of a permission a caller has on a repository.
    pub fn level(&self, caller: &Caller, repo: &Meta, permission: &str) -> Level {
        let public =
            if !repo.private && PUBLIC.contains(&permission) { Level::Read } else { Level::None };
        let granted = match caller.token() {
            None => Level::None,
            Some(TokenKind::Installation { installation_id, repositories, permissions }) => {
                let covered = self
                    .installations
                    .get(installation_id)
                    .is_some_and(|i| i.covers(repo.id, repo.owner_id));
                let covered = covered && within(repositories.as_ref(), repo.id);
                if covered { listed(permissions, permission) } else { Level::None }
            }
            Some(TokenKind::UserToServer { user_id, app_id }) => {
                let installed = self
                    .installations
                    .values()
                    .filter(|i| i.app_id == *app_id && i.suspended_at.is_none())
                    .find(|i| i.covers(repo.id, repo.owner_id));
                installed.map_or(Level::None, |i| {
                    listed(&i.permissions, permission)
                        .min(by_role(self.role(*user_id, repo), permission))
                })
            }
            Some(TokenKind::Refresh { .. }) => Level::None,
            Some(
                TokenKind::Classic { user_id, scopes, .. }
                | TokenKind::OAuth { user_id, scopes, .. },
            ) => scope_level(scopes, repo, permission)
                .min(by_role(self.role(*user_id, repo), permission)),
            Some(TokenKind::FineGrained {
                user_id,
                owner_id,
                repositories,
                permissions,
                pending,
            }) => {
                let covered = !pending
                    && *owner_id == repo.owner_id
                    && within(repositories.as_ref(), repo.id);
                if covered {
                    listed(permissions, permission)
                        .min(by_role(self.role(*user_id, repo), permission))
                } else {
                    Level::None
                }
            }
        };
        granted.max(public)
    }
}

fn within(repositories: Option<&BTreeSet<u64>>, id: u64) -> bool {
    repositories.is_none_or(|ids| ids.contains(&id))
}

/// Metadata is always readable where anything is granted.
fn listed(permissions: &BTreeMap<String, Level>, permission: &str) -> Level {
    let level = permissions.get(permission).copied().unwrap_or_default();
    if permission == "metadata" { level.max(Level::Read) } else { level }
}

/// Someone who can read may still open issues and pull requests; administration needs an admin.
fn by_role(role: Level, permission: &str) -> Level {
    match (permission, role) {
        ("administration", Level::Admin) => Level::Write,
        ("administration", _) => Level::None,
        ("issues" | "pull_requests", Level::Read) => Level::Write,
        (_, role) => role,
    }
}

/// A classic token has `repo` for everything except workflow files.
fn scope_level(scopes: &[String], repo: &Meta, permission: &str) -> Level {
    let has = |scope: &str| scopes.iter().any(|s| s == scope);
    if permission == "workflows" {
        return if has("workflow") { Level::Write } else { Level::None };
    }
    if has("repo") || has("workflow") || (!repo.private && has("public_repo")) {
        Level::Admin
    } else {
        Level::None
    }
}
