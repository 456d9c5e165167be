//! What a refusal of GitHub means for the caller, and what to do about it.
//!
//! * [`credential`]: what became of it, and what it may not do.
//! * [`repository`]: it is elsewhere, out of sight, or not to be written to, or a branch of it is missing.
//! * [`rules`]: it has rules that refuse a change.

mod credential;
mod repository;
mod rules;

pub(super) use credential::{
    CONNECT_AGAIN, gone, of_account, owner_suspended, suspended, user_suspended,
};
pub(super) use repository::{ReadOnly, branch_missing, moved, moved_away, read_only};
pub(super) use rules::remedy;

use credential::{rejected, suspended_as};

use crate::{
    broker::error::{Error, Reason},
    domain::{CredentialSource, RepoName},
    github::{self, Kind},
};

/// Whom and what a call to GitHub was for, so that its refusal can be explained.
#[derive(Clone, Copy, Debug)]
pub(super) struct Context<'a> {
    pub source: CredentialSource,
    pub repository: &'a RepoName,
}

impl Context<'_> {
    /// Sorts a failed call on a repository. Failures that one use case knows better (a 404 of a branch, a moved head)
    /// are taken out before.
    pub fn explain(&self, error: github::Error) -> Error {
        let repository = self.repository;
        let said = error.sentence();
        let explained = match error.kind {
            Kind::Unauthorized => rejected(self.source),
            Kind::Suspended => suspended_as(self.source),
            Kind::SsoRequired => {
                let refused = Error::new(
                    Reason::SsoRequired,
                    format!(
                        "the organization {} requires single sign-on: authorize the token for it on GitHub",
                        repository.owner()
                    ),
                );
                match &error.sso_url {
                    Some(url) => refused.with("url", url),
                    None => refused,
                }
            }
            Kind::Forbidden => self.not_permitted(&error),
            Kind::NotFound if !error.missing_scopes.is_empty() => self.not_permitted(&error),
            Kind::NotFound | Kind::RepositoryNotAccessible => self.not_accessible(),
            Kind::Moved { .. } => moved(repository, None),
            Kind::ReadOnly => read_only(repository, ReadOnly::said(&said)),
            Kind::EmptyRepository => Error::new(
                Reason::BranchMissing,
                format!(
                    "{repository} is empty; the first CommitFiles makes a start, or a first commit on GitHub"
                ),
            ),
            Kind::RefusedByRules => self.against_rules(&error),
            Kind::NothingToMerge => Error::new(
                Reason::NothingToPromote,
                format!("there is nothing to promote in {repository}: {said}"),
            ),
            Kind::Invalid | Kind::AlreadyExists | Kind::Conflict | Kind::Stale => Error::new(
                Reason::RefusedByGithub,
                format!("GitHub refuses this on {repository}: {said}"),
            ),
            Kind::TooLarge => Error::new(
                Reason::RefusedByGithub,
                "this is larger than GitHub takes at once (a file at most 100 MB): make it several smaller commits, and keep \
                 large files in Git LFS",
            ),
            Kind::Unsupported => Error::new(
                Reason::RefusedByGithub,
                "this GitHub host does not have what the call needs; it may be too old",
            ),
            Kind::RateLimited => rate_limited(&error),
            Kind::AppNotConfigured => app_not_configured(),
            Kind::ClientRefused => client_refused(),
            Kind::ClockSkew { seconds } => clock_skew(seconds),
            Kind::Server
            | Kind::Unreachable
            | Kind::Interrupted
            | Kind::Malformed
            | Kind::BreakerOpen => Error::unavailable(),
        };
        explained.caused_by(error)
    }
}

fn not_understood() -> Error {
    Error::new(
        Reason::Internal,
        "GitHub gave an answer that the broker does not understand; its log has it",
    )
}

pub(super) fn app_not_configured() -> Error {
    Error::new(
        Reason::AppNotConfigured,
        "this broker has no GitHub App configured, so that only personal access tokens work; ask its operator",
    )
}

