//! Envelope encryption of the secrets that are stored.
//!
//! Each record has a random data key of its own; the data key is wrapped by a key-encryption key ([`Kek`]) that never
//! reaches the database. Both layers are AES-256-GCM. A sealed record is these bytes:
//!
//! | offset | length | what |
//! |---|---|---|
//! | 0 | 4 | magic, `GHBK` |
//! | 4 | 1 | version, 1 |
//! | 5 | 1 | algorithm, 1: AES-256-GCM for both layers |
//! | 6 | 8 | id of the key-encryption key |
//! | 14 | 60 | wrapped data key: nonce 12, data key 32, tag 16 |
//! | 74 | 12 | nonce of the content |
//! | 86 | n + 16 | the content, its tag last |
//!
//! Both layers authenticate where the record belongs, so that nobody who can write to the database can make one
//! account's secret open as another's, or bring an old version back: version, algorithm, key id, table, column,
//! account, row id and row version (8 bytes, big-endian), each preceded by its length as 8 bytes, big-endian.
//!
//! Opening fails with one error whatever the cause is, and never falls back to reading plaintext.

mod envelope;
mod key;
mod place;

pub use envelope::{OpenError, SealError};
pub use key::{InvalidKek, Kek, KeySet};
pub use place::Place;
