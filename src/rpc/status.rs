//! Errors become gRPC statuses: a code, a sentence, and `google.rpc` details that a program can act on.

use std::collections::HashMap;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::broker::{Error, Reason};

/// `domain` of every ErrorInfo.
const DOMAIN: &str = "ghbroker";

/// Key of the caller in the metadata of [`Reason::QuotaExceeded`].
pub(super) const CALLER: &str = "caller";

/// The contract's table of errors: the code for every reason.
fn code(reason: Reason) -> Code {
    match reason {
        Reason::CallerNotAuthenticated => Code::Unauthenticated,
        Reason::CallerKeysUnavailable
        | Reason::AuditUnavailable
        | Reason::Overloaded
        | Reason::GithubUnavailable
        | Reason::DatabaseUnavailable => Code::Unavailable,
        Reason::CallerNotAllowed
        | Reason::BranchNotAllowed
        | Reason::PathNotAllowed
        | Reason::TokenNotAllowed => Code::PermissionDenied,
        Reason::InvalidField => Code::InvalidArgument,
        Reason::AccountNotConnected | Reason::RepoNotAccessible => Code::NotFound,
        Reason::InstallationTaken | Reason::RepoExists => Code::AlreadyExists,
        Reason::AccountElsewhere
        | Reason::SiteNotConfigured
        | Reason::AppNotConfigured
        | Reason::InstallationGone
        | Reason::InstallationSuspended
        | Reason::InstallationPending
        | Reason::InstallationNotOwned
        | Reason::StateUnknown
        | Reason::InstallationNotProven
        | Reason::PermissionNotGranted
        | Reason::CredentialRejected
        | Reason::CredentialDisabled
        | Reason::SsoRequired
        | Reason::RepoMoved
        | Reason::RepoReadOnly
        | Reason::BranchMissing
        | Reason::FileMissing
        | Reason::RefusedByRules
        | Reason::RefusedByGithub
        | Reason::CreateNotPossible
        | Reason::NothingToPromote => Code::FailedPrecondition,
        Reason::HeadMoved | Reason::RequestInProgress => Code::Aborted,
        Reason::RateLimited | Reason::QuotaExceeded => Code::ResourceExhausted,
        Reason::DeadlineExceeded => Code::DeadlineExceeded,
        Reason::MethodUnknown | Reason::CompressionUnknown => Code::Unimplemented,
        Reason::MalformedRequest | Reason::Internal => Code::Internal,
    }
}

/// The status of a failed call. `account` is the subject of a failed precondition; that of a quota is the caller, whom the
/// error's metadata names.
pub(super) fn of(error: Error, account: &str) -> Status {
    let (code, word) = (code(error.reason), error.reason.word());
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
