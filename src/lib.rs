//! ghbroker.

pub mod domain;
pub mod proto;
