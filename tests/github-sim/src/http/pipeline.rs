//! The way of one request: log, faults, body, handler, headers.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, Response};
use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use serde_json::json;

use super::{Answer, Payload, Refusal, rest};
use crate::clock::http_date;
use crate::fault::Effect;
use crate::hub::Hub;
use crate::seen::Seen;
use crate::world::{Caller, Credential};
use crate::{graphql, web};

/// The largest body of an API request; GitHub's own limit is of this order.
const LARGEST_BODY: usize = 100 * 1024 * 1024;

/// The connection is to be closed without an answer.
#[derive(Debug)]
pub(crate) struct Dropped;

impl std::fmt::Display for Dropped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("closed by a fault")
    }
}

impl std::error::Error for Dropped {}

/// A request that has come whole.
pub(crate) struct Arrived {
    /// Its place in the log.
    pub place: usize,
    pub method: Method,
    /// Below the base of its part (API or web).
    pub path: String,
    pub query: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// Which part of GitHub a request is for.
enum Part {
    Rest(Option<&'static super::Route>),
    GraphQl,
    Web(web::Page),
}

/// The body of a request.
enum Sent {
    /// git's, which is passed on while it comes.
    Streamed(Body),
    /// None if it is too large.
    Whole(Option<Bytes>),
}

pub(crate) async fn respond(
    hub: Arc<Hub>,
    request: Request<Body>,
) -> Result<Response<Body>, Dropped> {
    let (head, body) = request.into_parts();
    let full = head.uri.path().to_owned();
    let (part, path) = part_of(&hub, &head.method, &full);
    let header =
        |name: &str| head.headers.get(name).and_then(|v| v.to_str().ok()).map(str::to_owned);
    let sent = match &part {
        Part::Web(web::Page::Git(_)) => Sent::Streamed(body),
        _ => {
            Sent::Whole(Limited::new(body, LARGEST_BODY).collect().await.ok().map(|b| b.to_bytes()))
        }
    };
    let field = match (&part, &sent) {
        (Part::GraphQl, Sent::Whole(Some(body))) => graphql::root_field(body),
        _ => None,
    };
    let route = match &part {
        Part::Rest(Some(route)) => route.name(),
        Part::Rest(None) => format!("{} {path}", head.method),
        Part::GraphQl => "POST /graphql".to_owned(),
        Part::Web(page) => page.name(&head.method, &path),
    };
    let place = hub.log.begin(Seen {
        method: head.method.to_string(),
        path: full,
        route: route.clone(),
        field: field.clone(),
        status: None,
        credential: Credential::None,
        body_bytes: 0,
        accept: header("accept"),
        api_version: header("x-github-api-version"),
    });
    let effect = hub.faults.take(&route, field.as_deref());
    let answered = before(&hub, effect.as_ref(), matches!(part, Part::GraphQl)).await?;
    let mut arrived = Arrived {
        place,
        method: head.method,
        path,
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers: head.headers,
        body: Bytes::new(),
    };
    let response = match (answered, part, sent) {
        (Some(answer), ..) => finish(&hub, answer).into_response(),
        (None, Part::Web(web::Page::Git(service)), Sent::Streamed(body)) => {
            web::git_http(hub.clone(), service, arrived, body).await
        }
        (None, part, Sent::Whole(Some(body))) => {
            arrived.body = body;
            handle(hub.clone(), part, arrived, effect.clone()).await
        }
        (None, ..) => finish(&hub, Refusal::new(413, "Request body is too large").into_answer())
            .into_response(),
    };
    if matches!(effect, Some(Effect::DropAfter)) {
        // A streamed answer has its effect only when it has been read.
        let _ = response.into_body().collect().await;
        hub.log.end(place, None);
        return Err(Dropped);
    }
    if let Some(Effect::HoldAfter(gate)) = &effect {
        gate.pass().await;
    }
    hub.log.end(place, Some(response.status().as_u16()));
    Ok(response)
}

fn part_of(hub: &Hub, method: &Method, full: &str) -> (Part, String) {
    if full == "/api/graphql" {
        return (Part::GraphQl, full.to_owned());
    }
    match full.strip_prefix("/api/v3") {
        Some(path) if path.is_empty() || path.starts_with('/') => {
            let path = rest::by_name(hub, path);
            (Part::Rest(rest::find(method.as_str(), &path)), path)
        }
        _ => (Part::Web(web::Page::of(full)), full.to_owned()),
    }
}

/// The part of a fault that comes before the handler; an answer here means that there is no effect.
async fn before(
    hub: &Hub,
    effect: Option<&Effect>,
    graphql: bool,
) -> Result<Option<Answer>, Dropped> {
    Ok(match effect {
        Some(Effect::Latency(delay)) => {
            tokio::time::sleep(*delay).await;
            None
        }
        Some(Effect::Hold(gate)) => {
            gate.pass().await;
            None
        }
        Some(Effect::DropBefore) => return Err(Dropped),
        Some(Effect::Status { status, html: true }) => {
            let page = format!("<html><body><h1>{status} Unicorn!</h1></body></html>");
            Some(Answer::new(*status, Payload::Raw("text/html; charset=utf-8", page.into())))
        }
        Some(Effect::Status { status, html: false }) => {
            Some(Refusal::new(*status, "Server Error").into_answer())
        }
        Some(Effect::Says(json)) => {
            Some(Answer::new(200, Payload::Raw("application/json; charset=utf-8", (*json).into())))
        }
        Some(Effect::PrimaryRateLimit { reset_after }) => {
            let seconds = i64::try_from(reset_after.as_secs()).unwrap_or(i64::MAX);
            let reset = hub.clock.seconds().saturating_add(seconds);
            let limit = 5000;
            let bucket = super::Bucket {
                limit,
                used: limit,
                reset,
                resource: if graphql { "graphql" } else { "core" },
            };
            Some(primary_limit(graphql, "installation ID 0", &bucket))
        }
        Some(Effect::SecondaryRateLimit { retry_after, status }) => {
            let text = "You have exceeded a secondary rate limit. Please wait a few minutes before you \
                        try again.";
            let answer = Refusal::new(*status, text).into_answer();
            Some(match retry_after {
                Some(seconds) => answer.with("retry-after", seconds.to_string()),
                None => answer,
            })
        }
        Some(Effect::HoldAfter(_) | Effect::DropAfter | Effect::Garbage | Effect::Huge(_))
        | None => None,
    })
}

/// The answer to a caller that has used its bucket up.
pub(super) fn primary_limit(graphql: bool, who: &str, bucket: &super::Bucket) -> Answer {
    let text = format!("API rate limit exceeded for {who}.");
    let mut answer = if graphql {
        Answer::ok(json!({"errors": [{"type": "RATE_LIMITED", "message": text}]}))
    } else {
        Refusal::new(403, text).into_answer()
    };
    answer.headers.extend(bucket.headers());
    answer
}

/// Runs the handler on a thread of its own, as it may run git.
async fn handle(
    hub: Arc<Hub>,
    part: Part,
    arrived: Arrived,
    effect: Option<Effect>,
) -> Response<Body> {
    let ran = tokio::task::spawn_blocking(move || {
        let mut answer = match part {
            Part::Rest(route) => rest::answer(&hub, route, arrived),
            Part::GraphQl => graphql::answer(&hub, arrived),
            Part::Web(page) => web::answer(&hub, &page, &arrived),
        };
        match effect {
            Some(Effect::Garbage) => {
                let broken = Bytes::from_static(b"{\"token\": \"ghs_");
                answer.body = Payload::Raw("application/json; charset=utf-8", broken);
            }
            Some(Effect::Huge(size)) => {
                let body = format!("\"{}\"", "x".repeat(size.saturating_sub(2)));
                answer.body = Payload::Raw("application/json; charset=utf-8", body.into());
            }
            _ => {}
        }
        finish(&hub, answer)
    })
    .await;
    match ran {
        Ok(answer) => answer.into_response(),
        Err(panic) => {
            Refusal::new(500, format!("github-sim: {panic}")).into_answer().into_response()
        }
    }
}

/// Adds the headers that every answer has.
fn finish(hub: &Hub, answer: Answer) -> Answer {
    let id = crate::secrets::letters(24).to_uppercase();
    answer
        .with("date", http_date(hub.github_time()))
        .with("server", "github.com")
        .with("x-github-request-id", id)
        .with("x-content-type-options", "nosniff")
}

/// Who makes the request; the log learns it too.
pub(crate) fn authenticate(hub: &Hub, arrived: &Arrived) -> Result<Caller, Refusal> {
    let now = hub.github_time();
    let mut world = hub.world();
    let caller = super::auth::caller(&mut world, &arrived.headers, now);
    let credential = match &caller {
        Ok(caller) => caller.credential(&world),
        Err(_) => Credential::Rejected,
    };
    drop(world);
    hub.log.credential(arrived.place, credential, arrived.body.len());
    caller
}
