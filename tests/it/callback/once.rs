//! When a state is used up.

use std::time::Duration;

use ghbroker::proto::*;
use github_sim::{Effect, Fault};
use reqwest::StatusCode;

use super::{
    code_of, comes, connecting, counted, installed, installing, is_connected, landing, pages, told,
    world,
};
use crate::{
    access::rule,
    harness::{ACCOUNT, INSTALLATION, World, caller::Caller, door::Door, seed},
};

const UNKNOWN: &str = "outcome=refused&reason=STATE_UNKNOWN";

#[tokio::test]
async fn a_state_finishes_once_and_for_ten_minutes() {
    let world = world().await;
    let good = installed(INSTALLATION, &installing(&world, ACCOUNT, "acme").await);
    let late = installed(INSTALLATION, &installing(&world, ACCOUNT, "acme").await);
    assert_eq!(told(&world, &good).await, "outcome=connected&kind=installation");
    assert_eq!(told(&world, &good).await, UNKNOWN);

    let (state, code) = connecting(&world, ACCOUNT, "alice").await;
    let query = format!("code={code}&state={state}");
    assert_eq!(told(&world, &query).await, "outcome=connected&kind=oauth");
    assert_eq!(told(&world, &query).await, UNKNOWN);

    let (cancelled, code) = connecting(&world, ACCOUNT, "alice").await;
    let query = format!("error=access_denied&state={cancelled}");
    assert_eq!(told(&world, &query).await, "outcome=cancelled&kind=oauth");
    assert_eq!(told(&world, &format!("code={code}&state={cancelled}")).await, UNKNOWN);

    world.advance(Duration::from_secs(600));
    assert_eq!(told(&world, &late).await, UNKNOWN);
    world.finish().await;
}

#[tokio::test]
async fn a_refusal_uses_it_up() {
    let world = world().await;
    let state = installing(&world, ACCOUNT, "acme").await;
    let gone = told(&world, &installed(999_999, &state)).await;
    assert_eq!(gone, "outcome=refused&kind=installation&reason=INSTALLATION_GONE");
    assert_eq!(told(&world, &installed(INSTALLATION, &state)).await, UNKNOWN);
    world.finish().await;
}

#[tokio::test]
async fn of_two_browsers_with_one_state_one_is_too_late() {
    let world = world().await;
    let query = installed(INSTALLATION, &installing(&world, ACCOUNT, "acme").await);
    let (a, b) = tokio::join!(told(&world, &query), told(&world, &query));
    let mut ends = [a, b];
    ends.sort();
    assert_eq!(ends[0], "outcome=connected&kind=installation");
    assert!(
        ends[1].starts_with("outcome=refused") && ends[1].ends_with("STATE_UNKNOWN"),
        "{ends:?}"
    );
    world.finish().await;
}

#[tokio::test]
async fn what_the_callback_finished_cannot_be_finished_by_rpc_nor_the_other_way_round() {
    let world = world().await;
    let by_rpc = async |state: String| {
        let request = RegisterInstallationRequest {
            account: ACCOUNT.into(),
            installation_id: INSTALLATION,
            setup_action: SetupAction::Install.into(),
            state,
            ..Default::default()
        };
        world.register_installation(request).await.is_ok()
    };
    let state = installing(&world, ACCOUNT, "acme").await;
    told(&world, &installed(INSTALLATION, &state)).await;
    assert!(!by_rpc(state).await);
    let state = installing(&world, ACCOUNT, "acme").await;
    assert!(by_rpc(state.clone()).await);
    assert_eq!(told(&world, &installed(INSTALLATION, &state)).await, UNKNOWN);
    world.finish().await;
}

/// A portal at the door, and what it may.
async fn guarded() -> (World, Caller) {
    let rules = rule("portal", "role = \"admin\"\naccounts = [\"*\"]");
    let world = World::with_pages(seed(), Some(Door::new("either", &rules)), &pages()).await;
    let portal = world.workload("portal").await;
    (world, portal)
}