/// GitHub judges the App's JWT by a clock that is not the one that it shows.
pub(super) fn clock_skew(seconds: i64) -> Error {
    let direction = if seconds < 0 { "behind" } else { "ahead of" };
    let message = format!(
        "GitHub refuses the broker's App because of the time; by its answers its clock is {} s {direction} the broker's, \
         whose operator has to compare it with the right time",
        seconds.unsigned_abs()
    );
    let mut error = Error::unavailable();
    error.message = message;
    error.with("clock_offset_seconds", seconds)
}

pub(super) fn client_refused() -> Error {
    Error::new(
        Reason::Internal,
        "GitHub does not accept the App's OAuth client as [github.oauth] has it; its client id or client secret is wrong",
    )
}

/// GitHub advises to wait at least a minute when it does not say how long.
const WAIT_WHEN_UNSAID: std::time::Duration = std::time::Duration::from_secs(60);

pub(super) fn rate_limited(error: &github::Error) -> Error {
    let wait = error.retry_after.unwrap_or(WAIT_WHEN_UNSAID);
    Error::new(
        Reason::RateLimited,
        format!("GitHub's rate limit is used up; try again in {} s", wait.as_secs().max(1)),
    )
    .retry_after(wait)
}

/// A call that failed for no fault of the account's: nothing was learned about what was asked.
pub(super) fn cannot_ask(error: github::Error) -> Error {
    match error.kind {
        Kind::RateLimited => rate_limited(&error),
        Kind::AppNotConfigured => app_not_configured(),
        Kind::ClientRefused => client_refused(),
        Kind::ClockSkew { seconds } => clock_skew(seconds),
        _ if error.is_transient() || error.effect_unknown() => Error::unavailable(),
        _ => not_understood(),
    }
    .caused_by(error)
}

/// A failure that is explained already, or one of GitHub's that is yet to be.
pub(super) enum Failed {
    Known(Error),
    GitHub(github::Error),
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::Known(error)
    }
}

impl From<github::Error> for Failed {
    fn from(error: github::Error) -> Self {
        Self::GitHub(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_github_says_is_explained() {
        let repository: RepoName = "acme/warehouse".parse().unwrap();
        let context =
            Context { source: CredentialSource::AppInstallation, repository: &repository };
        let workflow = "refusing to allow a GitHub App to create or update workflow `a.yml` without `workflows` permission";
        for (kind, said, reason, told) in [
            (
                Kind::ReadOnly,
                "Repository was archived so is read-only.",
                Reason::RepoReadOnly,
                "unarchive it",
            ),
            (Kind::ReadOnly, "Repository access blocked", Reason::RepoReadOnly, "GitHub's support"),
            (
                Kind::ReadOnly,
                "Repository has been locked for migration.",
                Reason::RepoReadOnly,
                "when that is done",
            ),
            (Kind::TooLarge, "", Reason::RefusedByGithub, "several smaller commits"),
            (Kind::Forbidden, workflow, Reason::PermissionNotGranted, "workflows:write"),
            (
                Kind::Forbidden,
                "Resource not accessible by integration",
                Reason::PermissionNotGranted,
                "grant more",
            ),
            (Kind::RefusedByRules, "Something new.", Reason::RefusedByRules, "Settings > Rules"),
        ] {
            let explained = context.explain(github::Error::new(kind, said));
            assert_eq!(explained.reason, reason, "{said}");
            assert!(explained.message.contains(told), "{}", explained.message);
        }
    }

    #[test]
    fn a_suspension_is_of_the_installation_or_of_the_tokens_owner() {
        let repository = "acme/warehouse".parse().unwrap();
        for (source, reason) in [
            (CredentialSource::AppInstallation, Reason::InstallationSuspended),
            (CredentialSource::OAuthUser, Reason::CredentialRejected),
            (CredentialSource::Pat, Reason::CredentialRejected),
        ] {
            let context = Context { source, repository: &repository };
            let said = github::Error::new(Kind::Suspended, "Sorry. Your account was suspended.");
            assert_eq!(context.explain(said).reason, reason);
        }
    }
}
