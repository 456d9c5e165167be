//! What is promised of tokens, as an operator would try it out: hours of steady use, GitHub away, a GitHub that says no in each of its
//! ways, and nothing of a token left where it has no business.

use std::{collections::HashMap, time::Duration};

use ghbroker::{
    config::Config,
    proto::{
        CommitFilesRequest, CredentialSource, DisconnectRequest, GetRepoTokenRequest,
        GetRepoTokenResponse, ReportRejectedTokenRequest, SetCredentialEnabledRequest,
        VerifyRepoRequest,
    },
};
use github_sim::{Effect, Fault, Gate, Level, seed};
use time::format_description::well_known::Rfc2822;
use tokio::task::JoinSet;
use tonic::{Code, Status};

use crate::{
    budgets::{self, OTHER},
    harness::{
        self, ACCOUNT, APP_ID, INSTALLATION, MINT, REPO, WEBHOOK_SECRET, World, liar::Liar,
        status::assert_reason, write,
    },
};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
/// More than a refusal answers in GitHub's place.
const FORGOTTEN: Duration = Duration::from_secs(61);
/// What a new token is tried out with.
const LOOK: &str = "GET /repos/{owner}/{repo}";
const REVOKE: &str = "DELETE /installation/token";

type Answer = Result<GetRepoTokenResponse, Status>;

fn asking(permissions: &[(&str, &str)]) -> GetRepoTokenRequest {
    let permissions =
        permissions.iter().map(|(name, level)| ((*name).into(), (*level).into())).collect();
    GetRepoTokenRequest { account: ACCOUNT.into(), permissions, ..Default::default() }
}

async fn get(world: &World) -> Answer {
    world.get_repo_token(asking(&[])).await
}

async fn token(world: &World) -> String {
    get(world).await.unwrap().token
}

async fn another(world: &World, than: &str) -> String {
    world.until(async || Some(token(world).await).filter(|token| token != than)).await
}

async fn refused(world: &World) -> Status {
    world.until(async || get(world).await.err()).await
}

async fn disconnect(world: &World, account: &str) {
    let request = DisconnectRequest { account: account.into() };
    assert!(world.disconnect(request).await.unwrap().disconnected);
}

async fn report(world: &World, token: &str) -> bool {
    let request = ReportRejectedTokenRequest { account: ACCOUNT.into(), token: token.into() };
    world.report_rejected_token(request).await.unwrap().dropped
}

/// Lets what goes on in the background come to where it waits for time to pass.
async fn settle(world: &World) {
    for _ in 0..5 {
        world.until(async || reqwest::get(format!("{}/metrics", world.http)).await.ok()).await;
    }
}

/// How much longer a token lives, by GitHub's clock.
fn life(world: &World, got: &GetRepoTokenResponse) -> i64 {
    got.expire_time.unwrap().seconds - world.sim.clock().now().unix_timestamp()
}

/// A connected world of this configuration.
async fn configured(change: impl Fn(&mut Config) + Send + Sync + 'static) -> World {
    connected_with(harness::seed(), change).await
}

async fn connected_with(
    seed: seed::Seed,
    change: impl Fn(&mut Config) + Send + Sync + 'static,
) -> World {
    let mut world = World::configured_with(seed, change).await;
    world.register(ACCOUNT, INSTALLATION).await;
    world.configure(ACCOUNT, REPO).await;
    world
}

/// A connected world whose GitHub tells the broker by webhook what happens.
async fn told() -> World {
    let world = World::connected().await;
    let url = format!("{}/webhooks/github", world.http);
    world.sim.set_webhook(APP_ID, &url, WEBHOOK_SECRET);
    world
}

/// Names of permissions that make 64 keys beside those of `contents` alone.
const NAMES: [&str; 6] = ["contents", "issues", "pull_requests", "actions", "checks", "statuses"];

/// A GitHub whose App may have all of [`NAMES`].
fn with_many_permissions() -> seed::Seed {
    let mut seed = harness::seed();
    let all = NAMES.iter().map(|name| ((*name).to_owned(), Level::Write));
    seed.apps[0].permissions.extend(all);
    seed
}

