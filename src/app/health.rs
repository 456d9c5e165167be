//! What the health service says: `""` and each service by its full name are about being ready, `liveness` about being alive.

use std::{sync::Arc, time::Duration};

use tonic_health::{
    ServingStatus,
    pb::health_server::{Health, HealthServer},
    server::HealthReporter,
};
use tracing::{info, warn};

use crate::{domain::Clock, rpc, store::Store};

/// Name to ask for where a restart is decided: SERVING for as long as the process can answer. A database that is away
/// makes the broker unready, and a restart would not mend that.
const LIVENESS: &str = "liveness";
/// How often the database is asked whether it is there: small against the patience of callers.
const ASK_EVERY: Duration = Duration::from_secs(5);

/// A service that says: alive, not yet ready.
pub(super) async fn begin() -> (HealthReporter, HealthServer<impl Health>) {
    let (reporter, health) = tonic_health::server::health_reporter();
    reporter.set_service_status(LIVENESS, ServingStatus::Serving).await;
    ready(&reporter, false).await;
    (reporter, health)
}

/// Says whether calls can be served.
pub(super) async fn ready(reporter: &HealthReporter, ready: bool) {
    let status = if ready { ServingStatus::Serving } else { ServingStatus::NotServing };
    for service in [""].into_iter().chain(rpc::SERVICES) {
        reporter.set_service_status(service, status).await;
    }
}

/// Follows the database for as long as it is polled. GitHub being down does not make the broker unready: cached tokens are
/// served all the same.
pub(super) async fn follow(reporter: HealthReporter, store: Store, clock: Arc<dyn Clock>) {
    let mut was_ready = true;
    loop {
        clock.sleep(ASK_EVERY).await;
        let answer = store.ping().await;
        if answer.is_ok() == was_ready {
            continue;
        }
        was_ready = answer.is_ok();
        ready(&reporter, was_ready).await;
        match answer {
            Ok(()) => info!("ready again: the database answers"),
            Err(error) => warn!(%error, "not ready: the database does not answer"),
        }
    }
}
