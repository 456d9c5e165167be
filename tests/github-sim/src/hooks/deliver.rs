//! The request of one delivery, with the headers that GitHub documents.

use std::time::Duration;

use aws_lc_rs::hmac;
use axum::http::Request;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;

use super::delivery::{Outcome, Record};
use crate::world::Webhook;

/// What GitHub waits for an answer.
const LONGEST: Duration = Duration::from_secs(10);
/// How much of an answer is read; GitHub shows it to the App's owner.
const LARGEST_ANSWER: usize = 64 * 1024;

/// Sends it once. GitHub follows no redirect and does not try again.
pub(super) async fn deliver(record: &Record, webhook: &Webhook) -> Outcome {
    let Ok(request) = request(record, webhook) else { return Outcome::NoConnection };
    let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build_http();
    let exchange = async {
        let answer = client.request(request).await.map_err(|_| ())?;
        let status = answer.status().as_u16();
        // The status counts even when the body breaks off.
        let _ = Limited::new(answer.into_body(), LARGEST_ANSWER).collect().await;
        Ok::<_, ()>(status)
    };
    match tokio::time::timeout(LONGEST, exchange).await {
        Ok(Ok(status)) => Outcome::Answered(status),
        Ok(Err(())) => Outcome::NoConnection,
        Err(_) => Outcome::TimedOut,
    }
}

fn request(record: &Record, webhook: &Webhook) -> axum::http::Result<Request<Full<Bytes>>> {
    let shown = &record.shown;
    let mut request = Request::post(&webhook.url)
        .header("accept", "*/*")
        .header("content-type", "application/json")
        .header("user-agent", "GitHub-Hookshot/0a1b2c3")
        .header("x-github-event", &shown.event)
        .header("x-github-delivery", &shown.guid)
        .header("x-github-hook-id", webhook.id)
        .header("x-github-hook-installation-target-type", "integration")
        .header("x-github-hook-installation-target-id", shown.app_id);
    if !webhook.secret.is_empty() {
        request = request.header(
            "x-hub-signature-256",
            format!("sha256={}", sign(&webhook.secret, &record.body)),
        );
    }
    request.body(Full::new(record.body.clone()))
}

/// The HMAC-SHA256 of a body in hex.
fn sign(secret: &str, body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    hmac::sign(&key, body).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_that_of_the_example_in_the_documentation() {
        assert_eq!(
            sign("It's a Secret to Everybody", b"Hello, World!"),
            "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
        );
    }
}
