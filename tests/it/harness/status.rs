//! What a failed call says, taken apart as a client's program would.

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use super::APP_CLIENT_SECRET;

/// Asserts the contract of every error: one ErrorInfo of ours with this reason and the call's id, and a sentence. Gives back the details.
#[track_caller]
pub fn assert_reason(status: &Status, code: Code, reason: &str) -> ErrorDetails {
    assert_no_secret(status);
    let details = status.get_error_details();
    let info = details.error_info().unwrap_or_else(|| panic!("no ErrorInfo in {status:?}"));
    assert_eq!((status.code(), info.reason.as_str()), (code, reason), "{}", status.message());
    assert_eq!(info.domain, "ghbroker");
    let request_id = info.metadata.get("request_id").map(String::as_str).unwrap_or_default();
    assert!(uuid::Uuid::try_parse(request_id).is_ok(), "no request id in {info:?}");
    assert!(status.message().len() > 10, "{:?} is no sentence", status.message());
    match code {
        Code::FailedPrecondition => assert!(details.precondition_failure().is_some()),
        Code::ResourceExhausted | Code::Unavailable => assert!(details.retry_info().is_some()),
        Code::InvalidArgument => assert!(details.bad_request().is_some()),
        _ => {}
    }
    details
}

/// The fields that a BadRequest names.
pub fn bad_fields(status: &Status) -> Vec<String> {
    let details = assert_reason(status, Code::InvalidArgument, "INVALID_FIELD");
    let mut fields: Vec<String> =
        details.bad_request().unwrap().field_violations.iter().map(|v| v.field.clone()).collect();
    fields.dedup();
    fields
}

/// Asserts that nothing in a status has the form of a secret.
#[track_caller]
pub fn assert_no_secret(status: &Status) {
    let details = String::from_utf8_lossy(status.details());
    for text in [status.message(), &details, &format!("{status:?}")] {
        for form in ["ghp_", "github_pat_", "ghs_", "ghu_", "ghr_", "eyJ"] {
            let secret = text.match_indices(form).any(|(at, _)| {
                let tail = text[at + form.len()..].chars();
                tail.take_while(char::is_ascii_alphanumeric).count() >= 8
            });
            assert!(!secret, "a secret is in {text:?}");
        }
        for form in ["PRIVATE KEY", APP_CLIENT_SECRET] {
            assert!(!text.contains(form), "a secret is in {text:?}");
        }
    }
}
