//! The branches that a binding opens beside staging. Nobody is asked who they are here, and no policy is given.

use ghbroker::proto::*;
use github_sim::seed;
use tonic::{Code, Status};

use super::{OTHER, bind, pat};
use crate::harness::{ACCOUNT, INSTALLATION, REPO, World, git::git, status::assert_reason, write};

/// On a machine of one's own: without a policy.
async fn connected() -> World {
    let mut world = World::configured(|config| config.policy = None).await;
    world.register(ACCOUNT, INSTALLATION).await;
    world.configure(ACCOUNT, REPO).await;
    world
}

async fn open(world: &World, account: &str, patterns: &[&str]) {
    let patterns = patterns.iter().map(|&pattern| pattern.into()).collect();
    let work_branches = Some(WorkBranches { patterns });
    let request = ConfigureRepoRequest { work_branches, ..bind(account, REPO) };
    world.configure_repo(request).await.unwrap();
}

async fn commit(world: &World, branch: &str) -> Result<CommitFilesResponse, Status> {
    let request = CommitFilesRequest {
        account: ACCOUNT.into(),
        branch: branch.into(),
        message: "Change".into(),
        files: vec![write("models/a.sql", "select 1\n")],
        ..Default::default()
    };
    world.commit_files(request).await
}

async fn assert_refused(world: &World, branch: &str) {
    let before = world.footprint();
    let refused = commit(world, branch).await.unwrap_err();
    assert_reason(&refused, Code::PermissionDenied, "BRANCH_NOT_ALLOWED");
    assert_eq!(world.footprint(), before, "{branch}: GitHub was not asked");
}

#[tokio::test]
async fn a_branch_of_the_bindings_patterns_can_be_committed_to() {
    let world = connected().await;
    open(&world, ACCOUNT, &["adagent/*", "next"]).await;
    for branch in ["adagent/x", "adagent/y", "next"] {
        let answer = commit(&world, branch).await.unwrap();
        assert_eq!((answer.branch.as_str(), answer.unchanged), (branch, false));
        let head = git(&world.sim.git_dir(REPO), &["rev-parse", branch]);
        assert_eq!(head.trim(), answer.commit_sha);
    }
    for branch in ["adagent", "adagent/x/y", "Adagent/x", "next/x", "main"] {
        assert_refused(&world, branch).await;
    }
    world.finish().await;
}

#[tokio::test]
async fn production_is_no_work_branch_whatever_the_patterns_are() {
    let world = connected().await;
    open(&world, ACCOUNT, &["*", "**", "main"]).await;
    assert_refused(&world, "main").await;
    commit(&world, "anything/else").await.unwrap();
    // Another branch is production now, and nothing else has changed.
    let request =
        ConfigureRepoRequest { production_branch: "anything/else".into(), ..bind(ACCOUNT, REPO) };
    world.configure_repo(request).await.unwrap();
    assert_refused(&world, "anything/else").await;
    world.finish().await;
}

#[tokio::test]
async fn changed_patterns_are_in_force_for_the_next_call() {
    let world = connected().await;
    assert_refused(&world, "adagent/x").await;
    open(&world, ACCOUNT, &["adagent/*"]).await;
    commit(&world, "adagent/x").await.unwrap();
    open(&world, ACCOUNT, &["next"]).await;
    assert_refused(&world, "adagent/x").await;
    commit(&world, "next").await.unwrap();
    // What does not speak of them leaves them as they are.
    world.configure_repo(bind(ACCOUNT, REPO)).await.unwrap();
    commit(&world, "next").await.unwrap();
    open(&world, ACCOUNT, &[]).await;
    assert_refused(&world, "next").await;
    world.finish().await;
}

#[tokio::test]
async fn another_accounts_binding_of_the_same_repository_opens_nothing() {
    let world = connected().await;
    let token = world.pat(seed::Pat { scopes: vec!["repo".into()], ..Default::default() });
    world.set_pat(pat(OTHER, &token)).await.unwrap();
    open(&world, OTHER, &["**"]).await;
    assert_refused(&world, "adagent/x").await;
    open(&world, ACCOUNT, &["adagent/*"]).await;
    commit(&world, "adagent/x").await.unwrap();
    assert_refused(&world, "feature/x").await;
    world.finish().await;
}
