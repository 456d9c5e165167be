//! What all benchmarks have in common.
//!
//! * [`place`]: the broker's program before a GitHub simulator.
//! * [`summary`]: the figures, in one file for all benchmarks.

pub mod place;
pub mod summary;

pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;
