//! Workflow files, scopes, and repositories that nobody can write to.

use ghbroker::proto::*;
use github_sim::{Level, seed};
use tonic::Status;

use super::{by_token, finding, metadata, store, verify};
use crate::harness::{
    ACCOUNT, INSTALLATION, REPO, World, door::Door, executable, seed as begin, write,
};

const WORKFLOW: &str = ".github/workflows/ci.yml";

/// A world in which the caller `ci` may write workflow files, as far as the broker's policy goes.
async fn guarded(seed: seed::Seed) -> World {
    let rule = "[[rule]]\nname = \"ci\"\ncallers = [\"spiffe://example.org/ci\"]\naccounts = [\"*\"]\n\
                role = \"committer\"\nprotected_paths = [\".github/**\"]\n";
    World::guarded(seed, Door::new("either", rule)).await
}

async fn commit(world: &World, file: FileChange) -> Result<CommitFilesResponse, Status> {
    let request = CommitFilesRequest {
        account: ACCOUNT.into(),
        message: "Change".into(),
        files: vec![file],
        ..Default::default()
    };
    let caller = world.workload("ci").await;
    caller.broker().commit_files(request).await.map(tonic::Response::into_inner)
}

#[tokio::test]
async fn workflow_files_take_a_permission_of_their_own() {
    let mut world = guarded(begin()).await;
    world.register(ACCOUNT, INSTALLATION).await;
    world.configure(ACCOUNT, REPO).await;
    let answer = verify(&world).await;
    let told = finding(&answer, FindingCode::PermissionsGranted);
    assert_eq!(told.level(), FindingLevel::Ok);
    assert!(told.message.contains("Without workflows:write"), "{told:?}");
    let before = world.footprint().refs;
    for file in [write(WORKFLOW, "on: push\n"), executable(WORKFLOW, "on: push\n")] {
        let refused = commit(&world, file).await.unwrap_err();
        assert_eq!(metadata(&refused, "PERMISSION_NOT_GRANTED")["missing"], "workflows:write");
        assert!(refused.message().contains("an owner of the GitHub organization"));
    }
    assert_eq!(world.footprint().refs, before);
    world.finish().await;

    let mut seed = begin();
    seed.apps[0].permissions.insert("workflows".into(), Level::Write);
    let mut world = guarded(seed).await;
    world.register(ACCOUNT, INSTALLATION).await;
    world.configure(ACCOUNT, REPO).await;
    let answer = verify(&world).await;
    let told = finding(&answer, FindingCode::PermissionsGranted);
    assert!(!told.message.contains("workflows"), "{told:?}");
    commit(&world, write(WORKFLOW, "on: push\n")).await.unwrap();
    world.finish().await;
}

#[tokio::test]
async fn workflow_files_take_a_scope_of_their_own() {
    let mut world = guarded(begin()).await;
    store(&world, &["repo"]).await;
    world.configure(ACCOUNT, REPO).await;
    let answer = verify(&world).await;
    let told = finding(&answer, FindingCode::PermissionsGranted);
    assert_eq!(told.level(), FindingLevel::Ok);
    assert!(told.message.contains("Without the scope `workflow`"), "{told:?}");
    let before = world.footprint().refs;
    for file in [write(WORKFLOW, "on: push\n"), executable(WORKFLOW, "on: push\n")] {
        let refused = commit(&world, file).await.unwrap_err();
        assert_eq!(metadata(&refused, "PERMISSION_NOT_GRANTED")["missing"], "workflow");
        assert!(refused.message().contains("give it the scope `workflow`"));
    }
    assert_eq!(world.footprint().refs, before);
    commit(&world, write("other.sql", "select 1\n")).await.unwrap();

    store(&world, &["repo", "workflow"]).await;
    let answer = verify(&world).await;
    let told = finding(&answer, FindingCode::PermissionsGranted);
    assert!(!told.message.contains("Without"), "{told:?}");
    commit(&world, write(WORKFLOW, "on: push\n")).await.unwrap();
    world.finish().await;
}

#[tokio::test]
async fn a_fine_grained_token_is_told_of_the_permission_for_workflow_files() {
    let mut world = guarded(begin()).await;
    let permissions = [("contents".to_owned(), Level::Write)].into();
    let kind = seed::PatKind::FineGrained;
    let pat =
        seed::Pat { kind, resource_owner: Some("acme".into()), permissions, ..Default::default() };
    let token = world.pat(pat);
    world
        .set_pat(SetPatRequest { account: ACCOUNT.into(), token, ..Default::default() })
        .await
        .unwrap();
    world.configure(ACCOUNT, REPO).await;
    commit(&world, write("other.sql", "select 1\n")).await.unwrap();
    let before = world.footprint().refs;
    for file in [write(WORKFLOW, "on: push\n"), executable(WORKFLOW, "on: push\n")] {
        let refused = commit(&world, file).await.unwrap_err();
        metadata(&refused, "PERMISSION_NOT_GRANTED");
        assert!(refused.message().contains("Workflows: read and write"), "{refused:?}");
    }
    assert_eq!(world.footprint().refs, before);
    world.finish().await;
}

#[tokio::test]
async fn a_scope_that_is_missing_is_named() {
    let world = by_token(&["repo"]).await;
    store(&world, &["read:org"]).await;
    let refused = world.commit("Change", vec![write("a", "x")]).await.unwrap_err();
    assert_eq!(metadata(&refused, "PERMISSION_NOT_GRANTED")["missing"], "repo");
    assert!(refused.message().contains("lacks the scope `repo`"));
    let answer = verify(&world).await;
    assert!(!answer.ok);
    assert!(finding(&answer, FindingCode::PermissionsGranted).message.contains("`repo`"));
    world.finish().await;
}

#[tokio::test]
async fn a_repository_that_nobody_can_write_to_says_why() {
    type Arrange = fn(&World);
    let cases: [(Arrange, &str); 2] = [
        (|w| w.sim.archive(REPO, true), "unarchive it on GitHub"),
        (|w| w.sim.disable(REPO, true), "GitHub has disabled acme/warehouse"),
    ];
    for (arrange, told) in cases {
        let world = World::connected().await;
        arrange(&world);
        let before = world.footprint().refs;
        for file in [write("a", "x"), executable("a", "x")] {
            let refused = world.commit("Change", vec![file]).await.unwrap_err();
            metadata(&refused, "REPO_READ_ONLY");
            assert!(refused.message().contains(told), "{}", refused.message());
        }
        let answer = verify(&world).await;
        let found = finding(&answer, FindingCode::RepositoryResolves);
        assert_eq!(found.level(), FindingLevel::Failed);
        assert_eq!(world.footprint().refs, before);
        world.finish().await;
    }
}

#[tokio::test]
async fn a_repository_that_moved_is_told_with_its_new_name() {
    let world = World::connected().await;
    world.sim.rename_repository(REPO, "depot");
    for file in [write("a", "x"), executable("a", "x")] {
        let refused = world.commit("Change", vec![file]).await.unwrap_err();
        assert_eq!(metadata(&refused, "REPO_MOVED")["repository"], "acme/depot");
    }
    let answer = verify(&world).await;
    assert!(finding(&answer, FindingCode::RepositoryResolves).message.contains("acme/depot"));
    assert_eq!(world.sim.head("acme/depot", "staging"), None);
    world.finish().await;
}
