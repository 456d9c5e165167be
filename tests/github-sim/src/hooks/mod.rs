//! Webhooks: each is a task of its own, is tried once, and is remembered.

mod deliver;
mod delivery;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use serde_json::Value;
use tokio::runtime::Handle;
use tokio::sync::watch;

pub use delivery::Delivery;
pub(crate) use delivery::Record;

use crate::hub::Hub;
use crate::world::{Webhook, World};

/// Something that an App is told.
#[derive(Debug)]
pub(crate) struct Event {
    pub app_id: u64,
    pub name: &'static str,
    pub payload: Value,
    pub installation_id: Option<u64>,
    pub repository_id: Option<u64>,
}

/// The deliveries, and the runtime on which they run.
#[derive(Clone, Debug)]
pub(crate) struct Hooks(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    runtime: Handle,
    records: Mutex<Vec<Record>>,
    under_way: watch::Sender<usize>,
}

impl Hooks {
    /// Within a runtime, which the deliveries then use.
    pub fn new() -> Self {
        let (under_way, _) = watch::channel(0);
        Self(Arc::new(Inner { runtime: Handle::current(), records: Mutex::default(), under_way }))
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Record>> {
        self.0.records.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All deliveries of an App (of every App when none is named), oldest first.
    pub fn records(&self, app_id: Option<u64>) -> Vec<Record> {
        let of = |record: &&Record| app_id.is_none_or(|id| record.shown.app_id == id);
        self.lock().iter().filter(of).cloned().collect()
    }

    /// Waits until no delivery is under way.
    pub async fn settled(&self) {
        // The sender is in `self`, so that waiting cannot fail.
        let _ = self.0.under_way.subscribe().wait_for(|count| *count == 0).await;
    }

    /// Delivers a record and notes how it went.
    fn start(&self, record: Record, webhook: Webhook) {
        self.lock().push(record.clone());
        self.0.under_way.send_modify(|count| *count += 1);
        let hooks = self.clone();
        self.0.runtime.spawn(async move {
            let outcome = deliver::deliver(&record, &webhook).await;
            let mut records = hooks.lock();
            let kept = records.iter_mut().find(|kept| kept.shown.id == record.shown.id);
            if let Some(kept) = kept {
                kept.shown.finish(outcome);
            }
            drop(records);
            hooks.0.under_way.send_modify(|count| *count -= 1);
        });
    }
}

impl Hub {
    /// Tells an App of an event, if it wants to be told.
    pub fn announce(&self, world: &mut World, event: Event) {
        let Some(webhook) = world.apps.get(&event.app_id).and_then(|app| app.webhook.clone())
        else {
            return;
        };
        let shown = Delivery {
            id: world.fresh_id(),
            guid: delivery::guid(),
            app_id: event.app_id,
            event: event.name.to_owned(),
            action: event.payload["action"].as_str().map(str::to_owned),
            installation_id: event.installation_id,
            repository_id: event.repository_id,
            redelivery: false,
            delivered_at: self.clock.seconds(),
            status: None,
            outcome: "pending".to_owned(),
        };
        let body = Bytes::from(event.payload.to_string());
        self.hooks.start(Record { shown, body }, webhook);
    }

    /// Sends a delivery of an App again, with the same GUID; nothing if there is no such delivery, or no webhook.
    pub fn redeliver(&self, app_id: Option<u64>, delivery: u64) -> Option<u64> {
        let mut record =
            self.hooks.records(app_id).into_iter().find(|record| record.shown.id == delivery)?;
        let mut world = self.world();
        let webhook = world.apps.get(&record.shown.app_id)?.webhook.clone()?;
        let id = world.fresh_id();
        record.shown.again(id, self.clock.seconds());
        self.hooks.start(record, webhook);
        Some(id)
    }
}
