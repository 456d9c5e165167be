//! ghbroker.

pub mod crypto;
pub mod domain;
pub mod proto;
pub mod store;
