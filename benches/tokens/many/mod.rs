//! A million keys: what they take of memory, and whether calls are served as fast as with a thousand.
//!
//! * [`engine`]: the token engine itself, its memory, and the time that a read of its map takes.
//! * [`throughput`]: brokers that are called over gRPC. [`broker`]: one of them, and filling it. [`github`]: before what.
//! * [`keys`]: the keys of a broker.

mod broker;
mod engine;
mod github;
mod keys;
mod throughput;

pub use keys::Keys;

use crate::common::{Result, summary::Figure};

/// Length of GitHub's tokens since 2026.
const TOKEN: usize = 520;

pub fn measure() -> Result<Vec<Figure>> {
    // First, while there is nothing else in memory.
    let mut figures = engine::measure()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    figures.extend(runtime.block_on(throughput::measure())?);
    Ok(figures)
}
