//! Plain HTTP/1.1, on a port of its own behind an ingress that ends TLS.
//!
//! * [`serve`]: connections, with limits; the end of it.
//! * [`callback`]: `GET /github/callback`, browsers on their way back from GitHub.
//! * [`webhooks`]: `POST /webhooks/github`, and one for each further site.
//! * [`metrics`]: `GET /metrics`.
//! * [`answer`]: what all answers have in common.

mod answer;
mod callback;
mod metrics;
mod serve;
mod webhooks;

use std::{collections::HashMap, sync::Arc};

use axum::{
    Router,
    http::StatusCode,
    middleware::map_response,
    routing::{get, post},
};

pub use serve::serve;
use tokio::sync::Semaphore;
use webhooks::Webhooks;

use crate::{auth::WebhookSecrets, broker::Sites, domain::SiteName, metrics::Metrics};

/// What the handlers need. Cheap to clone.
#[derive(Clone)]
pub struct State {
    sites: Sites,
    metrics: Metrics,
    webhooks: Arc<Webhooks>,
    callbacks: Arc<Semaphore>,
}

impl State {
    /// What the handlers need. Of a site without `secrets` no webhook is taken.
    pub fn new(sites: Sites, metrics: Metrics, secrets: HashMap<SiteName, WebhookSecrets>) -> Self {
        let webhooks = Arc::new(Webhooks::new(secrets));
        let callbacks = Arc::new(Semaphore::new(callback::AT_ONCE));
        Self { sites, metrics, webhooks, callbacks }
    }
}

/// All that is served.
pub fn router(state: State) -> Router {
    Router::new()
        .route("/metrics", get(metrics::text))
        .route("/github/callback", get(callback::finish))
        .route("/webhooks/github", post(webhooks::receive))
        .route("/webhooks/github/{site}", post(webhooks::receive_at))
        .method_not_allowed_fallback(async || {
            answer::error(StatusCode::METHOD_NOT_ALLOWED, "this path takes another method")
        })
        .fallback(async || answer::error(StatusCode::NOT_FOUND, "there is nothing at this path"))
        .layer(map_response(answer::hardened))
        .with_state(state)
}
