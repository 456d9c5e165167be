//! What has nothing to promote any more, and what does again.

use tonic::{Code, Status};

use super::{only_pull, ready, request};
use crate::harness::{REPO, World, person::Person, status::assert_reason, write};

/// More commits than one page of a comparison has.
const MANY: usize = 31;
const TREE: &str = "GET /repos/{owner}/{repo}/branches/{branch}";

#[track_caller]
fn assert_merged_already(refused: &Status) {
    assert_reason(refused, Code::FailedPrecondition, "NOTHING_TO_PROMOTE");
    assert!(refused.message().contains("squashed or rebased"), "{}", refused.message());
}

#[tokio::test]
async fn a_squashed_head_has_nothing_to_promote_until_it_goes_on() {
    let world = ready().await;
    let first = world.open_promotion_pr(request()).await.unwrap();
    Person::of(&world.sim, "alice").merge_by("squash", REPO, first.number).await;
    assert_merged_already(&world.open_promotion_pr(request()).await.unwrap_err());
    assert_eq!(only_pull(&world)["state"], "closed");

    world.commit("Add another", vec![write("models/b.sql", "select 2\n")]).await.unwrap();
    let second = world.open_promotion_pr(request()).await.unwrap();
    assert!(second.created);
    assert_eq!(second.commits_ahead, 2, "the squashed one is none of production's");
}

#[tokio::test]
async fn a_rebased_head_has_nothing_to_promote() {
    let world = ready().await;
    world.sim.commit(REPO, "main", &[("models/a.sql", "select 1\n")]);
    assert_merged_already(&world.open_promotion_pr(request()).await.unwrap_err());
    assert!(world.sim.pulls(REPO).is_empty());
}

#[tokio::test]
async fn what_was_taken_back_is_nothing_to_promote() {
    let world = World::connected().await;
    world.sim.commit(REPO, "staging", &[("README.md", "# Other\n")]);
    world.sim.commit(REPO, "staging", &[("README.md", "# Warehouse\n")]);
    assert_merged_already(&world.open_promotion_pr(request()).await.unwrap_err());
}

#[tokio::test]
async fn a_long_head_is_read_before_it_is_promoted() {
    let world = World::connected().await;
    for at in 0..MANY {
        world.sim.commit(REPO, "staging", &[("models/a.sql", &format!("select {at}\n"))]);
    }
    let answer = world.open_promotion_pr(request()).await.unwrap();
    assert_eq!((answer.created, answer.commits_ahead), (true, MANY as i32));
    assert_eq!(world.sim.count(TREE), 1);

    let last = format!("select {}\n", MANY - 1);
    world.sim.commit(REPO, "main", &[("models/a.sql", &last)]);
    assert_merged_already(&world.open_promotion_pr(request()).await.unwrap_err());
    assert_eq!(world.sim.count(TREE), 2);
}

#[tokio::test]
async fn one_that_was_closed_and_opened_again_by_hand_is_found() {
    let world = ready().await;
    let first = world.open_promotion_pr(request()).await.unwrap();
    let alice = Person::of(&world.sim, "alice");
    alice.close(REPO, first.number).await;
    alice.reopen(REPO, first.number).await;
    let found = world.open_promotion_pr(request()).await.unwrap();
    assert_eq!((found.number, found.created), (first.number, false));
    assert_eq!(only_pull(&world)["state"], "open");
}
