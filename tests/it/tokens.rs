//! GetRepoToken, as services call it all day: cold, warm, near its end, in an outage, after a refusal.

use std::{collections::HashMap, time::Duration};

use ghbroker::proto::{self, CredentialSource, GetRepoTokenRequest, GetRepoTokenResponse};
use github_sim::{Effect, Fault, Gate, Level, ReplicationLag, TokenFormat};
use tonic::{Code, Status};

use crate::harness::{
    self, ACCOUNT, INSTALLATION, MINT, REPO, World,
    git::{self, git},
    status::assert_reason,
};

const MINUTE: Duration = Duration::from_secs(60);
const REVOKE: &str = "DELETE /installation/token";

fn request(permissions: &[(&str, &str)], min_ttl: Option<Duration>) -> GetRepoTokenRequest {
    GetRepoTokenRequest {
        account: ACCOUNT.into(),
        permissions: permissions.iter().map(|(n, l)| ((*n).to_owned(), (*l).to_owned())).collect(),
        min_ttl: min_ttl.map(|ttl| ttl.try_into().unwrap()),
        ..Default::default()
    }
}

async fn get(world: &World, request: GetRepoTokenRequest) -> Result<GetRepoTokenResponse, Status> {
    world.broker.clone().get_repo_token(request).await.map(tonic::Response::into_inner)
}

async fn default(world: &World) -> GetRepoTokenResponse {
    get(world, request(&[], None)).await.unwrap()
}

/// Mints so far, without the ones that looking at a repository needs.
fn mints_since(world: &World, before: usize) -> usize {
    world.sim.count(MINT) - before
}

#[tokio::test]
async fn a_token_is_for_one_repository_and_what_was_asked() {
    let world = World::connected().await;
    let token = default(&world).await;
    assert_eq!(token.source(), CredentialSource::AppInstallation);
    assert_eq!(token.username, "x-access-token");
    assert_eq!(token.repository, REPO);
    let granted = HashMap::from([("contents", "read"), ("metadata", "read")]);
    let answered: HashMap<&str, &str> =
        token.permissions.iter().map(|(n, l)| (n.as_str(), l.as_str())).collect();
    assert_eq!(answered, granted);
    let end = token.expire_time.unwrap().seconds;
    assert_eq!(end, world.sim.clock().now().unix_timestamp() + 3600);
    assert!(!token.stale);
    world.finish().await;
}

#[tokio::test]
async fn a_thousand_cold_calls_make_one_mint() {
    let world = World::connected().await;
    let before = world.sim.count(MINT);
    let gate = Gate::new();
    world.sim.fault(Fault::always(MINT, Effect::Hold(gate.clone())));
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..5 {
        let client = harness::client(harness::connect(&world.address).await);
        for _ in 0..200 {
            let mut client = client.clone();
            calls.spawn(async move { client.get_repo_token(request(&[], None)).await });
        }
    }
    gate.arrived(1).await;
    gate.open();
    let mut tokens = Vec::new();
    while let Some(call) = calls.join_next().await {
        tokens.push(call.unwrap().unwrap().into_inner().token);
    }
    assert_eq!(tokens.len(), 1000);
    tokens.dedup();
    assert_eq!(tokens.len(), 1, "all callers get the same token");
    assert_eq!(mints_since(&world, before), 1);
    world.finish().await;
}

#[tokio::test]
async fn a_caller_who_gives_up_cancels_nobody() {
    let world = World::connected().await;
    let before = world.sim.count(MINT);
    let gate = Gate::new();
    world.sim.fault(Fault::once(MINT, Effect::Hold(gate.clone())));
    let mut client = world.broker.clone();
    let impatient = tokio::spawn(async move { client.get_repo_token(request(&[], None)).await });
    gate.arrived(1).await;
    let mut client = world.broker.clone();
    let patient = tokio::spawn(async move { client.get_repo_token(request(&[], None)).await });
    impatient.abort();
    assert!(impatient.await.unwrap_err().is_cancelled());
    gate.open();
    patient.await.unwrap().unwrap();
    assert_eq!(mints_since(&world, before), 1);
    world.finish().await;
}

