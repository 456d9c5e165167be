//! Why there is no token.

use std::time::Duration;

use tokio::sync::OnceCell;

use crate::{
    domain::{Permissions, RepoName},
    github::{self, Kind},
};

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum MintError {
    /// GitHub refused, or could not be reached.
    #[error("minting an installation token failed")]
    GitHub(#[source] github::Error),
    /// The installation does not grant some of the permissions.
    #[error("the installation does not grant {missing}")]
    NotGranted {
        /// The permissions that it does not grant.
        missing: Permissions,
        /// What GitHub said.
        #[source]
        refused: github::Error,
    },
    /// The installation grants the permissions, so that it is the repository that it does not reach.
    #[error("the installation does not reach the repository")]
    NotAccessible {
        /// What GitHub said.
        #[source]
        refused: github::Error,
        /// The name that the repository has now, if it is known to have another one: looked for once, by the first who is told
        /// of this failure, for all who are.
        moved: Box<OnceCell<Option<RepoName>>>,
    },
    /// GitHub answered with another token than the one asked for: for more, for less, or at its end. It is not used.
    #[error("GitHub minted another token than the one asked for")]
    NotAsAsked,
    /// The account was disconnected meanwhile, or just before, or the task was lost.
    #[error("the mint was given up")]
    GivenUp,
}

impl MintError {
    /// True if the same request may work a little later.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::GitHub(error) => error.is_transient() || error.effect_unknown(),
            Self::NotGranted { .. } | Self::NotAccessible { .. } | Self::NotAsAsked => false,
            Self::GivenUp => true,
        }
    }

    /// True if another mint may succeed at the same time: this one may only have had to give way.
    pub(super) fn may_be_of_others(&self) -> bool {
        matches!(self, Self::GitHub(error) if error.is_transient() || error.effect_unknown())
    }

    /// True if it says something of tokens that were minted before: they are good for nothing any more. That the App's key is
    /// refused, or a new one is not as asked, says nothing of them.
    pub(super) fn is_of_those_before(&self) -> bool {
        self.is_of_installation() || self.is_not_allowed()
    }

    /// True if a person at GitHub can allow it: in the settings of the installation.
    pub(super) fn is_not_allowed(&self) -> bool {
        matches!(self, Self::NotGranted { .. } | Self::NotAccessible { .. })
    }

    /// True if GitHub mints nothing at all for this installation: it is gone or suspended.
    pub(super) fn is_of_installation(&self) -> bool {
        matches!(self, Self::GitHub(error) if matches!(error.kind, Kind::NotFound | Kind::Suspended))
    }

    /// How long GitHub wants to be left alone.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::GitHub(error) => error.retry_after,
            _ => None,
        }
    }

    /// How long this failure answers in place of GitHub.
    pub(super) fn answers_for(&self) -> Duration {
        match self {
            Self::GitHub(error) if error.kind == Kind::RateLimited => {
                error.retry_after.unwrap_or(REFUSAL_LASTS).min(REFUSAL_LASTS)
            }
            _ if self.is_transient() => FAILURE_LASTS,
            _ => REFUSAL_LASTS,
        }
    }
}

/// A passing failure is shared with callers who came while it happened, and hardly longer.
const FAILURE_LASTS: Duration = Duration::from_secs(1);
/// What GitHub refuses now it refuses for a while; long enough to spare it, short enough that a repair is soon seen.
const REFUSAL_LASTS: Duration = Duration::from_secs(30);
