//! Pull requests: opening, listing, changing, reviewing, merging.

use github_sim::Rule;
use serde_json::{Value, json};

use crate::lab::Lab;

const PULLS: &str = "/repos/acme/site/pulls";

fn body() -> Value {
    json!({"title": "Promote", "head": "staging", "base": "main", "body": "Why"})
}

fn first_error(reply: &crate::lab::Reply) -> &Value {
    assert_eq!((reply.status, reply.message()), (422, "Validation Failed"), "{}", reply.text);
    &reply.body["errors"][0]
}

#[tokio::test]
async fn a_pull_request_is_opened_once_and_listed() {
    let lab = Lab::new().await;
    let token = lab.token().await;
    let nothing = lab.post(PULLS, &token, body()).await;
    assert_eq!(first_error(&nothing)["message"], "No commits between main and staging");
    let head = lab.sim.commit("acme/site", "staging", &[("new.txt", "a\n")]);
    let made = lab.post(PULLS, &token, body()).await.expect(201);
    assert_eq!(made.body["number"], 1);
    assert_eq!(made.body["head"]["sha"], head);
    assert_eq!(made.body["head"]["label"], "acme:staging");
    assert_eq!(
        (&made.body["mergeable"], &made.body["mergeable_state"]),
        (&json!(null), &json!("unknown"))
    );
    assert_eq!((&made.body["commits"], &made.body["additions"]), (&json!(1), &json!(1)));
    assert_eq!(made.body["user"]["login"], "broker[bot]");
    let again = lab.post(PULLS, &token, body()).await;
    assert_eq!(first_error(&again)["message"], "A pull request already exists for acme:staging.");
    let list = async |query: &str| {
        let reply = lab.get(&format!("{PULLS}?{query}"), &token).await.expect(200);
        reply.body.as_array().unwrap().len()
    };
    assert_eq!(list("head=acme:staging&base=main").await, 1);
    assert_eq!(list("head=acme:other").await, 0);
    assert_eq!(list("head=other").await, 1, "without an owner the filter is ignored");
    assert_eq!(list("base=staging").await, 0);
    assert_eq!(list("state=closed").await, 0);
    let head = lab.sim.move_head("acme/site", "staging");
    let got = lab.get(&format!("{PULLS}/1"), &token).await.expect(200);
    assert_eq!(
        (&got.body["mergeable"], &got.body["mergeable_state"]),
        (&json!(true), &json!("clean"))
    );
    assert_eq!(got.body["head"]["sha"], head);
    assert_eq!(got.body["commits"], 2);
    let files = lab.get(&format!("{PULLS}/1/files"), &token).await.expect(200);
    assert_eq!(files.body.as_array().unwrap().len(), 2);
    assert_eq!(lab.sim.pulls("acme/site").len(), 1);
    lab.sim.finish();
}

#[tokio::test]
async fn what_cannot_be_opened_is_named() {
    let lab = Lab::new().await;
    let token = lab.token().await;
    lab.sim.move_head("acme/site", "staging");
    let with = |name: &str, value: Value| {
        let mut body = body();
        body[name] = value;
        lab.post(PULLS, &token, body)
    };
    let wrong = json!({"resource": "PullRequest", "field": "base", "code": "invalid"});
    assert_eq!(*first_error(&with("base", json!("gone")).await), wrong);
    assert_eq!(first_error(&with("head", json!("gone")).await)["field"], "head");
    assert_eq!(first_error(&with("head", json!("other:staging")).await)["field"], "head");
    let long = with("body", json!("x".repeat(65_537))).await;
    assert!(first_error(&long)["message"].as_str().unwrap().contains("65536"));
    with("body", json!("x".repeat(65_536))).await.expect(201);
    let reader = lab.token_with(json!({"contents": "write"})).await;
    lab.post(PULLS, &reader, body()).await.refused(403, "Resource not accessible by integration");
    lab.get(PULLS, &reader).await.expect(403);
    lab.sim.finish();
}

