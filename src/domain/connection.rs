//! What connects an account to GitHub.

use time::OffsetDateTime;

use super::{AccountId, Base, BranchName, BranchPattern, RepoId, RepoName, Subdirectory};

/// GitHub's numeric id of an App installation.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
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
    /// A personal access token.
    Pat,
}

impl CredentialSource {
    /// Name in the audit.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AppInstallation => "app_installation",
            Self::Pat => "pat",
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
    /// The token is past its expiry.
    Expired,
    /// GitHub no longer accepts it.
    Revoked,
}

impl ConnectionStatus {
    /// Every state, for parsing and tests.
    pub const ALL: [Self; 5] =
        [Self::Active, Self::PendingApproval, Self::Suspended, Self::Expired, Self::Revoked];

    /// Name in the database and in logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::PendingApproval => "pending_approval",
            Self::Suspended => "suspended",
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
    /// When it was bound to the account.
    pub registered_at: OffsetDateTime,
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
    /// When it was stored.
    pub registered_at: OffsetDateTime,
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

/// Most patterns in [`Binding::work_branches`]: what is more has a common prefix, or should.
pub const MAX_WORK_BRANCHES: usize = 20;

/// A repository that an account works with, and the branches that the broker touches there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Binding {
    /// Owner of this record.
    pub account: AccountId,
    /// GitHub's id of the repository.
    pub repository_id: RepoId,
    /// Its name, as last seen.
    pub repository: RepoName,
    /// The branch that commits go to.
    pub staging: BranchName,
    /// Where the staging branch begins when it does not exist yet; production, if none is named.
    pub staging_base: Option<Base>,
    /// True if the broker does not make the staging branch.
    pub staging_must_exist: bool,
    /// The branch that promotion goes to.
    pub production: BranchName,
    /// Branches beside staging that callers may work on, as far as the policy lets them: at most [`MAX_WORK_BRANCHES`]
    /// patterns. Production is none of them, whatever they match.
    pub work_branches: Vec<BranchPattern>,
    /// Directory that all paths are relative to.
    pub subdirectory: Subdirectory,
    /// True for the one that is used when none is named.
    pub active: bool,
}
