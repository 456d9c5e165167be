//! As the broker's `auth`: what of it is pure.

#[path = "../../src/auth/error.rs"]
mod error;
#[path = "jwks.rs"]
mod jwks;
#[path = "../../src/auth/service_account/verify.rs"]
mod verify;

pub use error::Refused;
pub use jwks::{Algorithm, Keys};
pub use verify::{Expected, verify};
