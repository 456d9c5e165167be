//! ConfigureRepo: which repository an account works with.

use ghbroker::proto::*;
use tonic::Code;

use super::{bind, connection, repository, token};
use crate::harness::{
    ACCOUNT, REPO, World,
    status::{assert_reason, bad_fields},
    write,
};

#[tokio::test]
async fn the_defaults_are_staging_the_default_branch_and_the_root() {
    let mut world = World::start().await;
    world.register(ACCOUNT, crate::harness::INSTALLATION).await;
    let answer = world.configure_repo(bind(ACCOUNT, "ACME/Warehouse")).await.unwrap();
    let expected = RepositoryBinding {
        repository: REPO.into(),
        repository_id: world.sim.repository_id(REPO) as i64,
        staging_branch: "staging".into(),
        production_branch: "main".into(),
        subdirectory: String::new(),
        active: true,
        staging_base: String::new(),
        staging_must_exist: false,
        work_branches: Vec::new(),
        repository_state: RepositoryState::Available.into(),
    };
    assert_eq!(answer.binding, Some(expected.clone()));
    assert_eq!(connection(&world, ACCOUNT).await.unwrap().bindings, [expected]);
}

#[tokio::test]
async fn a_binding_can_be_changed_and_calls_follow_it() {
    let world = World::connected().await;
    let changed = ConfigureRepoRequest {
        staging_branch: "generated/next".into(),
        production_branch: "release".into(),
        subdirectory: Some("analytics/dbt".into()),
        ..bind(ACCOUNT, REPO)
    };
    world.sim.commit(REPO, "release", &[("RELEASE.md", "1\n")]);
    let binding = world.configure_repo(changed).await.unwrap().binding.unwrap();
    assert!(binding.active, "it stays the active one");
    assert_eq!(connection(&world, ACCOUNT).await.unwrap().bindings, [binding]);

    let commit = world.commit("Add a model", vec![write("models/a.sql", "select 1\n")]).await;
    assert_eq!(commit.unwrap().branch, "generated/next");
    let listed = crate::harness::git::files(&world.sim.git_dir(REPO), "generated/next");
    assert!(listed.contains(&"100644 analytics/dbt/models/a.sql".to_owned()), "{listed:?}");
    assert!(listed.contains(&"100644 RELEASE.md".to_owned()), "made from production: {listed:?}");
}

#[tokio::test]
async fn what_a_request_leaves_out_stays_as_it_is() {
    let world = World::connected().await;
    world.sim.add_repository(&repository("acme", "attic")).unwrap();
    world.sim.commit(REPO, "release", &[("RELEASE.md", "1\n")]);
    let bound = ConfigureRepoRequest {
        staging_branch: "gen".into(),
        production_branch: "release".into(),
        subdirectory: Some("analytics/dbt".into()),
        staging_base: Some("release/1".into()),
        staging_must_exist: Some(true),
        work_branches: Some(WorkBranches { patterns: vec!["adagent/*".into(), "x".into()] }),
        ..bind(ACCOUNT, REPO)
    };
    let bound = world.configure_repo(bound).await.unwrap().binding.unwrap();
    let attic = ConfigureRepoRequest { activate: true, ..bind(ACCOUNT, "acme/attic") };
    world.configure_repo(attic).await.unwrap();

    let activate = ConfigureRepoRequest { activate: true, ..bind(ACCOUNT, REPO) };
    assert_eq!(world.configure_repo(activate).await.unwrap().binding, Some(bound.clone()));

    let clash = ConfigureRepoRequest { production_branch: "gen".into(), ..bind(ACCOUNT, REPO) };
    let refused = world.configure_repo(clash).await.unwrap_err();
    assert_eq!(bad_fields(&refused), ["staging_branch"]);
    let clash = ConfigureRepoRequest { staging_branch: "release/1".into(), ..bind(ACCOUNT, REPO) };
    let refused = world.configure_repo(clash).await.unwrap_err();
    assert_eq!(bad_fields(&refused), ["staging_base"]);
    let root = ConfigureRepoRequest { subdirectory: Some(String::new()), ..bind(ACCOUNT, REPO) };
    let root = world.configure_repo(root).await.unwrap().binding.unwrap();
    assert_eq!(root, RepositoryBinding { subdirectory: String::new(), ..bound });
}

