//! What one tenant leaves to another of GitHub's limits and of the broker's own.

use std::{collections::HashMap, time::Duration};

use ghbroker::{
    config::Config,
    proto::{self, GetRepoTokenRequest, VerifyRepoRequest},
};
use github_sim::{Effect, Fault, Gate, seed};
use tokio::task::JoinSet;
use tonic::{Code, Status};

use crate::harness::{
    ACCOUNT, APP_ID, INSTALLATION, MINT, REPO, World, status::assert_reason, write,
};

/// A second tenant, with an organization, an installation and a repository of its own.
pub const OTHER: &str = "tenant-beta";
pub const OTHER_INSTALLATION: i64 = 4712;

/// Both of them, connected to a broker with this configuration.
pub async fn world(change: impl Fn(&mut Config) + Send + Sync + 'static) -> World {
    let mut world = World::configured(change).await;
    world
        .sim
        .add_org(&seed::Org {
            login: "beta".into(),
            members: vec![seed::Member { login: "alice".into(), role: seed::Role::Admin }],
            ..Default::default()
        })
        .unwrap();
    world
        .sim
        .add_repository(&seed::Repository {
            owner: "beta".into(),
            name: "store".into(),
            files: [("README.md".to_owned(), "# Store\n".to_owned())].into(),
            ..Default::default()
        })
        .unwrap();
    world
        .sim
        .add_installation(&seed::Installation {
            id: Some(OTHER_INSTALLATION as u64),
            app_id: APP_ID,
            account: "beta".into(),
            ..Default::default()
        })
        .unwrap();
    world.register(ACCOUNT, INSTALLATION).await;
    world.configure(ACCOUNT, REPO).await;
    let request = proto::RegisterInstallationRequest {
        account: OTHER.into(),
        installation_id: OTHER_INSTALLATION,
        setup_action: proto::SetupAction::Install.into(),
        expected_github_login: "beta".into(),
        ..Default::default()
    };
    world.broker.register_installation(request).await.unwrap();
    world.configure(OTHER, "beta/store").await;
    world
}

/// A call that needs a token, after the time for which a refusal answers for GitHub.
async fn token(world: &World, account: &str) -> Result<(), Status> {
    world.advance(Duration::from_secs(2));
    let request = GetRepoTokenRequest { account: account.into(), ..Default::default() };
    world.broker.clone().get_repo_token(request).await.map(drop)
}

#[tokio::test]
async fn a_tenant_that_floods_the_broker_leaves_half_of_the_places() {
    let world = world(|config| config.github.limits.in_flight = 4).await;
    let gate = Gate::new();
    world.sim.fault(Fault::always(MINT, Effect::Hold(gate.clone())));
    let before = world.sim.count(MINT);
    let mut calls = JoinSet::new();
    let mut begin = |account: &'static str, times| {
        for _ in 0..times {
            let mut broker = world.broker.clone();
            let request = VerifyRepoRequest { account: account.into(), ..Default::default() };
            calls.spawn(async move { broker.verify_repo(request).await.map(drop) });
        }
    };
    begin(ACCOUNT, 20);
    gate.arrived(2).await;
    begin(OTHER, 2);
    gate.arrived(4).await;
    assert_eq!(world.sim.count(MINT), before + 4);
    gate.open();
    while let Some(call) = calls.join_next().await {
        call.unwrap().unwrap();
    }
    world.finish().await;
}

#[tokio::test]
async fn a_quota_that_is_used_up_is_told_with_the_time_and_without_asking() {
    let world = world(|_| ()).await;
    let reset_after = Duration::from_secs(600);
    world.sim.fault(Fault::once("POST /graphql", Effect::PrimaryRateLimit { reset_after }));
    for _ in 0..2 {
        let asked = world.sim.count("POST /graphql");
        let refused = world.commit("One", vec![write("a.sql", "1\n")]).await.unwrap_err();
        let details = assert_reason(&refused, Code::ResourceExhausted, "RATE_LIMITED");
        let wait = details.retry_info().unwrap().retry_delay.unwrap();
        assert!(wait > reset_after - Duration::from_secs(5) && wait <= reset_after, "{wait:?}");
        assert!(asked == 0 || world.sim.count("POST /graphql") == asked);
    }
    let request = proto::CommitFilesRequest {
        account: OTHER.into(),
        message: "Add".into(),
        files: vec![write("b.sql", "1\n")],
        ..Default::default()
    };
    world.broker.clone().commit_files(request).await.unwrap();
    world.advance(reset_after);
    world.commit("One", vec![write("a.sql", "1\n")]).await.unwrap();
    world.finish().await;
}

