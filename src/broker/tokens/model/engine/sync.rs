//! Every lock and every task is a place where another task may go on.

use std::future::Future;

pub(super) use shuttle::sync::{Mutex, MutexGuard};

pub(super) fn spawn(task: impl Future<Output = ()> + Send + 'static) {
    drop(shuttle::future::spawn(task));
}

pub(super) async fn apart<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    Some(work())
}