#[tokio::test]
async fn a_warm_token_near_its_end_is_renewed_without_a_caller_waiting() {
    let world = World::connected().await;
    let first = default(&world).await.token;
    let before = world.sim.count(MINT);
    let gate = Gate::new();
    world.sim.fault(Fault::once(MINT, Effect::Hold(gate.clone())));
    for _ in 0..2 {
        world.advance(20 * MINUTE);
        assert_eq!(default(&world).await.token, first);
    }
    // 46 minutes old: its renewal is due at 40 to 45 minutes.
    world.advance(6 * MINUTE);
    gate.arrived(1).await;
    assert_eq!(default(&world).await.token, first, "the old token is served while GitHub thinks");
    gate.open();
    let second = world
        .until(async || Some(default(&world).await.token).filter(|token| *token != first))
        .await;
    assert_eq!(mints_since(&world, before), 1);
    // And again, for as long as it is used.
    world.advance(20 * MINUTE);
    assert_eq!(default(&world).await.token, second);
    world.finish().await;
}

#[tokio::test]
async fn a_key_that_nobody_uses_is_not_renewed() {
    let world = World::connected().await;
    let idle = default(&world).await.token;
    let used = || async { get(&world, request(&[("issues", "read")], None)).await.unwrap().token };
    let first = used().await;
    let before = world.sim.count(MINT);
    // Both are due at 40 to 45 minutes.
    world.advance(20 * MINUTE);
    used().await;
    world.advance(26 * MINUTE);
    world.until(async || Some(used().await).filter(|token| *token != first)).await;
    assert_eq!(mints_since(&world, before), 1, "the one that is in use");
    world.advance(15 * MINUTE);
    let anew = default(&world).await;
    assert_ne!(anew.token, idle, "it has ended meanwhile");
    let end = world.sim.clock().now().unix_timestamp() + 3600;
    assert_eq!(anew.expire_time.unwrap().seconds, end, "it was minted just now");
    world.finish().await;
}

#[tokio::test]
async fn min_ttl_asks_for_more_life_than_is_left() {
    let world = World::connected().await;
    let first = default(&world).await.token;
    world.advance(35 * MINUTE);
    assert_eq!(get(&world, request(&[], Some(20 * MINUTE))).await.unwrap().token, first);
    let longer = get(&world, request(&[], Some(30 * MINUTE))).await.unwrap();
    assert_ne!(longer.token, first);
    world.finish().await;
}

#[tokio::test]
async fn an_outage_of_github_is_not_noticed_while_the_token_lives() {
    let world = World::connected().await;
    let first = default(&world).await.token;
    world.sim.fault(Fault::always(MINT, Effect::Status { status: 503, html: true }));
    for _ in 0..5 {
        world.advance(10 * MINUTE);
        let token = default(&world).await;
        assert_eq!((token.token.as_str(), token.stale), (first.as_str(), false));
    }
    world.advance(7 * MINUTE);
    let stale = default(&world).await;
    assert_eq!(stale.token, first);
    assert!(stale.stale, "it has less life left than asked for, and says so");
    world.advance(2 * MINUTE + Duration::from_secs(30));
    let refused = get(&world, request(&[], None)).await.unwrap_err();
    assert_reason(&refused, Code::Unavailable, "GITHUB_UNAVAILABLE");
    world.sim.clear_faults();
    world.advance(MINUTE);
    assert_ne!(default(&world).await.token, first);
    world.finish().await;
}

#[tokio::test]
async fn callers_share_one_failure() {
    let world = World::connected().await;
    let before = world.sim.count(MINT);
    world.sim.fault(Fault::always(MINT, Effect::Status { status: 502, html: true }));
    let calls = (0..50).map(|_| get(&world, request(&[], None)));
    for refused in futures_util::future::join_all(calls).await {
        assert_reason(&refused.unwrap_err(), Code::Unavailable, "GITHUB_UNAVAILABLE");
    }
    assert_eq!(mints_since(&world, before), 3, "one mint, tried three times");
    world.finish().await;
}

