//! Webhooks: what is sent, to whom, and how it is remembered.

use std::sync::{Arc, Mutex};

use aws_lc_rs::hmac;
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use bytes::Bytes;
use github_sim::Level;
use github_sim::seed::{Installation, Repository, Selection};
use serde_json::{Value, json};

use crate::lab::{APP, INSTALLATION, Lab, SITE, seed};

const SECRET: &str = "It's a Secret to Everybody";

/// One delivery as the receiver got it.
#[derive(Clone)]
struct Got {
    headers: HeaderMap,
    raw: Bytes,
    body: Value,
}

impl Got {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    fn what(&self) -> (&str, &str) {
        (self.header("x-github-event"), self.body["action"].as_str().unwrap())
    }
}

/// A server that takes deliveries.
#[derive(Clone, Default)]
struct Receiver {
    got: Arc<Mutex<Vec<Got>>>,
    status: Arc<Mutex<StatusCode>>,
}

impl Receiver {
    async fn at(lab: &Lab) -> Self {
        let receiver = Self::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let router = Router::new().route("/hook", post(take)).with_state(receiver.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        lab.sim.set_webhook(APP, &url, SECRET);
        receiver
    }

    /// What came since the last time, by event and action, as deliveries may overtake each other.
    async fn take(&self, lab: &Lab) -> Vec<Got> {
        lab.sim.settled().await;
        let mut got = std::mem::take(&mut *self.got.lock().unwrap());
        got.sort_by(|a, b| a.what().cmp(&b.what()));
        got
    }

    /// The only delivery since the last time.
    async fn one(&self, lab: &Lab, event: &str, action: &str) -> Value {
        let mut got = self.take(lab).await;
        assert_eq!(got.iter().map(Got::what).collect::<Vec<_>>(), [(event, action)]);
        got.remove(0).body
    }
}

async fn take(State(receiver): State<Receiver>, headers: HeaderMap, raw: Bytes) -> StatusCode {
    let body = serde_json::from_slice(&raw).unwrap();
    receiver.got.lock().unwrap().push(Got { headers, raw, body });
    *receiver.status.lock().unwrap()
}

fn names(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|r| r["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_delivery_has_the_documented_headers_and_a_signature_over_its_bytes() {
    let lab = Lab::new().await;
    let receiver = Receiver::at(&lab).await;
    lab.sim.suspend(INSTALLATION);
    let got = receiver.take(&lab).await.remove(0);
    assert_eq!(got.what(), ("installation", "suspend"));
    assert_eq!(got.header("content-type"), "application/json");
    assert!(got.header("user-agent").starts_with("GitHub-Hookshot/"));
    assert_eq!(got.header("x-github-hook-installation-target-type"), "integration");
    assert_eq!(got.header("x-github-hook-installation-target-id"), APP.to_string());
    assert!(!got.header("x-github-hook-id").is_empty());
    assert_eq!(got.header("x-github-delivery").len(), 36);
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    let hex: String =
        hmac::sign(&key, &got.raw).as_ref().iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!(got.header("x-hub-signature-256"), format!("sha256={hex}"));
    assert_eq!(got.body["sender"]["login"], "mona");
    assert_eq!(got.body["installation"]["suspended_by"]["login"], "mona");
    assert_eq!(got.body["installation"]["suspended_at"], "2026-01-15T12:00:00Z");
    assert!(got.body.get("repositories").is_none());
    lab.sim.finish();
}

#[tokio::test]
async fn the_life_of_an_installation_is_told() {
    let mut seed = seed();
    seed.installations.clear();
    let lab = Lab::with(seed).await;
    let receiver = Receiver::at(&lab).await;
    let id = lab.sim.install(APP, "acme", Some(&["site"]), "mona");
    let body = receiver.one(&lab, "installation", "created").await;
    assert_eq!(body["installation"]["id"], id);
    assert_eq!(body["installation"]["account"]["login"], "acme");
    assert_eq!(body["installation"]["created_at"], 1_768_478_400);
    assert_eq!((names(&body["repositories"]), &body["requester"]), (vec!["site"], &Value::Null));
    lab.sim.set_repositories(id, &["other"]);
    let got = receiver.take(&lab).await;
    assert_eq!(
        got.iter().map(Got::what).collect::<Vec<_>>(),
        [("installation_repositories", "added"), ("installation_repositories", "removed")]
    );
    assert_eq!(names(&got[0].body["repositories_added"]), ["other"]);
    assert_eq!(names(&got[1].body["repositories_removed"]), ["site"]);
    assert_eq!(got[1].body["repository_selection"], "selected");
    lab.sim.set_installation_permissions(id, [("contents", Level::Read)]);
    let body = receiver.one(&lab, "installation", "new_permissions_accepted").await;
    assert_eq!(body["installation"]["permissions"], json!({"contents": "read"}));
    lab.sim.suspend(id);
    receiver.one(&lab, "installation", "suspend").await;
    lab.sim.suspend(id);
    lab.sim.rename_repository("acme/other", "others");
    assert!(receiver.take(&lab).await.is_empty(), "a suspended App hears nothing");
    lab.sim.unsuspend(id);
    let body = receiver.one(&lab, "installation", "unsuspend").await;
    assert_eq!(body["installation"]["suspended_at"], Value::Null);
    lab.sim.uninstall(id);
    let body = receiver.one(&lab, "installation", "deleted").await;
    assert_eq!(names(&body["repositories"]), ["others"]);
    lab.sim.finish();
}

#[tokio::test]
async fn what_happens_to_a_repository_is_told_to_those_who_cover_it() {
    let mut seed = seed();
    seed.installations.push(Installation {
        app_id: APP,
        account: "mona".to_owned(),
        repository_selection: Selection::Selected,
        ..Installation::default()
    });
    let private =
        Repository { owner: "mona".to_owned(), name: "own".to_owned(), ..Repository::default() };
    seed.repositories.push(private);
    let lab = Lab::with(seed).await;
    let receiver = Receiver::at(&lab).await;
    lab.sim.rename_repository("mona/own", "mine");
    assert!(receiver.take(&lab).await.is_empty(), "it is not among the selected ones");
    lab.sim.rename_repository("acme/site", "portal");
    let body = receiver.one(&lab, "repository", "renamed").await;
    assert_eq!(body["changes"]["repository"]["name"]["from"], "site");
    assert_eq!(
        (&body["repository"]["id"], &body["repository"]["name"]),
        (&json!(SITE), &json!("portal"))
    );
    assert_eq!(body["installation"]["id"], INSTALLATION);
    assert_eq!(body["organization"]["login"], "acme");
    lab.sim.archive("acme/portal", true);
    receiver.one(&lab, "repository", "archived").await;
    lab.sim.unarchive("acme/portal");
    receiver.one(&lab, "repository", "unarchived").await;
    lab.sim.transfer_repository("mona/mine", "acme", "mine");
    let got = receiver.take(&lab).await;
    assert_eq!(
        got.iter().map(Got::what).collect::<Vec<_>>(),
        [("installation_repositories", "added"), ("repository", "transferred")]
    );
    assert_eq!(got[1].body["changes"]["owner"]["from"]["user"]["login"], "mona");
    lab.sim.delete_repository("acme/mine");
    let got = receiver.take(&lab).await;
    assert_eq!(
        got.iter().map(Got::what).collect::<Vec<_>>(),
        [("installation_repositories", "removed"), ("repository", "deleted")]
    );
    lab.sim.finish();
}

#[tokio::test]
async fn an_account_renamed_and_an_authorization_revoked_are_told() {
    let lab = Lab::new().await;
    let receiver = Receiver::at(&lab).await;
    lab.sim.rename_account("acme", "acme-corp");
    let body = receiver.one(&lab, "installation_target", "renamed").await;
    assert_eq!(body["changes"]["login"]["from"], "acme");
    assert_eq!(
        (&body["account"]["login"], &body["target_type"]),
        (&json!("acme-corp"), &json!("Organization"))
    );
    let token = lab.token().await;
    let moved = lab.get("/repos/acme/site", &token).await.expect(301);
    assert!(moved.header("location").ends_with(&format!("/repositories/{SITE}")));
    let user = lab.sim.user_token(APP, "mona");
    lab.sim.revoke_authorization(APP, "mona");
    let body = receiver.one(&lab, "github_app_authorization", "revoked").await;
    assert_eq!(body["sender"]["login"], "mona");
    lab.get("/user", &user).await.refused(401, "Bad credentials");
    lab.sim.finish();
}

#[tokio::test]
async fn a_failed_delivery_is_tried_again_only_on_demand_with_the_same_guid() {
    let lab = Lab::new().await;
    let receiver = Receiver::at(&lab).await;
    *receiver.status.lock().unwrap() = StatusCode::SERVICE_UNAVAILABLE;
    lab.sim.suspend(INSTALLATION);
    let first = receiver.take(&lab).await.remove(0);
    let failed = lab.sim.deliveries().remove(0);
    assert_eq!((failed.status, failed.outcome.as_str()), (Some(503), "Invalid HTTP Response: 503"));
    assert_eq!(
        (failed.event.as_str(), failed.action.as_deref()),
        ("installation", Some("suspend"))
    );
    *receiver.status.lock().unwrap() = StatusCode::ACCEPTED;
    let again = lab.sim.redeliver(failed.id);
    let second = receiver.take(&lab).await.remove(0);
    assert_eq!(second.header("x-github-delivery"), first.header("x-github-delivery"));
    assert_eq!(second.raw, first.raw);
    let listed = lab.get("/app/hook/deliveries?per_page=1", &lab.jwt()).await.expect(200);
    assert_eq!(listed.body[0]["id"], again);
    assert_eq!(
        (&listed.body[0]["redelivery"], &listed.body[0]["status_code"]),
        (&json!(true), &json!(202))
    );
    let next = listed.header("link").split(['<', '>']).nth(1).unwrap().to_owned();
    let listed = lab.get(&next, &lab.jwt()).await.expect(200);
    assert_eq!(listed.body[0]["id"], failed.id);
    let path = format!("/app/hook/deliveries/{}/attempts", failed.id);
    lab.post(&path, &lab.jwt(), json!({})).await.expect(202);
    assert_eq!(receiver.take(&lab).await.len(), 1);
    lab.sim.set_webhook(APP, "http://127.0.0.1:1/hook", "");
    lab.sim.unsuspend(INSTALLATION);
    lab.sim.settled().await;
    let last = lab.sim.deliveries().pop().unwrap();
    assert_eq!((last.status, last.outcome.as_str()), (None, "failed to connect to host"));
    lab.sim.finish();
}

#[tokio::test]
async fn what_the_api_and_members_do_is_told_with_who_did_it() {
    let lab = Lab::new().await;
    let receiver = Receiver::at(&lab).await;
    let token = lab.token().await;
    lab.post("/orgs/acme/repos", &token, json!({"name": "made"})).await.expect(201);
    let got = receiver.take(&lab).await;
    assert_eq!(
        got.iter().map(Got::what).collect::<Vec<_>>(),
        [("installation_repositories", "added"), ("repository", "created")]
    );
    assert_eq!(got[0].body["repository_selection"], "all");
    assert_eq!(got[1].body["sender"]["login"], "broker[bot]");
    lab.delete(&format!("/app/installations/{INSTALLATION}"), &lab.jwt()).await.expect(204);
    let body = receiver.one(&lab, "installation", "deleted").await;
    assert_eq!(body["sender"]["type"], "Bot");
    let request = lab.sim.request_installation(APP, "acme", Some(&["site"]), "hubot");
    assert!(receiver.take(&lab).await.is_empty(), "nobody has agreed yet");
    let id = lab.sim.approve_request(request, "mona");
    let body = receiver.one(&lab, "installation", "created").await;
    assert_eq!(
        (&body["installation"]["id"], names(&body["repositories"])),
        (&json!(id), vec!["site"])
    );
    assert_eq!(
        (&body["requester"]["login"], &body["sender"]["login"]),
        (&json!("hubot"), &json!("mona"))
    );
    lab.sim.finish();
}
