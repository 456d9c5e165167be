//! Who is calling: what a certificate or a ServiceAccount token proves.

mod error;

pub use error::Refused;
