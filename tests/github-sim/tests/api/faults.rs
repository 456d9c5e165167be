//! Faults on demand.

use std::time::Duration;

use github_sim::{Effect, Fault, Gate};
use serde_json::json;

use crate::lab::Lab;

const MINT: &str = "POST /app/installations/{installation_id}/access_tokens";

#[tokio::test]
async fn a_gate_holds_requests_until_it_opens() {
    let lab = Lab::new().await;
    let gate = Gate::new();
    lab.sim.fault(Fault::always(MINT, Effect::Hold(gate.clone())));
    let held = async { tokio::join!(lab.mint(json!({})), lab.mint(json!({}))) };
    let watch = async {
        gate.arrived(2).await;
        assert_eq!(lab.sim.count(MINT), 2);
        assert_eq!(lab.sim.live_installation_tokens(), 0);
        gate.open();
    };
    let ((one, two), ()) = tokio::join!(held, watch);
    assert_eq!((one.status, two.status), (201, 201));
    assert_eq!(lab.sim.live_installation_tokens(), 2);
    lab.sim.finish();
}

#[tokio::test]
async fn a_thousand_requests_are_held_and_served_at_once() {
    let lab = std::sync::Arc::new(Lab::new().await);
    let token = lab.token().await;
    let gate = Gate::new();
    let route = "GET /repos/{owner}/{repo}";
    lab.sim.fault(Fault::always(route, Effect::Hold(gate.clone())));
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..1000 {
        let (lab, token) = (lab.clone(), token.clone());
        calls.spawn(async move { lab.get("/repos/acme/site", &token).await.status });
    }
    gate.arrived(1000).await;
    gate.open();
    assert!(calls.join_all().await.iter().all(|status| *status == 200));
    assert_eq!(lab.sim.count(route), 1000);
}

#[tokio::test]
async fn an_answer_is_held_when_the_request_has_taken_effect() {
    let lab = Lab::new().await;
    let gate = Gate::new();
    lab.sim.fault(Fault::once(MINT, Effect::HoldAfter(gate.clone())));
    let watch = async {
        gate.arrived(1).await;
        assert_eq!(lab.sim.live_installation_tokens(), 1);
        gate.open();
    };
    let (minted, ()) = tokio::join!(lab.mint(json!({})), watch);
    minted.expect(201);
    lab.sim.finish();
}

#[tokio::test]
async fn a_fault_can_wait_for_the_nth_request() {
    let lab = Lab::new().await;
    let down = |status| Effect::Status { status, html: false };
    lab.sim.fault(Fault::nth(MINT, 3, down(503)));
    lab.sim.fault(Fault::nth("*", 2, down(502)));
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(lab.mint(json!({})).await.status);
    }
    assert_eq!(statuses, [201, 502, 503, 201]);
    lab.sim.finish();
}

#[tokio::test]
async fn a_status_is_answered_without_effect_so_many_times() {
    let lab = Lab::new().await;
    lab.sim.fault(Fault::times(MINT, 2, Effect::Status { status: 502, html: true }));
    let reply = lab.mint(json!({})).await.expect(502);
    assert!(reply.text.starts_with("<html>"));
    lab.mint(json!({})).await.expect(502);
    assert_eq!(lab.sim.live_installation_tokens(), 0);
    lab.mint(json!({})).await.expect(201);
    lab.sim.fault(Fault::always("*", Effect::Status { status: 503, html: false }));
    lab.get("/app", &lab.jwt()).await.refused(503, "Server Error");
    lab.sim.clear_faults();
    lab.get("/app", &lab.jwt()).await.expect(200);
    lab.sim.finish();
}

#[tokio::test]
async fn limits_are_answered_with_their_headers() {
    let lab = Lab::new().await;
    let token = lab.token().await;
    let repo = "GET /repos/{owner}/{repo}";
    let primary = Effect::PrimaryRateLimit { reset_after: Duration::from_secs(90) };
    lab.sim.fault(Fault::once(repo, primary.clone()));
    let reply = lab.get("/repos/acme/site", &token).await.expect(403);
    assert_eq!(reply.header("x-ratelimit-remaining"), "0");
    let reset: i64 = reply.header("x-ratelimit-reset").parse().unwrap();
    assert_eq!(reset, lab.sim.clock().seconds() + 90);
    let secondary = Effect::SecondaryRateLimit { retry_after: Some(7), status: 429 };
    lab.sim.fault(Fault::once(repo, secondary));
    let reply = lab.get("/repos/acme/site", &token).await.expect(429);
    assert_eq!(reply.header("retry-after"), "7");
    assert!(reply.message().starts_with("You have exceeded a secondary rate limit"));
    lab.sim.fault(Fault::once("POST /graphql", primary));
    let body = lab.graphql(&token, "{ viewer { login } }", json!({})).await;
    assert_eq!(body["errors"][0]["type"], "RATE_LIMITED");
    lab.sim.finish();
}

#[tokio::test]
async fn a_connection_is_dropped_before_or_after_the_effect() {
    let lab = Lab::new().await;
    let url = format!("{}/app/installations/200/access_tokens", lab.sim.api_url());
    let mint = || lab.http.post(&url).bearer_auth(lab.jwt()).json(&json!({})).send();
    lab.sim.fault(Fault::once(MINT, Effect::DropBefore));
    assert!(mint().await.is_err());
    assert_eq!(lab.sim.live_installation_tokens(), 0);
    lab.sim.fault(Fault::once(MINT, Effect::DropAfter));
    assert!(mint().await.is_err());
    assert_eq!(lab.sim.live_installation_tokens(), 1);
    let seen = lab.sim.requests();
    assert!(seen.iter().all(|seen| seen.status.is_none()));
    lab.sim.finish();
}

#[tokio::test]
async fn an_answer_can_be_garbage_or_huge() {
    let lab = Lab::new().await;
    lab.sim.fault(Fault::once(MINT, Effect::Garbage));
    let reply = lab.mint(json!({})).await.expect(201);
    assert!(serde_json::from_str::<serde_json::Value>(&reply.text).is_err());
    lab.sim.fault(Fault::once(MINT, Effect::Huge(2_000_000)));
    let reply = lab.mint(json!({})).await.expect(201);
    assert_eq!(reply.text.len(), 2_000_000);
    lab.sim.finish();
}

#[tokio::test]
async fn git_meets_faults_too() {
    let lab = Lab::new().await;
    let token = lab.token().await;
    let scratch = tempfile::tempdir().unwrap();
    lab.sim.fault(Fault::once("git-upload-pack", Effect::Status { status: 503, html: true }));
    let remote = lab.remote(&token, "acme/site");
    let (succeeded, _) = crate::lab::git(scratch.path(), &["clone", "-q", &remote, "w"]).await;
    assert!(!succeeded);
    crate::lab::ok(crate::lab::git(scratch.path(), &["clone", "-q", &remote, "w"]).await);
    lab.sim.finish();
}