#[tokio::test]
async fn drafts_may_be_unsupported() {
    let mut seed = crate::lab::seed();
    seed.repositories[0].allow_draft = false;
    let lab = Lab::with(seed).await;
    let token = lab.token().await;
    lab.sim.move_head("acme/site", "staging");
    let mut body = body();
    body["draft"] = json!(true);
    let reply = lab.post(PULLS, &token, body).await;
    let text = "Draft pull requests are not supported in this repository.";
    assert_eq!(first_error(&reply)["message"], text);
    lab.sim.finish();
}

#[tokio::test]
async fn a_pull_request_is_changed_closed_and_opened_again() {
    let lab = Lab::new().await;
    let token = lab.token().await;
    lab.sim.move_head("acme/site", "staging");
    lab.post(PULLS, &token, body()).await.expect(201);
    let one = format!("{PULLS}/1");
    let changed = lab.patch(&one, &token, json!({"title": "New", "body": null})).await.expect(200);
    assert_eq!((&changed.body["title"], &changed.body["body"]), (&json!("New"), &Value::Null));
    let closed = lab.patch(&one, &token, json!({"state": "closed"})).await.expect(200);
    assert_eq!(closed.body["state"], "closed");
    assert!(closed.body["closed_at"].is_string());
    lab.patch(&one, &token, json!({"state": "open"})).await.expect(200);
    lab.patch(&one, &token, json!({"state": "gone"})).await.expect(422);
    lab.patch(&format!("{PULLS}/9"), &token, json!({"title": "x"})).await.expect(404);
    lab.sim.finish();
}

#[tokio::test]
async fn a_pull_request_can_go_elsewhere() {
    let lab = Lab::new().await;
    let token = lab.token().await;
    lab.sim.commit("acme/site", "staging", &[("models/a.sql", "select 3\n")]);
    lab.sim.commit("acme/site", "release", &[("RELEASE.md", "1\n")]);
    let to_release = json!({"title": "T", "head": "staging", "base": "release"});
    lab.post(PULLS, &token, to_release).await.expect(201);
    let one = format!("{PULLS}/1");
    let to = async |base: &str| lab.patch(&one, &token, json!({"base": base})).await;
    assert_eq!(first_error(&to("gone").await)["field"], "base");
    assert_eq!(
        first_error(&to("staging").await)["message"],
        "There are no new commits between base branch 'staging' and head branch 'staging'"
    );
    let moved = to("main").await.expect(200);
    assert_eq!(
        (&moved.body["base"]["ref"], &moved.body["mergeable"]),
        (&json!("main"), &json!(null))
    );
    lab.post(PULLS, &token, json!({"title": "U", "head": "staging", "base": "release"}))
        .await
        .expect(201);
    assert_eq!(
        first_error(&to("release").await)["message"],
        "A pull request already exists for base branch 'release' and head branch 'staging'"
    );
    lab.patch(&one, &token, json!({"state": "closed"})).await.expect(200);
    assert_eq!(
        first_error(&to("release").await)["message"],
        "Cannot change the base branch of a closed pull request."
    );
    lab.sim.finish();
}

#[tokio::test]
async fn a_merge_makes_a_signed_commit_past_the_pull_request_rule() {
    let lab = Lab::new().await;
    let token = lab.token().await;
    let rules = [Rule::PullRequest, Rule::Creation, Rule::NonFastForward];
    lab.sim.add_ruleset("acme/site", "main", &rules);
    lab.sim.commit("acme/site", "staging", &[("new.txt", "a\n")]);
    lab.sim.move_head("acme/site", "main");
    lab.post(PULLS, &token, body()).await.expect(201);
    let made = lab.get(&format!("{PULLS}/1"), &token).await.expect(200);
    assert_eq!(made.body["mergeable_state"], "clean");
    let merge = format!("{PULLS}/1/merge");
    lab.get(&merge, &token).await.expect(404);
    lab.put(&merge, &token, json!({"sha": "0".repeat(40)})).await.expect(409);
    lab.put(&merge, &token, json!({"merge_method": "rebase"})).await.expect(405);
    let merged = lab.put(&merge, &token, json!({})).await.expect(200);
    let head = lab.sim.head("acme/site", "main").unwrap();
    assert_eq!(merged.body["sha"], head);
    lab.get(&merge, &token).await.expect(204);
    let pull = lab.get(&format!("{PULLS}/1"), &token).await.expect(200);
    assert_eq!((&pull.body["merged"], &pull.body["state"]), (&json!(true), &json!("closed")));
    let commit = lab.get(&format!("/repos/acme/site/commits/{head}"), &token).await.expect(200);
    assert_eq!(commit.body["parents"].as_array().unwrap().len(), 2);
    assert_eq!(commit.body["commit"]["verification"]["verified"], true);
    lab.put(&merge, &token, json!({})).await.refused(405, "Pull Request is not mergeable");
    lab.sim.finish();
}

