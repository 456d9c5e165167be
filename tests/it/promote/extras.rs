//! Labels and reviewers: what cannot be put on a pull request does not keep it from being opened.

use ghbroker::proto::*;
use github_sim::{Effect, Fault, seed};

use super::{listed, only_pull, request, team};
use crate::harness::{ACCOUNT, World};

pub const LABELS: &str = "POST /repos/{owner}/{repo}/issues/{issue_number}/labels";
pub const REVIEWERS: &str = "POST /repos/{owner}/{repo}/pulls/{pull_number}/requested_reviewers";

fn texts(list: &[&str]) -> Vec<String> {
    list.iter().map(|text| (*text).to_owned()).collect()
}

fn labeled(labels: &[&str]) -> OpenPromotionPrRequest {
    OpenPromotionPrRequest { labels: texts(labels), ..request() }
}

fn reviewed(reviewers: &[&str], teams: &[&str]) -> OpenPromotionPrRequest {
    let (reviewers, team_reviewers) = (texts(reviewers), texts(teams));
    OpenPromotionPrRequest { reviewers, team_reviewers, ..request() }
}

/// What the warnings are of and about.
fn warned(answer: &OpenPromotionPrResponse) -> Vec<(PromotionWarningCode, &str)> {
    answer.warnings.iter().map(|warning| (warning.code(), warning.subject.as_str())).collect()
}

fn reviewers(world: &World) -> Vec<String> {
    listed(&only_pull(world), "requested_reviewers", "login")
}

const REVIEWER: PromotionWarningCode = PromotionWarningCode::ReviewerNotAdded;
const LABEL: PromotionWarningCode = PromotionWarningCode::LabelNotAdded;

#[tokio::test]
async fn labels_are_put_beside_those_that_are_there() {
    let world = team().await;
    let answer = world.open_promotion_pr(labeled(&["data", " needs review ", "Data"])).await;
    assert_eq!(answer.unwrap().warnings, []);
    assert_eq!(listed(&only_pull(&world), "labels", "name"), ["data", "needs review"]);

    world.open_promotion_pr(labeled(&["DATA"])).await.unwrap();
    assert_eq!(world.sim.count(LABELS), 1, "there is none to add");
    world.open_promotion_pr(labeled(&["week 47", "data"])).await.unwrap();
    assert_eq!(listed(&only_pull(&world), "labels", "name"), ["data", "needs review", "week 47"]);
    world.open_promotion_pr(request()).await.unwrap();
    assert_eq!(listed(&only_pull(&world), "labels", "name").len(), 3);
}

#[tokio::test]
async fn reviews_are_requested_once() {
    let world = team().await;
    let answer = world.open_promotion_pr(reviewed(&["bob", "Bob", "carol"], &[])).await.unwrap();
    assert_eq!(answer.warnings, []);
    assert_eq!(reviewers(&world), ["bob", "carol"]);
    world.open_promotion_pr(reviewed(&["carol", "BOB"], &[])).await.unwrap();
    assert_eq!(world.sim.count(REVIEWERS), 1);
    world.open_promotion_pr(reviewed(&["alice"], &[])).await.unwrap();
    assert_eq!(reviewers(&world).len(), 3);
}

#[tokio::test]
async fn a_wrong_reviewer_does_not_cost_the_right_ones() {
    let world = team().await;
    let asked = reviewed(&["bob", "mallory", "carol", "nobody-at-all"], &["core"]);
    let answer = world.open_promotion_pr(asked).await.unwrap();
    assert!(answer.created);
    assert_eq!(only_pull(&world)["number"], answer.number);
    assert_eq!(reviewers(&world), ["bob", "carol"]);
    let wrong = [(REVIEWER, "mallory"), (REVIEWER, "nobody-at-all"), (REVIEWER, "core")];
    assert_eq!(warned(&answer), wrong);
    for warning in &answer.warnings {
        assert!(
            warning.message.contains("may only be requested from collaborators"),
            "{warning:?}"
        );
        assert!(warning.message.contains("access to the repository"), "{warning:?}");
    }
    assert_eq!(world.sim.count(REVIEWERS), 6, "all at once, then each by itself");
}

#[tokio::test]
async fn a_single_wrong_reviewer_is_asked_for_once() {
    let world = team().await;
    let answer = world.open_promotion_pr(reviewed(&["mallory"], &[])).await.unwrap();
    assert_eq!(warned(&answer), [(REVIEWER, "mallory")]);
    assert_eq!(world.sim.count(REVIEWERS), 1);
}

#[tokio::test]
async fn who_opened_it_cannot_review_it() {
    let mut world = World::start_with(super::team_seed()).await;
    let pat = seed::Pat { scopes: vec!["repo".into()], ..Default::default() };
    let token = world.pat(pat);
    world
        .set_pat(SetPatRequest { account: ACCOUNT.into(), token, ..Default::default() })
        .await
        .unwrap();
    world.configure(ACCOUNT, crate::harness::REPO).await;
    world.sim.move_head(crate::harness::REPO, "staging");
    let answer = world.open_promotion_pr(reviewed(&["Alice", "bob"], &[])).await.unwrap();
    assert_eq!(warned(&answer), [(REVIEWER, "Alice")]);
    assert!(answer.warnings[0].message.contains("opened"), "{answer:?}");
    assert_eq!(reviewers(&world), ["bob"]);
    assert_eq!(world.sim.count(REVIEWERS), 1);
}

#[tokio::test]
async fn a_wrong_label_does_not_cost_the_right_ones() {
    let world = team().await;
    let refused = Effect::Status { status: 422, html: false };
    world.sim.fault(Fault::times(LABELS, 2, refused));
    let answer = world.open_promotion_pr(labeled(&["odd", "data"])).await.unwrap();
    assert_eq!(warned(&answer), [(LABEL, "odd")]);
    assert_eq!(listed(&only_pull(&world), "labels", "name"), ["data"]);
}

#[tokio::test]
async fn what_github_does_not_answer_is_a_warning_and_done_by_the_next_call() {
    for failure in [
        Effect::Status { status: 503, html: true },
        Effect::Status { status: 401, html: false },
        Effect::DropBefore,
        Effect::SecondaryRateLimit { retry_after: Some(77), status: 403 },
    ] {
        let world = team().await;
        let asked =
            OpenPromotionPrRequest { labels: texts(&["data"]), ..reviewed(&["bob", "carol"], &[]) };
        world.sim.fault(Fault::always(LABELS, failure.clone()));
        world.sim.fault(Fault::always(REVIEWERS, failure));
        let answer = world.open_promotion_pr(asked.clone()).await.unwrap();
        assert_eq!(only_pull(&world)["number"], answer.number);
        assert_eq!(warned(&answer), [(LABEL, "data"), (REVIEWER, "bob"), (REVIEWER, "carol")]);
        assert!(answer.warnings.iter().all(|warning| warning.message.len() > 20), "{answer:?}");

        world.sim.clear_faults();
        world.advance(std::time::Duration::from_secs(120));
        let answer = world.open_promotion_pr(asked).await.unwrap();
        assert_eq!((answer.created, answer.warnings), (false, vec![]));
        assert_eq!(listed(&only_pull(&world), "labels", "name"), ["data"]);
        assert_eq!(reviewers(&world), ["bob", "carol"]);
    }
}
