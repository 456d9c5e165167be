//! Why the broker does not run.

use std::io;

/// Why the broker does not start, or stopped by itself.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A port cannot be bound.
    #[error("cannot listen on {address}: is the port in use, or not yours to bind?")]
    Listen {
        /// The address.
        address: std::net::SocketAddr,
        /// The system's error.
        source: io::Error,
    },
    /// Files cannot be used; they could when the configuration was checked.
    #[error("the {what} cannot be used: {mistakes}")]
    Files {
        /// What the files are.
        what: &'static str,
        /// Every mistake, each with its file.
        mistakes: String,
    },
    /// The audit cannot be written.
    #[error("the audit cannot be written")]
    Audit(#[from] crate::audit::OpenError),
    /// Callers cannot be authenticated.
    #[error("callers cannot be authenticated")]
    Auth(#[from] crate::auth::BuildError),
    /// The database cannot be used.
    #[error("the database cannot be opened or brought up to date")]
    Store(#[from] crate::store::Error),
    /// The client for GitHub cannot be built.
    #[error("the client for GitHub cannot be built")]
    GitHub(#[from] crate::github::BuildError),
    /// The server failed.
    #[error("the gRPC server failed")]
    Serve(#[from] tonic::transport::Error),
    /// A server's task was lost. Not with what is known of it: the message of a panic may hold what was being worked on.
    #[error("a server ended without a word; if it panicked, the log says where")]
    Lost,
    /// A background task ended, which it does only by a panic. What the panic said is in no error: it may hold a secret.
    #[error("a background task of the broker ended; this is a bug, and the line before says where")]
    Background,
    /// The contract cannot be served by reflection.
    #[error("the descriptors of the contract cannot be served")]
    Reflection(#[from] tonic_reflection::server::Error),
}
