//! The gRPC contract, generated from `proto/`, for the server and for clients written in Rust.

#![allow(
    missing_docs,
    clippy::all,
    reason = "generated code; the comments are in the .proto files"
)]

mod codec;

use std::fmt;

use codec::Codec;

tonic::include_proto!("ghbroker.v1");

/// The contract as a serialized `FileDescriptorSet`, with comments and imports.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/ghbroker.bin"));

/// What `Debug` shows in place of a secret.
const REDACTED: &str = "(redacted)";

impl fmt::Debug for RegisterInstallationRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegisterInstallationRequest")
            .field("account", &self.account)
            .field("installation_id", &self.installation_id)
            .field("setup_action", &self.setup_action())
            .field("code", &REDACTED)
            .field("expected_github_login", &self.expected_github_login)
            .field("state", &REDACTED)
            .finish()
    }
}

impl fmt::Debug for BeginInstallationResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BeginInstallationResponse")
            .field("expire_time", &self.expire_time)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for BeginOAuthResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BeginOAuthResponse")
            .field("expire_time", &self.expire_time)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for CompleteOAuthRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CompleteOAuthRequest")
            .field("account", &self.account)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for SetPatRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SetPatRequest")
            .field("account", &self.account)
            .field("token", &REDACTED)
            .finish()
    }
}

impl fmt::Debug for GetRepoTokenResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GetRepoTokenResponse")
            .field("token", &REDACTED)
            .field("expire_time", &self.expire_time)
            .field("source", &self.source())
            .field("permissions", &self.permissions)
            .field("repository", &self.repository)
            .field("stale", &self.stale)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for ReportRejectedTokenRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReportRejectedTokenRequest")
            .field("account", &self.account)
            .field("token", &REDACTED)
            .finish()
    }
}
