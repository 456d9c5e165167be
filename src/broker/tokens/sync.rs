//! What schedules the engine. Tests run the same engine under another one (see [`super::model`]).

use std::future::Future;
pub(super) use std::sync::{Mutex, MutexGuard};

use tracing::Instrument;

/// Runs a task of its own, whoever waits for it.
pub(super) fn spawn(task: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(task.in_current_span());
}

/// Does work that takes a while away from the threads that serve. None if it was lost to a panic, which the log has.
pub(super) async fn apart<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    tokio::task::spawn_blocking(work).await.ok()
}
