//! Forgetting what was kept for a time.

use std::{sync::Arc, time::Duration};

use tracing::{debug, warn};

use crate::{
    domain::Clock,
    store::{REQUEST_LIFE, Store},
};

/// Small against the 24 h for which the answers of commits are kept; a replica more does no harm.
const EVERY: Duration = Duration::from_secs(60 * 60);

/// Deletes the answers of commits whose time is up, for as long as it is polled.
pub(super) async fn requests(store: Store, clock: Arc<dyn Clock>) {
    loop {
        clock.sleep(EVERY).await;
        match store.prune_requests(clock.now() - REQUEST_LIFE).await {
            Ok(count) => debug!(count, "forgot the answers of old commits"),
            Err(error) => {
                warn!(%error, "the answers of old commits are still kept; tried again in an hour")
            }
        }
        match store.prune_attempts(clock.now()).await {
            Ok(count) => debug!(count, "forgot browsers that did not come back from GitHub"),
            Err(error) => {
                warn!(%error, "browsers that did not come back are still kept; tried again in an hour")
            }
        }
    }
}
