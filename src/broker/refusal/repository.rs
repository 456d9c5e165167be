//! Repositories that are elsewhere, out of sight, or not to be written to; and branches that are missing.

use super::Context;
use crate::{
    broker::error::{Error, Reason},
    domain::{BranchName, CredentialSource, RepoName},
};

impl Context<'_> {
    pub fn not_accessible(&self) -> Error {
        let how = match self.source {
            CredentialSource::AppInstallation => {
                "add it to the App's installation on GitHub; if it was transferred, install the App at its new owner, connect \
                 that installation, and call ConfigureRepo with the new name"
            }
            CredentialSource::OAuthUser => {
                "the user who authorized needs access, and the App has to be installed there"
            }
            CredentialSource::Pat => {
                "the token's owner needs access, and a fine-grained token has to name it"
            }
        };
        Error::new(
            Reason::RepoNotAccessible,
            format!(
                "{} does not exist or the account's credential cannot see it; {how}",
                self.repository
            ),
        )
    }
}

/// Why nothing can be written to a repository.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::broker) enum ReadOnly {
    Archived,
    Disabled,
    /// While GitHub moves it elsewhere.
    Locked,
}

impl ReadOnly {
    /// What a repository's description says.
    pub fn of(archived: bool, disabled: bool) -> Option<Self> {
        match (archived, disabled) {
            (_, true) => Some(Self::Disabled),
            (true, false) => Some(Self::Archived),
            (false, false) => None,
        }
    }

    /// What GitHub's words mean.
    pub(super) fn said(said: &str) -> Self {
        let said = said.to_lowercase();
        if said.contains("disabled") || said.contains("blocked") {
            Self::Disabled
        } else if said.contains("locked") || said.contains("migrat") {
            Self::Locked
        } else {
            Self::Archived
        }
    }
}

pub(in crate::broker) fn read_only(repository: &RepoName, why: ReadOnly) -> Error {
    let message = match why {
        ReadOnly::Archived => {
            format!(
                "{repository} is archived; unarchive it on GitHub, or configure another repository"
            )
        }
        ReadOnly::Disabled => format!(
            "GitHub has disabled {repository}; its owner has to settle that with GitHub's support, or configure another \
             repository"
        ),
        ReadOnly::Locked => {
            format!("{repository} is locked while it is migrated; try again when that is done")
        }
    };
    Error::new(Reason::RepoReadOnly, message)
}

pub(in crate::broker) fn moved(repository: &RepoName, now: Option<&RepoName>) -> Error {
    let message = match now {
        Some(now) => format!("{repository} is {now} now; call ConfigureRepo with the new name"),
        None => {
            format!("{repository} was renamed or transferred; call ConfigureRepo with its new name")
        }
    };
    let error = Error::new(Reason::RepoMoved, message);
    match now {
        Some(now) => error.with("repository", now),
        None => error,
    }
}

/// The error of a repository that the App's installation does not reach where it is now.
pub(in crate::broker) fn moved_away(repository: &RepoName, now: &RepoName) -> Error {
    let mut error = moved(repository, Some(now));
    error.message = format!(
        "{repository} is {now} now, which the App's installation does not reach; add it there, or install the App at its new \
         owner and connect that installation, and call ConfigureRepo with the new name"
    );
    error
}

/// The error of a branch that has to be there.
pub(in crate::broker) fn branch_missing(branch: &BranchName, repository: &RepoName) -> Error {
    Error::new(
        Reason::BranchMissing,
        format!(
            "{repository} has no branch {branch}; create it on GitHub, or choose another one (ConfigureRepo sets staging and production)"
        ),
    )
    .with("branch", branch)
}
