//! ghbroker.

pub mod crypto;
pub mod domain;
pub mod github;
pub mod proto;
pub mod store;
