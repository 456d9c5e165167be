//! What GitHub tells by its webhooks: taken at once, followed afterwards, so that the accounts' state is as GitHub has it.
//!
//! * [`work`]: takes stored deliveries, one replica each, until they are done.
//! * [`apply`]: what each event does.
//!
//! A delivery is a hint to look: what is so is asked of GitHub. So it does no harm that deliveries come twice, late, or in
//! another order. What is lost is learned with the next token (see [`super::learn`]).

mod apply;
mod work;

use super::{Broker, error::Error};
use crate::domain::WebhookEvent;

impl Broker {
    /// Stores a delivery, which was shown to be GitHub's, and returns before it is worked on. False if it was here before.
    pub async fn take_webhook(&self, id: &str, event: &WebhookEvent) -> Result<bool, Error> {
        let new = self.store().take_delivery(id, event, self.now()).await?;
        if new {
            self.inner.delivered.notify_one();
        }
        Ok(new)
    }
}
