//! CreateRepository while GitHub's answers are lost: nothing is made twice, and nothing of somebody else's is taken for ours.

use github_sim::{Effect, Fault, ReplicationLag};
use tonic::Code;

use super::{classic, create::new, let_administer, set_pat};
use crate::harness::{REPO, World, status::assert_reason};

const MAKE: &str = "POST /orgs/{org}/repos";
const LOOK: &str = "GET /repos/{owner}/{repo}";

async fn world() -> World {
    let world = World::connected().await;
    let_administer(&world);
    world
}

#[tokio::test]
async fn what_was_made_is_found_again() {
    for effect in [Effect::DropAfter, Effect::Garbage, Effect::Huge(20 << 20)] {
        let world = world().await;
        world.sim.fault(Fault::once(MAKE, effect));
        let answer = world.create_repository(new("acme/shop")).await.unwrap();
        let id = world.sim.repository_id("acme/shop") as i64;
        assert_eq!(answer.repository.unwrap().repository_id, id);
        assert_eq!(world.sim.count(MAKE), 1, "it was not sent again");
        world.finish().await;
    }
}

#[tokio::test]
async fn by_a_user_too() {
    const MAKE: &str = "POST /user/repos";
    let world = World::start().await;
    set_pat(&world, classic("repo")).await;
    world.sim.fault(Fault::once(MAKE, Effect::DropAfter));
    let answer = world.create_repository(new("alice/notes")).await.unwrap();
    assert_eq!(answer.repository.unwrap().name, "alice/notes");
    assert_eq!(world.sim.count(MAKE), 1);
    world.finish().await;
}

#[tokio::test]
async fn what_was_not_made_may_be_for_all_that_is_known() {
    let world = world().await;
    for effect in [Effect::DropBefore, Effect::Status { status: 502, html: true }] {
        world.sim.fault(Fault::once(MAKE, effect));
        let lost = world.create_repository(new("acme/shop")).await.unwrap_err();
        assert_reason(&lost, Code::Unavailable, "GITHUB_UNAVAILABLE");
        assert!(lost.message().contains("may exist by now"), "{}", lost.message());
    }
    assert_eq!(world.sim.count(MAKE), 2, "once for each call");
    world.create_repository(new("acme/shop")).await.unwrap();
    world.finish().await;
}

#[tokio::test]
async fn somebody_elses_is_not_taken_for_it() {
    let world = world().await;
    world.sim.fault(Fault::once(MAKE, Effect::DropBefore));
    let lost = world.create_repository(new(REPO)).await.unwrap_err();
    assert_reason(&lost, Code::Unavailable, "GITHUB_UNAVAILABLE");
    assert!(world.sim.count(LOOK) > 0, "it was looked at");
    world.finish().await;
}

#[tokio::test]
async fn while_nothing_can_be_seen_either() {
    let world = world().await;
    world.sim.fault(Fault::once(MAKE, Effect::DropAfter));
    world.sim.fault(Fault::always(LOOK, Effect::DropBefore));
    let lost = world.create_repository(new("acme/shop")).await.unwrap_err();
    assert_reason(&lost, Code::Unavailable, "GITHUB_UNAVAILABLE");
    world.sim.clear_faults();
    world.advance(std::time::Duration::from_secs(60));
    let again = world.create_repository(new("acme/shop")).await.unwrap_err();
    assert_reason(&again, Code::AlreadyExists, "REPO_EXISTS");
    world.finish().await;
}

#[tokio::test]
async fn a_token_that_is_not_known_everywhere_yet_is_waited_for() {
    let world = world().await;
    world.sim.set_replication_lag(ReplicationLag::Uses(2));
    world.create_repository(new("acme/shop")).await.unwrap();
    assert_eq!(world.sim.count(MAKE), 1);
    world.finish().await;
}
