//! Personal access tokens, classic and fine-grained.

use std::time::Duration;

use github_sim::Level;
use github_sim::seed::{Pat, PatKind, PatPolicy};
use serde_json::json;

use crate::lab::{Lab, permissions, seed};

#[tokio::test]
async fn a_classic_token_shows_its_scopes_and_acts_in_its_owners_role() {
    let mut seed = seed();
    for (token, owner, scopes) in
        [("ghp_none", "mona", vec![]), ("ghp_hubot", "hubot", vec!["repo"])]
    {
        seed.pats.push(Pat {
            token: Some(token.to_owned()),
            owner: owner.to_owned(),
            scopes: scopes.into_iter().map(str::to_owned).collect(),
            ..Pat::default()
        });
    }
    let lab = Lab::with(seed).await;
    let user = lab.get("/user", "ghp_mona").await.expect(200);
    assert_eq!((user.header("x-oauth-scopes"), &user.body["login"]), ("repo", &json!("mona")));
    let repo = lab.get("/repos/acme/site", "ghp_mona").await.expect(200);
    assert_eq!(repo.header("x-accepted-oauth-scopes"), "repo");
    lab.get("/repos/acme/site", "ghp_none").await.refused(404, "Not Found");
    let blob = json!({"content": "x"});
    lab.get("/repos/acme/site", "ghp_hubot").await.expect(200);
    lab.post("/repos/acme/site/git/blobs", "ghp_hubot", blob.clone())
        .await
        .refused(403, "Resource not accessible by personal access token");
    lab.post("/repos/acme/site/git/blobs", "ghp_mona", blob).await.expect(201);
    lab.sim.revoke_pat("ghp_mona");
    lab.get("/user", "ghp_mona").await.refused(401, "Bad credentials");
    lab.sim.finish();
}

#[tokio::test]
async fn a_fine_grained_token_reaches_what_it_was_given() {
    let mut seed = seed();
    let now = time::OffsetDateTime::from_unix_timestamp(1_768_478_400).unwrap();
    seed.pats.push(Pat {
        token: Some("github_pat_short".to_owned()),
        owner: "mona".to_owned(),
        kind: PatKind::FineGrained,
        resource_owner: Some("acme".to_owned()),
        permissions: permissions(&[("contents", Level::Write)]),
        expires_at: Some(now + Duration::from_secs(60)),
        ..Pat::default()
    });
    let lab = Lab::with(seed).await;
    let mona = "github_pat_mona";
    let branches = lab.get("/repos/acme/site/branches", mona).await.expect(200);
    assert_eq!(branches.header("x-accepted-github-permissions"), "contents=read");
    assert_eq!(branches.header("x-oauth-scopes"), "");
    lab.get("/repos/acme/other", mona).await.refused(404, "Not Found");
    lab.get("/repos/acme/site/pulls", mona)
        .await
        .refused(403, "Resource not accessible by personal access token");
    let short = lab.get("/repos/acme/other", "github_pat_short").await.expect(200);
    assert_eq!(short.header("github-authentication-token-expiration"), "2026-01-15 12:01:00 UTC");
    lab.sim.advance(Duration::from_secs(60));
    lab.get("/repos/acme/other", "github_pat_short").await.refused(401, "Bad credentials");
    lab.sim.finish();
}

#[tokio::test]
async fn an_organization_may_demand_sso_or_forbid_a_kind() {
    let mut seed = seed();
    seed.orgs[0].saml_sso = true;
    let mut authorized = seed.pats[0].clone();
    authorized.token = Some("ghp_authorized".to_owned());
    authorized.sso_authorized = true;
    seed.pats.push(authorized);
    let lab = Lab::with(seed.clone()).await;
    let reply = lab.get("/repos/acme/site", "ghp_mona").await.expect(403);
    assert!(reply.message().starts_with("Resource protected by organization SAML enforcement"));
    assert!(reply.header("x-github-sso").starts_with("required; url=http"));
    lab.get("/repos/acme/site", "ghp_authorized").await.expect(200);
    lab.sim.finish();
    seed.orgs[0].saml_sso = false;
    seed.orgs[0].pat_policy = PatPolicy::ForbidClassic;
    let lab = Lab::with(seed).await;
    let reply = lab.get("/repos/acme/site", "ghp_mona").await.expect(403);
    assert!(reply.message().contains("forbids access via a personal access token (classic)"));
    lab.get("/repos/acme/site", "github_pat_mona").await.expect(200);
    lab.sim.finish();
}

#[tokio::test]
async fn leaked_tokens_are_revoked_by_anybody() {
    let lab = Lab::new().await;
    let token = lab.token().await;
    let body = json!({"credentials": ["ghp_mona", "github_pat_mona", token, "ghp_unknown"]});
    lab.post("/credentials/revoke", "", body).await.expect(202);
    lab.get("/user", "ghp_mona").await.expect(401);
    lab.get("/user", "github_pat_mona").await.expect(401);
    assert!(lab.sim.accepts(&token), "ghs_ tokens are not revoked here");
    lab.post("/credentials/revoke", "", json!({"credentials": []})).await.expect(422);
    lab.sim.finish();
}
