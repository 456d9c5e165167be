//! Why there is no token.

use std::time::Duration;

use crate::{
    domain::Permissions,
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
    NotAccessible(#[source] github::Error),
    /// GitHub answered with another token than the one asked for; it is not used.
    #[error("GitHub minted a token of another scope than asked for")]
    WrongScope,
    /// The account was disconnected meanwhile, or the task was lost.
    #[error("the mint was given up")]
    GivenUp,
}

impl MintError {
    /// True if the same request may work a little later.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::GitHub(error) => error.is_transient() || error.effect_unknown(),
            Self::NotGranted { .. } | Self::NotAccessible(_) | Self::WrongScope => false,
            Self::GivenUp => true,
        }
    }

    /// True if a person at GitHub can allow it: in the settings of the installation.
    pub(super) fn is_not_allowed(&self) -> bool {
        matches!(self, Self::NotGranted { .. } | Self::NotAccessible(_))
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