/// Sixty requests of which no two are for the same permissions.
fn sixty() -> Vec<GetRepoTokenRequest> {
    let all = 1..=60_usize;
    let chosen = |number: usize| {
        let bits = NAMES.iter().enumerate().filter(move |(bit, _)| number >> bit & 1 == 1);
        bits.map(|(_, name)| (*name, "read")).collect::<Vec<_>>()
    };
    all.map(|number| asking(&chosen(number))).collect()
}

/// Asks for each once, all at the same time, and gives back their tokens in order.
async fn all(world: &World, requests: &[GetRepoTokenRequest]) -> Vec<GetRepoTokenResponse> {
    let mut calls = JoinSet::new();
    for (number, request) in requests.iter().cloned().enumerate() {
        let mut broker = world.broker.clone();
        calls.spawn(async move { (number, broker.get_repo_token(request).await) });
    }
    let mut got: HashMap<usize, GetRepoTokenResponse> = HashMap::new();
    while let Some(call) = calls.join_next().await {
        let (number, answer) = call.unwrap();
        got.insert(number, answer.unwrap().into_inner());
    }
    (0..requests.len()).map(|number| got.remove(&number).unwrap()).collect()
}

// 1. Renewal ahead of time.

#[tokio::test]
async fn github_away_for_forty_minutes_is_not_noticed_by_who_calls_each_minute() {
    let world = World::connected().await;
    let first = token(&world).await;
    for away in [Effect::DropBefore, Effect::Status { status: 503, html: true }] {
        world.sim.fault(Fault::always("*", away));
    }
    for minute in 1..=40 {
        world.advance(MINUTE);
        let got = get(&world).await.unwrap();
        assert_eq!((got.token.as_str(), got.stale), (first.as_str(), false), "minute {minute}");
    }
    // It is due, and GitHub comes back: the renewal that failed is made again without anybody waiting for it.
    world.advance(6 * MINUTE);
    assert_eq!(token(&world).await, first);
    world.sim.clear_faults();
    for _ in 0..5 {
        world.advance(MINUTE);
        token(&world).await;
        settle(&world).await;
    }
    another(&world, &first).await;
    world.finish().await;
}

#[tokio::test]
async fn a_key_in_steady_use_is_minted_as_rarely_as_can_be_and_nobody_waits_for_it() {
    let world = World::connected().await;
    let mut last = get(&world).await.unwrap();
    let before = world.sim.count(MINT);
    for minute in 1..=8 * 60 {
        world.advance(MINUTE);
        assert!(life(&world, &last) >= 300, "minute {minute}: who calls now would wait");
        let got = get(&world).await.unwrap();
        last = if life(&world, &got) < 14 * 60 {
            // Due for five minutes by now: it is renewed before time goes on.
            let old = got.token.clone();
            another(&world, &old).await;
            get(&world).await.unwrap()
        } else {
            got
        };
    }
    let mints = world.sim.count(MINT) - before;
    assert!(
        (10..=12).contains(&mints),
        "{mints} in 8 hours of tokens that serve for 40 to 46 minutes"
    );
    world.finish().await;
}

#[tokio::test]
async fn tokens_that_were_minted_together_are_renewed_apart() {
    let world = connected_with(with_many_permissions(), |_| {}).await;
    let requests = sixty();
    all(&world, &requests).await;
    world.advance(20 * MINUTE);
    all(&world, &requests).await;
    world.advance(19 * MINUTE + 59 * SECOND);
    let mut seen = world.sim.count(MINT);
    let mut most = 0;
    let all_of_them = seen + 60;
    for _ in 0..20 {
        world.advance(15 * SECOND);
        // What is due is asked for meanwhile.
        for _ in 0..2 {
            all(&world, &requests[..5]).await;
        }
        let now = world.sim.count(MINT);
        (most, seen) = (most.max(now - seen), now);
    }
    world.advance(MINUTE);
    world.until(async || (world.sim.count(MINT) == all_of_them).then_some(())).await;
    assert!(most <= 15, "{most} of 60 in a twentieth of the time");
    world.finish().await;
}

