//! What is an error of the call, and not a finding.

use std::time::Duration;

use ghbroker::proto::*;
use github_sim::{Effect, Fault};
use tonic::Code;

use crate::harness::{ACCOUNT, World, status::assert_reason};

fn request() -> VerifyRepoRequest {
    VerifyRepoRequest { account: ACCOUNT.into(), ..Default::default() }
}

#[tokio::test]
async fn github_is_down() {
    for down in [Effect::Status { status: 502, html: true }, Effect::DropBefore, Effect::Garbage] {
        let world = World::connected().await;
        world.sim.fault(Fault::always("*", down));
        let failed = world.verify_repo(request()).await.unwrap_err();
        assert_reason(&failed, Code::Unavailable, "GITHUB_UNAVAILABLE");
    }
}

#[tokio::test]
async fn the_rate_limit_is_used_up() {
    let world = World::connected().await;
    let reset_after = Duration::from_secs(600);
    world.sim.fault(Fault::always("*", Effect::PrimaryRateLimit { reset_after }));
    let failed = world.verify_repo(request()).await.unwrap_err();
    let details = assert_reason(&failed, Code::ResourceExhausted, "RATE_LIMITED");
    let delay = details.retry_info().unwrap().retry_delay.unwrap();
    assert!((590..=660).contains(&delay.as_secs()), "{delay:?}");
}

#[tokio::test]
async fn a_secondary_limit_says_how_long() {
    let world = World::connected().await;
    let limit = Effect::SecondaryRateLimit { retry_after: Some(90), status: 403 };
    world.sim.fault(Fault::always("*", limit));
    let failed = world.verify_repo(request()).await.unwrap_err();
    let details = assert_reason(&failed, Code::ResourceExhausted, "RATE_LIMITED");
    assert_eq!(details.retry_info().unwrap().retry_delay, Some(Duration::from_secs(90)));
}

#[tokio::test]
async fn one_bad_gateway_is_not_noticed() {
    let world = World::connected().await;
    world.sim.fault(Fault::once(
        "GET /repos/{owner}/{repo}",
        Effect::Status { status: 502, html: true },
    ));
    assert!(world.verify_repo(request()).await.unwrap().ok);
}

#[tokio::test]
async fn there_is_nothing_to_check() {
    let mut world = World::start().await;
    let stranger = world.verify_repo(request()).await.unwrap_err();
    assert_reason(&stranger, Code::NotFound, "ACCOUNT_NOT_CONNECTED");

    world.register(ACCOUNT, crate::harness::INSTALLATION).await;
    let unbound = world.verify_repo(request()).await.unwrap_err();
    assert_reason(&unbound, Code::NotFound, "REPO_NOT_ACCESSIBLE");
}
