//! When to stop.

use tokio::signal::unix::{SignalKind, signal};
use tracing::warn;

/// Ends at SIGTERM (Kubernetes, systemd) or SIGINT (ctrl-c). Both are watched from this call on, so that one that comes
/// while the broker starts is not missed.
pub fn until_signal() -> impl Future<Output = ()> + Send + 'static {
    let watched =
        signal(SignalKind::terminate()).and_then(|t| Ok((t, signal(SignalKind::interrupt())?)));
    async move {
        match watched {
            Ok((mut terminated, mut interrupted)) => {
                tokio::select! {
                    _ = terminated.recv() => {}
                    _ = interrupted.recv() => {}
                }
            }
            Err(error) => {
                warn!(%error, "signals cannot be watched; only a kill stops the broker");
                std::future::pending::<()>().await;
            }
        }
    }
}
