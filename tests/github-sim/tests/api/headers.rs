//! What every request must bring, and what every answer carries.

use github_sim::seed::Repository;
use serde_json::json;

use crate::lab::{Lab, reply, seed};

#[tokio::test]
async fn a_request_without_a_user_agent_is_forbidden_in_plain_text() {
    let lab = Lab::new().await;
    let bare = reqwest::Client::new();
    let answer = reply(bare.get(format!("{}/zen", lab.sim.api_url()))).await.expect(403);
    assert!(answer.text.contains("make sure your request has a User-Agent header"));
    lab.sim.finish();
}

#[tokio::test]
async fn answers_carry_githubs_headers() {
    let lab = Lab::new().await;
    let token = lab.token().await;
    let first = lab.get("/repos/acme/site", &token).await.expect(200);
    assert_eq!(first.header("x-github-request-id").len(), 24);
    assert_eq!(first.header("date"), "Thu, 15 Jan 2026 12:00:00 GMT");
    assert_eq!(first.header("x-github-media-type"), "github.v3; format=json");
    assert_eq!(first.header("x-ratelimit-limit"), "5000");
    assert_eq!(first.header("x-ratelimit-resource"), "core");
    assert_eq!(first.header("x-accepted-github-permissions"), "metadata=read");
    let second = lab.get("/repos/acme/site/pulls", &token).await.expect(200);
    let remaining =
        |r: &crate::lab::Reply| r.header("x-ratelimit-remaining").parse::<u32>().unwrap();
    assert_eq!(remaining(&second), remaining(&first) - 1);
    let limits = lab.get("/rate_limit", &token).await.expect(200);
    assert_eq!(limits.body["resources"]["core"]["remaining"], remaining(&second));
    assert_eq!(limits.body["resources"]["graphql"]["used"], 0);
    lab.sim.finish();
}

#[tokio::test]
async fn the_limit_is_counted_and_refused_and_refilled() {
    let lab = Lab::new().await;
    for _ in 0..60 {
        lab.get("/zen", "").await.expect(200);
    }
    let over = lab.get("/zen", "").await.expect(403);
    assert!(over.message().starts_with("API rate limit exceeded for"));
    assert_eq!(over.header("x-ratelimit-remaining"), "0");
    lab.sim.advance(std::time::Duration::from_secs(3600));
    lab.get("/zen", "").await.expect(200);
    lab.sim.finish();
}

#[tokio::test]
async fn a_known_answer_is_304_and_free() {
    let lab = Lab::new().await;
    let token = lab.token().await;
    let first = lab.get("/repos/acme/site", &token).await.expect(200);
    let url = format!("{}/repos/acme/site", lab.sim.api_url());
    let again = lab.http.get(url).bearer_auth(&token).header("if-none-match", first.header("etag"));
    let again = reply(again).await.expect(304);
    assert_eq!(again.header("x-ratelimit-used"), first.header("x-ratelimit-used"));
    assert_eq!(again.text, "");
    lab.sim.finish();
}

#[tokio::test]
async fn lists_come_in_pages() {
    let mut seed = seed();
    for number in 0..35 {
        seed.repositories.push(Repository {
            owner: "acme".to_owned(),
            name: format!("r{number}"),
            empty: true,
            ..Repository::default()
        });
    }
    let lab = Lab::with(seed).await;
    let token = lab.token().await;
    let first = lab.get("/installation/repositories", &token).await.expect(200);
    assert_eq!(first.body["total_count"], 38);
    assert_eq!(first.body["repositories"].as_array().unwrap().len(), 30);
    assert_eq!(first.header("x-ratelimit-limit"), "5900");
    let next = format!("<{}/installation/repositories?page=2>; rel=\"next\"", lab.sim.api_url());
    assert!(first.header("link").starts_with(&next), "{}", first.header("link"));
    let last = lab.get("/installation/repositories?per_page=30&page=2", &token).await.expect(200);
    assert_eq!(last.body["repositories"].as_array().unwrap().len(), 8);
    assert!(last.header("link").contains("rel=\"prev\"") && !last.header("link").contains("next"));
    let all = lab.get("/installation/repositories?per_page=200", &token).await.expect(200);
    assert_eq!(all.body["repositories"].as_array().unwrap().len(), 38);
    assert_eq!(all.header("link"), "");
    lab.sim.finish();
}

#[tokio::test]
async fn bodies_and_versions_are_read_strictly() {
    let lab = Lab::new().await;
    let token = lab.token().await;
    let url = format!("{}/repos/acme/site/issues", lab.sim.api_url());
    let broken = lab.http.post(&url).bearer_auth(&token).body("{\"title\": ");
    reply(broken).await.refused(400, "Problems parsing JSON");
    lab.post("/repos/acme/site/issues", &token, json!({"title": 1}))
        .await
        .refused(422, "Invalid request.\n\nFor 'properties/title', 1 is not a string.");
    let zen = format!("{}/zen", lab.sim.api_url());
    let version = |version| lab.http.get(&zen).header("x-github-api-version", version);
    reply(version("2022-11-28")).await.expect(200);
    reply(version("2026-03-10")).await.expect(200);
    reply(version("2020-01-01")).await.expect(400);
    lab.sim.finish();
}

#[tokio::test]
async fn an_unknown_route_answers_501_and_is_remembered() {
    let lab = Lab::new().await;
    let reply = lab.get("/repos/acme/site/hooks", "").await.expect(501);
    assert!(reply.message().contains("GET /repos/acme/site/hooks"));
    assert_eq!(lab.sim.unknown_routes(), ["GET /repos/acme/site/hooks"]);
    let finished = std::panic::AssertUnwindSafe(|| lab.sim.finish());
    assert!(std::panic::catch_unwind(finished).is_err());
}
