//! Who may do what: callers at the door, with real certificates and real ServiceAccount tokens, and what the policy lets them do.
//!
//! * [`cells`]: every RPC, by every caller, for every account. [`paths`]: other spellings of an RPC.
//! * [`tokens`]: which tokens a caller may have, of which repositories.
//! * [`commits`]: branches and paths that a caller may write to.
//! * [`refused`]: credentials that are not believed. [`stolen`]: those that were, until what vouched for them changed.
//! * [`reload`]: rules that change while serving.
//! * [`start`]: what does not start, and what `check-config` says.

mod cells;
mod commits;
mod paths;
mod refused;
mod reload;
mod start;
mod stolen;
mod tokens;

use ghbroker::proto;
use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::harness::{World, caller::Caller, status::assert_reason};

/// A rule for `NAME`, by its certificate as by its token, and what it may.
pub fn rule(name: &str, more: &str) -> String {
    format!(
        "[[rule]]\nname = \"{name}\"\n\
         callers = [\"spiffe://example.org/{name}\", \"system:serviceaccount:example:{name}\"]\n{more}\n"
    )
}

/// A rule that lets `operator` in for every account.
fn operator() -> String {
    rule("operator", "role = \"operator\"\naccounts = [\"*\"]")
}

/// A call for an account that is not connected: how it fails shows whether the caller was let in.
async fn ask(caller: &Caller) -> Status {
    caller.call("GetConnection", "ours", "").await.unwrap_err()
}

#[track_caller]
fn assert_let_in(status: &Status) {
    assert_reason(status, Code::NotFound, "ACCOUNT_NOT_CONNECTED");
}

/// Everything that a status tells its caller, but for the id of the call and the time.
fn said(status: &Status) -> (Code, String, Vec<u8>, Vec<String>) {
    let mut headers = status.metadata().clone().into_headers();
    headers.remove("date");
    let mut headers: Vec<String> = headers.iter().map(|header| format!("{header:?}")).collect();
    headers.sort();
    (status.code(), status.message().to_owned(), details_without_id(status), headers)
}

/// The bytes of the details, the id blotted out.
#[track_caller]
fn details_without_id(status: &Status) -> Vec<u8> {
    let details = status.get_error_details();
    let id = details.error_info().unwrap().metadata["request_id"].as_bytes();
    let mut bytes = status.details().to_vec();
    let at = bytes.windows(id.len()).position(|window| window == id).unwrap();
    bytes[at..at + id.len()].fill(b'-');
    bytes
}

#[track_caller]
fn assert_not_allowed(status: &Status) {
    assert_reason(status, Code::PermissionDenied, "CALLER_NOT_ALLOWED");
    assert!(status.message().contains("ask its operator for one"), "{}", status.message());
}

#[track_caller]
fn assert_not_authenticated(status: &Status, says: &str) {
    assert_reason(status, Code::Unauthenticated, "CALLER_NOT_AUTHENTICATED");
    assert!(status.message().contains(says), "{says:?} is not in {:?}", status.message());
}

/// The request for a token of `account` with these permissions.
fn token_for(account: &str, permissions: &[(&str, &str)]) -> proto::GetRepoTokenRequest {
    let owned = |(name, level): &(&str, &str)| ((*name).to_owned(), (*level).to_owned());
    proto::GetRepoTokenRequest {
        account: account.into(),
        permissions: permissions.iter().map(owned).collect(),
        ..Default::default()
    }
}

/// What is written of the last call, which was of one line or two.
fn last_line(world: &World) -> serde_json::Value {
    world.audit().pop().unwrap()
}
