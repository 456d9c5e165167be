//! Forgetting what was kept for a time.

use std::{sync::Arc, time::Duration};

use tracing::{debug, warn};

use crate::{
    domain::Clock,
    store::{DELIVERY_LIFE, Error, REQUEST_LIFE, Store},
};

/// Small against the 24 h for which the answers of commits are kept; a replica more does no harm.
const EVERY: Duration = Duration::from_secs(60 * 60);

/// Deletes the answers of commits and the webhooks whose time is up, for as long as it is polled.
pub(super) async fn old_rows(store: Store, clock: Arc<dyn Clock>) {
    loop {
        clock.sleep(EVERY).await;
        let now = clock.now();
        tell("answers of old commits", store.prune_requests(now - REQUEST_LIFE).await);
        tell("browsers that did not come back", store.prune_attempts(now).await);
        tell("old webhook deliveries", store.prune_deliveries(now - DELIVERY_LIFE).await);
        tell("changes that all replicas know of", store.prune_changes().await);
    }
}

fn tell(what: &str, pruned: Result<u64, Error>) {
    match pruned {
        Ok(count) => debug!(count, what, "forgotten"),
        Err(error) => warn!(%error, what, "still kept; tried again in an hour"),
    }
}
