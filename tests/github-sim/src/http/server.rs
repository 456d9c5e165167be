//! The port: connections are accepted until the task is dropped, and served by hyper.
//!
//! axum's own server cannot close a connection without an answer, which two of the faults need.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Body;
use axum::http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::pipeline::{self, Dropped};
use crate::hub::Hub;

/// Serves until the future is dropped; the connections end with it.
pub(crate) async fn serve(listener: TcpListener, hub: Arc<Hub>) -> Infallible {
    let mut connections = JoinSet::new();
    loop {
        // Ended connections are collected on the way, so that the set does not grow.
        while connections.try_join_next().is_some() {}
        let Ok((stream, _)) = listener.accept().await else {
            // Out of file handles, as a rule: let some connection end before trying again.
            tokio::task::yield_now().await;
            continue;
        };
        // Small answers must not wait for the client's acknowledgement.
        let _ = stream.set_nodelay(true);
        let hub = hub.clone();
        connections.spawn(async move {
            let service = service_fn(move |request| respond(hub.clone(), request));
            // An error here is a client that went away, or a fault that closed the connection.
            let _ = auto::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

async fn respond(hub: Arc<Hub>, request: Request<Incoming>) -> Result<Response<Body>, Dropped> {
    pipeline::respond(hub, request.map(Body::new)).await
}
