//! `POST /webhooks/github`, and `/webhooks/github/NAME` of further sites: checked, stored, answered; the work comes after.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{
    body::{Body, Bytes},
    extract,
    http::{HeaderMap, Request, StatusCode, header},
    response::Response,
};
use bytes::BytesMut;
use futures_util::StreamExt;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};
use tracing::{debug, info, warn};

use super::{State, answer};
use crate::{
    auth::WebhookSecrets,
    broker::{Broker, Reason},
    domain::{Invalid, SiteName, WebhookEvent},
    metrics::Delivery,
    telemetry::causes,
};

/// Largest body that is read. GitHub sends up to 25 MB, but what is followed here is a few hundred KB at most: the largest
/// names every repository of a new installation.
const BODY_BYTES: usize = 8 * 1024 * 1024;
/// Bytes of all bodies at once that are not checked yet: anybody can send them.
const UNCHECKED_BYTES: usize = 8 * BODY_BYTES;
/// Longest for a body to come in: GitHub itself gives up after 10 s.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest id of a delivery; GitHub's are UUIDs.
const MAX_DELIVERY_ID: usize = 64;

/// What is known of webhooks beside each request.
pub(super) struct Webhooks {
    secrets: HashMap<SiteName, WebhookSecrets>,
    room: Arc<Semaphore>,
    told: AtomicBool,
}

impl Webhooks {
    pub fn new(secrets: HashMap<SiteName, WebhookSecrets>) -> Self {
        Self { secrets, room: Arc::new(Semaphore::new(UNCHECKED_BYTES)), told: false.into() }
    }
}