#[tokio::test]
async fn a_conflict_is_not_mergeable_and_a_missing_check_blocks() {
    let lab = Lab::new().await;
    let token = lab.token().await;
    lab.sim.commit("acme/site", "staging", &[("models/a.sql", "select 3\n")]);
    lab.post(PULLS, &token, body()).await.expect(201);
    lab.sim.add_ruleset("acme/site", "main", &[Rule::RequiredStatusChecks(vec!["ci".to_owned()])]);
    let pull = lab.get(&format!("{PULLS}/1"), &token).await.expect(200);
    assert_eq!(pull.body["mergeable_state"], "blocked");
    let refused = lab.put(&format!("{PULLS}/1/merge"), &token, json!({})).await.expect(405);
    assert!(refused.message().contains("Required status check \"ci\" is expected."));
    lab.sim.commit("acme/site", "main", &[("models/a.sql", "select 4\n")]);
    let pull = lab.get(&format!("{PULLS}/1"), &token).await.expect(200);
    assert_eq!(
        (&pull.body["mergeable"], &pull.body["mergeable_state"]),
        (&json!(false), &json!("dirty"))
    );
    lab.put(&format!("{PULLS}/1/merge"), &token, json!({}))
        .await
        .refused(405, "Pull Request is not mergeable");
    lab.sim.finish();
}

#[tokio::test]
async fn reviews_are_asked_of_collaborators_only() {
    let lab = Lab::new().await;
    let token = lab.token().await;
    lab.sim.move_head("acme/site", "staging");
    lab.post(PULLS, &token, body()).await.expect(201);
    let path = format!("{PULLS}/1/requested_reviewers");
    let stranger = lab.post(&path, &token, json!({"reviewers": ["stranger"]})).await.expect(422);
    assert!(stranger.message().starts_with("Reviews may only be requested from collaborators."));
    let asked = lab.post(&path, &token, json!({"reviewers": ["mona"]})).await.expect(201);
    assert_eq!(asked.body["requested_reviewers"][0]["login"], "mona");
    let review = json!({"event": "APPROVE", "body": "ok"});
    lab.post(&format!("{PULLS}/1/reviews"), "ghp_mona", review.clone()).await.expect(200);
    lab.post(&format!("{PULLS}/1/reviews"), &token, review).await.expect(422);
    let reviews = lab.get(&format!("{PULLS}/1/reviews"), &token).await.expect(200);
    assert_eq!(reviews.body[0]["state"], "APPROVED");
    let left = lab.get(&path, &token).await.expect(200);
    assert_eq!(left.body["users"], json!([]));
    lab.sim.finish();
}

#[tokio::test]
async fn a_pull_request_follows_its_branches() {
    let lab = Lab::new().await;
    let token = lab.token().await;
    let head = lab.sim.move_head("acme/site", "staging");
    lab.post(PULLS, &token, body()).await.expect(201);
    let update = json!({"sha": head});
    lab.patch("/repos/acme/site/git/refs/heads/main", &token, update).await.expect(200);
    let pull = lab.get(&format!("{PULLS}/1"), &token).await.expect(200);
    assert_eq!(pull.body["merged"], true);
    lab.sim.move_head("acme/site", "staging");
    lab.post(PULLS, &token, body()).await.expect(201);
    lab.delete("/repos/acme/site/git/refs/heads/staging", &token).await.expect(204);
    let pull = lab.get(&format!("{PULLS}/2"), &token).await.expect(200);
    assert_eq!((&pull.body["state"], &pull.body["merged"]), (&json!("closed"), &json!(false)));
    lab.sim.finish();
}