#[tokio::test]
async fn sixty_keys_due_at_once_leave_half_of_their_tenants_places_and_make_nobody_wait() {
    let change = |config: &mut Config| {
        config.github.limits.in_flight = 8;
        config.github.limits.mints_per_minute = 400;
    };
    let world = connected_with(with_many_permissions(), change).await;
    world.advance(5 * MINUTE);
    let requests = sixty();
    all(&world, &requests[..30]).await;
    world.advance(MINUTE);
    all(&world, &requests[30..]).await;
    world.advance(30 * MINUTE);
    let first = all(&world, &requests).await;
    let gate = Gate::new();
    world.sim.fault(Fault::always(MINT, Effect::Hold(gate.clone())));
    let before = world.sim.count(MINT);
    world.advance(16 * MINUTE);
    gate.arrived(2).await;
    let same = all(&world, &requests).await;
    assert!(first.iter().zip(&same).all(|(one, two)| one.token == two.token && !two.stale));
    assert_eq!(world.sim.count(MINT), before + 2, "half of the four places of a tenant");
    // Somebody who has to wait for a new one finds a place.
    let mut broker = world.broker.clone();
    let waits =
        tokio::spawn(async move { broker.get_repo_token(asking(&[("contents", "write")])).await });
    gate.arrived(3).await;
    gate.open();
    waits.await.unwrap().unwrap();
    // And all are renewed.
    world
        .until(async || {
            world.advance(SECOND);
            let now = all(&world, &requests).await;
            first.iter().zip(&now).all(|(one, two)| one.token != two.token).then_some(())
        })
        .await;
    assert_eq!(world.sim.count(MINT), before + 61);
    world.finish().await;
}

// 2. One mint for all who wait, and what GitHub says no to.

#[tokio::test]
async fn who_gives_up_alone_finds_the_token_when_coming_back() {
    let world = World::connected().await;
    let before = world.sim.count(MINT);
    let gate = Gate::new();
    world.sim.fault(Fault::once(MINT, Effect::HoldAfter(gate.clone())));
    let mut request = tonic::Request::new(asking(&[]));
    request.set_timeout(Duration::from_millis(50));
    let mut broker = world.broker.clone();
    let late = broker.get_repo_token(request).await.unwrap_err();
    assert!(matches!(late.code(), Code::DeadlineExceeded | Code::Cancelled), "{late:?}");
    gate.open();
    let got = get(&world).await.unwrap();
    assert!(world.sim.accepts(&got.token));
    assert_eq!(world.sim.count(MINT), before + 1);
    world.finish().await;
}

#[tokio::test]
async fn a_failure_answers_for_a_second_and_no_longer() {
    let world = configured(|config| config.github.limits.attempts = 1).await;
    world.sim.fault(Fault::once(MINT, Effect::Status { status: 502, html: true }));
    let before = world.sim.count(MINT);
    for wait in [0, 400, 400] {
        world.advance(Duration::from_millis(wait));
        assert_reason(&get(&world).await.unwrap_err(), Code::Unavailable, "GITHUB_UNAVAILABLE");
        assert_eq!(world.sim.count(MINT), before + 1);
    }
    world.advance(Duration::from_millis(201));
    get(&world).await.unwrap();
    world.finish().await;
}

