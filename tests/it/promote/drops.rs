//! The connection breaks at each single request of a promotion, before and after its effect. In the end there is one open pull
//! request with all that was asked for.

use std::time::Duration;

use ghbroker::proto::*;
use github_sim::{Effect, Fault};
use tonic::Code;

use super::{listed, only_pull, request, team};
use crate::harness::{
    self, ACCOUNT, INSTALLATION, REPO, Urls, World, person::Person, status::assert_reason,
};

/// A promotion with everything, and with a reviewer who cannot be one.
fn everything() -> OpenPromotionPrRequest {
    OpenPromotionPrRequest {
        title: "Week 47".into(),
        body: Some("Two models.".into()),
        labels: vec!["data".into(), "week 47".into()],
        reviewers: vec!["bob".into(), "mallory".into(), "carol".into()],
        auto_merge: MergeMethod::Squash.into(),
        retarget: true,
        ..request()
    }
}

/// How a world is before the promotion: nothing is open, or one that goes elsewhere and is called otherwise.
async fn before(open: bool) -> World {
    let world = team().await;
    if open {
        world.sim.commit(REPO, "release", &[("RELEASE.md", "1\n")]);
        Person::of(&world.sim, "alice").open(REPO, "staging", "release").await;
    }
    world
}

/// Lets the request after so many others meet the effect.
fn break_after(world: &World, others: usize, effect: Effect) {
    if others > 0 {
        let nothing = Effect::Latency(Duration::ZERO);
        world.sim.fault(Fault::times("*", u32::try_from(others).unwrap(), nothing));
    }
    world.sim.fault(Fault::once("*", effect));
}

#[track_caller]
fn assert_all_is_there(world: &World, answer: &OpenPromotionPrResponse, what: &str) {
    let pull = only_pull(world);
    assert_eq!(
        (&pull["number"], &pull["state"]),
        (&answer.number.into(), &"open".into()),
        "{what}"
    );
    assert_eq!(
        (&pull["title"], &pull["body"]),
        (&"Week 47".into(), &"Two models.".into()),
        "{what}"
    );
    assert_eq!(pull["base"]["ref"], "main", "{what}");
    assert_eq!(listed(&pull, "labels", "name"), ["data", "week 47"], "{what}");
    assert_eq!(listed(&pull, "requested_reviewers", "login"), ["bob", "carol"], "{what}");
    assert_eq!(pull["auto_merge"]["merge_method"], "squash", "{what}");
    assert!(answer.auto_merge_enabled, "{what}");
    let wrong: Vec<&str> = answer.warnings.iter().map(|warning| &*warning.subject).collect();
    assert_eq!(wrong, ["mallory"], "{what}");
}

async fn whatever_is_lost(open: bool) {
    let world = before(open).await;
    let already = world.sim.requests().len();
    let answer = world.open_promotion_pr(everything()).await.unwrap();
    assert_all_is_there(&world, &answer, "nothing is lost");
    let routes: Vec<String> =
        world.sim.requests().into_iter().skip(already).map(|seen| seen.route).collect();
    assert!(routes.len() >= 11, "{routes:?}");

    for (at, route) in routes.iter().enumerate() {
        for effect in [Effect::DropBefore, Effect::DropAfter, Effect::Garbage] {
            let what = format!("{route}: {effect:?}");
            let world = before(open).await;
            let broken = world.sim.requests().len() + at;
            break_after(&world, at, effect);
            let answer = match world.open_promotion_pr(everything()).await {
                Ok(answer) => answer,
                Err(failed) => {
                    let details = assert_reason(&failed, Code::Unavailable, "GITHUB_UNAVAILABLE");
                    world.advance(details.retry_info().unwrap().retry_delay.unwrap());
                    world.open_promotion_pr(everything()).await.unwrap()
                }
            };
            assert_eq!(world.sim.requests()[broken].route, *route, "another one was broken");
            assert_all_is_there(&world, &answer, &what);
        }
    }
}

#[tokio::test]
async fn one_is_opened_whatever_is_lost() {
    whatever_is_lost(false).await;
}

#[tokio::test]
async fn the_open_one_is_brought_up_to_date_whatever_is_lost() {
    whatever_is_lost(true).await;
}

/// Two brokers that know nothing of each other, with several calls each.
#[tokio::test]
async fn racing_brokers_make_one() {
    let one = team().await;
    let nowhere = harness::simulator(harness::seed()).await;
    let mut other = World::start_behind(nowhere, Urls::of(&one.sim)).await;
    other.register(ACCOUNT, INSTALLATION).await;
    other.configure(ACCOUNT, REPO).await;
    let calls =
        (0..4).flat_map(|_| [&one, &other]).map(|world| world.open_promotion_pr(everything()));
    let answers = futures_util::future::join_all(calls).await;
    let answers: Vec<_> = answers.into_iter().map(Result::unwrap).collect();
    for answer in &answers {
        assert_all_is_there(&one, answer, "raced");
    }
    assert_eq!(answers.iter().filter(|answer| answer.created).count(), 1, "{answers:?}");
}
