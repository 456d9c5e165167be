//! The composition root: builds the leaves, puts them together, serves, and stops in order.
//!
//! * [`listen`]: ports, and the [`connection`]s that come in on them, with or without TLS.
//! * [`reload`]: files that change while serving.
//! * [`health`]: whether the broker is alive, and whether it is ready.
//! * [`mod@serve`]: serving a port, and draining. [`signal`]: when to stop.
//! * [`harden`]: keeping the memory of the process to itself.
//! * [`prune`]: forgetting what was kept for a time.

mod connection;
mod harden;
mod health;
mod listen;
mod prune;
mod reload;
mod serve;
mod signal;

use std::{future::Future, io, path::PathBuf, sync::Arc};

use arc_swap::ArcSwap;
use secrecy::ExposeSecret;
use tokio::{sync::watch, task::JoinSet};
use tracing::{info, warn};

pub use harden::{Exposed, harden};
pub use listen::Listeners;
use reload::Follower;
use serve::{drain, flatten, serve};
pub use signal::until_signal;

use crate::{
    audit::Audit,
    auth::{Authenticator, Content, Tls, TlsFiles},
    broker::{Broker, Parts, tokens},
    config::Config,
    domain::{Clock, Policy},
    github::GitHub,
    rpc::{self, Guard},
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
    /// Files cannot be used; they could when the configuration was checked.
    #[error("the {what} cannot be used: {mistakes}")]
    Files {
        /// What the files are.
        what: &'static str,
        /// Every mistake, each with its file.
        mistakes: String,
    },
    /// The audit cannot be written.
    #[error("the audit cannot be written")]
    Audit(#[from] crate::audit::OpenError),
    /// Callers cannot be authenticated.
    #[error("callers cannot be authenticated")]
    Auth(#[from] crate::auth::BuildError),
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
    listeners.announce(config.tls.is_some(), &config.auth);
    let mut followed = JoinSet::new();
    let tls = match config.tls.clone() {
        Some(files) => Some(follow_tls(files, &clock, &mut followed).await?),
        None => None,
    };
    let policy = match config.policy.clone() {
        Some(path) => follow_policy(path, &clock, &mut followed).await?,
        None => Arc::new(ArcSwap::from_pointee(Policy::anonymous())),
    };
    let audit = Audit::open(&config.audit, config.limits.audit_timeout)?;
    let authenticator = Authenticator::new(config.auth.clone(), clock.clone())?;
    authenticator.load().await;
    let store = open_store(&config).await?;
    let github = GitHub::new(config.github, clock.clone())?;
    let broker = Broker::new(Parts {
        github,
        store: store.clone(),
        keys: config.keys,
        clock: clock.clone(),
        policy,
        audit: audit.clone(),
    });

    let (stop, stopping) = watch::channel(false);
    let mut servers = JoinSet::new();
    let limits = config.limits;
    let guard = Guard::new(authenticator, broker.clone(), limits.clone(), clock.clone());
    let routes = rpc::routes(&broker, health.clone(), &limits)?;
    let connections = listen::connections(listeners.grpc, tls, &limits);
    servers.spawn(serve(
        routes,
        Some(guard.clone()),
        connections,
        limits.clone(),
        stopping.clone(),
    ));
    if let Some(port) = listeners.health {
        // With places of its own: probes must get in where callers wait.
        let connections = listen::connections(port, None, &limits);
        servers.spawn(serve(rpc::health_routes(health)?, None, connections, limits, stopping));
    }
    health::ready(&reporter, true).await;
    let mut background = followed;
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
    let result = drain(servers, guard.idle()).await;
    if let Err(error) = audit.close().await {
        warn!(%error, "the end of the audit may be missing");
    }
    ended_early.and(result)
}

/// Reads the files of TLS, to be followed from then on.
async fn follow_tls(
    files: TlsFiles,
    clock: &Arc<dyn Clock>,
    followed: &mut JoinSet<()>,
) -> Result<Arc<ArcSwap<Tls>>, Error> {
    let (paths, verify_by) = (files.paths(), clock.clone());
    let parse = move |contents: &[Content]| files.parse(contents, verify_by.clone());
    let follower = Follower::start("certificates", paths, parse).await?;
    let in_force = follower.in_force();
    followed.spawn(follower.follow(clock.clone()));
    Ok(in_force)
}

/// Reads the policy, to be followed from then on.
async fn follow_policy(
    path: PathBuf,
    clock: &Arc<dyn Clock>,
    followed: &mut JoinSet<()>,
) -> Result<Arc<ArcSwap<Policy>>, Error> {
    let parse = |contents: &[Content]| match contents {
        [Ok(content)] => Policy::from_file(content),
        [Err(error)] => Err(vec![error.to_string()]),
        _ => Err(vec!["is not one file".to_owned()]),
    };
    let follower = Follower::start("policy", vec![path], parse).await?;
    let in_force = follower.in_force();
    followed.spawn(follower.follow(clock.clone()));
    Ok(in_force)
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