#[tokio::test]
async fn a_secondary_limit_says_when_to_come_back() {
    for (retry_after, status, least, most) in [
        (Some(90), 403, 89, 90),
        (Some(90), 429, 89, 90),
        (None, 403, 59, 120),
        (None, 429, 59, 120),
    ] {
        let world = World::connected().await;
        let before = world.sim.count(MINT);
        let effect = Effect::SecondaryRateLimit { retry_after, status };
        world.sim.fault(Fault::always(MINT, effect));
        let refused = get(&world).await.unwrap_err();
        let details = assert_reason(&refused, Code::ResourceExhausted, "RATE_LIMITED");
        let wait = details.retry_info().unwrap().retry_delay.unwrap().as_secs();
        assert!((least..=most).contains(&wait), "{wait} s for {retry_after:?} {status}");
        let asked = world.sim.count(MINT);
        assert_eq!(asked, before + 1);
        world.advance(2 * SECOND);
        assert_reason(&get(&world).await.unwrap_err(), Code::ResourceExhausted, "RATE_LIMITED");
        assert_eq!(world.sim.count(MINT), asked, "GitHub is left alone until then");
        world.sim.clear_faults();
        world.advance(Duration::from_secs(most));
        get(&world).await.unwrap();
        world.finish().await;
    }
}

#[tokio::test]
async fn a_limit_leaves_tokens_that_live_in_use() {
    let world = World::connected().await;
    let first = token(&world).await;
    let reset_after = 50 * MINUTE;
    world.sim.fault(Fault::always(MINT, Effect::PrimaryRateLimit { reset_after }));
    let cold = world.get_repo_token(asking(&[("issues", "read")])).await.unwrap_err();
    assert_reason(&cold, Code::ResourceExhausted, "RATE_LIMITED");
    for minute in 1..=54 {
        world.advance(MINUTE);
        let got = get(&world).await.unwrap_or_else(|refused| panic!("{minute}: {refused}"));
        assert_eq!((got.token.as_str(), got.stale), (first.as_str(), false), "minute {minute}");
    }
    world.finish().await;
}

#[tokio::test]
async fn every_permission_that_is_missing_is_named_with_its_level() {
    let world = World::connected().await;
    world.sim.set_installation_permissions(
        INSTALLATION as u64,
        [("contents", Level::Read), ("metadata", Level::Read), ("issues", Level::Write)],
    );
    let wanted =
        [("contents", "write"), ("issues", "write"), ("checks", "read"), ("actions", "write")];
    let refused = world.get_repo_token(asking(&wanted)).await.unwrap_err();
    let details = assert_reason(&refused, Code::FailedPrecondition, "PERMISSION_NOT_GRANTED");
    let missing = &details.error_info().unwrap().metadata["missing"];
    let mut missing: Vec<&str> = missing.split(", ").collect();
    missing.sort_unstable();
    assert_eq!(missing, ["actions:write", "checks:read", "contents:write"]);
    // What one key may not have is no answer for another one.
    get(&world).await.unwrap();
    world.finish().await;
}

#[tokio::test]
async fn a_refusal_answers_for_half_a_minute_to_a_minute_and_for_its_own_repository() {
    let world = World::connected().await;
    world.sim.set_repositories(INSTALLATION as u64, &[]);
    let before = world.sim.count(MINT);
    for _ in 0..20 {
        let refused = get(&world).await.unwrap_err();
        assert_reason(&refused, Code::NotFound, "REPO_NOT_ACCESSIBLE");
    }
    world.advance(29 * SECOND);
    assert_reason(&get(&world).await.unwrap_err(), Code::NotFound, "REPO_NOT_ACCESSIBLE");
    assert_eq!(world.sim.count(MINT), before + 1, "GitHub was asked again and again");
    world.sim.select_all_repositories(INSTALLATION as u64);
    world.advance(FORGOTTEN);
    get(&world).await.unwrap();
    world.finish().await;
}