#[tokio::test]
async fn github_failing_for_one_tenant_keeps_out_that_one_alone() {
    let world = world(|config| config.github.limits.attempts = 1).await;
    let fails = Effect::Status { status: 502, html: true };
    world.sim.fault(Fault::times(MINT, 5, fails));
    for _ in 0..5 {
        let refused = token(&world, ACCOUNT).await.unwrap_err();
        assert_reason(&refused, Code::Unavailable, "GITHUB_UNAVAILABLE");
    }
    token(&world, OTHER).await.unwrap();
    let before = world.sim.count(MINT);
    let refused = token(&world, ACCOUNT).await.unwrap_err();
    assert_reason(&refused, Code::Unavailable, "GITHUB_UNAVAILABLE");
    assert_eq!(world.sim.count(MINT), before);
    world.advance(Duration::from_secs(30));
    token(&world, ACCOUNT).await.unwrap();
    world.finish().await;
}

/// All sets of permissions that the App may have: each is a key of its own in the cache.
fn keys() -> Vec<HashMap<String, String>> {
    let levels = ["", "read", "write"];
    let mut keys = Vec::new();
    for number in 1..27 {
        let chosen =
            [("contents", number % 3), ("issues", number / 3 % 3), ("pull_requests", number / 9)];
        let chosen = chosen.iter().filter(|(_, level)| *level > 0);
        keys.push(chosen.map(|(name, level)| ((*name).into(), levels[*level].into())).collect());
    }
    keys
}

#[tokio::test]
async fn a_start_with_many_keys_keeps_within_the_budget_and_leaves_some_to_others() {
    let world = world(|config| config.github.limits.mints_per_minute = 20).await;
    // All that connecting took is there again.
    world.advance(Duration::from_secs(120));
    let before = world.sim.count(MINT);
    let mut calls = JoinSet::new();
    for permissions in keys() {
        let mut broker = world.broker.clone();
        let request =
            GetRepoTokenRequest { account: ACCOUNT.into(), permissions, ..Default::default() };
        calls.spawn(async move { broker.get_repo_token(request).await.map(drop) });
    }
    world.until(async || (world.sim.count(MINT) == before + 10).then_some(())).await;
    let other = GetRepoTokenRequest { account: OTHER.into(), ..Default::default() };
    world.broker.clone().get_repo_token(other).await.unwrap();
    assert_eq!(world.sim.count(MINT), before + 11);
    // Who would have to wait for longer than callers do is told when to come back.
    let (mut done, mut refused) = (0, 0);
    while done + refused < 26 {
        world.advance(Duration::from_secs(1));
        while let Some(call) = calls.try_join_next() {
            match call.unwrap() {
                Ok(()) => done += 1,
                Err(status) => {
                    let details = assert_reason(&status, Code::ResourceExhausted, "RATE_LIMITED");
                    assert!(details.retry_info().unwrap().retry_delay.unwrap() > Duration::ZERO);
                    refused += 1;
                }
            }
        }
        tokio::task::yield_now().await;
    }
    assert!(done > 10 && refused > 0, "{done} {refused}");
    assert_eq!(world.sim.count(MINT), before + 1 + done);
    world.finish().await;
}

#[tokio::test]
async fn a_renewal_gives_way_to_those_who_wait_for_an_answer() {
    const MINUTE: Duration = Duration::from_secs(60);
    let world = world(|config| config.github.limits.in_flight = 4).await;
    let first = world.token(&[]).await.token;
    for _ in 0..2 {
        world.advance(20 * MINUTE);
        assert_eq!(world.token(&[]).await.token, first);
    }
    let before = world.sim.count(MINT);
    let gate = Gate::new();
    world.sim.fault(Fault::always(MINT, Effect::Hold(gate.clone())));
    let mut calls = JoinSet::new();
    let mut begin = |account: &'static str| {
        let mut broker = world.broker.clone();
        let request = VerifyRepoRequest { account: account.into(), ..Default::default() };
        calls.spawn(async move { broker.verify_repo(request).await.map(drop) });
    };
    begin(OTHER);
    begin(OTHER);
    gate.arrived(2).await;
    // Half of the places are taken, and the token is due.
    world.advance(6 * MINUTE);
    for _ in 0..50 {
        assert_eq!(world.token(&[]).await.token, first);
    }
    assert_eq!(world.sim.count(MINT), before + 2);
    begin(ACCOUNT);
    gate.arrived(3).await;
    assert_eq!(world.sim.count(MINT), before + 3);
    gate.open();
    while let Some(call) = calls.join_next().await {
        call.unwrap().unwrap();
    }
    world.until(async || (world.token(&[]).await.token != first).then_some(())).await;
    world.finish().await;
}
