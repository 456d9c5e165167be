//! How a use case fails: a reason from the contract, a sentence for the caller, and the cause for the log.

use std::{error::Error as StdError, fmt, time::Duration};

use crate::{domain::Permissions, store};

/// Why a call failed. Each reason is a word of the contract; the gRPC status code follows from it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reason {
    /// It is not proven who calls.
    CallerNotAuthenticated,
    /// It cannot be checked who calls.
    CallerKeysUnavailable,
    /// The policy does not let the caller do this.
    CallerNotAllowed,
    /// The audit cannot be written.
    AuditUnavailable,
    /// A field of the request cannot be what it is.
    InvalidField,
    /// The account has no usable credential.
    AccountNotConnected,
    /// The account is connected at another site.
    AccountElsewhere,
    /// The account is connected at a site that the broker does not have any more.
    SiteNotConfigured,
    /// The broker has no GitHub App.
    AppNotConfigured,
    /// The repository is missing, not bound, or not visible to the credential.
    RepoNotAccessible,
    /// The installation belongs to another account.
    InstallationTaken,
    /// There is a repository of that name.
    RepoExists,
    /// The branch is not the binding's.
    BranchNotAllowed,
    /// The path is protected.
    PathNotAllowed,
    /// This kind of token is not handed out.
    TokenNotAllowed,
    /// The App is no longer installed.
    InstallationGone,
    /// The installation is suspended.
    InstallationSuspended,
    /// The installation waits for an organization owner.
    InstallationPending,
    /// The installation could not be proven to be the account's.
    InstallationNotOwned,
    /// The `state` of GitHub's redirect is unknown, used up, too old, or another account's.
    StateUnknown,
    /// Nothing says whose the installation is.
    InstallationNotProven,
    /// The credential lacks a permission.
    PermissionNotGranted,
    /// GitHub refuses the credential.
    CredentialRejected,
    /// All that the account is connected with is switched off.
    CredentialDisabled,
    /// The organization wants single sign-on for the credential.
    SsoRequired,
    /// The repository has another name now.
    RepoMoved,
    /// The repository is archived or disabled.
    RepoReadOnly,
    /// A branch does not exist.
    BranchMissing,
    /// A file does not exist.
    FileMissing,
    /// Rules of the repository refuse it.
    RefusedByRules,
    /// GitHub refuses it for another reason, which the message has.
    RefusedByGithub,
    /// No credential of the account can create this repository.
    CreateNotPossible,
    /// Production has everything that staging has.
    NothingToPromote,
    /// The branch is not at the expected commit.
    HeadMoved,
    /// A call with the same request id is under way.
    RequestInProgress,
    /// GitHub's rate limit.
    RateLimited,
    /// The caller takes more of the broker than it may.
    QuotaExceeded,
    /// The broker has as much to do as it takes.
    Overloaded,
    /// GitHub cannot be reached.
    GithubUnavailable,
    /// The broker's database cannot be reached.
    DatabaseUnavailable,
    /// The call took too long.
    DeadlineExceeded,
    /// The broker does not have this method.
    MethodUnknown,
    /// The request is compressed in a way that the broker does not read.
    CompressionUnknown,
    /// The request is not a message of its method.
    MalformedRequest,
    /// A fault of the broker or its configuration.
    Internal,
}

impl Reason {
    /// The word of the contract.
    pub fn word(self) -> &'static str {
        match self {
            Self::CallerNotAuthenticated => "CALLER_NOT_AUTHENTICATED",
            Self::CallerKeysUnavailable => "CALLER_KEYS_UNAVAILABLE",
            Self::CallerNotAllowed => "CALLER_NOT_ALLOWED",
            Self::AuditUnavailable => "AUDIT_UNAVAILABLE",
            Self::InvalidField => "INVALID_FIELD",
            Self::AccountNotConnected => "ACCOUNT_NOT_CONNECTED",
            Self::RepoNotAccessible => "REPO_NOT_ACCESSIBLE",
            Self::InstallationTaken => "INSTALLATION_TAKEN",
            Self::RepoExists => "REPO_EXISTS",
            Self::BranchNotAllowed => "BRANCH_NOT_ALLOWED",
            Self::PathNotAllowed => "PATH_NOT_ALLOWED",
            Self::TokenNotAllowed => "TOKEN_NOT_ALLOWED",
            Self::AccountElsewhere => "ACCOUNT_ELSEWHERE",
            Self::SiteNotConfigured => "SITE_NOT_CONFIGURED",
            Self::AppNotConfigured => "APP_NOT_CONFIGURED",
            Self::InstallationGone => "INSTALLATION_GONE",
            Self::InstallationSuspended => "INSTALLATION_SUSPENDED",
            Self::InstallationPending => "INSTALLATION_PENDING",
            Self::InstallationNotOwned => "INSTALLATION_NOT_OWNED",
            Self::StateUnknown => "STATE_UNKNOWN",
            Self::InstallationNotProven => "INSTALLATION_NOT_PROVEN",
            Self::PermissionNotGranted => "PERMISSION_NOT_GRANTED",
            Self::CredentialRejected => "CREDENTIAL_REJECTED",
            Self::CredentialDisabled => "CREDENTIAL_DISABLED",
            Self::SsoRequired => "SSO_REQUIRED",
            Self::RepoMoved => "REPO_MOVED",
            Self::RepoReadOnly => "REPO_READ_ONLY",
            Self::BranchMissing => "BRANCH_MISSING",
            Self::FileMissing => "FILE_MISSING",
            Self::RefusedByRules => "REFUSED_BY_RULES",
            Self::RefusedByGithub => "REFUSED_BY_GITHUB",
            Self::CreateNotPossible => "CREATE_NOT_POSSIBLE",
            Self::NothingToPromote => "NOTHING_TO_PROMOTE",
            Self::HeadMoved => "HEAD_MOVED",
            Self::RequestInProgress => "REQUEST_IN_PROGRESS",
            Self::RateLimited => "RATE_LIMITED",
            Self::QuotaExceeded => "QUOTA_EXCEEDED",
            Self::Overloaded => "OVERLOADED",
            Self::GithubUnavailable => "GITHUB_UNAVAILABLE",
            Self::DatabaseUnavailable => "DATABASE_UNAVAILABLE",
            Self::DeadlineExceeded => "DEADLINE_EXCEEDED",
            Self::MethodUnknown => "METHOD_UNKNOWN",
            Self::CompressionUnknown => "COMPRESSION_UNKNOWN",
            Self::MalformedRequest => "MALFORMED_REQUEST",
            Self::Internal => "INTERNAL",
        }
    }
}

