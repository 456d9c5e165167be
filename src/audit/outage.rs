//! Failures of the audit in the log: where one begins and where it ends, not each line that is lost.

use std::{
    fmt,
    sync::atomic::{AtomicBool, Ordering},
};

use tracing::{error, info};

/// Whether the audit fails at present. A call that waited too long says so, as does the writer; only a line that was
/// written ends it.
#[derive(Default)]
pub(super) struct Outage(AtomicBool);

impl Outage {
    /// A line was not written.
    pub(super) fn begins(&self, why: &dyn fmt::Display) {
        if !self.0.swap(true, Ordering::Relaxed) {
            error!(%why, "the audit cannot be written; calls fail until it can");
        }
    }

    /// A line was written.
    pub(super) fn ends(&self) {
        if self.0.swap(false, Ordering::Relaxed) {
            info!("the audit is written again");
        }
    }
}
