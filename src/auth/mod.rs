//! Who is calling: what a certificate or a ServiceAccount token proves.
//!
//! * [`authenticator`]: what a caller has to prove.
//! * [`service_account`]: a Kubernetes ServiceAccount, by its token; [`jwks`]: the keys of the token's issuer.
//! * [`error`]: why a caller is not let in.

mod authenticator;
mod error;
mod jwks;
mod service_account;

pub use authenticator::{Authenticator, Required};
pub use error::Refused;
pub use jwks::{Algorithm, BuildError, KeySource, Keys};
pub use service_account::{Expected, ServiceAccountSettings, ServiceAccounts, verify};
