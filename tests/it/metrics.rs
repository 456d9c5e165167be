//! What operators see on `/metrics` of tokens and of GitHub: each thing that happens by its own counter, and nothing of an account.

use std::time::Duration;

use ghbroker::proto::{DisconnectRequest, GetRepoTokenRequest, GetRepoTokenResponse};
use github_sim::{Effect, Fault};
use tonic::{Code, Status};

use crate::{
    harness::{ACCOUNT, INSTALLATION, MINT, REPO, World, status::assert_reason},
    webhooks::counted,
};

const MINUTE: Duration = Duration::from_secs(60);
/// What a new token is tried out with.
const LOOK: &str = "GET /repos/{owner}/{repo}";

/// Of the default site.
async fn count(world: &World, name: &str, labels: &str) -> u64 {
    counted(&world.http, &format!("ghbroker_{name}{{site=\"default\"{labels}}}")).await
}

async fn found(world: &World, cache: &str) -> u64 {
    count(world, "tokens_total", &format!(",cache=\"{cache}\"")).await
}

async fn mints(world: &World, wanted: &str, outcome: &str) -> u64 {
    let labels = format!(",wanted=\"{wanted}\",outcome=\"{outcome}\"");
    count(world, "token_mints_total", &labels).await
}

async fn renewals(world: &World, outcome: &str) -> u64 {
    count(world, "token_renewals_total", &format!(",outcome=\"{outcome}\"")).await
}

async fn requests(world: &World, outcome: &str) -> u64 {
    count(world, "github_requests_total", &format!(",outcome=\"{outcome}\"")).await
}

async fn token(world: &World) -> GetRepoTokenResponse {
    world.token(&[("contents", "read")]).await
}

async fn refusal(world: &World) -> Status {
    let request = GetRepoTokenRequest { account: ACCOUNT.into(), ..Default::default() };
    world.get_repo_token(request).await.unwrap_err()
}

#[tokio::test]
async fn a_token_is_counted_by_where_it_came_from() {
    let world = World::connected().await;
    assert_eq!([found(&world, "hit").await, found(&world, "miss").await], [0, 0]);
    let first = token(&world).await.token;
    assert_eq!([found(&world, "hit").await, found(&world, "miss").await], [0, 1]);
    assert_eq!(mints(&world, "now", "minted").await, 1);
    for _ in 0..3 {
        assert_eq!(token(&world).await.token, first);
    }
    assert_eq!([found(&world, "hit").await, found(&world, "miss").await], [3, 1]);
    assert_eq!(mints(&world, "now", "minted").await, 1, "a warm call mints nothing");

    // Nothing is renewed ahead, and what is left is not enough.
    world.sim.fault(Fault::always(MINT, Effect::Status { status: 503, html: false }));
    world.advance(57 * MINUTE);
    assert!(token(&world).await.stale);
    assert_eq!([found(&world, "stale").await, found(&world, "none").await], [1, 0]);
    assert!(mints(&world, "now", "failed").await >= 1 && requests(&world, "failed").await >= 1);
    world.advance(10 * MINUTE);
    assert_reason(&refusal(&world).await, Code::Unavailable, "GITHUB_UNAVAILABLE");
    assert_eq!(found(&world, "none").await, 1);
    world.finish().await;
}

#[tokio::test]
async fn a_renewal_is_counted_by_what_became_of_its_token() {
    let world = World::connected().await;
    let first = token(&world).await.token;
    world.advance(39 * MINUTE);
    assert_eq!(token(&world).await.token, first);
    world.sim.fault(Fault::times(LOOK, 4, Effect::Status { status: 401, html: false }));
    let looks = world.sim.count(LOOK);
    world.advance(7 * MINUTE);
    for (times, wait) in [(1, 3), (2, 10), (3, 30), (4, 0)] {
        world.until(async || (world.sim.count(LOOK) == looks + times).then_some(())).await;
        // By then the refusal is known, too.
        assert_eq!(token(&world).await.token, first);
        world.advance(Duration::from_secs(wait));
    }
    let revoked = ",outcome=\"done\"";
    let ended =
        async || (count(&world, "token_revocations_total", revoked).await == 1).then_some(());
    world.until(ended).await;
    assert_eq!([renewals(&world, "discarded").await, renewals(&world, "proven").await], [1, 0]);
    // Another one is asked for soon, and works.
    world.advance(MINUTE);
    world.until(async || (token(&world).await.token != first).then_some(())).await;
    world.until(async || (renewals(&world, "proven").await == 1).then_some(())).await;
    assert_eq!(renewals(&world, "discarded").await, 1);
    assert_eq!(renewals(&world, "unproven").await, 0);
    assert_eq!(
        [mints(&world, "ahead", "minted").await, mints(&world, "now", "minted").await],
        [2, 1]
    );
    assert_eq!(count(&world, "token_keys", "").await, 1);
    let done = world.disconnect(DisconnectRequest { account: ACCOUNT.into() }).await.unwrap();
    assert_eq!(
        count(&world, "token_revocations_total", revoked).await,
        1 + u64::try_from(done.tokens_revoked).unwrap()
    );
    world.finish().await;
}

#[tokio::test]
async fn a_suspended_installation_is_a_mint_that_is_refused() {
    let world = World::connected().await;
    world.sim.suspend(INSTALLATION as u64);
    let before = requests(&world, "refused").await;
    for times in 1..=3 {
        let refused = refusal(&world).await;
        assert_reason(&refused, Code::FailedPrecondition, "INSTALLATION_SUSPENDED");
        assert_eq!(found(&world, "none").await, times);
    }
    assert_eq!(mints(&world, "now", "refused").await, 1, "the next ones are answered from memory");
    assert!(requests(&world, "refused").await > before);
    world.finish().await;
}

#[tokio::test]
async fn a_github_that_is_left_alone_is_seen_and_so_is_its_time() {
    let world = World::connected().await;
    let sent = count(&world, "github_request_seconds_count", "").await;
    assert!(sent > 0 && requests(&world, "done").await > 0);
    assert!(count(&world, "github_app_quota_remaining", "").await > 0);
    assert_eq!(count(&world, "github_left_alone", "").await, 0);
    world.sim.fault(Fault::always(MINT, Effect::DropBefore));
    let alone = async || {
        refusal(&world).await;
        world.advance(Duration::from_secs(2));
        (requests(&world, "not_sent").await > 0).then_some(())
    };
    world.until(alone).await;
    assert!(requests(&world, "lost").await > 0);
    world.finish().await;
}

#[tokio::test]
async fn nothing_of_an_account_is_shown() {
    let world = World::connected().await;
    let token = token(&world).await.token;
    let page = reqwest::get(format!("{}/metrics", world.http)).await.unwrap().text().await.unwrap();
    assert!(page.contains("ghbroker_tokens_total"));
    let (owner, name) = REPO.split_once('/').unwrap();
    for secret in [ACCOUNT, owner, name, &token] {
        assert!(!page.contains(secret), "{secret} in {page}");
    }
    world.finish().await;
}
