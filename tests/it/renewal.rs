//! Tokens that are replaced while they serve: proven first, and without a caller who waits; and what webhooks, other answers of
//! GitHub and the end of the broker do to them.

use std::time::Duration;

use ghbroker::proto::{GetRepoTokenRequest, GetRepoTokenResponse};
use github_sim::{Effect, Fault, Gate};
use serde_json::json;
use tonic::Code;

use crate::{
    harness::{ACCOUNT, INSTALLATION, MINT, REPO, World, status::assert_reason},
    webhooks::{Delivery, follow},
};

const MINUTE: Duration = Duration::from_secs(60);
/// What a new token is tried out with.
const LOOK: &str = "GET /repos/{owner}/{repo}";
const REVOKE: &str = "DELETE /installation/token";

async fn token(world: &World) -> GetRepoTokenResponse {
    world.token(&[("contents", "read")]).await
}

/// A world with a token that is due for renewal, and its text.
async fn due() -> (World, String) {
    let world = World::connected().await;
    let first = token(&world).await.token;
    world.advance(39 * MINUTE);
    assert_eq!(token(&world).await.token, first);
    (world, first)
}

async fn until_another(world: &World, than: &str) -> String {
    world.until(async || Some(token(world).await.token).filter(|token| token != than)).await
}

#[tokio::test]
async fn a_renewed_token_serves_once_it_has_read_its_repository() {
    let (world, first) = due().await;
    let gate = Gate::new();
    world.sim.fault(Fault::once(LOOK, Effect::Hold(gate.clone())));
    let mints = world.sim.count(MINT);
    world.advance(7 * MINUTE);
    gate.arrived(1).await;
    assert_eq!(world.sim.count(MINT), mints + 1);
    assert_eq!(token(&world).await.token, first, "not known to work yet");
    gate.open();
    let second = until_another(&world, &first).await;
    assert_eq!(world.sim.count(MINT), mints + 1);
    assert_ne!(second, first);
    world.finish().await;
}

#[tokio::test]
async fn a_renewed_token_that_github_does_not_know_yet_is_tried_again_and_the_old_one_serves() {
    let (world, first) = due().await;
    world.sim.fault(Fault::times(LOOK, 2, Effect::Status { status: 404, html: false }));
    let looks = world.sim.count(LOOK);
    world.advance(7 * MINUTE);
    let looked = async |times| {
        world.until(async || (world.sim.count(LOOK) == looks + times).then_some(())).await;
        assert_eq!(token(&world).await.token, first);
    };
    looked(1).await;
    world.advance(Duration::from_secs(3));
    looked(2).await;
    world.advance(Duration::from_secs(10));
    until_another(&world, &first).await;
    world.finish().await;
}

#[tokio::test]
async fn a_renewed_token_that_never_works_is_ended_and_never_handed_out() {
    let (world, first) = due().await;
    world.sim.fault(Fault::times(LOOK, 4, Effect::Status { status: 401, html: false }));
    let (looks, ended) = (world.sim.count(LOOK), world.sim.count(REVOKE));
    world.advance(7 * MINUTE);
    for (times, wait) in [(1, 3), (2, 10), (3, 30), (4, 0)] {
        world.until(async || (world.sim.count(LOOK) == looks + times).then_some(())).await;
        assert_eq!(token(&world).await.token, first);
        world.advance(Duration::from_secs(wait));
    }
    world.until(async || (world.sim.count(REVOKE) == ended + 1).then_some(())).await;
    assert_eq!(token(&world).await.token, first);
    // Another one is asked for soon.
    world.advance(MINUTE);
    until_another(&world, &first).await;
    world.finish().await;
}

#[tokio::test]
async fn who_asks_for_more_life_than_is_left_does_not_wait_long_for_a_slow_github() {
    let world = World::connected().await;
    let first = token(&world).await.token;
    world.advance(35 * MINUTE);
    let gate = Gate::new();
    world.sim.fault(Fault::once(MINT, Effect::Hold(gate.clone())));
    let request = GetRepoTokenRequest {
        account: ACCOUNT.into(),
        permissions: [("contents".to_owned(), "read".to_owned())].into(),
        min_ttl: Some(Duration::from_secs(30 * 60).try_into().unwrap()),
        ..Default::default()
    };
    let (asked, clock) = (world.get_repo_token(request), async {
        gate.arrived(1).await;
        world.advance(Duration::from_secs(6));
    });
    let (got, ()) = tokio::join!(asked, clock);
    let got = got.unwrap();
    assert_eq!((got.token, got.stale), (first.clone(), true));
    // What was asked for comes all the same.
    gate.open();
    until_another(&world, &first).await;
    world.finish().await;
}