#[tokio::test]
async fn what_a_binding_says_of_branches_can_be_said_shown_and_taken_back() {
    let world = World::connected().await;
    let before = connection(&world, ACCOUNT).await.unwrap().bindings;
    let commit = "CE013625030BA8DBA906F756967F9E9CA394464A";
    let said = ConfigureRepoRequest {
        staging_base: Some(commit.into()),
        staging_must_exist: Some(true),
        work_branches: Some(WorkBranches { patterns: vec!["adagent/*".into(), "**".into()] }),
        ..bind(ACCOUNT, REPO)
    };
    let said = world.configure_repo(said).await.unwrap().binding.unwrap();
    assert_eq!(said.staging_base, commit.to_ascii_lowercase());
    assert!(said.staging_must_exist);
    assert_eq!(said.work_branches, ["adagent/*", "**"]);
    assert_eq!(connection(&world, ACCOUNT).await.unwrap().bindings, [said]);

    let back = ConfigureRepoRequest {
        staging_base: Some(String::new()),
        staging_must_exist: Some(false),
        work_branches: Some(WorkBranches::default()),
        ..bind(ACCOUNT, REPO)
    };
    world.configure_repo(back).await.unwrap();
    assert_eq!(connection(&world, ACCOUNT).await.unwrap().bindings, before);
}

#[tokio::test]
async fn of_several_bindings_the_active_one_is_used_unless_another_is_named() {
    let world = World::connected().await;
    world.sim.add_repository(&repository("acme", "attic")).unwrap();
    let attic = world.configure_repo(bind(ACCOUNT, "acme/attic")).await.unwrap().binding.unwrap();
    assert!(!attic.active, "the first one stays active");
    assert_eq!(token(&world, ACCOUNT).await.unwrap().repository, REPO);
    let named = GetRepoTokenRequest {
        account: ACCOUNT.into(),
        repository: "acme/attic".into(),
        ..Default::default()
    };
    assert_eq!(world.get_repo_token(named).await.unwrap().repository, "acme/attic");

    let activate = ConfigureRepoRequest { activate: true, ..bind(ACCOUNT, "acme/attic") };
    assert!(world.configure_repo(activate).await.unwrap().binding.unwrap().active);
    let bindings = connection(&world, ACCOUNT).await.unwrap().bindings;
    let listed: Vec<_> = bindings.iter().map(|b| (b.repository.as_str(), b.active)).collect();
    assert_eq!(listed, [("acme/attic", true), (REPO, false)]);
    assert_eq!(token(&world, ACCOUNT).await.unwrap().repository, "acme/attic");
}

#[tokio::test]
async fn what_cannot_be_seen_is_not_bound() {
    let world = World::connected().await;
    for repository in ["acme/nothing", "nobody/nothing"] {
        let refused = world.configure_repo(bind(ACCOUNT, repository)).await.unwrap_err();
        assert_reason(&refused, Code::NotFound, "REPO_NOT_ACCESSIBLE");
    }
    let nobody = world.configure_repo(bind("tenant-nobody", REPO)).await.unwrap_err();
    assert_reason(&nobody, Code::NotFound, "ACCOUNT_NOT_CONNECTED");
    assert_eq!(connection(&world, ACCOUNT).await.unwrap().bindings.len(), 1);
}

#[tokio::test]
async fn a_renamed_repository_is_bound_under_its_new_name() {
    let world = World::connected().await;
    let id = world.sim.repository_id(REPO) as i64;
    world.sim.rename_repository(REPO, "depot");
    let binding = world.configure_repo(bind(ACCOUNT, "acme/depot")).await.unwrap().binding.unwrap();
    assert_eq!((binding.repository.as_str(), binding.repository_id), ("acme/depot", id));
    let bindings = connection(&world, ACCOUNT).await.unwrap().bindings;
    assert_eq!(bindings, [binding], "it is the same repository, not a second one");
    assert_eq!(token(&world, ACCOUNT).await.unwrap().repository, "acme/depot");
}