#[tokio::test]
async fn equal_requests_share_a_token_and_others_never_do() {
    let world = World::connected().await;
    let before = world.sim.count(MINT);
    let one =
        get(&world, request(&[("contents", "write"), ("issues", "read")], None)).await.unwrap();
    let same = get(
        &world,
        request(&[("issues", "read"), ("metadata", "read"), ("contents", "write")], None),
    )
    .await
    .unwrap();
    assert_eq!(one.token, same.token);
    let smaller = get(&world, request(&[("contents", "read")], None)).await.unwrap();
    assert_ne!(one.token, smaller.token, "a larger token is never handed to a smaller request");
    assert_eq!(smaller.permissions.get("issues"), None);
    assert_eq!(mints_since(&world, before), 2);
    world.finish().await;
}

#[tokio::test]
async fn a_missing_permission_is_named() {
    let world = World::connected().await;
    let refused = get(&world, request(&[("contents", "read"), ("actions", "write")], None))
        .await
        .unwrap_err();
    let details = assert_reason(&refused, Code::FailedPrecondition, "PERMISSION_NOT_GRANTED");
    assert_eq!(details.error_info().unwrap().metadata["missing"], "actions:write");
    world.sim.set_installation_permissions(
        INSTALLATION as u64,
        [("contents", Level::Read), ("metadata", Level::Read), ("actions", Level::Write)],
    );
    world.advance(Duration::from_secs(31));
    get(&world, request(&[("contents", "read"), ("actions", "write")], None)).await.unwrap();
    world.finish().await;
}

#[tokio::test]
async fn a_suspended_installation_is_said_and_not_asked_about_again_and_again() {
    let world = World::connected().await;
    world.sim.suspend(INSTALLATION as u64);
    let before = world.sim.count(MINT);
    for _ in 0..5 {
        let refused = get(&world, request(&[], None)).await.unwrap_err();
        assert_reason(&refused, Code::FailedPrecondition, "INSTALLATION_SUSPENDED");
    }
    assert_eq!(mints_since(&world, before), 1, "GitHub is asked once");
    let connection = proto::GetConnectionRequest { account: ACCOUNT.into() };
    let seen = world.admin.clone().get_connection(connection).await.unwrap().into_inner();
    assert_eq!(seen.installation.unwrap().status(), proto::ConnectionStatus::Suspended);
    world.sim.unsuspend(INSTALLATION as u64);
    world.advance(Duration::from_secs(31));
    default(&world).await;
    world.finish().await;
}

#[tokio::test]
async fn an_uninstalled_app_is_said_and_registering_anew_helps_at_once() {
    let mut world = World::connected().await;
    world.sim.uninstall(INSTALLATION as u64);
    let refused = get(&world, request(&[], None)).await.unwrap_err();
    assert_reason(&refused, Code::FailedPrecondition, "INSTALLATION_GONE");
    let again = github_sim::seed::Installation {
        app_id: harness::APP_ID,
        account: "acme".into(),
        ..Default::default()
    };
    let id = world.sim.add_installation(&again).unwrap();
    world.register(ACCOUNT, id as i64).await;
    default(&world).await;
    world.finish().await;
}

#[tokio::test]
async fn who_waits_while_the_account_is_registered_anew_gets_a_token_of_what_it_has_now() {
    let mut world = World::connected().await;
    let gate = Gate::new();
    world.sim.fault(Fault::once(MINT, Effect::Hold(gate.clone())));
    let mut client = world.broker.clone();
    let waiting = tokio::spawn(async move { client.get_repo_token(request(&[], None)).await });
    gate.arrived(1).await;
    world.register(ACCOUNT, INSTALLATION).await;
    gate.open();
    let token = waiting.await.unwrap().unwrap().into_inner().token;
    assert!(world.sim.accepts(&token));
    assert_eq!(default(&world).await.token, token, "it is the one that is kept");
    world.finish().await;
}

