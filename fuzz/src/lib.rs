//! What is fuzzed: the broker's own source files that read what comes from outside, without the server around them. With all
//! that it depends on the broker takes three times as long to build with a fuzzer's instruments.
//!
//! The modules are where the broker has them, so that their `crate::` and `super::` mean the same.

// What of these modules only the server uses.
#![allow(dead_code)]

pub mod auth;
#[path = "../../src/domain/mod.rs"]
pub mod domain;