#[tokio::test]
async fn a_suspended_installation_is_asked_for_once_for_all_of_its_keys() {
    let world = World::connected().await;
    let warm = token(&world).await.token;
    world.sim.suspend(INSTALLATION as u64);
    let mints = world.sim.count(MINT);
    for permissions in [[("issues", "read")], [("pull_requests", "read")], [("contents", "read")]] {
        let request = GetRepoTokenRequest {
            account: ACCOUNT.into(),
            permissions: permissions
                .map(|(name, level)| (name.to_owned(), level.to_owned()))
                .into(),
            ..Default::default()
        };
        let refused = world.get_repo_token(request).await.unwrap_err();
        // Its cached token went with it.
        assert_reason(&refused, Code::FailedPrecondition, "INSTALLATION_SUSPENDED");
    }
    assert_eq!(world.sim.count(MINT), mints + 1);
    world.sim.unsuspend(INSTALLATION as u64);
    world.advance(MINUTE);
    assert_ne!(token(&world).await.token, warm);
    world.finish().await;
}

#[tokio::test]
async fn what_a_webhook_gives_makes_nobody_wait() {
    let world = World::connected().await;
    let first = token(&world).await.token;
    world.sim.fault(Fault::always(MINT, Effect::Status { status: 502, html: true }));
    for (event, action) in
        [("installation_repositories", "added"), ("installation", "new_permissions_accepted")]
    {
        let account = json!({"id": 1, "login": "acme"});
        let body =
            json!({"action": action, "installation": {"id": INSTALLATION, "account": account}});
        follow(&world, &Delivery::new(event, &body)).await;
        assert_eq!(token(&world).await.token, first);
    }
    world.finish().await;
}

#[tokio::test]
async fn a_new_name_is_told_with_the_same_token() {
    let world = World::connected().await;
    let first = token(&world).await;
    world.sim.rename_repository(REPO, "depot");
    // However old GitHub says that it is.
    let renamed = Delivery::repository(&world, "renamed", "acme/depot", "2030-01-01T00:00:01Z");
    follow(&world, &renamed).await;
    let now = token(&world).await;
    assert_eq!((now.token, now.repository.as_str()), (first.token, "acme/depot"));
    assert!(now.clone_url.ends_with("/acme/depot.git"), "{}", now.clone_url);
    world.finish().await;
}

#[tokio::test]
async fn without_a_webhook_a_new_name_is_learned_with_the_next_token() {
    let world = World::connected().await;
    world.sim.rename_repository(REPO, "depot");
    let got = token(&world).await;
    assert_eq!(got.repository, "acme/depot");
    let request = ghbroker::proto::GetConnectionRequest { account: ACCOUNT.into() };
    let connection = world.get_connection(request).await.unwrap();
    assert_eq!(connection.bindings[0].repository, "acme/depot");
    world.finish().await;
}

#[tokio::test]
async fn a_repository_that_is_given_away_takes_its_token_with_it() {
    let world = World::connected().await;
    let first = token(&world).await.token;
    let gone = Delivery::repository(&world, "transferred", REPO, "2030-01-01T00:00:01Z");
    follow(&world, &gone).await;
    assert_ne!(token(&world).await.token, first);
    world.finish().await;
}

#[tokio::test]
async fn cached_tokens_are_ended_with_the_broker_where_that_is_configured() {
    for (configured, revoked) in [(true, 2), (false, 0)] {
        let mut world =
            World::configured(move |config| config.revoke_on_shutdown = configured).await;
        world.register(ACCOUNT, INSTALLATION).await;
        world.configure(ACCOUNT, REPO).await;
        let before = world.sim.count(REVOKE);
        token(&world).await;
        world.token(&[("issues", "read")]).await;
        world.stop().await.unwrap();
        assert_eq!(world.sim.count(REVOKE) - before, revoked, "configured: {configured}");
    }
}