async fn begun_by(portal: &Caller) -> String {
    let request = BeginInstallationRequest {
        account: ACCOUNT.into(),
        expected_github_login: "acme".into(),
        ..Default::default()
    };
    portal.admin().begin_installation(request).await.unwrap().into_inner().state
}

#[tokio::test]
async fn what_the_one_who_began_may_not_do_any_more_is_not_done() {
    let (world, portal) = guarded().await;
    let state = begun_by(&portal).await;
    world.door().rule("");
    world.advance(Duration::from_secs(5));
    let begin = BeginInstallationRequest { account: ACCOUNT.into(), ..Default::default() };
    world
        .until(async || portal.admin().begin_installation(begin.clone()).await.err().map(drop))
        .await;
    let requests = world.sim.requests().len();
    assert_eq!(
        told(&world, &installed(INSTALLATION, &state)).await,
        "outcome=refused&kind=installation&reason=CALLER_NOT_ALLOWED"
    );
    assert_eq!(world.sim.requests().len(), requests, "GitHub was not asked");
    let line = world.audit().pop().unwrap();
    assert_eq!(
        (&line["rpc"], &line["decision"], &line["reason"], &line["caller"], &line["account"]),
        (
            &"GithubCallback".into(),
            &"deny".into(),
            &"CALLER_NOT_ALLOWED".into(),
            &"spiffe://example.org/portal".into(),
            &ACCOUNT.into()
        )
    );
    world.finish().await;
}

#[tokio::test]
async fn it_is_done_in_the_name_of_the_one_who_began() {
    let (world, portal) = guarded().await;
    let state = begun_by(&portal).await;
    let before = world.audit().len();
    told(&world, &installed(INSTALLATION, &state)).await;
    let lines = world.audit_after(before);
    let said: Vec<_> = lines
        .iter()
        .map(|line| {
            let word = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
            [
                word("phase"),
                word("rpc"),
                word("caller"),
                word("account"),
                word("rule"),
                word("decision"),
            ]
        })
        .collect();
    let line = |phase: &str| {
        [phase, "GithubCallback", "spiffe://example.org/portal", ACCOUNT, "portal", "allow"]
            .map(str::to_owned)
    };
    assert_eq!(said, [line("begin"), line("end")]);
    assert_eq!(lines[1]["installation_id"], INSTALLATION);
    assert_eq!(lines[0]["request_id"], lines[1]["request_id"]);
    world.finish().await;
}

#[tokio::test]
async fn a_browser_that_goes_away_stops_nothing_half_way() {
    let world = world().await;
    let state = installing(&world, ACCOUNT, "").await;
    let code = code_of(&world, "alice").await;
    let gate = github_sim::Gate::new();
    let held = Effect::Hold(gate.clone());
    world.sim.fault(Fault::once("GET /app/installations/{installation_id}", held));
    let query = format!("{}&code={code}", installed(INSTALLATION, &state));
    let browser = tokio::spawn(comes(&world, &query).send());
    gate.arrived(1).await;
    browser.abort();
    gate.open();
    world.until(async || is_connected(&world).await.then_some(())).await;
    world.finish().await;
}

#[tokio::test]
async fn more_than_sixteen_browsers_at_once_are_asked_to_come_back() {
    let world = world().await;
    let look = "GET /app/installations/{installation_id}";
    let gate = github_sim::Gate::new();
    world.sim.fault(Fault::always(look, Effect::Hold(gate.clone())));
    let query = installed(INSTALLATION, &installing(&world, ACCOUNT, "acme").await);
    let held: Vec<_> = (0..16).map(|_| tokio::spawn(comes(&world, &query).send())).collect();
    gate.arrived(16).await;
    let busy = comes(&world, "").send().await.unwrap();
    assert_eq!(busy.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(busy.text().await.unwrap().contains("load this page again"));
    gate.open();
    let mut connected = 0;
    for browser in held {
        let answer = browser.await.unwrap().unwrap();
        connected += usize::from(super::location(&answer).as_str().contains("outcome=connected"));
    }
    assert_eq!(connected, 1);
    assert_eq!(counted(&world).await["busy"], 1);
    let later = landing(&world, "").await;
    assert!(later.as_str().ends_with(UNKNOWN));
    world.finish().await;
}
