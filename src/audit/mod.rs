//! The audit: who was given what, in JSON lines that cannot be switched off.
//!
//! * [`record`]: what is written of a call.
//! * [`target`]: where the lines go.
//! * [`handle`]: [`Audit`], with which a call waits for its line.
//! * [`desk`]: where lines are written, by a call itself or by the thread. [`writer`]: that thread, which writes many at once.
//! * [`device`]: the file or stdout, with half lines and rotation. [`prompt`]: whether it takes a line at once.
//! * [`outage`]: one line in the log when the audit fails, and one when it works again.

mod desk;
mod device;
mod handle;
mod outage;
mod prompt;
mod record;
mod target;
#[cfg(test)]
mod testing;
mod writer;

pub use device::OpenError;
pub use handle::{Audit, Unwritten};
pub use record::{Cache, Decision, Phase, Record};
pub use target::{InvalidTarget, Target};