#[tokio::test]
async fn who_waits_while_the_account_is_disconnected_gets_nothing() {
    let world = World::connected().await;
    let mints = world.sim.count(MINT);
    let gate = Gate::new();
    world.sim.fault(Fault::once(MINT, Effect::Hold(gate.clone())));
    let mut client = world.broker.clone();
    let waiting = tokio::spawn(async move { client.get_repo_token(request(&[], None)).await });
    gate.arrived(1).await;
    let gone = proto::DisconnectRequest { account: ACCOUNT.into() };
    assert!(world.disconnect(gone).await.unwrap().disconnected);
    let ended = world.sim.count(REVOKE);
    gate.open();
    assert_reason(&waiting.await.unwrap().unwrap_err(), Code::NotFound, "ACCOUNT_NOT_CONNECTED");
    world.until(async || (world.sim.count(REVOKE) == ended + 1).then_some(())).await;
    assert_eq!(mints_since(&world, mints), 1, "nothing else is minted");
    world.finish().await;
}

#[tokio::test]
async fn a_rejected_token_is_reported_and_replaced() {
    let world = World::connected().await;
    let kept = get(&world, request(&[("issues", "read")], None)).await.unwrap().token;
    let rejected = default(&world).await.token;
    let report = |account: &str, token: &str| {
        let request =
            proto::ReportRejectedTokenRequest { account: account.into(), token: token.into() };
        let mut client = world.broker.clone();
        async move { client.report_rejected_token(request).await.unwrap().into_inner().dropped }
    };
    assert!(!report("somebody-else", &rejected).await, "another account cannot drop it");
    assert_eq!(default(&world).await.token, rejected);
    assert!(report(ACCOUNT, &rejected).await);
    assert!(!report(ACCOUNT, &rejected).await, "only once");
    assert_ne!(default(&world).await.token, rejected);
    assert_eq!(get(&world, request(&[("issues", "read")], None)).await.unwrap().token, kept);
    world.finish().await;
}

#[tokio::test]
async fn reports_cost_a_mint_every_ten_seconds_at_most() {
    let world = World::connected().await;
    let report = async || {
        let token = default(&world).await.token;
        let request = proto::ReportRejectedTokenRequest { account: ACCOUNT.into(), token };
        world.report_rejected_token(request).await.unwrap().dropped
    };
    let before = world.sim.count(MINT);
    assert!(report().await);
    for _ in 0..5 {
        assert!(!report().await);
    }
    assert_eq!(mints_since(&world, before), 2);
    world.advance(Duration::from_secs(10));
    assert!(report().await);
    world.finish().await;
}

#[tokio::test]
async fn a_machine_whose_clock_is_five_minutes_off_works() {
    for (ahead, seconds) in [(true, 300), (false, 300)] {
        let world = World::start().await;
        if ahead {
            world.skew(Duration::from_secs(seconds));
        } else {
            world.sim.clock().advance(Duration::from_secs(seconds));
        }
        let mut world = world;
        world.register(ACCOUNT, INSTALLATION).await;
        world.configure(ACCOUNT, REPO).await;
        let first = default(&world).await.token;
        world.advance(54 * MINUTE);
        let later = default(&world).await.token;
        assert!(world.sim.accepts(&later), "never past its end by GitHub's clock");
        world.advance(2 * MINUTE);
        assert_ne!(default(&world).await.token, first, "four minutes are left: too few");
        world.finish().await;
    }
}

#[tokio::test]
async fn a_token_with_the_life_that_was_asked_for_is_not_stale_by_a_clock_that_is_wrong() {
    let mut world = World::start().await;
    world.skew(5 * MINUTE);
    world.register(ACCOUNT, INSTALLATION).await;
    world.configure(ACCOUNT, REPO).await;
    default(&world).await;
    world.advance(28 * MINUTE);
    let answer = get(&world, request(&[], Some(30 * MINUTE))).await.unwrap();
    assert!(!answer.stale, "it lives for 32 minutes");
    world.finish().await;
}

