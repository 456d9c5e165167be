//! The same engine, with shuttle's scheduler under it.

#![allow(clippy::duplicate_mod, reason = "the code itself is to run under another scheduler")]
#![allow(dead_code, reason = "not all of it is part of a story here")]

#[path = "../cache.rs"]
mod cache;
#[path = "../entry.rs"]
mod entry;
#[path = "../flight.rs"]
mod flight;
#[path = "../follow.rs"]
mod follow;
#[path = "../sweep.rs"]
mod sweep;
mod sync;

pub use cache::TokenCache;

use super::super::{clock, error, key, source};
