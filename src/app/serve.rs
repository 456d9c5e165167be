//! Serving a port, and the end of it.

use std::{future::Future, io, time::Duration};

use tokio::{
    sync::watch,
    task::{JoinError, JoinSet},
};
use tokio_stream::Stream;
use tonic::{service::Routes, transport::Server};
use tower::util::option_layer;
use tracing::{info, warn};

use super::{Error, connection::Connection};
use crate::{
    domain::Limits,
    rpc::{Edge, Guard},
};

/// Each process ends connections at an age of its own within this part of the limit, so that replicas that started together part.
const CONNECTION_AGE_JITTER: f64 = 0.1;
/// Calls under way may take this long after SIGTERM; less than Kubernetes' 30 s until it kills.
const GRACE: Duration = Duration::from_secs(25);

/// Serves one port until `stopping` says so.
pub(super) async fn serve(
    routes: Routes,
    guard: Option<Guard>,
    connections: impl Stream<Item = io::Result<Connection>>,
    limits: Limits,
    mut stopping: watch::Receiver<bool>,
) -> Result<(), Error> {
    let stopped = async move {
        // An error means that the sender is gone, which is as good a reason to stop.
        drop(stopping.wait_for(|stop| *stop).await);
    };
    Server::builder()
        .max_concurrent_streams(limits.streams_per_connection)
        .http2_max_header_list_size(limits.header_list_bytes)
        .http2_keepalive_interval(Some(limits.keepalive_interval))
        .http2_keepalive_timeout(Some(limits.keepalive_timeout))
        // Without max_connection_age_grace: with it tonic cuts the connection, and never says that it goes away.
        .max_connection_age(jittered(limits.connection_age))
        .layer(Edge::new(limits.clone()))
        .layer(option_layer(guard))
        .add_routes(routes)
        .serve_with_incoming_shutdown(connections, stopped)
        .await?;
    Ok(())
}

fn jittered(age: Duration) -> Duration {
    let part = 1.0 - CONNECTION_AGE_JITTER..=1.0 + CONNECTION_AGE_JITTER;
    age.mul_f64(rand::random_range(part))
}

/// Waits for the calls under way, and then until the broker is `idle`, but no longer than the grace: a client that keeps its
/// stream open must not keep the process alive.
pub(super) async fn drain(
    mut servers: JoinSet<Result<(), Error>>,
    idle: impl Future<Output = ()>,
) -> Result<(), Error> {
    let all = async {
        let mut result = Ok(());
        while let Some(ended) = servers.join_next().await {
            result = result.and(flatten(ended));
        }
        idle.await;
        result
    };
    if let Ok(result) = tokio::time::timeout(GRACE, all).await {
        info!("stopped");
        return result;
    }
    warn!("stopped with calls still open after {} s", GRACE.as_secs());
    Ok(())
}

pub(super) fn flatten(ended: Result<Result<(), Error>, JoinError>) -> Result<(), Error> {
    ended.unwrap_or(Err(Error::Lost))
}
