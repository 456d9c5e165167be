//! Serving connections, each with a limited life, and the end of it.

use std::{io, pin::pin, time::Duration};

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::watch,
    task::JoinSet,
    time::timeout,
};
use tokio_stream::{Stream, StreamExt};
use tracing::debug;

/// Longest that a client may take for a request's head. One sends it at once, or holds a place.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// Largest head, and the size of the buffer that bodies come through.
const BUFFER_BYTES: usize = 32 * 1024;
/// Longest life of a connection: 5 s for the head, 10 s for the body, 10 s for the database, and time to take the answer.
const LIFE: Duration = Duration::from_secs(40);

/// Serves connections until `stopping` says so, and then until those that are open have their answer.
///
/// A connection is for one request: webhooks and scrapes are rare, and a client that keeps one open would keep its place.
pub async fn serve<C>(
    router: Router,
    connections: impl Stream<Item = io::Result<C>>,
    mut stopping: watch::Receiver<bool>,
) where
    C: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut connections = pin!(connections);
    let mut open = JoinSet::new();
    loop {
        let connection = tokio::select! {
            connection = connections.next() => connection,
            // An error means that the sender is gone, which is as good a reason to stop.
            _ = stopping.wait_for(|stop| *stop) => break,
            Some(_) = open.join_next() => continue,
        };
        match connection {
            Some(Ok(connection)) => {
                open.spawn(answer(router.clone(), connection, stopping.clone()));
            }
            Some(Err(error)) => debug!(%error, "a connection was lost before it was served"),
            None => break,
        }
    }
    while open.join_next().await.is_some() {}
}

async fn answer<C>(router: Router, connection: C, mut stopping: watch::Receiver<bool>)
where
    C: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = TowerToHyperService::new(router);
    let mut served = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .max_buf_size(BUFFER_BYTES)
            .keep_alive(false)
            .serve_connection(TokioIo::new(connection), service)
    );
    let to_its_end = async {
        tokio::select! {
            ended = served.as_mut() => return ended,
            _ = stopping.wait_for(|stop| *stop) => {}
        }
        // Ends at once a connection on which no request is under way.
        served.as_mut().graceful_shutdown();
        served.await
    };
    match timeout(LIFE, to_its_end).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => debug!(%error, "a connection ended early"),
        Err(_) => debug!("a connection took too long and was closed"),
    }
}
