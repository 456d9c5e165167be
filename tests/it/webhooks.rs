//! What GitHub tells by webhook: who may tell it, what follows from it, and that nothing of it is lost.

mod followed;
mod hostile;
mod kept;
mod octokit;
mod refused;

use aws_lc_rs::hmac;
use ghbroker::proto::{
    ConnectionStatus, GetConnectionRequest, GetConnectionResponse, RepositoryBinding,
};
use reqwest::{Client, RequestBuilder, StatusCode};
use serde_json::{Value, json};

use crate::harness::{ACCOUNT, INSTALLATION, WEBHOOK_SECRET, World};

/// A route of the simulator: how the broker looks at an installation.
const LOOK: &str = "GET /app/installations/{installation_id}";

/// A delivery as GitHub sends it.
#[derive(Clone)]
pub struct Delivery {
    pub id: String,
    event: String,
    body: Vec<u8>,
    pub secret: String,
}

impl Delivery {
    /// With an id of its own.
    pub fn new(event: &str, body: &Value) -> Self {
        Self {
            id: uuid::Uuid::now_v7().to_string(),
            event: event.into(),
            body: body.to_string().into(),
            secret: WEBHOOK_SECRET.into(),
        }
    }

    pub fn installation(action: &str) -> Self {
        Self::of_installation(action, INSTALLATION)
    }

    pub fn uninstalled(id: i64) -> Self {
        Self::of_installation("deleted", id)
    }

    fn of_installation(action: &str, id: i64) -> Self {
        let account = json!({"id": 1, "login": "acme"});
        let installation = json!({"id": id, "account": account});
        Self::new("installation", &json!({"action": action, "installation": installation}))
    }

    pub fn repository(world: &World, action: &str, name: &str, updated_at: &str) -> Self {
        let repository = json!({
            "id": world.sim.repository_id(name), "full_name": name, "archived": action == "archived",
            "updated_at": updated_at,
        });
        Self::new("repository", &json!({"action": action, "repository": repository}))
    }

    fn signature(&self) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.secret.as_bytes());
        let digits = hmac::sign(&key, &self.body)
            .as_ref()
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect::<String>();
        format!("sha256={digits}")
    }

    fn request(&self, url: &str) -> RequestBuilder {
        self.request_to(url, "/webhooks/github")
    }

    fn request_to(&self, url: &str, path: &str) -> RequestBuilder {
        Client::new()
            .post(format!("{url}{path}"))
            .header("user-agent", "GitHub-Hookshot/044aadd")
            .header("content-type", "application/json")
            .header("x-github-event", &self.event)
            .header("x-github-delivery", &self.id)
            .header("x-hub-signature-256", self.signature())
            .body(self.body.clone())
    }

    /// Sends it to another site's path.
    pub async fn send_to(&self, url: &str, path: &str) -> StatusCode {
        self.request_to(url, path).send().await.unwrap().status()
    }

    async fn send(&self, url: &str) -> StatusCode {
        self.request(url).send().await.unwrap().status()
    }

    /// Sends one that is taken.
    async fn taken(&self, url: &str) {
        assert_eq!(self.send(url).await, StatusCode::ACCEPTED);
    }
}

/// A counter's value; 0 if it was never counted.
pub async fn counted(url: &str, counter: &str) -> u64 {
    let text = reqwest::get(format!("{url}/metrics")).await.unwrap().text().await.unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(counter)?.strip_prefix(' '));
    line.map_or(0, |count| count.parse().unwrap())
}

async fn deliveries(world: &World, outcome: &str) -> u64 {
    let counter = format!("ghbroker_webhook_deliveries_total{{outcome=\"{outcome}\"}}");
    counted(&world.http, &counter).await
}

async fn events(world: &World, event: &str, outcome: &str) -> u64 {
    let counter =
        format!("ghbroker_webhook_events_total{{event=\"{event}\",outcome=\"{outcome}\"}}");
    counted(&world.http, &counter).await
}

/// Sends one and waits until it is followed.
pub async fn follow(world: &World, delivery: &Delivery) {
    let before = events(world, &delivery.event, "done").await;
    delivery.taken(&world.http).await;
    world
        .until(async || (events(world, &delivery.event, "done").await > before).then_some(()))
        .await;
}

async fn connection(world: &World) -> GetConnectionResponse {
    let request = GetConnectionRequest { account: ACCOUNT.into() };
    world.get_connection(request).await.unwrap()
}

async fn status(world: &World) -> ConnectionStatus {
    connection(world).await.installation.unwrap().status()
}

async fn binding(world: &World) -> RepositoryBinding {
    connection(world).await.bindings.remove(0)
}

async fn until_status(world: &World, wanted: ConnectionStatus) {
    world.until(async || (status(world).await == wanted).then_some(())).await;
}