#[tokio::test]
async fn a_clock_that_github_refuses_is_said_with_how_far_it_is_off() {
    let (mut world, liar) = Liar::world(harness::seed()).await;
    world.register(ACCOUNT, INSTALLATION).await;
    world.configure(ACCOUNT, REPO).await;
    // GitHub judges by another clock than the one that it shows, and the JWT in use has ended.
    let clock = world.sim.clock().clone();
    liar.lie("", move |answer| {
        let shown = (clock.now() + 20 * MINUTE).format(&Rfc2822).unwrap();
        answer.header("date", &shown.replace("+0000", "GMT"));
    });
    world.advance(11 * MINUTE);
    let mut refusals = Vec::new();
    for name in ["issues", "pull_requests"] {
        for level in ["read", "write"] {
            refusals.extend(world.get_repo_token(asking(&[(name, level)])).await.err());
            world.advance(11 * MINUTE);
        }
    }
    let refused = refusals.last().unwrap();
    let details = assert_reason(refused, Code::Unavailable, "GITHUB_UNAVAILABLE");
    assert_eq!(details.error_info().unwrap().metadata["clock_offset_seconds"], "1200");
    world.finish().await;
}

// 3. Narrowing.

#[tokio::test]
async fn what_is_asked_for_in_other_words_is_the_same_and_less_is_another_one() {
    let world = World::connected().await;
    let before = world.sim.count(MINT);
    let first = token(&world).await;
    for same in [
        &[("contents", "read")] as &[(&str, &str)],
        &[("metadata", "read"), ("contents", "read")],
        &[("contents", "read"), ("metadata", "read")],
    ] {
        assert_eq!(world.token(same).await.token, first);
    }
    let named = GetRepoTokenRequest { repository: "ACME/Warehouse".into(), ..asking(&[]) };
    assert_eq!(world.get_repo_token(named).await.unwrap().token, first);
    let least = world.token(&[("metadata", "read")]).await;
    assert_eq!(least.permissions, HashMap::from([("metadata".into(), "read".into())]));
    assert_ne!(least.token, first);
    assert_eq!(world.sim.count(MINT), before + 2);
    world.finish().await;
}

// 4. Budgets.

#[tokio::test]
async fn the_apps_own_quota_is_not_that_of_an_installation() {
    let (mut world, liar) = Liar::world(harness::seed()).await;
    world.register(ACCOUNT, INSTALLATION).await;
    world.configure(ACCOUNT, REPO).await;
    world.token(&[("contents", "write")]).await;
    let reset = (world.sim.clock().now().unix_timestamp() + 1800).to_string();
    let used_up = move |answer: &mut harness::liar::Answer| {
        answer.header("x-ratelimit-remaining", "0");
        answer.header("x-ratelimit-reset", &reset);
    };
    // What the App itself has left is in the answer to a mint.
    liar.lie("POST /api/v3/app/installations/", used_up);
    let first = token(&world).await;
    world.commit("One", vec![write("a.sql", "1\n")]).await.unwrap();
    liar.be_honest();
    assert_eq!(token(&world).await, first);
    world.finish().await;
}

#[tokio::test]
async fn a_quota_that_is_nearly_used_up_ends_no_token_that_is_in_use() {
    let (mut world, liar) = Liar::world(harness::seed()).await;
    world.register(ACCOUNT, INSTALLATION).await;
    world.configure(ACCOUNT, REPO).await;
    // Of what an installation has, for as long as this goes on.
    liar.lie("GET /api/v3/repos", |answer| answer.header("x-ratelimit-remaining", "100"));
    liar.lie("POST /api/graphql", |answer| answer.header("x-ratelimit-remaining", "100"));
    let mut last = get(&world).await.unwrap();
    for minute in 1..=100 {
        world.advance(MINUTE);
        assert!(life(&world, &last) >= 300, "minute {minute}: who calls now would wait");
        last = get(&world).await.unwrap();
        assert!(!last.stale);
        // Time for what goes on in the background.
        let old = last.token.clone();
        if life(&world, &last) < 14 * 60 {
            let new = async { another(&world, &old).await };
            if tokio::time::timeout(Duration::from_millis(300), new).await.is_ok() {
                last = get(&world).await.unwrap();
            }
        }
    }
    world.finish().await;
}

