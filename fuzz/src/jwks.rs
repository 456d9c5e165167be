//! As the broker's `auth::jwks`.

#[path = "../../src/auth/jwks/algorithm.rs"]
mod algorithm;
#[path = "../../src/auth/jwks/keys.rs"]
mod keys;

pub use algorithm::Algorithm;
pub use keys::Keys;
