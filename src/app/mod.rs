//! The composition root: builds the leaves, puts them together, serves, and stops in order.
//!
//! * [`listen`]: ports, and the [`connection`]s that come in on them, with or without TLS.
//! * [`reload`]: files that change while serving.
//! * [`health`]: whether the broker is alive, and whether it is ready.
//! * [`mod@serve`]: serving a port, and draining. [`signal`]: when to stop.
//! * [`harden`]: keeping the memory of the process to itself.
//! * [`sites`]: the Apps and hosts that are served.
//! * [`prune`]: forgetting what was kept for a time.
//! * [`error`]: why it does not run.

mod connection;
mod error;
mod harden;
mod health;
mod listen;
mod prune;
mod reload;
mod serve;
mod signal;
mod sites;

use std::{future::Future, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use futures_util::future::join_all;
use secrecy::ExposeSecret;
use tokio::{sync::watch, task::JoinSet};
use tracing::{info, warn};

pub use error::Error;
pub use harden::{Exposed, harden};
pub use listen::Listeners;
use serve::{drain, flatten, serve};
pub use signal::until_signal;

use crate::{
    audit::Audit,
    auth::Authenticator,
    broker::{Broker, Parts, Sites, keep_users_fresh, tokens},
    config::{self, Config},
    domain::{Clock, Policy, SiteName},
    http,
    metrics::Metrics,
    rpc::{self, Guard},
    store::{Settings, Store},
};

/// Ending tokens may take this long: with the grace before it less than Kubernetes' 30 s until it kills.
const REVOKE_FOR: Duration = Duration::from_secs(4);

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
        Some(files) => Some(reload::tls(files, &clock, &mut followed).await?),
        None => None,
    };
    let policy = match config.policy.clone() {
        Some(path) => reload::policy(path, &clock, &mut followed).await?,
        None => Arc::new(ArcSwap::from_pointee(Policy::anonymous())),
    };
    let audit = Audit::open(&config.audit, config.limits.audit_timeout)?;
    let authenticator = Authenticator::new(config.auth.clone(), clock.clone())?;
    authenticator.load().await;
    let store = open_store(&config).await?;
    let metrics = Metrics::new();
    let parts = Parts {
        keys: config.keys,
        clock: clock.clone(),
        policy,
        audit: audit.clone(),
        connecting: config.connecting,
        metrics: metrics.clone(),
        commit_trailers: config.commit_trailers,
    };
    let default = config::Site {
        name: SiteName::default(),
        github: config.github,
        former_issuers: config.former_issuers,
        webhooks: config.webhooks,
    };
    let (sites, webhooks) =
        sites::open(parts, default, config.sites, &store, &mut followed).await?;

    let (stop, stopping) = watch::channel(false);
    let mut servers = JoinSet::new();
    let limits = config.limits;
    let guard =
        Guard::new(authenticator, sites.default_site().clone(), limits.clone(), clock.clone());
    let routes = rpc::routes(&sites, health.clone(), &limits)?;
    let connections = listen::connections(listeners.grpc, tls, &limits, clock.clone());
    servers.spawn(serve(
        routes,
        Some(guard.clone()),
        connections,
        limits.clone(),
        stopping.clone(),
    ));
    if let Some(port) = listeners.health {
        // With places of its own: probes must get in where callers wait.
        let connections = listen::connections(port, None, &limits, clock.clone());
        let routes = rpc::health_routes(health)?;
        servers.spawn(serve(routes, None, connections, limits.clone(), stopping.clone()));
    }
    if let Some(port) = listeners.http {
        let connections = listen::connections(port, None, &limits, clock.clone());
        let router = http::router(http::State::new(sites.clone(), metrics, webhooks));
        servers.spawn(async move {
            http::serve(router, connections, stopping).await;
            Ok(())
        });
    }
    health::ready(&reporter, true).await;
    let mut background = followed;
    background.spawn(health::follow(reporter.clone(), store.clone(), clock.clone()));
    for site in sites.all() {
        background.spawn(tokens::keep_fresh(site.tokens().clone()));
        background.spawn(keep_users_fresh(site.clone(), clock.clone()));
        background.spawn(site.clone().follow_webhooks());
        background.spawn(site.clone().heed_other_replicas());
    }
    background.spawn(prune::old_rows(store, clock));
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
    if config.revoke_on_shutdown {
        revoke_tokens(&sites).await;
    }
    if let Err(error) = audit.close().await {
        warn!(%error, "the end of the audit may be missing");
    }
    ended_early.and(result)
}

/// Ends all cached tokens at GitHub, as far as there is time.
async fn revoke_tokens(sites: &Sites) {
    let all = join_all(sites.all().map(Broker::revoke_all));
    match tokio::time::timeout(REVOKE_FOR, all).await {
        Ok(revoked) => info!(revoked = revoked.iter().sum::<usize>(), "cached tokens are ended"),
        Err(_) => warn!(
            "not all cached tokens could be ended within {} s; they end by themselves within the hour",
            REVOKE_FOR.as_secs()
        ),
    }
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
