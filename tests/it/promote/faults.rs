//! GitHub fails or the connection breaks on the way: never two pull requests, never a false success.

use ghbroker::proto::*;
use github_sim::{Effect, Fault, Gate};
use tonic::Code;

use super::{only_pull, ready, request};
use crate::harness::{REPO, git::git, status::assert_reason};

pub const CREATE: &str = "POST /repos/{owner}/{repo}/pulls";
const LIST: &str = "GET /repos/{owner}/{repo}/pulls";
const UPDATE: &str = "PATCH /repos/{owner}/{repo}/pulls/{pull_number}";

#[tokio::test]
async fn an_answer_that_was_lost_is_looked_up() {
    for lost in [Effect::DropAfter, Effect::Garbage] {
        let world = ready().await;
        world.sim.fault(Fault::once(CREATE, lost));
        let answer = world.open_promotion_pr(request()).await.unwrap();
        assert!(answer.created);
        assert_eq!(only_pull(&world)["number"], answer.number);
        assert_eq!(world.sim.count(CREATE), 1, "it is not sent again");
    }
}

#[tokio::test]
async fn what_had_no_effect_can_be_called_again() {
    for failure in [Effect::DropBefore, Effect::Status { status: 502, html: true }] {
        let world = ready().await;
        world.sim.fault(Fault::once(CREATE, failure));
        // Whether the broker tries again itself is its own choice; that nothing is doubled or lost is not.
        if let Err(failed) = world.open_promotion_pr(request()).await {
            assert_reason(&failed, Code::Unavailable, "GITHUB_UNAVAILABLE");
            assert!(world.sim.pulls(REPO).is_empty());
        }
        let answer = world.open_promotion_pr(request()).await.unwrap();
        assert_eq!(only_pull(&world)["number"], answer.number);
    }
}

#[tokio::test]
async fn what_somebody_merges_meanwhile_is_not_promoted_again() {
    let world = ready().await;
    let gate = Gate::new();
    world.sim.fault(Fault::once(CREATE, Effect::Hold(gate.clone())));
    let merge = async {
        gate.arrived(1).await;
        git(&world.sim.git_dir(REPO), &["branch", "--force", "main", "staging"]);
        gate.open();
    };
    let (refused, ()) = tokio::join!(world.open_promotion_pr(request()), merge);
    assert_reason(&refused.unwrap_err(), Code::FailedPrecondition, "NOTHING_TO_PROMOTE");
    assert!(world.sim.pulls(REPO).is_empty());
}

#[tokio::test]
async fn a_lost_update_is_not_reported_as_done_unless_it_is() {
    let world = ready().await;
    world.open_promotion_pr(request()).await.unwrap();
    let titled = OpenPromotionPrRequest { title: "Week 47".into(), ..request() };
    world.sim.fault(Fault::once(UPDATE, Effect::DropBefore));
    if let Err(failed) = world.open_promotion_pr(titled.clone()).await {
        assert_reason(&failed, Code::Unavailable, "GITHUB_UNAVAILABLE");
        world.open_promotion_pr(titled).await.unwrap();
    }
    assert_eq!(only_pull(&world)["title"], "Week 47");
}

#[tokio::test]
async fn one_bad_gateway_on_a_read_is_not_noticed() {
    let world = ready().await;
    for route in [LIST, "GET /repos/{owner}/{repo}", "GET /repos/{owner}/{repo}/compare/{basehead}"]
    {
        world.sim.fault(Fault::once(route, Effect::Status { status: 502, html: true }));
    }
    assert!(world.open_promotion_pr(request()).await.unwrap().created);
}

#[tokio::test]
async fn while_github_is_down_nothing_is_promised() {
    let world = ready().await;
    world.sim.fault(Fault::always("*", Effect::Status { status: 503, html: false }));
    let failed = world.open_promotion_pr(request()).await.unwrap_err();
    assert_reason(&failed, Code::Unavailable, "GITHUB_UNAVAILABLE");
    assert!(world.sim.pulls(REPO).is_empty());
}

#[tokio::test]
async fn a_rate_limit_says_when_to_come_back() {
    let world = ready().await;
    let limit = Effect::SecondaryRateLimit { retry_after: Some(77), status: 403 };
    world.sim.fault(Fault::once(CREATE, limit));
    let failed = world.open_promotion_pr(request()).await.unwrap_err();
    let details = assert_reason(&failed, Code::ResourceExhausted, "RATE_LIMITED");
    let delay = details.retry_info().unwrap().retry_delay.unwrap();
    assert_eq!(delay.as_secs(), 77);
}
