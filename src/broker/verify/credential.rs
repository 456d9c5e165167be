//! Checks of the credential: does GitHub accept it, and what does it grant.

use super::{Check, FindingCode};
use crate::{
    broker::{
        credential::{Credential, OpenPat},
        error::Error,
        refusal,
    },
    domain::{ConnectionStatus, InstallationId, Level, PatKind, Permission, Permissions},
    github::{Kind, Repository},
};

/// What commits and promotion need.
const NEEDED: Permissions = Permissions::NONE
    .with(Permission::CONTENTS, Level::Write)
    .with(Permission::METADATA, Level::Read)
    .with(Permission::PULL_REQUESTS, Level::Write);
/// A token that ends within this time is worth a warning: renewing one takes people some days.
const EXPIRES_SOON: time::Duration = time::Duration::days(14);

/// What is known of the credential's reach.
pub(super) enum Granted {
    /// The permissions of the installation, and its page.
    App(Permissions, String),
    /// The scopes of a classic token.
    Scopes(Vec<String>),
    /// GitHub does not say what a fine-grained token may do.
    Unknown,
}

impl Check<'_> {
    /// None if the credential does not work, so that nothing else can be checked.
    pub(super) async fn credential(
        &mut self,
        credential: &Credential,
    ) -> Result<Option<Granted>, Error> {
        match credential {
            Credential::App { id, .. } => self.installation(*id).await,
            Credential::Pat(pat) => self.pat(pat).await,
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

    async fn pat(&mut self, pat: &OpenPat) -> Result<Option<Granted>, Error> {
        let code = FindingCode::CredentialValid;
        let settings = self.tokens_page(pat.about.kind);
        let user = match self.broker.github().user(&pat.token).await {
            Ok(user) => user,
            Err(error) if error.kind == Kind::Unauthorized => {
                let message = format!(
                    "GitHub refuses the personal access token (…{}).",
                    pat.about.fingerprint
                );
                self.failed(code, message, "Make a new token and store it.", &settings);
                self.note_pat(pat, ConnectionStatus::Revoked).await;
                return Ok(None);
            }
            Err(error) if error.kind == Kind::Suspended => {
                let message = "GitHub has suspended the owner of the personal access token.";
                self.failed(code, message, "Make a token as another user and store it.", "");
                return Ok(None);
            }
            Err(error) => return Err(refusal::cannot_ask(error)),
        };
        self.note_pat(pat, ConnectionStatus::Active).await;
        let end = user.token_expires_at.or(pat.about.expires_at);
        match end.filter(|end| *end - self.broker.now() < EXPIRES_SOON) {
            Some(end) => {
                let message =
                    format!("The personal access token of {} ends on {}.", user.login, end.date());
                self.warning(code, message, "Renew the token and store the new one.", &settings);
            }
            None => {
                self.ok(code, format!("The personal access token of {} is accepted.", user.login))
            }
        }
        Ok(Some(match pat.about.kind {
            PatKind::Classic => Granted::Scopes(user.scopes.unwrap_or_default()),
            PatKind::FineGrained => Granted::Unknown,
        }))
    }

    /// The page on GitHub where tokens of this kind are made.
    fn tokens_page(&self, kind: PatKind) -> String {
        let page = match kind {
            PatKind::Classic => "settings/tokens",
            PatKind::FineGrained => "settings/personal-access-tokens",
        };
        let web_url = self.broker.github().web_url().as_str();
        format!("{}/{page}", web_url.trim_end_matches('/'))
    }

    async fn note_pat(&self, pat: &OpenPat, status: ConnectionStatus) {
        if pat.about.status != status {
            self.broker.note_pat(&pat.about.account, &pat.row_id, status).await;
        }
    }

    /// What can be said of a repository that cannot be seen is said, too: a lacking permission may be why.
    pub(super) fn permissions(&mut self, granted: &Granted, repository: Option<&Repository>) {
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
            Granted::Scopes(scopes) => self.scopes(scopes, repository),
            Granted::Unknown => self.fine_grained(repository),
        }
    }

    fn fine_grained(&mut self, repository: Option<&Repository>) {
        let code = FindingCode::PermissionsGranted;
        match repository {
            None => {}
            Some(repository) if !may_push(repository) => self.no_push(repository),
            Some(_) => {
                let message = "The token's owner may push; GitHub does not tell what the fine-grained token itself may do.";
                let fix = "Make sure that it has Contents and Pull requests: read and write, for this repository.";
                let page = self.tokens_page(PatKind::FineGrained);
                self.warning(code, message, fix, &page);
            }
        }
    }

    fn scopes(&mut self, scopes: &[String], repository: Option<&Repository>) {
        let code = FindingCode::PermissionsGranted;
        let has = |scope: &str| scopes.iter().any(|s| s == scope);
        let public = repository.is_some_and(|repository| !repository.private);
        let enough = has("repo") || (public && has("public_repo"));
        if !enough {
            let fix = "Make a token with the scope `repo` and store it.";
            let page = self.tokens_page(PatKind::Classic);
            self.failed(code, "The personal access token lacks the scope `repo`.", fix, &page);
            return;
        }
        match repository {
            None => {}
            Some(repository) if !may_push(repository) => self.no_push(repository),
            Some(_) => {
                let message = "The token has the scope it needs, and its owner may push.";
                self.ok(
                    code,
                    with_workflows(message.to_owned(), has("workflow"), "the scope `workflow`"),
                );
            }
        }
    }

    fn no_push(&mut self, repository: &Repository) {
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

/// Workflow files take more than all others, which not everybody grants.
fn with_workflows(message: String, granted: bool, what: &str) -> String {
    if granted {
        return message;
    }
    format!("{message} Without {what}, files in .github/workflows cannot be changed.")
}

/// A host that does not say what the user may do is believed to allow it; a commit would tell.
fn may_push(repository: &Repository) -> bool {
    repository.permissions.as_ref().is_none_or(|role| role.push)
}
