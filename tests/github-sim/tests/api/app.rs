//! The App's JWT, installations and their tokens.

use std::time::Duration;

use github_sim::seed::{App, Installation, Selection};
use github_sim::{Level, ReplicationLag, TokenFormat};
use serde_json::json;

use crate::lab::{APP, INSTALLATION, Lab, SITE, jwt_of, public_pem, seed};

const MINT: &str = "/app/installations/200/access_tokens";

#[tokio::test]
async fn a_jwt_is_taken_by_app_id_and_by_client_id_only_as_github_takes_it() {
    let lab = Lab::new().await;
    let now = lab.sim.clock().seconds();
    let rs256 = json!({"alg": "RS256", "typ": "JWT"});
    let good = json!({"iss": "Iv1.client", "iat": now - 60, "exp": now + 600});
    lab.get("/app", &jwt_of(&rs256, &good)).await.expect(200);
    let with = |change: serde_json::Value| {
        let mut claims = good.clone();
        claims.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        jwt_of(&rs256, &claims)
    };
    lab.get("/app", &with(json!({"iss": APP}))).await.expect(200);
    let too_far = "'Expiration time' claim ('exp') is too far in the future";
    lab.get("/app", &with(json!({"exp": now + 601}))).await.refused(401, too_far);
    let not_issued = "'Issued at' claim ('iat') must be an Integer representing the time that the \
                      assertion was issued";
    lab.get("/app", &with(json!({"iat": now + 61}))).await.refused(401, not_issued);
    lab.get("/app", &with(json!({"iat": now as f64 - 0.5}))).await.refused(401, not_issued);
    lab.get("/app", &with(json!({"exp": now - 1}))).await.expect(401);
    lab.get("/app", &with(json!({"iss": "nobody"}))).await.refused(404, "Integration not found");
    let undecodable = "A JSON web token could not be decoded";
    for alg in ["none", "HS256"] {
        let forged = jwt_of(&json!({"alg": alg}), &good);
        lab.get("/app", &forged).await.refused(401, undecodable);
    }
    let mut torn = jwt_of(&rs256, &good);
    torn.truncate(torn.len() - 8);
    lab.get("/app", &torn).await.refused(401, undecodable);
    lab.sim.finish();
}

#[tokio::test]
async fn any_of_an_apps_keys_signs_and_one_without_keys_is_told_so() {
    let mut seed = seed();
    seed.apps[0].public_key_pem.clear();
    let lab = Lab::with(seed).await;
    lab.get("/app", &lab.jwt()).await.refused(401, "Integration must generate a public key");
}

#[tokio::test]
async fn a_token_is_narrowed_to_repositories_and_permissions_and_lives_an_hour() {
    let lab = Lab::new().await;
    let reply = lab
        .mint(json!({"repository_ids": [SITE], "permissions": {"contents": "read"}}))
        .await
        .expect(201);
    assert_eq!(reply.body["expires_at"], "2026-01-15T13:00:00Z");
    assert_eq!(reply.body["permissions"], json!({"contents": "read", "metadata": "read"}));
    assert_eq!(reply.body["repository_selection"], "selected");
    assert_eq!(reply.body["repositories"][0]["full_name"], "acme/site");
    let token = reply.body["token"].as_str().unwrap();
    assert!(token.starts_with("ghs_100_") && (480..=560).contains(&token.len()), "{token}");
    lab.get("/repos/acme/site", token).await.expect(200);
    lab.get("/repos/acme/other", token).await.refused(404, "Not Found");
    let seen = lab.get("/installation/repositories", token).await.expect(200);
    assert_eq!(seen.body["total_count"], 1);
    let write = json!({"ref": "refs/heads/x", "sha": lab.sim.head("acme/site", "main")});
    lab.post("/repos/acme/site/git/refs", token, write)
        .await
        .refused(403, "Resource not accessible by integration");
    lab.sim.advance(Duration::from_secs(3600));
    lab.get("/repos/acme/site", token).await.refused(401, "Bad credentials");
    lab.sim.finish();
}

#[tokio::test]
async fn minting_is_refused_in_githubs_words() {
    let lab = Lab::new().await;
    lab.mint(json!({"permissions": {"secrets": "read"}}))
        .await
        .refused(422, "The permissions requested are not granted to this installation.");
    lab.mint(json!({"permissions": {"contents": "admin"}})).await.expect(422);
    lab.mint(json!({"permissions": {"workflows": "read"}})).await.expect(422);
    lab.mint(json!({"permissions": {"nonsense": "read"}})).await.expect(422);
    lab.mint(json!({"repositories": ["missing"]})).await.refused(
        422,
        "There is at least one repository that does not exist or is not accessible to the parent \
         installation.",
    );
    lab.mint(json!({"repository_ids": (0..501).collect::<Vec<u64>>()})).await.expect(422);
    lab.mint(json!({"repository_ids": ["x"]})).await.expect(422);
    lab.mint(json!([])).await.refused(400, "Body should be a JSON object");
    lab.sim.suspend(INSTALLATION);
    lab.mint(json!({})).await.refused(403, "This installation has been suspended");
    lab.sim.unsuspend(INSTALLATION);
    let token = lab.token().await;
    lab.sim.uninstall(INSTALLATION);
    lab.mint(json!({})).await.refused(404, "Not Found");
    lab.get("/repos/acme/site", &token).await.refused(401, "Bad credentials");
    lab.sim.finish();
}