#[tokio::test]
async fn a_tenant_that_keeps_its_places_does_not_keep_anothers_tokens_from_being_renewed() {
    let world = budgets::world(|config| {
        config.github.limits.in_flight = 4;
        config.github.limits.request_timeout = 10 * MINUTE;
    })
    .await;
    let gate = Gate::new();
    let asking = || GetRepoTokenRequest { account: OTHER.into(), ..Default::default() };
    let first = world.get_repo_token(asking()).await.unwrap().token;
    world.advance(39 * MINUTE);
    assert_eq!(world.get_repo_token(asking()).await.unwrap().token, first);
    // Two of four: all that one tenant may have.
    world.sim.fault(Fault::times(LOOK, 2, Effect::Hold(gate.clone())));
    let mut slow = JoinSet::new();
    for _ in 0..2 {
        let mut broker = world.broker.clone();
        let request = VerifyRepoRequest { account: ACCOUNT.into(), ..Default::default() };
        slow.spawn(async move { broker.verify_repo(request).await });
    }
    gate.arrived(2).await;
    for minute in 1..=25 {
        world.advance(MINUTE);
        let call = world.get_repo_token(asking());
        let got = tokio::time::timeout(Duration::from_secs(5), call).await;
        let got = got.unwrap_or_else(|_| panic!("minute {minute}: the caller waits"));
        let got = got.unwrap();
        assert!(!got.stale, "minute {minute}");
        settle(&world).await;
    }
    gate.open();
    world.finish().await;
}

// 6. The App's keys.

#[tokio::test]
async fn an_app_key_that_github_has_no_more_takes_no_token_that_lives() {
    let world = World::connected().await;
    let first = token(&world).await;
    let other = harness::new_app_key();
    world.sim.set_app_keys(APP_ID, &[&other.1]);
    let cold = world.get_repo_token(asking(&[("issues", "read")])).await.unwrap_err();
    assert_reason(&cold, Code::Internal, "INTERNAL");
    assert!(cold.message().contains("App key"), "{}", cold.message());
    for minute in 1..=54 {
        world.advance(MINUTE);
        let got = get(&world).await.unwrap_or_else(|refused| panic!("{minute}: {refused}"));
        assert_eq!((got.token.as_str(), got.stale), (first.as_str(), false), "minute {minute}");
    }
    world.sim.set_app_keys(APP_ID, &[&harness::app_key().1]);
    world.advance(3 * MINUTE);
    another(&world, &first).await;
    world.finish().await;
}

// 7. What happens at GitHub.