/// Why a delivery is not taken: what is counted, and what its sender is told.
struct Refused(Delivery, StatusCode, &'static str);

/// Takes a delivery of the default site's App.
pub(super) async fn receive(
    extract::State(state): extract::State<State>,
    request: Request<Body>,
) -> Response {
    let site = state.sites.default_site();
    received(&state, site, request).await
}

/// Takes a delivery of the App of the site that the path names.
pub(super) async fn receive_at(
    extract::State(state): extract::State<State>,
    extract::Path(name): extract::Path<String>,
    request: Request<Body>,
) -> Response {
    match name.parse().ok().and_then(|name| state.sites.named(&name)) {
        Some(site) => received(&state, site, request).await,
        None => answer::error(StatusCode::NOT_FOUND, "this broker has no site of this name"),
    }
}

async fn received(state: &State, site: &Broker, request: Request<Body>) -> Response {
    let Some(secrets) = state.webhooks.secrets.get(site.name()) else {
        if !state.webhooks.told.swap(true, Ordering::Relaxed) {
            warn!(
                site = %site.name(),
                "a webhook came, and none are taken: name the App's webhook secret in [webhooks], or in that of its site"
            );
        }
        return answer::error(StatusCode::NOT_FOUND, "this broker takes no webhooks");
    };
    match take(state, site, secrets, request).await {
        Ok(taken) => {
            state.metrics.delivery(taken);
            answer::status(StatusCode::ACCEPTED, taken.as_str())
        }
        Err(Refused(outcome, status, sentence)) => {
            state.metrics.delivery(outcome);
            debug!(outcome = outcome.as_str(), sentence, "webhook refused");
            answer::error(status, sentence)
        }
    }
}

async fn take(
    state: &State,
    site: &Broker,
    secrets: &WebhookSecrets,
    request: Request<Body>,
) -> Result<Delivery, Refused> {
    let (head, body) = request.into_parts();
    let (body, _room) = read(&head.headers, body, &state.webhooks.room).await?;
    let signature = head.headers.get("x-hub-signature-256");
    if !signature.is_some_and(|signature| secrets.verify(&body, signature.as_bytes())) {
        return Err(Refused(
            Delivery::Forged,
            StatusCode::UNAUTHORIZED,
            "X-Hub-Signature-256 is missing, or not of this body by this broker's secret: compare [webhooks] with the App's settings",
        ));
    }
    // From here on it is GitHub that is told.
    if !is_json(&head.headers) {
        return Err(Refused(
            Delivery::Malformed,
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "set the webhook's content type to application/json in the App's settings",
        ));
    }
    let (Some(id), Some(event)) = (delivery_id(&head.headers), event_name(&head.headers)) else {
        return Err(malformed(
            "X-GitHub-Delivery or X-GitHub-Event is missing, or not what GitHub sends",
        ));
    };
    let event = match WebhookEvent::parse(event, &body) {
        Ok(Some(event)) => event,
        Ok(None) => {
            debug!(delivery = id, event, "webhook ignored");
            return Ok(Delivery::Ignored);
        }
        Err(Invalid(why)) => {
            warn!(delivery = id, event, why, "a signed webhook cannot be read");
            return Err(malformed("the body is not what GitHub sends for this event"));
        }
    };
    match site.take_webhook(id, &event).await {
        Ok(true) => {
            info!(delivery = id, %event, "webhook taken");
            Ok(Delivery::Accepted)
        }
        Ok(false) => Err(Refused(
            Delivery::Replayed,
            StatusCode::CONFLICT,
            "this delivery was here before; nothing was done",
        )),
        Err(error) => {
            let passing = error.reason == Reason::DatabaseUnavailable;
            warn!(delivery = id, %event, %error, cause = causes(&error), passing, "webhook not taken");
            Err(Refused(
                Delivery::Unavailable,
                StatusCode::SERVICE_UNAVAILABLE,
                "the delivery could not be stored; redeliver it later",
            ))
        }
    }
}

fn malformed(sentence: &'static str) -> Refused {
    Refused(Delivery::Malformed, StatusCode::BAD_REQUEST, sentence)
}

/// The whole body, and its room among those that are not checked yet.
async fn read(
    headers: &HeaderMap,
    body: Body,
    room: &Arc<Semaphore>,
) -> Result<(Bytes, Option<OwnedSemaphorePermit>), Refused> {
    let length = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    if length.and_then(|length| length.parse::<u64>().ok()) > u64::try_from(BODY_BYTES).ok() {
        return Err(oversized());
    }
    let whole = async {
        let (mut read, mut held) = (BytesMut::new(), None::<OwnedSemaphorePermit>);
        let mut parts = body.into_data_stream();
        while let Some(part) = parts.next().await {
            let part = part.map_err(|_| malformed("the body broke off"))?;
            if read.len() + part.len() > BODY_BYTES {
                return Err(oversized());
            }
            let more = hold(room, part.len())?;
            match &mut held {
                Some(held) => held.merge(more),
                None => held = Some(more),
            }
            read.extend_from_slice(&part);
        }
        Ok((read.freeze(), held))
    };
    timeout(BODY_TIMEOUT, whole).await.unwrap_or_else(|_| {
        let late = "the body did not come in within 10 s";
        Err(Refused(Delivery::Malformed, StatusCode::REQUEST_TIMEOUT, late))
    })
}

fn hold(room: &Arc<Semaphore>, bytes: usize) -> Result<OwnedSemaphorePermit, Refused> {
    let permit =
        u32::try_from(bytes).ok().and_then(|bytes| room.clone().try_acquire_many_owned(bytes).ok());
    permit.ok_or(Refused(
        Delivery::Busy,
        StatusCode::SERVICE_UNAVAILABLE,
        "too much comes in at once; redeliver it later",
    ))
}

fn oversized() -> Refused {
    Refused(
        Delivery::Oversized,
        StatusCode::PAYLOAD_TOO_LARGE,
        "the body is larger than 8 MiB, and than anything that is followed here",
    )
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let essence = kind.and_then(|kind| kind.split(';').next()).unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("application/json")
}

/// It goes into the log and the database, and is not signed.
fn delivery_id(headers: &HeaderMap) -> Option<&str> {
    let id = headers.get("x-github-delivery")?.to_str().ok()?;
    let fits = (1..=MAX_DELIVERY_ID).contains(&id.len());
    (fits && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')).then_some(id)
}

/// It goes into the log, and is not signed.
fn event_name(headers: &HeaderMap) -> Option<&str> {
    let name = headers.get("x-github-event")?.to_str().ok()?;
    let fits = (1..=MAX_DELIVERY_ID).contains(&name.len());
    (fits && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'))
        .then_some(name)
}
