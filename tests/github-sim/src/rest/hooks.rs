//! The App's webhook and its deliveries.

use serde_json::{Value, json};

use super::apps::app_id;
use crate::clock::iso;
use crate::hooks::Record;
use crate::http::{Answer, Call, Outcome, Payload, Refusal};

/// `GET /app/hook/config`
pub(super) fn config(call: &Call<'_>) -> Outcome {
    let world = call.hub.world();
    let app = app_id(call).and_then(|id| world.apps.get(&id)).ok_or_else(Refusal::not_found)?;
    let webhook = app.webhook.as_ref().ok_or_else(Refusal::not_found)?;
    Ok(Answer::ok(json!({
        "content_type": "json", "insecure_ssl": "0", "url": webhook.url,
        "secret": (!webhook.secret.is_empty()).then_some("********"),
    })))
}

fn show(record: &Record) -> Value {
    let shown = &record.shown;
    json!({
        "id": shown.id, "guid": shown.guid, "delivered_at": iso(shown.delivered_at),
        "redelivery": shown.redelivery, "duration": 0.1, "status": shown.outcome,
        "status_code": shown.status.unwrap_or(0), "event": shown.event, "action": shown.action,
        "installation_id": shown.installation_id, "repository_id": shown.repository_id,
        "throttled_at": null,
    })
}

/// `GET /app/hook/deliveries`: the newest first; its pages go by cursor.
pub(super) fn list(call: &Call<'_>) -> Outcome {
    let size = call.query("per_page").and_then(|n| n.parse().ok()).unwrap_or(30).clamp(1, 100);
    let before: u64 = call.query("cursor").and_then(|n| n.parse().ok()).unwrap_or(u64::MAX);
    let mut records = call.hub.hooks.records(app_id(call));
    records.reverse();
    let mut rest = records.iter().filter(|record| record.shown.id < before).peekable();
    let page: Vec<&Record> = rest.by_ref().take(size).collect();
    let answer = Answer::ok(page.iter().map(|record| show(record)).collect());
    Ok(match (rest.peek(), page.last()) {
        (Some(_), Some(last)) => {
            let url = &call.hub.urls.api;
            let cursor = last.shown.id;
            let next = format!("{url}/app/hook/deliveries?per_page={size}&cursor={cursor}");
            answer.with("link", format!("<{next}>; rel=\"next\""))
        }
        _ => answer,
    })
}

/// `GET /app/hook/deliveries/{delivery_id}`
pub(super) fn get(call: &Call<'_>) -> Outcome {
    let id = call.id("delivery_id")?;
    let records = call.hub.hooks.records(app_id(call));
    let record = records.iter().find(|r| r.shown.id == id).ok_or_else(Refusal::not_found)?;
    let mut body = show(record);
    body["request"] = json!({
        "headers": {"X-GitHub-Event": record.shown.event, "X-GitHub-Delivery": record.shown.guid},
        "payload": serde_json::from_slice::<Value>(&record.body).unwrap_or_default(),
    });
    body["response"] = json!({"headers": {}, "payload": null});
    Ok(Answer::ok(body))
}

/// `POST /app/hook/deliveries/{delivery_id}/attempts`
pub(super) fn redeliver(call: &Call<'_>) -> Outcome {
    let id = call.id("delivery_id")?;
    call.hub.redeliver(app_id(call), id).ok_or_else(Refusal::not_found)?;
    Ok(Answer::new(202, Payload::Json(json!({}))))
}
