//! The audit: who was given what, in JSON lines that cannot be switched off.
//!
//! * [`record`]: what is written of a call.

mod record;

pub use record::{Cache, Decision, Phase, Record};
