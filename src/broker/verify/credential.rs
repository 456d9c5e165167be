//! Checks of the credential: does GitHub accept it, and what does it grant.

use super::{Check, FindingCode};
use crate::{
    broker::{
        connect::EXPIRES_SOON,
        credential::{Credential, UserToken, UserTokenKind},
        error::Error,
        refusal,
    },
    domain::{ConnectionStatus, InstallationId, Level, PatKind, Permission, Permissions, Token},
    github::{Kind, Repository},
};

/// What commits and promotion need.
const NEEDED: Permissions = Permissions::NONE
    .with(Permission::CONTENTS, Level::Write)
    .with(Permission::METADATA, Level::Read)
    .with(Permission::PULL_REQUESTS, Level::Write);
/// What is known of the credential's reach.
pub(super) enum Granted {
    /// The permissions of the installation, and its page.
    App(Permissions, String),
    /// The scopes of a classic token, or of an OAuth App's.
    Scopes(UserTokenKind, Vec<String>),
    /// GitHub does not say.
    Unsaid(UserTokenKind),
}

impl Check<'_> {
    /// None if the credential does not work, so that nothing else can be checked.
    pub(super) async fn credential(
        &mut self,
        credential: &Credential,
    ) -> Result<Option<Granted>, Error> {
        match credential {
            Credential::App { id, .. } => self.installation(*id).await,
            Credential::User(token) => self.user(token).await,
        }
    }

    async fn installation(&mut self, id: InstallationId) -> Result<Option<Granted>, Error> {
        let code = FindingCode::CredentialValid;
        let (status, granted) = match self.broker.github().installation(id).await {
            Ok(found) if found.suspended => {
                let fix = "Unsuspend it in the settings of the installation.";
                self.failed(code, "The App installation is suspended.", fix, &found.html_url);
                (ConnectionStatus::Suspended, None)
            }
            Ok(found) => {
                self.ok(code, format!("The App is installed on {}.", found.account.login));
                (ConnectionStatus::Active, Some(Granted::App(found.permissions, found.html_url)))
            }
            Err(error) if error.kind == Kind::NotFound => {
                self.failed(code, "The App is no longer installed.", "Install the App again.", "");
                (ConnectionStatus::Revoked, None)
            }
            Err(error) => return Err(refusal::cannot_ask(error)),
        };
        self.broker.note_installation(self.call.account(), id, status).await;
        Ok(granted)
    }

    async fn user(&mut self, token: &UserToken) -> Result<Option<Granted>, Error> {
        let code = FindingCode::CredentialValid;
        let what = what(token.kind);
        let (fix, page) = self.remedy(token.kind);
        let user = match self.broker.github().user(&token.token).await {
            Ok(user) => user,
            Err(error) if error.kind == Kind::Unauthorized => {
                let message = format!("GitHub refuses {what} (…{}).", token.fingerprint);
                self.failed(code, message, fix, &page);
                self.note_user_token(token, ConnectionStatus::Revoked).await;
                return Ok(None);
            }
            Err(error) if error.kind == Kind::Suspended => {
                let message = format!("GitHub has suspended the owner of {what}.");
                self.failed(code, message, "Connect as another user.", "");
                return Ok(None);
            }
            Err(error) => return Err(refusal::cannot_ask(error)),
        };
        self.note_user_token(token, ConnectionStatus::Active).await;
        let end = match token.kind {
            // It is renewed by itself.
            UserTokenKind::OAuth => None,
            UserTokenKind::Pat(_) => user.token_expires_at.or(token.expires_at),
        };
        match end.filter(|end| *end - self.broker.now() < EXPIRES_SOON) {
            Some(end) => {
                let message =
                    format!("{} of {} ends on {}.", capital(what), user.login, end.date());
                self.warning(code, message, fix, &page);
            }
            None => self.ok(code, format!("{} of {} is accepted.", capital(what), user.login)),
        }
        Ok(Some(match (token.kind, user.scopes) {
            (kind @ UserTokenKind::Pat(PatKind::Classic), scopes) => {
                Granted::Scopes(kind, scopes.unwrap_or_default())
            }
            // An OAuth App's token has scopes, a GitHub App's has none.
            (kind @ UserTokenKind::OAuth, Some(scopes)) if !scopes.is_empty() => {
                Granted::Scopes(kind, scopes)
            }
            (kind, _) => Granted::Unsaid(kind),
        }))
    }

    /// What to do about a token that does not work, and where.
    fn remedy(&self, kind: UserTokenKind) -> (&'static str, String) {
        match kind {
            UserTokenKind::OAuth => ("Let the user connect GitHub again.", String::new()),
            UserTokenKind::Pat(kind) => {
                ("Make a new token and store it.", self.broker.tokens_page(kind))
            }
        }
    }

    async fn note_user_token(&self, token: &UserToken, status: ConnectionStatus) {
        if token.status != status {
            self.broker.note_user_token(self.call.account(), token, status).await;
        }
    }

    /// What can be said of a repository that cannot be seen is said, too: a lacking permission may be why.
    pub(super) async fn permissions(
        &mut self,
        granted: &Granted,
        resolved: Option<&(Token, Repository)>,
    ) -> Result<(), Error> {
        let code = FindingCode::PermissionsGranted;
        match granted {
            Granted::App(permissions, page) => {
                let missing = NEEDED.missing_from(*permissions);
                if missing.is_empty() {
                    let workflows = permissions.level(Permission::WORKFLOWS).is_some();
                    let message = format!("The installation grants {NEEDED}.");
                    self.ok(code, with_workflows(message, workflows, "workflows:write"));
                } else {
                    let fix =
                        "An owner of the organization has to accept the App's new permissions.";
                    self.failed(
                        code,
                        format!("The installation does not grant {missing}."),
                        fix,
                        page,
                    );
                }
            }
            Granted::Scopes(kind, scopes) => {
                self.scopes(*kind, scopes, resolved.map(|(_, found)| found));
            }
            Granted::Unsaid(kind) => {
                if let Some((token, repository)) = resolved {
                    self.unsaid(*kind, token, repository).await?;
                }
            }
        }
        Ok(())
    }

    fn scopes(&mut self, kind: UserTokenKind, scopes: &[String], repository: Option<&Repository>) {
        let code = FindingCode::PermissionsGranted;
        let has = |scope: &str| scopes.iter().any(|s| s == scope);
        let public = repository.is_some_and(|repository| !repository.private);
        let enough = has("repo") || (public && has("public_repo"));
        if !enough {
            let (fix, page) = match kind {
                UserTokenKind::OAuth => (
                    "Let the broker's operator add `repo` to github.oauth.scopes, and the user connect GitHub again.",
                    String::new(),
                ),
                UserTokenKind::Pat(kind) => (
                    "Make a token with the scope `repo` and store it.",
                    self.broker.tokens_page(kind),
                ),
            };
            let message = format!("{} lacks the scope `repo`.", capital(what(kind)));
            self.failed(code, message, fix, &page);
            return;
        }
        match repository {
            None => {}
            Some(repository) if !may_push(repository) => self.no_push(repository),
            Some(_) => {
                let message = format!(
                    "The token has the scopes {}, and its owner may push.{}",
                    scopes.join(", "),
                    unneeded(scopes)
                );
                self.ok(code, with_workflows(message, has("workflow"), "the scope `workflow`"));
            }
        }
    }

    pub(super) fn no_push(&mut self, repository: &Repository) {
        let message = format!("The token's owner may not push to {}.", repository.name);
        let fix = "Give the user write access to the repository.";
        self.failed(
            FindingCode::PermissionsGranted,
            message,
            fix,
            &format!("{}/settings/access", repository.html_url),
        );
    }
}

pub(super) fn what(kind: UserTokenKind) -> &'static str {
    match kind {
        UserTokenKind::OAuth => "the authorization",
        UserTokenKind::Pat(_) => "the personal access token",
    }
}

/// At the beginning of a sentence.
pub(super) fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

/// GitHub gives the broker's commits their author: the owner's name, with the address that the owner shows or the one that GitHub
/// keeps for that. So nothing of the broker's reads addresses, and no binding needs to.
fn unneeded(scopes: &[String]) -> &'static str {
    if scopes.iter().any(|scope| scope == "user:email") {
        " It does not need `user:email`: the broker reads no addresses."
    } else {
        ""
    }
}

/// Workflow files take more than all others, which not everybody grants.
fn with_workflows(message: String, granted: bool, what: &str) -> String {
    if granted {
        return message;
    }
    format!("{message} Without {what}, files in .github/workflows cannot be changed.")
}

/// A host that does not say what the user may do is believed to allow it; a commit would tell.
pub(super) fn may_push(repository: &Repository) -> bool {
    repository.permissions.as_ref().is_none_or(|role| role.push)
}