#[tokio::test]
async fn another_apps_installation_does_not_exist() {
    let mut seed = seed();
    seed.apps.push(App {
        id: Some(101),
        slug: "rival".to_owned(),
        owner: "acme".to_owned(),
        public_key_pem: vec![public_pem()],
        ..App::default()
    });
    seed.installations.push(Installation {
        id: Some(201),
        app_id: 101,
        account: "acme".to_owned(),
        repository_selection: Selection::Selected,
        repositories: vec!["other".to_owned()],
        ..Installation::default()
    });
    let lab = Lab::with(seed).await;
    lab.get("/app/installations/200", &lab.jwt()).await.expect(200);
    lab.get("/app/installations/201", &lab.jwt()).await.refused(404, "Not Found");
    let path = "/app/installations/201/access_tokens";
    lab.post(path, &lab.jwt(), json!({})).await.refused(404, "Not Found");
    let own = lab.get("/repos/acme/other/installation", &lab.jwt()).await.expect(200);
    assert_eq!(own.body["id"], INSTALLATION);
    let listed = lab.get("/app/installations", &lab.jwt()).await.expect(200);
    assert_eq!(listed.body.as_array().unwrap().len(), 1);
    lab.sim.finish();
}

#[tokio::test]
async fn an_installation_is_read_by_account_suspended_and_deleted() {
    let lab = Lab::new().await;
    let jwt = lab.jwt();
    let found = lab.get("/orgs/acme/installation", &jwt).await.expect(200);
    assert_eq!(found.body["account"]["login"], "acme");
    assert_eq!(found.body["suspended_at"], json!(null));
    lab.get("/users/mona/installation", &jwt).await.expect(404);
    let token = lab.token().await;
    lab.put("/app/installations/200/suspended", &jwt, json!({})).await.expect(204);
    lab.get("/repos/acme/site", &token).await.refused(403, "This installation has been suspended");
    lab.delete("/app/installations/200/suspended", &jwt).await.expect(204);
    lab.get("/repos/acme/site", &token).await.expect(200);
    lab.delete("/app/installations/200", &jwt).await.expect(204);
    lab.get("/app/installations/200", &jwt).await.expect(404);
    lab.sim.finish();
}

#[tokio::test]
async fn a_token_can_be_revoked_by_itself_and_comes_in_both_formats() {
    let lab = Lab::new().await;
    lab.sim.set_token_format(TokenFormat::Classic);
    let token = lab.token().await;
    assert_eq!(token.len(), 40);
    lab.delete("/installation/token", &token).await.expect(204);
    lab.get("/installation/repositories", &token).await.refused(401, "Bad credentials");
    let jwt = lab.jwt();
    lab.get("/installation/repositories", &jwt).await.expect(403);
    assert_eq!(lab.sim.live_installation_tokens(), 0);
    lab.sim.finish();
}

#[tokio::test]
async fn a_fresh_token_is_refused_while_it_spreads() {
    let lab = Lab::new().await;
    lab.sim.set_replication_lag(ReplicationLag::Uses(2));
    let token = lab.token().await;
    lab.get("/repos/acme/site", &token).await.refused(401, "Bad credentials");
    lab.get("/repos/acme/site", &token).await.refused(401, "Bad credentials");
    lab.get("/repos/acme/site", &token).await.expect(200);
    lab.sim.set_replication_lag(ReplicationLag::Seconds(5));
    let token = lab.token().await;
    lab.get("/repos/acme/site", &token).await.refused(401, "Bad credentials");
    lab.sim.advance(Duration::from_secs(5));
    lab.get("/repos/acme/site", &token).await.expect(200);
    lab.sim.finish();
}

#[tokio::test]
async fn githubs_clock_can_be_ahead() {
    let lab = Lab::new().await;
    lab.sim.set_date_skew(900);
    let reply = lab.get("/app", &lab.jwt()).await.expect(401);
    assert_eq!(reply.header("date"), "Thu, 15 Jan 2026 12:15:00 GMT");
    lab.sim.set_date_skew(-900);
    lab.post(MINT, &lab.jwt(), json!({})).await.expect(401);
    lab.sim.finish();
}

#[tokio::test]
async fn permissions_granted_later_reach_only_new_tokens() {
    let lab = Lab::new().await;
    let old = lab.token().await;
    lab.sim.set_installation_permissions(INSTALLATION, [("contents", Level::Read)]);
    let new = lab.token().await;
    let body = json!({"content": "x", "encoding": "utf-8"});
    lab.post("/repos/acme/site/git/blobs", &old, body.clone()).await.expect(201);
    lab.post("/repos/acme/site/git/blobs", &new, body).await.expect(403);
    lab.sim.finish();
}
