//! The composition root: builds the leaves, puts them together, serves, and stops in order.
//!
//! * [`listen`]: ports, and connections with or without TLS.
//! * [`health`]: whether the broker is alive, and whether it is ready.
//! * [`prune`]: forgetting what was kept for a time.

mod health;
mod listen;
mod prune;

use std::{future::Future, io, sync::Arc, time::Duration};

use secrecy::ExposeSecret;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
    task::{JoinError, JoinSet},
};
use tokio_stream::Stream;
use tonic::{service::Routes, transport::Server};
use tower::layer::layer_fn;
use tracing::{info, warn};

use listen::Connection;
pub use listen::Listeners;

use crate::{
    broker::{Broker, Parts, tokens},
    config::Config,
    domain::Clock,
    github::GitHub,
    rpc,
    store::{Settings, Store},
};

/// Why the broker does not start, or stopped by itself.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A port cannot be bound.
    #[error("cannot listen on {address}: is the port in use, or not yours to bind?")]
    Listen {
        /// The address.
        address: std::net::SocketAddr,
        /// The system's error.
        source: io::Error,
    },
    /// The database cannot be used.
    #[error("the database cannot be opened or brought up to date")]
    Store(#[from] crate::store::Error),
    /// The client for GitHub cannot be built.
    #[error("the client for GitHub cannot be built")]
    GitHub(#[from] crate::github::BuildError),
    /// The server failed.
    #[error("the gRPC server failed")]
    Serve(#[from] tonic::transport::Error),
    /// A server's task was lost. Not with what is known of it: the message of a panic may hold what was being worked on.
    #[error("a server ended without a word; if it panicked, the log says where")]
    Lost,
    /// A background task ended, which it does only by a panic. What the panic said is in no error: it may hold a secret.
    #[error("a background task of the broker ended; this is a bug, and the line before says where")]
    Background,
    /// The contract cannot be served by reflection.
    #[error("the descriptors of the contract cannot be served")]
    Reflection(#[from] tonic_reflection::server::Error),
}

/// Streams that one connection may have open: more than a caller needs, few enough to bound memory.
const STREAMS_PER_CONNECTION: u32 = 200;
/// Largest header list of a call.
const HEADER_LIST: u32 = 16 * 1024;
/// A silent connection is asked whether it still lives, ...
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(60);
/// ... and closed when it does not answer.
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(20);
/// A connection is ended in order at this age, so that Kubernetes, which balances connections and not calls, can send the
/// next one to another replica.
const CONNECTION_AGE: Duration = Duration::from_secs(5 * 60);
/// Each process has an age of its own within this part of it, so that replicas that started together part.
const CONNECTION_AGE_JITTER: f64 = 0.1;
/// Calls under way may take this long after SIGTERM; less than Kubernetes' 30 s until it kills.
const GRACE: Duration = Duration::from_secs(25);

/// Brings the schema up to date.
pub async fn migrate(config: &Config) -> Result<(), Error> {
    open_store(config).await?;
    info!("the schema is up to date");
    Ok(())
}

/// Runs the broker on `listeners` until `shutdown` ends, and then until its calls are done or the grace is over.
pub async fn run(
    config: Config,
    listeners: Listeners,
    clock: Arc<dyn Clock>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), Error> {
    let (reporter, health) = health::begin().await;
    listeners.announce(config.tls.is_some());
    let store = open_store(&config).await?;
    let github = GitHub::new(config.github, clock.clone())?;
    let broker = Broker::new(Parts {
        github,
        store: store.clone(),
        keys: config.keys,
        clock: clock.clone(),
        hand_out_pats: config.hand_out_pats,
    });

    let (stop, stopping) = watch::channel(false);
    let mut servers = JoinSet::new();
    let routes = rpc::routes(&broker, health.clone(), &config.limits)?;
    let authenticator = Authenticator::new(config.auth, clock.clone());
    let guard = Guard::new(authenticator, broker.clone(), config.limits.clone());
    let layers = ServiceBuilder::new().layer(Edge::new(config.limits.clone())).layer(guard);

    if let Some(port) = listeners.health {
        servers.spawn(serve(
            rpc::health_routes(health)?,
            listen::connections(port, None),
            stopping,
        ));
    }
    health::ready(&reporter, true).await;
    let mut background = JoinSet::new();
    background.spawn(tokens::keep_fresh(broker.tokens().clone()));
    background.spawn(health::follow(reporter.clone(), store.clone(), clock.clone()));
    background.spawn(prune::requests(store, clock));
    info!("ready");

    let ended_early = tokio::select! {
        () = shutdown => Ok(()),
        ended = servers.join_next() => ended.map_or(Ok(()), flatten),
        _ = background.join_next() => Err(Error::Background),
    };
    info!("stopping: no new calls, those under way may finish");
    background.shutdown().await;
    health::ready(&reporter, false).await;
    stop.send_replace(true);
    let result = drain(servers).await;
    ended_early.and(result)
}

/// Opens the database and brings its schema up to date.
async fn open_store(config: &Config) -> Result<Store, Error> {
    let host = config.github.web_url.host_str().unwrap_or_default();
    let issuer = config.github.app.as_ref().map_or("", |app| &app.issuer);
    let store =
        Store::connect(config.database_url.expose_secret(), Settings::new(host, issuer)).await?;
    store.migrate().await?;
    Ok(store)
}

/// Serves one port until `stopping` says so.
async fn serve(
    routes: Routes,
    connections: impl Stream<Item = io::Result<Connection>>,
    mut stopping: watch::Receiver<bool>,
) -> Result<(), Error> {
    let stopped = async move {
        // An error means that the sender is gone, which is as good a reason to stop.
        drop(stopping.wait_for(|stop| *stop).await);
    };
    Server::builder()
        .max_concurrent_streams(STREAMS_PER_CONNECTION)
        .http2_max_header_list_size(HEADER_LIST)
        .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
        .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
        // Without max_connection_age_grace: with it tonic cuts the connection, and never says that it goes away.
        .max_connection_age(connection_age())
        .layer(layer_fn(rpc::Edge::around))
        .add_routes(routes)
        .serve_with_incoming_shutdown(connections, stopped)
        .await?;
    Ok(())
}

fn connection_age() -> Duration {
    let part = 1.0 - CONNECTION_AGE_JITTER..=1.0 + CONNECTION_AGE_JITTER;
    CONNECTION_AGE.mul_f64(rand::random_range(part))
}

/// Waits for the calls under way, but no longer than the grace: a client that keeps its stream open must not keep the
/// process alive.
async fn drain(mut servers: JoinSet<Result<(), Error>>) -> Result<(), Error> {
    let all = async {
        let mut result = Ok(());
        while let Some(ended) = servers.join_next().await {
            result = result.and(flatten(ended));
        }
        result
    };
    if let Ok(result) = tokio::time::timeout(GRACE, all).await {
        info!("stopped");
        return result;
    }
    warn!("stopped with calls still open after {} s", GRACE.as_secs());
    Ok(())
}

fn flatten(ended: Result<Result<(), Error>, JoinError>) -> Result<(), Error> {
    ended.unwrap_or(Err(Error::Lost))
}

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
