//! What GitHub does not let happen.

use std::collections::HashMap;

use ghbroker::proto::*;
use github_sim::{Effect, Fault, Level, seed};
use tonic::{Code, Status};

use super::{faults::CREATE, ready, request};
use crate::harness::{ACCOUNT, INSTALLATION, REPO, World, status::assert_reason};

#[track_caller]
fn metadata(status: &Status, reason: &str) -> HashMap<String, String> {
    let details = assert_reason(status, Code::FailedPrecondition, reason);
    details.error_info().unwrap().metadata.clone()
}

#[tokio::test]
async fn a_missing_branch_is_named() {
    let world = World::connected().await;
    let refused = world.open_promotion_pr(request()).await.unwrap_err();
    assert_eq!(metadata(&refused, "BRANCH_MISSING")["branch"], "staging");

    world.sim.commit(REPO, "staging", &[("a.txt", "a\n")]);
    let release = ConfigureRepoRequest {
        account: ACCOUNT.into(),
        repository: REPO.into(),
        production_branch: "release".into(),
        ..Default::default()
    };
    world.configure_repo(release).await.unwrap();
    let refused = world.open_promotion_pr(request()).await.unwrap_err();
    assert_eq!(metadata(&refused, "BRANCH_MISSING")["branch"], "release");
    assert!(world.sim.pulls(REPO).is_empty());
}

#[tokio::test]
async fn a_renamed_repository_is_told_with_its_new_name() {
    let mut world = ready().await;
    world.sim.rename_repository(REPO, "depot");
    let refused = world.open_promotion_pr(request()).await.unwrap_err();
    assert_eq!(metadata(&refused, "REPO_MOVED")["repository"], "acme/depot");
    assert!(world.sim.pulls("acme/depot").is_empty());

    world.configure(ACCOUNT, "acme/depot").await;
    assert!(world.open_promotion_pr(request()).await.unwrap().created);
}

#[tokio::test]
async fn a_name_that_another_repository_has_now_is_not_followed() {
    let world = ready().await;
    world.sim.rename_repository(REPO, "depot");
    let files = [("README.md".to_owned(), "another\n".to_owned())].into();
    let other = seed::Repository {
        owner: "acme".into(),
        name: "warehouse".into(),
        files,
        branches: vec!["staging".into()],
        ..Default::default()
    };
    world.sim.add_repository(&other).unwrap();
    world.sim.move_head(REPO, "staging");
    let refused = world.open_promotion_pr(request()).await.unwrap_err();
    assert_reason(&refused, Code::NotFound, "REPO_NOT_ACCESSIBLE");
    assert!(world.sim.pulls(REPO).is_empty());
}

#[tokio::test]
async fn an_archived_repository_is_read_only() {
    let world = ready().await;
    world.sim.archive(REPO, true);
    let refused = world.open_promotion_pr(request()).await.unwrap_err();
    assert_reason(&refused, Code::FailedPrecondition, "REPO_READ_ONLY");
}

#[tokio::test]
async fn drafts_that_the_repository_does_not_have() {
    let mut world = World::start().await;
    let files = [("README.md".to_owned(), "# Read me\n".to_owned())].into();
    let plain = seed::Repository {
        owner: "acme".into(),
        name: "plain".into(),
        files,
        allow_draft: false,
        ..Default::default()
    };
    world.sim.add_repository(&plain).unwrap();
    world.register(ACCOUNT, INSTALLATION).await;
    world.configure(ACCOUNT, "acme/plain").await;
    world.sim.move_head("acme/plain", "staging");
    let draft = OpenPromotionPrRequest { draft: true, ..request() };
    let refused = world.open_promotion_pr(draft).await.unwrap_err();
    assert_reason(&refused, Code::FailedPrecondition, "REFUSED_BY_GITHUB");
    assert!(refused.message().contains("Draft"), "{}", refused.message());
}

#[tokio::test]
async fn what_is_no_rule_is_not_said_to_be_one() {
    let world = ready().await;
    for status in [409, 413, 422, 501] {
        world.sim.fault(Fault::once(CREATE, Effect::Status { status, html: false }));
        let refused = world.open_promotion_pr(request()).await.unwrap_err();
        assert_reason(&refused, Code::FailedPrecondition, "REFUSED_BY_GITHUB");
    }
    assert!(world.sim.pulls(REPO).is_empty());
}

#[tokio::test]
async fn a_permission_that_the_installation_lacks_is_named() {
    let world = ready().await;
    let granted = [("contents", Level::Write), ("metadata", Level::Read)];
    world.sim.set_installation_permissions(INSTALLATION as u64, granted);
    let refused = world.open_promotion_pr(request()).await.unwrap_err();
    assert!(metadata(&refused, "PERMISSION_NOT_GRANTED")["missing"].contains("pull_requests"));
}

#[tokio::test]
async fn a_token_without_the_permission() {
    let mut world = World::start().await;
    let pat = seed::Pat {
        kind: seed::PatKind::FineGrained,
        permissions: [("contents", Level::Write), ("pull_requests", Level::Read)]
            .map(|(name, level)| (name.to_owned(), level))
            .into(),
        resource_owner: Some("acme".into()),
        ..Default::default()
    };
    let token = world.pat(pat);
    world
        .set_pat(SetPatRequest { account: ACCOUNT.into(), token, ..Default::default() })
        .await
        .unwrap();
    world.configure(ACCOUNT, REPO).await;
    world.sim.move_head(REPO, "staging");
    let refused = world.open_promotion_pr(request()).await.unwrap_err();
    assert!(
        metadata(&refused, "PERMISSION_NOT_GRANTED")["accepted"].contains("pull_requests=write")
    );
    assert!(world.sim.pulls(REPO).is_empty());
}

#[tokio::test]
async fn what_became_of_the_credential_is_said() {
    let world = ready().await;
    world.sim.suspend(INSTALLATION as u64);
    let refused = world.open_promotion_pr(request()).await.unwrap_err();
    assert_reason(&refused, Code::FailedPrecondition, "INSTALLATION_SUSPENDED");

    let world = ready().await;
    world.sim.uninstall(INSTALLATION as u64);
    let refused = world.open_promotion_pr(request()).await.unwrap_err();
    assert_reason(&refused, Code::FailedPrecondition, "INSTALLATION_GONE");
}