#[tokio::test]
async fn both_formats_of_tokens_are_opaque() {
    for format in [TokenFormat::Classic, TokenFormat::Stateless] {
        let world = World::connected().await;
        world.sim.set_token_format(format);
        let token = default(&world).await.token;
        assert!(world.sim.accepts(&token));
        world.finish().await;
    }
}

#[tokio::test]
async fn an_answer_that_cannot_be_read_is_a_failure_and_not_a_token() {
    for effect in [Effect::Garbage, Effect::Huge(64 * 1024 * 1024)] {
        let world = World::connected().await;
        world.sim.fault(Fault::always(MINT, effect));
        let refused = get(&world, request(&[], None)).await.unwrap_err();
        assert_reason(&refused, Code::Unavailable, "GITHUB_UNAVAILABLE");
        world.finish().await;
    }
}

#[tokio::test]
async fn githubs_rate_limit_says_when_to_come_back() {
    let world = World::connected().await;
    let before = world.sim.count(MINT);
    world.sim.fault(Fault::always(MINT, Effect::PrimaryRateLimit { reset_after: 10 * MINUTE }));
    let refused = get(&world, request(&[], None)).await.unwrap_err();
    let details = assert_reason(&refused, Code::ResourceExhausted, "RATE_LIMITED");
    let wait = details.retry_info().unwrap().retry_delay.unwrap();
    assert!(wait > 9 * MINUTE && wait <= 10 * MINUTE, "{wait:?}");
    assert_eq!(mints_since(&world, before), 1, "a long wait is not waited out");
    world.finish().await;
}

#[tokio::test]
async fn a_fresh_token_that_github_does_not_know_everywhere_yet_does_not_fail_a_call() {
    let world = World::connected().await;
    world.sim.set_replication_lag(ReplicationLag::Uses(2));
    let done = world
        .commit("Add a model", vec![harness::write("models/a.sql", "select 1\n")])
        .await
        .unwrap();
    assert!(!done.unchanged);
    let found = proto::VerifyRepoRequest { account: ACCOUNT.into(), ..Default::default() };
    assert!(world.broker.clone().verify_repo(found).await.unwrap().into_inner().ok);
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn git_clones_and_pushes_with_brokered_tokens_and_no_further_than_they_go() {
    let world = World::connected().await;
    let reading = default(&world).await;
    let folder = world.folder().join("clone");
    git::clone(&reading.clone_url, &reading.token, "main", &folder);
    git(&folder, &["checkout", "--quiet", "-b", "feature"]);
    git(
        &folder,
        &[
            "-c",
            "user.name=a",
            "-c",
            "user.email=a@example.com",
            "commit",
            "--quiet",
            "--allow-empty",
            "-m",
            "Mine",
        ],
    );
    let push = |token: &str| {
        let url = reading.clone_url.replacen("://", &format!("://x-access-token:{token}@"), 1);
        let push = ["-c", "credential.helper=", "push", "--quiet", &url, "feature"];
        std::process::Command::new("git")
            .arg("-C")
            .arg(&folder)
            .args(push)
            .output()
            .unwrap()
            .status
            .success()
    };
    assert!(!push(&reading.token), "it can only read");
    assert!(push(&get(&world, request(&[("contents", "write")], None)).await.unwrap().token));
    assert!(world.sim.head(REPO, "feature").is_some());
    world.finish().await;
}

#[tokio::test]
async fn tokens_are_on_no_disk() {
    let world = World::connected().await;
    let token = default(&world).await.token;
    for entry in std::fs::read_dir(world.folder()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        let found = bytes.windows(token.len()).any(|window| window == token.as_bytes());
        assert!(!found, "the database holds the token");
    }
    world.finish().await;
}
