//! Who is calling: what a certificate or a ServiceAccount token proves.
//!
//! * [`authenticator`]: what a caller has to prove.
//! * [`certificate`]: who is at the other end of a connection, verified anew while it is open; [`uri_names`]: the names in
//!   a certificate.
//! * [`service_account`]: a Kubernetes ServiceAccount, by its token; [`jwks`]: the keys of the token's issuer.
//! * [`tls`]: certificate, key and clients' authorities; [`file`]: files that are read again while serving.
//! * [`webhook`]: GitHub, by the signature of its webhooks.
//! * [`error`]: why a caller is not let in.

mod authenticator;
mod certificate;
mod error;
mod file;
mod jwks;
mod service_account;
mod tls;
mod uri_names;
mod webhook;

pub use authenticator::{Authenticator, Required};
pub use certificate::{Peer, PeerCertificate};
pub use error::Refused;
pub use file::{Content, read_file};
pub use jwks::{Algorithm, BuildError, KeySource, Keys};
pub use service_account::{Expected, ServiceAccountSettings, ServiceAccounts, verify};
pub use tls::{Tls, TlsFiles};
pub use webhook::WebhookSecrets;
