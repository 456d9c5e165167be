//! Errors become gRPC statuses: a code, a sentence, and `google.rpc` details that a program can act on.

use std::collections::HashMap;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::broker::{Error, Reason};

/// `domain` of every ErrorInfo.
const DOMAIN: &str = "ghbroker";

/// Key of the caller in the metadata of [`Reason::QuotaExceeded`].
pub(super) const CALLER: &str = "caller";

/// The contract's table of errors: the code and the word for every reason.
fn code_and_word(reason: Reason) -> (Code, &'static str) {
    match reason {
        Reason::CallerNotAuthenticated => (Code::Unauthenticated, "CALLER_NOT_AUTHENTICATED"),
        Reason::CallerKeysUnavailable => (Code::Unavailable, "CALLER_KEYS_UNAVAILABLE"),
        Reason::CallerNotAllowed => (Code::PermissionDenied, "CALLER_NOT_ALLOWED"),
        Reason::AuditUnavailable => (Code::Unavailable, "AUDIT_UNAVAILABLE"),
        Reason::InvalidField => (Code::InvalidArgument, "INVALID_FIELD"),
        Reason::AccountNotConnected => (Code::NotFound, "ACCOUNT_NOT_CONNECTED"),
        Reason::RepoNotAccessible => (Code::NotFound, "REPO_NOT_ACCESSIBLE"),
        Reason::InstallationTaken => (Code::AlreadyExists, "INSTALLATION_TAKEN"),
        Reason::BranchNotAllowed => (Code::PermissionDenied, "BRANCH_NOT_ALLOWED"),
        Reason::PathNotAllowed => (Code::PermissionDenied, "PATH_NOT_ALLOWED"),
        Reason::TokenNotAllowed => (Code::PermissionDenied, "TOKEN_NOT_ALLOWED"),
        Reason::AppNotConfigured => (Code::FailedPrecondition, "APP_NOT_CONFIGURED"),
        Reason::InstallationGone => (Code::FailedPrecondition, "INSTALLATION_GONE"),
        Reason::InstallationSuspended => (Code::FailedPrecondition, "INSTALLATION_SUSPENDED"),
        Reason::InstallationPending => (Code::FailedPrecondition, "INSTALLATION_PENDING"),
        Reason::InstallationNotOwned => (Code::FailedPrecondition, "INSTALLATION_NOT_OWNED"),
        Reason::PermissionNotGranted => (Code::FailedPrecondition, "PERMISSION_NOT_GRANTED"),
        Reason::CredentialRejected => (Code::FailedPrecondition, "CREDENTIAL_REJECTED"),
        Reason::SsoRequired => (Code::FailedPrecondition, "SSO_REQUIRED"),
        Reason::RepoMoved => (Code::FailedPrecondition, "REPO_MOVED"),
        Reason::RepoReadOnly => (Code::FailedPrecondition, "REPO_READ_ONLY"),
        Reason::BranchMissing => (Code::FailedPrecondition, "BRANCH_MISSING"),
        Reason::FileMissing => (Code::FailedPrecondition, "FILE_MISSING"),
        Reason::RefusedByRules => (Code::FailedPrecondition, "REFUSED_BY_RULES"),
        Reason::RefusedByGithub => (Code::FailedPrecondition, "REFUSED_BY_GITHUB"),
        Reason::NothingToPromote => (Code::FailedPrecondition, "NOTHING_TO_PROMOTE"),
        Reason::HeadMoved => (Code::Aborted, "HEAD_MOVED"),
        Reason::RequestInProgress => (Code::Aborted, "REQUEST_IN_PROGRESS"),
        Reason::RateLimited => (Code::ResourceExhausted, "RATE_LIMITED"),
        Reason::QuotaExceeded => (Code::ResourceExhausted, "QUOTA_EXCEEDED"),
        Reason::Overloaded => (Code::Unavailable, "OVERLOADED"),
        Reason::GithubUnavailable => (Code::Unavailable, "GITHUB_UNAVAILABLE"),
        Reason::DatabaseUnavailable => (Code::Unavailable, "DATABASE_UNAVAILABLE"),
        Reason::DeadlineExceeded => (Code::DeadlineExceeded, "DEADLINE_EXCEEDED"),
        Reason::MethodUnknown => (Code::Unimplemented, "METHOD_UNKNOWN"),
        Reason::CompressionUnknown => (Code::Unimplemented, "COMPRESSION_UNKNOWN"),
        Reason::MalformedRequest => (Code::Internal, "MALFORMED_REQUEST"),
        Reason::Internal => (Code::Internal, "INTERNAL"),
    }
}

/// The word of the contract for a reason.
pub(super) fn word(reason: Reason) -> &'static str {
    code_and_word(reason).1
}

/// The status of a failed call. `account` is the subject of a failed precondition; that of a quota is the caller, whom the
/// error's metadata names.
pub(super) fn of(error: Error, account: &str) -> Status {
    let (code, word) = code_and_word(error.reason);
    let metadata: HashMap<String, String> =
        error.metadata.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    let caller = metadata.get(CALLER).cloned().unwrap_or_default();
    let mut details = ErrorDetails::new();
    details.set_error_info(word, DOMAIN, metadata);
    for violation in error.violations {
        details.add_bad_request_violation(violation.field, violation.description);
    }
    if code == Code::FailedPrecondition {
        details.add_precondition_failure_violation(word, account, &error.message);
    }
    if error.reason == Reason::QuotaExceeded {
        details.add_quota_failure_violation(caller, &error.message);
    }
    if let Some(delay) = error.retry_after {
        details.set_retry_info(Some(delay));
    }
    Status::with_error_details(code, error.message, details)
}
