//! What is written of a call.

use std::{collections::BTreeMap, net::SocketAddr};

use serde::Serialize;
use time::OffsetDateTime;
use uuid::Uuid;

/// Whether something is about to be done, or its answer is about to leave.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Before a call that changes something does anything.
    Begin,
    /// Before the answer of any call leaves.
    End,
}

/// Whether the caller was let do what it asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// It was, whatever came of it then.
    Allow,
    /// It was not.
    Deny,
}

/// Where a token came from.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cache {
    /// From memory.
    Hit,
    /// From GitHub, for this call or one at the same time.
    Miss,
    /// From memory with less life than asked for, because GitHub could not be reached.
    Stale,
}

/// One line of the audit. Nothing in it is secret.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Record {
    /// When it was written, UTC.
    #[serde(with = "time::serde::rfc3339")]
    pub time: OffsetDateTime,
    /// Begin or end of the call.
    pub phase: Phase,
    /// Id of the call, as in the log and in the metadata of errors.
    pub request_id: Uuid,
    /// Trace that the call is part of, 32 hex digits, as its caller says (W3C Trace Context).
    pub trace_id: Option<String>,
    /// Who called; none if that was not proven.
    pub caller: Option<String>,
    /// `mtls`, `service_account`, `mtls+service_account` or `none`.
    pub authenticated_by: &'static str,
    /// The other end of the connection.
    pub peer: Option<SocketAddr>,
    /// What was called: the method's name, or for what is none its path.
    pub rpc: String,
    /// The account that it was called for.
    pub account: Option<String>,
    /// Whether the caller may.
    pub decision: Decision,
    /// Name of the policy's rule that allows it.
    pub rule: Option<String>,
    /// The error's word, as in the contract; none for success.
    pub reason: Option<&'static str>,
    /// The App installation that was used.
    pub installation_id: Option<i64>,
    /// Kind of credential that was used: `app_installation` or `pat`.
    pub source: Option<&'static str>,
    /// GitHub's ids of the repositories that it was about.
    pub repository_ids: Vec<i64>,
    /// Permissions that the caller asked for.
    pub requested_permissions: Option<BTreeMap<&'static str, &'static str>>,
    /// Permissions that GitHub granted to the token.
    pub granted_permissions: Option<BTreeMap<&'static str, &'static str>>,
    /// Where the token came from.
    pub cache: Option<Cache>,
    /// End of the token.
    #[serde(with = "time::serde::rfc3339::option")]
    pub expire_time: Option<OffsetDateTime>,
    /// Standard base64 of the token's SHA-256, as in GitHub's audit log: of the token that leaves, or that was used.
    pub hashed_token: Option<String>,
    /// Commit that was made.
    pub commit: Option<String>,
    /// Number of the pull request that was opened or found.
    pub pull_request: Option<i64>,
}
