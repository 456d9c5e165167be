//! Which branch goes where.

use ghbroker::proto::*;
use github_sim::{Effect, Fault, Gate};
use tonic::Code;

use super::{only_pull, ready, request, team};
use crate::harness::{
    ACCOUNT, REPO, World,
    git::git,
    person::Person,
    status::{assert_reason, bad_fields},
    write,
};

const WORK: &str = "adagent/7";

fn from_to(head: &str, base: &str) -> OpenPromotionPrRequest {
    OpenPromotionPrRequest { head_branch: head.into(), base_branch: base.into(), ..request() }
}

async fn work(world: &World) {
    let request = CommitFilesRequest {
        account: ACCOUNT.into(),
        branch: WORK.into(),
        message: "Change".into(),
        files: vec![write("models/seven.sql", "select 7\n")],
        ..Default::default()
    };
    world.commit_files(request).await.unwrap();
}

#[tokio::test]
async fn a_work_branch_goes_to_production_or_to_staging() {
    let world = team().await;
    work(&world).await;
    for (asked, base) in [("", "main"), ("staging", "staging"), ("main", "main")] {
        let answer = world.open_promotion_pr(from_to(WORK, asked)).await.unwrap();
        assert_eq!((answer.head_branch.as_str(), answer.base_branch.as_str()), (WORK, base));
        assert_eq!((answer.created, answer.commits_ahead), (asked != "main", 1));
        let pulls = world.sim.pulls(REPO);
        let pull = pulls.iter().find(|pull| pull["number"] == answer.number).unwrap();
        assert_eq!((&pull["head"]["ref"], &pull["base"]["ref"]), (&WORK.into(), &base.into()));
        assert_eq!(pull["title"], format!("Promote {WORK} to {base}"));
    }
    assert_eq!(world.sim.pulls(REPO).len(), 2);
}

#[tokio::test]
async fn the_binding_may_be_named() {
    let world = ready().await;
    let answer = world.open_promotion_pr(from_to("staging", "main")).await.unwrap();
    assert_eq!(only_pull(&world)["number"], answer.number);
}

#[tokio::test]
async fn other_branches_are_refused_before_github_is_asked() {
    let world = team().await;
    work(&world).await;
    world.sim.commit(REPO, "release", &[("RELEASE.md", "1\n")]);
    let before = world.footprint();
    for (head, base, allowed) in [
        ("release", "", "staging"),
        ("release", "staging", "staging"),
        ("main", "staging", "staging"),
        ("adagent", "", "staging"),
        ("adagent/7/8", "", "staging"),
        ("", "release", "main"),
        ("", WORK, "main"),
        (WORK, "release", "main,staging"),
        (WORK, "adagent/8", "main,staging"),
    ] {
        let refused = world.open_promotion_pr(from_to(head, base)).await.unwrap_err();
        let details = assert_reason(&refused, Code::PermissionDenied, "BRANCH_NOT_ALLOWED");
        let metadata = &details.error_info().unwrap().metadata;
        assert_eq!(metadata["allowed"], allowed, "{head} to {base}");
    }
    for (head, base, field) in [
        ("main", "", "head_branch"),
        ("main", "main", "base_branch"),
        ("", "staging", "base_branch"),
        (WORK, WORK, "base_branch"),
    ] {
        let refused = world.open_promotion_pr(from_to(head, base)).await.unwrap_err();
        assert_eq!(bad_fields(&refused), [field], "{head} to {base}");
        assert!(refused.message().contains("must differ from the branch"), "{refused:?}");
    }
    assert_eq!(world.footprint(), before);
}

#[tokio::test]
async fn a_branch_that_is_not_there_or_has_no_common_history_is_said() {
    let world = team().await;
    let refused = world.open_promotion_pr(from_to(WORK, "")).await.unwrap_err();
    let details = assert_reason(&refused, Code::FailedPrecondition, "BRANCH_MISSING");
    assert_eq!(details.error_info().unwrap().metadata["branch"], WORK);

    let repository = world.sim.git_dir(REPO);
    let identity = ["-c", "user.name=x", "-c", "user.email=x@example.com"];
    let begin = [&identity[..], &["commit-tree", "-m", "Begin anew", "main^{tree}"]].concat();
    let commit = git(&repository, &begin);
    git(&repository, &["branch", WORK, commit.trim()]);
    let refused = world.open_promotion_pr(from_to(WORK, "")).await.unwrap_err();
    assert_reason(&refused, Code::FailedPrecondition, "REFUSED_BY_GITHUB");
    assert!(refused.message().contains("no history in common"), "{}", refused.message());
    assert!(world.sim.pulls(REPO).is_empty());
}

