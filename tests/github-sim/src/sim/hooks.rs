//! Webhooks: where they go, and how they went.

use super::Sim;
use crate::hooks::Delivery;
use crate::world::Webhook;

/// Webhooks.
impl Sim {
    /// Lets an App be told of events at an address (plain `http://`) from now on; an empty one turns that off.
    pub fn set_webhook(&self, app_id: u64, url: &str, secret: &str) {
        let mut world = self.hub.world();
        let id = world.fresh_id();
        let app = world.apps.get_mut(&app_id);
        let app = app.unwrap_or_else(|| panic!("there is no App {app_id}"));
        app.webhook = (!url.is_empty()).then(|| Webhook {
            id: app.webhook.as_ref().map_or(id, |old| old.id),
            url: url.to_owned(),
            secret: secret.to_owned(),
        });
    }

    /// All deliveries so far, oldest first, with how they went.
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.hub.hooks.records(None).into_iter().map(|record| record.shown).collect()
    }

    /// Waits until no delivery is under way. One that is not answered ends after ten seconds.
    pub async fn settled(&self) {
        self.hub.hooks.settled().await;
    }

    /// Sends a delivery again with the same GUID and body, and returns the number of the new one.
    pub fn redeliver(&self, delivery: u64) -> u64 {
        let sent = self.hub.redeliver(None, delivery);
        sent.unwrap_or_else(|| panic!("there is no delivery {delivery}, or no webhook any more"))
    }
}
