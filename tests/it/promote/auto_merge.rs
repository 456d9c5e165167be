//! GitHub merges by itself: where a rule of the policy allows that it is asked to, and GitHub does it.

use ghbroker::proto::*;
use github_sim::{Effect, Fault, Gate};
use tonic::Code;

use super::{asked, only_pull, request, team, team_seed};
use crate::harness::{
    ACCOUNT, INSTALLATION, REPO, World, door::Door, status::assert_reason, write,
};

const GRAPHQL: &str = "POST /graphql";

fn auto_merge(method: MergeMethod) -> OpenPromotionPrRequest {
    OpenPromotionPrRequest { auto_merge: method.into(), ..request() }
}

/// The one warning of an answer in which auto-merge is off.
#[track_caller]
fn warning(answer: &OpenPromotionPrResponse) -> &PromotionWarning {
    assert!(!answer.auto_merge_enabled);
    assert_eq!(answer.warnings.len(), 1, "{answer:?}");
    assert_eq!(answer.warnings[0].code(), PromotionWarningCode::AutoMergeNotEnabled);
    &answer.warnings[0]
}

#[tokio::test]
async fn is_turned_on_in_the_way_that_is_asked_for() {
    for (method, name) in [
        (MergeMethod::Merge, "merge"),
        (MergeMethod::Squash, "squash"),
        (MergeMethod::Rebase, "rebase"),
    ] {
        let world = team().await;
        let answer = world.open_promotion_pr(auto_merge(method)).await.unwrap();
        assert_eq!((answer.auto_merge_enabled, answer.warnings), (true, vec![]));
        assert_eq!(only_pull(&world)["auto_merge"]["merge_method"], name);

        let before = world.sim.requests().len();
        assert!(world.open_promotion_pr(auto_merge(method)).await.unwrap().auto_merge_enabled);
        assert!(world.open_promotion_pr(request()).await.unwrap().auto_merge_enabled);
        assert!(!asked(&world, before).contains(&GRAPHQL.to_owned()), "it is on already");
    }
}

#[tokio::test]
async fn is_off_unless_it_is_asked_for() {
    let world = team().await;
    assert!(!world.open_promotion_pr(request()).await.unwrap().auto_merge_enabled);
    assert!(only_pull(&world)["auto_merge"].is_null());
}

#[tokio::test]
async fn takes_a_token_that_may_write_and_no_other_promotion_does() {
    let world = team().await;
    for (request, level) in [(auto_merge(MergeMethod::Merge), "write"), (request(), "read")] {
        world.open_promotion_pr(request).await.unwrap();
        let line = world.audit().pop().unwrap();
        assert_eq!(line["requested_permissions"]["contents"], level);
        assert_eq!(line["requested_permissions"]["pull_requests"], "write");
    }
}

#[tokio::test]
async fn what_github_does_not_merge_by_itself_is_a_warning() {
    let squash = || auto_merge(MergeMethod::Squash);
    let world = team().await;
    world.sim.allow_auto_merge(REPO, false);
    let answer = world.open_promotion_pr(squash()).await.unwrap();
    assert_eq!(only_pull(&world)["number"], answer.number);
    assert_eq!(warning(&answer).subject, "squash");
    assert!(warning(&answer).message.contains("not allowed for this repository"), "{answer:?}");
    // Calling again tries again.
    world.sim.allow_auto_merge(REPO, true);
    assert!(world.open_promotion_pr(squash()).await.unwrap().auto_merge_enabled);

    let world = team().await;
    let draft = OpenPromotionPrRequest { draft: true, ..squash() };
    let answer = world.open_promotion_pr(draft).await.unwrap();
    assert!(answer.draft && warning(&answer).message.contains("draft"), "{answer:?}");

    // Nothing that it would wait for.
    let world = team().await;
    let to_staging = OpenPromotionPrRequest {
        head_branch: "adagent/7".into(),
        base_branch: "staging".into(),
        ..squash()
    };
    world.sim.commit(REPO, "adagent/7", &[("models/seven.sql", "select 7\n")]);
    let answer = world.open_promotion_pr(to_staging).await.unwrap();
    assert!(warning(&answer).message.contains("clean status"), "{answer:?}");
}

#[tokio::test]
async fn a_host_without_it_opens_the_pull_request_all_the_same() {
    let world = team().await;
    world.sim.disable_mutation("enablePullRequestAutoMerge");
    let answer = world.open_promotion_pr(auto_merge(MergeMethod::Merge)).await.unwrap();
    assert_eq!(only_pull(&world)["number"], answer.number);
    warning(&answer);
}

#[tokio::test]
async fn is_not_turned_on_for_commits_that_the_call_has_not_seen() {
    let world = team().await;
    let gate = Gate::new();
    world.sim.fault(Fault::once(GRAPHQL, Effect::Hold(gate.clone())));
    let push = async {
        gate.arrived(1).await;
        world.sim.move_head(REPO, "staging");
        gate.open();
    };
    let (answer, ()) = tokio::join!(world.open_promotion_pr(auto_merge(MergeMethod::Merge)), push);
    assert!(warning(&answer.unwrap()).message.contains("changed"));
    assert!(only_pull(&world)["auto_merge"].is_null());
    assert!(
        world.open_promotion_pr(auto_merge(MergeMethod::Merge)).await.unwrap().auto_merge_enabled
    );
}

fn rule(name: &str, more: &str) -> String {
    format!(
        "[[rule]]\nname = \"{name}\"\ncallers = [\"spiffe://example.org/{name}\"]\naccounts = [\"*\"]\n\
         rpcs = [\"OpenPromotionPr\"]\n{more}\n"
    )
}

#[tokio::test]
async fn who_has_no_rule_for_it_is_refused_before_github_is_asked() {
    let rules =
        [rule("merger", "auto_merge = true"), rule("opener", "auto_merge = false")].concat();
    let mut world = World::guarded(team_seed(), Door::new("mtls", &rules)).await;
    world.register(ACCOUNT, INSTALLATION).await;
    world.configure(ACCOUNT, REPO).await;
    world.sim.protect_branch(REPO, "main", &["ci"]);
    world.commit("Add a model", vec![write("models/a.sql", "select 1\n")]).await.unwrap();

    let before = world.footprint();
    let mut opener = world.workload("opener").await.broker();
    let refused = opener.open_promotion_pr(auto_merge(MergeMethod::Merge)).await.unwrap_err();
    assert_reason(&refused, Code::PermissionDenied, "CALLER_NOT_ALLOWED");
    assert!(refused.message().contains("auto_merge"), "{}", refused.message());
    assert_eq!(world.footprint(), before);
    let line = world.audit().pop().unwrap();
    assert_eq!(
        (&line["decision"], &line["reason"]),
        (&"deny".into(), &"CALLER_NOT_ALLOWED".into())
    );

    assert!(opener.open_promotion_pr(request()).await.unwrap().into_inner().created);
    let mut merger = world.workload("merger").await.broker();
    let answer = merger.open_promotion_pr(auto_merge(MergeMethod::Merge)).await.unwrap();
    assert!(answer.into_inner().auto_merge_enabled);
    let line = world.audit().pop().unwrap();
    assert_eq!((&line["rule"], &line["auto_merge"]), (&"merger".into(), &"merge".into()));
    assert_eq!(line["branch"], "staging");
    world.finish().await;
}
