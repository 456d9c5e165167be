//! The public keys of whoever issues tokens (a JWKS), read again when they are old or one is missing.
//!
//! ```text
//! cache        when to read, and which keys count
//!   |
//! source       how to read: a file, or a URL
//!   |
//! keys         what was read
//!   |
//! algorithm
//! ```

mod algorithm;
mod cache;
mod keys;
mod source;

pub(super) use cache::Cache;
pub(super) use source::Source;

pub use algorithm::Algorithm;
pub use keys::Keys;
pub use source::{BuildError, KeySource};
