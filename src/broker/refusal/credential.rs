//! What became of a credential, and what it may not do.

use super::{Context, cannot_ask};
use crate::{
    broker::error::{Error, Reason},
    domain::{CredentialSource, Level, Permission, Permissions},
    github::{self, Kind},
};

/// In what GitHub says of workflow files that may not be changed.
const WORKFLOW: &str = "create or update workflow";

impl Context<'_> {
    /// GitHub accepts the credential, but not for this.
    pub(super) fn not_permitted(&self, error: &github::Error) -> Error {
        let (repository, said) = (self.repository, error.sentence());
        if said.to_lowercase().contains(WORKFLOW) {
            return self.no_workflows();
        }
        if let [scope, ..] = error.missing_scopes.as_slice() {
            let fix = match self.source {
                CredentialSource::OAuthUser => {
                    "the broker's operator can add it to github.oauth.scopes; then let the user connect GitHub again"
                }
                _ => {
                    "add it on GitHub (Settings > Developer settings), and store the token again with SetPat"
                }
            };
            let message = format!(
                "{} lacks the scope `{scope}` that {repository} takes; {fix}",
                self.credential()
            );
            return Error::new(Reason::PermissionNotGranted, message)
                .with("missing", error.missing_scopes.join(", "));
        }
        let fix = match self.source {
            CredentialSource::AppInstallation => {
                "an owner of the GitHub organization can grant more to the App"
            }
            CredentialSource::OAuthUser => {
                "the user, or the App that was authorized, may not do this either"
            }
            CredentialSource::Pat => "its owner can give it more, or may not do this either",
        };
        let message =
            format!("{} may not do this on {repository}: {said}; {fix}", self.credential());
        let refused = Error::new(Reason::PermissionNotGranted, message);
        match &error.accepted_permissions {
            Some(accepted) => refused.with("accepted", accepted),
            None => refused,
        }
    }

    /// The credential may not change what GitHub Actions runs.
    pub fn no_workflows(&self) -> Error {
        match self.source {
            CredentialSource::AppInstallation => Error::permission_not_granted(
                Permissions::NONE.with(Permission::WORKFLOWS, Level::Write),
            ),
            CredentialSource::OAuthUser => Error::new(
                Reason::PermissionNotGranted,
                "the user's authorization may not change files in .github/workflows: the App needs Workflows: read and write, \
                 an OAuth App the scope `workflow`",
            )
            .with("missing", "workflow"),
            CredentialSource::Pat => Error::new(
                Reason::PermissionNotGranted,
                "the personal access token may not change files in .github/workflows: give it the scope `workflow` (a \
                 fine-grained one Workflows: read and write) on GitHub, and store it again with SetPat",
            )
            .with("missing", "workflow"),
        }
    }

    fn credential(&self) -> &'static str {
        used(self.source)
    }
}

/// What a call was made with.
fn used(source: CredentialSource) -> &'static str {
    match source {
        CredentialSource::AppInstallation => "the App installation's token",
        CredentialSource::OAuthUser => "the user's authorization",
        CredentialSource::Pat => "the personal access token",
    }
}

/// Sorts a failed call that was about no one repository.
pub(in crate::broker) fn of_account(source: CredentialSource, error: github::Error) -> Error {
    match error.kind {
        Kind::Unauthorized => rejected(source),
        Kind::Suspended => suspended_as(source),
        Kind::Forbidden | Kind::SsoRequired | Kind::NotFound => Error::new(
            Reason::PermissionNotGranted,
            format!("{} may not do this: {}", used(source), error.sentence()),
        ),
        _ => return cannot_ask(error),
    }
    .caused_by(error)
}

pub(super) fn rejected(source: CredentialSource) -> Error {
    let message = format!("GitHub refuses {}; connect the account anew", used(source));
    Error::new(Reason::CredentialRejected, message)
}

pub(super) fn suspended_as(source: CredentialSource) -> Error {
    match source {
        CredentialSource::AppInstallation => suspended(),
        CredentialSource::OAuthUser => user_suspended(),
        CredentialSource::Pat => owner_suspended(),
    }
}

pub(in crate::broker) fn suspended() -> Error {
    Error::new(
        Reason::InstallationSuspended,
        "the App installation is suspended; whoever suspended it on GitHub has to lift that",
    )
}

/// What to do about an authorization that does not work any more.
pub(in crate::broker) const CONNECT_AGAIN: &str = "let the user connect GitHub again (BeginOAuth)";

pub(in crate::broker) fn user_suspended() -> Error {
    Error::new(
        Reason::CredentialRejected,
        "GitHub has suspended the user who authorized the broker; let another user connect GitHub (BeginOAuth)",
    )
}

pub(in crate::broker) fn owner_suspended() -> Error {
    Error::new(
        Reason::CredentialRejected,
        "GitHub has suspended the owner of the personal access token; store another user's token with SetPat",
    )
}

pub(in crate::broker) fn gone() -> Error {
    Error::new(
        Reason::InstallationGone,
        "the App is no longer installed at GitHub (or is another App's installation); install it again and register it",
    )
}