/// A pull request of staging to each of these branches, by hand.
async fn by_hand(world: &World, bases: &[&str]) {
    let alice = Person::of(&world.sim, "alice");
    for base in bases {
        world.sim.commit(REPO, base, &[("RELEASE.md", "1\n")]);
        alice.open(REPO, "staging", base).await;
    }
}

#[tokio::test]
async fn the_one_that_goes_elsewhere_is_retargeted_when_asked() {
    let world = ready().await;
    by_hand(&world, &["release"]).await;
    let retarget = OpenPromotionPrRequest { retarget: true, ..request() };
    let answer = world.open_promotion_pr(retarget.clone()).await.unwrap();
    let pull = only_pull(&world);
    assert_eq!((&pull["number"], answer.created), (&answer.number.into(), false));
    assert_eq!((&pull["base"]["ref"], &pull["title"]), (&"main".into(), &"By hand".into()));
    assert_eq!(answer.base_branch, "main");

    let titled = OpenPromotionPrRequest { title: "Week 47".into(), ..retarget };
    assert_eq!(world.open_promotion_pr(titled).await.unwrap().number, answer.number);
    assert_eq!(only_pull(&world)["title"], "Week 47");
}

#[tokio::test]
async fn one_that_somebody_opens_before_it_is_retargeted_is_the_one() {
    let world = ready().await;
    by_hand(&world, &["release"]).await;
    let gate = Gate::new();
    let update = "PATCH /repos/{owner}/{repo}/pulls/{pull_number}";
    world.sim.fault(Fault::once(update, Effect::Hold(gate.clone())));
    let retarget = OpenPromotionPrRequest { retarget: true, title: "Week 47".into(), ..request() };
    let open = async {
        gate.arrived(1).await;
        Person::of(&world.sim, "alice").open(REPO, "staging", "main").await;
        gate.open();
    };
    let (answer, ()) = tokio::join!(world.open_promotion_pr(retarget), open);
    let answer = answer.unwrap();
    let pulls = world.sim.pulls(REPO);
    let bases: Vec<_> = pulls.iter().map(|pull| &pull["base"]["ref"]).collect();
    assert_eq!(bases, ["release", "main"]);
    assert_eq!(
        (&pulls[1]["number"], &pulls[1]["title"]),
        (&answer.number.into(), &"Week 47".into())
    );
    assert!(!answer.created);
}

#[tokio::test]
async fn none_is_retargeted_if_it_is_not_clear_which() {
    let world = ready().await;
    by_hand(&world, &["release", "hotfix"]).await;
    let retarget = OpenPromotionPrRequest { retarget: true, ..request() };
    let opened = world.open_promotion_pr(retarget.clone()).await.unwrap();
    assert!(opened.created);
    // Now there is one that goes to production: that is the one.
    let found = world.open_promotion_pr(retarget).await.unwrap();
    assert_eq!((found.number, found.created), (opened.number, false));
    let mut bases: Vec<_> =
        world.sim.pulls(REPO).iter().map(|pull| pull["base"]["ref"].to_string()).collect();
    bases.sort();
    assert_eq!(bases, [r#""hotfix""#, r#""main""#, r#""release""#]);
}

#[tokio::test]
async fn one_of_another_head_is_not_retargeted() {
    let world = team().await;
    work(&world).await;
    world.open_promotion_pr(from_to(WORK, "staging")).await.unwrap();
    let retarget = OpenPromotionPrRequest { retarget: true, ..request() };
    assert!(world.open_promotion_pr(retarget).await.unwrap().created);
    assert_eq!(world.sim.pulls(REPO).len(), 2);
}