impl Reason {
    /// True if it is no answer to what was asked: the same can succeed later.
    pub(crate) fn is_passing(self) -> bool {
        matches!(
            self,
            Self::GithubUnavailable
                | Self::DatabaseUnavailable
                | Self::AuditUnavailable
                | Self::RateLimited
                | Self::Internal
        )
    }
}

/// One wrong field of a request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FieldViolation {
    /// Path of the field (`files[3].path`).
    pub field: String,
    /// What is wrong with it, following the field's name.
    pub description: String,
}

/// A failed use case.
#[derive(Debug)]
pub struct Error {
    /// The contract's word for it.
    pub reason: Reason,
    /// What happened and what to do, for the caller. Never an upstream's text unless cleaned, never a secret.
    pub message: String,
    /// Values for the caller's program.
    pub metadata: Vec<(&'static str, String)>,
    /// When trying again makes sense.
    pub retry_after: Option<Duration>,
    /// All wrong fields, for [`Reason::InvalidField`].
    pub violations: Vec<FieldViolation>,
    cause: Option<Box<dyn StdError + Send + Sync>>,
}

/// Wrong fields that the message itself names: the violations have them all.
const MAX_FIELDS_IN_MESSAGE: usize = 3;
/// What a caller waits before the next try when nothing says how long an outage lasts.
const RETRY_AFTER_OUTAGE: Duration = Duration::from_secs(5);

impl Error {
    /// A failure without a cause.
    pub(crate) fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self {
            reason,
            message: message.into(),
            metadata: Vec::new(),
            retry_after: None,
            violations: Vec::new(),
            cause: None,
        }
    }

    pub(crate) fn invalid(field: impl Into<String>, description: impl Into<String>) -> Self {
        Self::invalid_fields(vec![FieldViolation {
            field: field.into(),
            description: description.into(),
        }])
    }

    pub(crate) fn invalid_fields(violations: Vec<FieldViolation>) -> Self {
        let total = violations.len();
        let mut list: Vec<String> = violations
            .iter()
            .take(MAX_FIELDS_IN_MESSAGE)
            .map(|wrong| format!("{} {}", wrong.field, wrong.description))
            .collect();
        if total > list.len() {
            list.push(format!("and {} more", total - list.len()));
        }
        let count = if total > 1 { format!("{total} fields are wrong: ") } else { String::new() };
        let message = format!("{count}{}", list.join("; "));
        Self { violations, ..Self::new(Reason::InvalidField, message) }
    }

    #[must_use]
    pub(crate) fn with(mut self, key: &'static str, value: impl fmt::Display) -> Self {
        self.metadata.push((key, value.to_string()));
        self
    }

    #[must_use]
    pub(crate) fn caused_by(mut self, cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    #[must_use]
    pub(crate) fn retry_after(mut self, delay: Duration) -> Self {
        self.retry_after = Some(delay);
        self
    }

    pub(crate) fn permission_not_granted(missing: Permissions) -> Self {
        Self::new(
            Reason::PermissionNotGranted,
            format!("the App installation does not grant {missing}; an owner of the GitHub organization has to accept it"),
        )
        .with("missing", missing)
    }

    pub(crate) fn unavailable() -> Self {
        Self::new(
            Reason::GithubUnavailable,
            "GitHub cannot be reached or does not answer properly; try again later",
        )
        .retry_after(RETRY_AFTER_OUTAGE)
    }

    pub(crate) fn internal(cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::new(Reason::Internal, "the broker failed; its log says why").caused_by(cause)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.cause.as_deref().map(|cause| cause as _)
    }
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::InstallationTaken => Self::new(
                Reason::InstallationTaken,
                "this installation is already connected; disconnect it there first, or install the App elsewhere",
            ),
            store::Error::ConnectedElsewhere => Self::new(
                Reason::AccountElsewhere,
                "this account is connected at another site; call Disconnect first to connect it at this one",
            ),
            store::Error::Unavailable(_) => Self::new(
                Reason::DatabaseUnavailable,
                "the broker's database cannot be reached; try again later",
            )
            .retry_after(RETRY_AFTER_OUTAGE)
            .caused_by(error),
            other => Self::internal(other),
        }
    }
}