/// What happens at GitHub, and what calls are refused with then.
type Happens = (fn(&World), Code, &'static str);

const ENDS: [Happens; 4] = [
    (
        |world| world.sim.suspend(INSTALLATION as u64),
        Code::FailedPrecondition,
        "INSTALLATION_SUSPENDED",
    ),
    (
        |world| world.sim.uninstall(INSTALLATION as u64),
        Code::FailedPrecondition,
        "INSTALLATION_GONE",
    ),
    (
        |world| world.sim.set_repositories(INSTALLATION as u64, &[]),
        Code::NotFound,
        "REPO_NOT_ACCESSIBLE",
    ),
    (
        |world| {
            let only = [("issues", Level::Read), ("metadata", Level::Read)];
            world.sim.set_installation_permissions(INSTALLATION as u64, only);
        },
        Code::FailedPrecondition,
        "PERMISSION_NOT_GRANTED",
    ),
];

#[tokio::test]
async fn without_webhooks_a_renewal_learns_what_was_taken_away() {
    for (happens, code, reason) in ENDS {
        let world = World::connected().await;
        let first = token(&world).await;
        world.advance(39 * MINUTE);
        assert_eq!(token(&world).await, first);
        happens(&world);
        world.advance(7 * MINUTE);
        assert_reason(&refused(&world).await, code, reason);
        world.finish().await;
    }
}

#[tokio::test]
async fn with_webhooks_it_is_known_at_once() {
    for (happens, code, reason) in &ENDS[..3] {
        let world = told().await;
        token(&world).await;
        happens(&world);
        assert_reason(&refused(&world).await, *code, reason);
        world.sim.settled().await;
        assert!(
            world.sim.deliveries().iter().all(|delivery| delivery.outcome == "OK"),
            "{:?}",
            world.sim.deliveries()
        );
        world.finish().await;
    }
}

#[tokio::test]
async fn with_webhooks_what_is_given_is_had_at_once() {
    let world = told().await;
    world.sim.set_repositories(INSTALLATION as u64, &[]);
    assert_reason(&refused(&world).await, Code::NotFound, "REPO_NOT_ACCESSIBLE");
    world.sim.select_all_repositories(INSTALLATION as u64);
    world.until(async || get(&world).await.ok()).await;

    let wanted = [("contents", "read"), ("actions", "read")];
    let refused = world.get_repo_token(asking(&wanted)).await.unwrap_err();
    assert_reason(&refused, Code::FailedPrecondition, "PERMISSION_NOT_GRANTED");
    let granted = [("contents", Level::Write), ("actions", Level::Read), ("metadata", Level::Read)];
    world.sim.set_installation_permissions(INSTALLATION as u64, granted);
    world.until(async || world.get_repo_token(asking(&wanted)).await.ok()).await;

    world.sim.suspend(INSTALLATION as u64);
    world.until(async || get(&world).await.err()).await;
    world.sim.unsuspend(INSTALLATION as u64);
    world.until(async || get(&world).await.ok()).await;
    world.finish().await;
}

// 8. Tokens that end.

#[tokio::test]
async fn a_report_of_a_token_that_was_replaced_leaves_the_new_one() {
    let world = World::connected().await;
    let first = token(&world).await;
    world.advance(39 * MINUTE);
    token(&world).await;
    world.advance(7 * MINUTE);
    let second = another(&world, &first).await;
    let mints = world.sim.count(MINT);
    assert!(!report(&world, &first).await);
    assert!(!report(&world, "ghs_0000000000000000000000000000000000000000").await);
    assert_eq!(token(&world).await, second);
    assert_eq!(world.sim.count(MINT), mints);
    world.finish().await;
}

#[tokio::test]
async fn a_token_that_was_reported_is_never_handed_out_again_and_ends_with_the_account() {
    let world = World::connected().await;
    let first = token(&world).await;
    world.sim.fault(Fault::always(MINT, Effect::Status { status: 502, html: true }));
    assert!(report(&world, &first).await);
    for _ in 0..10 {
        assert_reason(&get(&world).await.unwrap_err(), Code::Unavailable, "GITHUB_UNAVAILABLE");
        world.advance(20 * SECOND);
    }
    world.sim.clear_faults();
    world.advance(MINUTE);
    assert_ne!(token(&world).await, first);
    assert!(world.sim.accepts(&first), "the report was wrong");
    disconnect(&world, ACCOUNT).await;
    world.until(async || (!world.sim.accepts(&first)).then_some(())).await;
    world.finish().await;
}

/// Tokens that were handed out.
#[derive(Default)]
struct Had(Vec<String>);

impl Had {
    /// Another one for each key, the old ones being alive.
    async fn renew(&mut self, world: &World) {
        let first = token(world).await;
        self.0.push(first.clone());
        world.advance(39 * MINUTE);
        assert_eq!(token(world).await, first);
        world.advance(7 * MINUTE);
        self.0.push(another(world, &first).await);
        assert_eq!(self.alive(world), self.0.len());
    }

    fn alive(&self, world: &World) -> usize {
        self.0.iter().filter(|token| world.sim.accepts(token)).count()
    }
}

#[tokio::test]
async fn nothing_that_was_ever_handed_out_outlives_the_account() {
    let world = told().await;
    let other =
        seed::Repository { owner: "acme".into(), name: "other".into(), ..Default::default() };
    world.sim.add_repository(&other).unwrap();
    let mut had = Had::default();
    had.renew(&world).await;
    had.0.push(world.token(&[("issues", "write")]).await.token);
    // Forgotten for what GitHub tells of another repository, and good for this one all the same.
    world.sim.set_repositories(INSTALLATION as u64, &["warehouse", "other"]);
    world.sim.set_repositories(INSTALLATION as u64, &["warehouse"]);
    let last = had.0[1].clone();
    had.0.push(another(&world, &last).await);
    disconnect(&world, ACCOUNT).await;
    assert_eq!(had.alive(&world), 0);
    world.finish().await;
}

#[tokio::test]
async fn what_is_switched_off_or_stopped_leaves_nothing_alive() {
    let mut world = configured(|config| config.revoke_on_shutdown = true).await;
    let switch = async |world: &World, enabled| {
        let source = CredentialSource::AppInstallation.into();
        let request =
            SetCredentialEnabledRequest { account: ACCOUNT.into(), source, enabled: Some(enabled) };
        world.set_credential_enabled(request).await.unwrap();
    };
    let mut had = Had::default();
    had.renew(&world).await;
    switch(&world, false).await;
    assert_eq!(had.alive(&world), 0);
    switch(&world, true).await;
    let mut had = Had::default();
    had.renew(&world).await;
    world.stop().await.unwrap();
    assert_eq!(had.alive(&world), 0);
    assert!(world.sim.count(REVOKE) >= 4);
}

#[tokio::test]
async fn a_renewal_that_brings_another_token_than_asked_for_leaves_the_old_one() {
    let (mut world, liar) = Liar::world(harness::seed()).await;
    world.register(ACCOUNT, INSTALLATION).await;
    world.configure(ACCOUNT, REPO).await;
    let first = token(&world).await;
    world.advance(39 * MINUTE);
    assert_eq!(token(&world).await, first);
    liar.lie("POST /api/v3/app/installations/", |answer| {
        answer.body["permissions"]["contents"] = "write".into();
    });
    for minute in 40..=54 {
        world.advance(MINUTE);
        settle(&world).await;
        let got = get(&world).await.unwrap_or_else(|refused| panic!("{minute}: {refused}"));
        assert_eq!(got.token, first);
    }
    liar.be_honest();
    world.advance(2 * MINUTE);
    another(&world, &first).await;
    world.finish().await;
}

#[tokio::test]
async fn who_reports_a_token_while_its_renewal_fails_is_not_told_what_failed() {
    let world = configured(|config| config.github.limits.attempts = 1).await;
    let first = token(&world).await;
    world.advance(39 * MINUTE);
    assert_eq!(token(&world).await, first);
    let mints = world.sim.count(MINT);
    let limit = Effect::SecondaryRateLimit { retry_after: Some(2), status: 429 };
    world.sim.fault(Fault::once(MINT, limit));
    world.advance(7 * MINUTE);
    world.until(async || (world.sim.count(MINT) == mints + 1).then_some(())).await;
    settle(&world).await;
    world.advance(3 * SECOND);
    assert!(report(&world, &first).await);
    assert_ne!(token(&world).await, first);
    world.finish().await;
}

#[tokio::test]
async fn an_installation_that_another_account_takes_over_brings_it_nothing_of_the_first_one() {
    let mut world = World::connected().await;
    let theirs = token(&world).await;
    disconnect(&world, ACCOUNT).await;
    world.register("tenant-next", INSTALLATION).await;
    world.configure("tenant-next", REPO).await;
    let request = GetRepoTokenRequest { account: "tenant-next".into(), ..Default::default() };
    let own = world.get_repo_token(request).await.unwrap().token;
    assert_ne!(own, theirs);
    assert!(!world.sim.accepts(&theirs) && world.sim.accepts(&own));
    assert_reason(&get(&world).await.unwrap_err(), Code::NotFound, "ACCOUNT_NOT_CONNECTED");
    assert!(!report(&world, &own).await);
    let commit = CommitFilesRequest {
        account: ACCOUNT.into(),
        message: "Intrude".into(),
        files: vec![write("a.sql", "1\n")],
        ..Default::default()
    };
    let refused = world.broker.clone().commit_files(commit).await.unwrap_err();
    assert_reason(&refused, Code::NotFound, "ACCOUNT_NOT_CONNECTED");
    world.finish().await;
}
