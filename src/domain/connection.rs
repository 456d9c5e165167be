//! What connects an account to GitHub.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::AccountId;

/// GitHub's numeric id of an App installation.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct InstallationId(pub i64);

impl std::fmt::Display for InstallationId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// What kind of credential something was done with.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum CredentialSource {
    /// A GitHub App installation.
    AppInstallation,
    /// A user's authorization.
    OAuthUser,
    /// A personal access token.
    Pat,
}

impl CredentialSource {
    /// Name in the audit.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AppInstallation => "app_installation",
            Self::OAuthUser => "oauth_user",
            Self::Pat => "pat",
        }
    }

    /// What people call it.
    pub fn noun(self) -> &'static str {
        match self {
            Self::AppInstallation => "the App installation",
            Self::OAuthUser => "the user's authorization (OAuth)",
            Self::Pat => "the personal access token",
        }
    }
}

/// State of a credential, as last seen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ConnectionStatus {
    /// It works.
    Active,
    /// An organization owner has yet to approve the App.
    PendingApproval,
    /// The installation is suspended at GitHub.
    Suspended,
    /// The platform has switched it off.
    Disabled,
    /// The token is past its expiry.
    Expired,
    /// GitHub no longer accepts it.
    Revoked,
}

impl ConnectionStatus {
    /// Every state, for parsing and tests.
    pub const ALL: [Self; 6] = [
        Self::Active,
        Self::PendingApproval,
        Self::Suspended,
        Self::Disabled,
        Self::Expired,
        Self::Revoked,
    ];

    /// Name in the database and in logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::PendingApproval => "pending_approval",
            Self::Suspended => "suspended",
            Self::Disabled => "disabled",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }
}

/// An account's App installation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Installation {
    /// Owner of this record.
    pub account: AccountId,
    /// GitHub's id; none while approval is pending.
    pub id: Option<InstallationId>,
    /// GitHub's id of the organization or user that installed the App; none while approval is pending.
    pub github_account_id: Option<i64>,
    /// Its login, as last seen; empty while approval is pending.
    pub github_login: String,
    /// State, as last seen.
    pub status: ConnectionStatus,
    /// False if the platform has switched it off.
    pub enabled: bool,
    /// The page on which it is configured; empty while approval is pending.
    pub settings_url: String,
    /// When it was bound to the account.
    pub registered_at: OffsetDateTime,
}

impl Installation {
    /// Its state with the platform's switch.
    pub fn state(&self) -> ConnectionStatus {
        switched(self.enabled, self.status)
    }
}

/// What is switched off is nothing else.
fn switched(enabled: bool, status: ConnectionStatus) -> ConnectionStatus {
    if enabled { status } else { ConnectionStatus::Disabled }
}

/// What is over does not work any more, whatever was last seen.
fn ended(
    status: ConnectionStatus,
    end: Option<OffsetDateTime>,
    now: OffsetDateTime,
) -> ConnectionStatus {
    match end {
        Some(end) if end <= now && status == ConnectionStatus::Active => ConnectionStatus::Expired,
        _ => status,
    }
}

/// An installation that an organization owner was asked for, and how it will be known for the account's.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Awaited {
    /// Owner of this record.
    pub account: AccountId,
    /// Login of the organization that the platform knows to be this account's.
    pub expected_login: Option<String>,
    /// GitHub's id of the user who asked for it, if that was proven.
    pub requester_id: Option<i64>,
    /// When it was asked for.
    pub since: OffsetDateTime,
}

/// A user's authorization by "Connect GitHub", without its tokens.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OAuthUser {
    /// Owner of this record.
    pub account: AccountId,
    /// Login of the user, as last seen.
    pub login: String,
    /// GitHub's id of the user.
    pub user_id: i64,
    /// Scopes of an OAuth App's token; empty for a GitHub App's.
    pub scopes: Vec<String>,
    /// End of the token in use, if it has one.
    pub expires_at: Option<OffsetDateTime>,
    /// Until when it can be renewed; none if it never ends.
    pub refresh_expires_at: Option<OffsetDateTime>,
    /// Last 4 characters of the token in use.
    pub fingerprint: String,
    /// State, as last seen.
    pub status: ConnectionStatus,
    /// False if the platform has switched it off.
    pub enabled: bool,
    /// When the user authorized.
    pub connected_at: OffsetDateTime,
}

impl OAuthUser {
    /// Its state with the platform's switch: it has ended when it cannot be renewed any more.
    pub fn state(&self, now: OffsetDateTime) -> ConnectionStatus {
        let end = self.expires_at.and(self.refresh_expires_at);
        switched(self.enabled, ended(self.status, end, now))
    }
}

/// Kind of a personal access token.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PatKind {
    /// `ghp_`
    Classic,
    /// `github_pat_`
    FineGrained,
}

impl PatKind {
    /// The kind that a token's prefix tells; none for other tokens.
    pub fn of(token: &str) -> Option<Self> {
        let begins = |prefix| token.strip_prefix(prefix).is_some_and(|rest| !rest.is_empty());
        if begins("ghp_") {
            Some(Self::Classic)
        } else if begins("github_pat_") {
            Some(Self::FineGrained)
        } else {
            None
        }
    }

    /// Name in the database and in logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Classic => "classic",
            Self::FineGrained => "fine_grained",
        }
    }
}

/// An account's personal access token, without the token.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pat {
    /// Owner of this record.
    pub account: AccountId,
    /// Kind.
    pub kind: PatKind,
    /// Login of the user who made it.
    pub owner_login: String,
    /// GitHub's id of that user.
    pub owner_id: i64,
    /// Scopes of a classic token; empty for a fine-grained one.
    pub scopes: Vec<String>,
    /// Its end, if it has one.
    pub expires_at: Option<OffsetDateTime>,
    /// Last 4 characters of the token.
    pub fingerprint: String,
    /// State, as last seen.
    pub status: ConnectionStatus,
    /// False if the platform has switched it off.
    pub enabled: bool,
    /// When it was stored.
    pub registered_at: OffsetDateTime,
}

impl Pat {
    /// Its state with the platform's switch.
    pub fn state(&self, now: OffsetDateTime) -> ConnectionStatus {
        switched(self.enabled, ended(self.status, self.expires_at, now))
    }
}

/// An encrypted secret as it is stored, and what it is bound to: it opens only for this account, row and version.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SealedSecret {
    /// Header and ciphertext.
    pub bytes: Vec<u8>,
    /// Which key-encryption key wraps it.
    pub kek_id: String,
    /// Id of the row, new for each secret stored.
    pub row_id: String,
    /// Version of the row, raised when the same secret is wrapped anew.
    pub row_version: i64,
}
