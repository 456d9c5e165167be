//! A customer's way through several repositories: sees them, binds some, and says which one is in use.

use ghbroker::proto::*;
use tonic::Code;

use super::{everything, repository};
use crate::harness::{ACCOUNT, REPO, World, status::assert_reason, write};

fn bind(repository: &str, activate: bool) -> ConfigureRepoRequest {
    let (account, repository) = (ACCOUNT.into(), repository.into());
    ConfigureRepoRequest { account, repository, activate, ..Default::default() }
}

/// The bound ones of the list, and the active one of the connection, which comes first.
async fn bound(world: &World) -> (Vec<String>, String) {
    let listed = world.list_repositories(everything()).await.unwrap().repositories;
    let mut bound: Vec<String> =
        listed.into_iter().filter(|one| one.bound).map(|one| one.name).collect();
    bound.sort();
    let request = GetConnectionRequest { account: ACCOUNT.into() };
    let bindings = world.get_connection(request).await.unwrap().bindings;
    assert_eq!(bindings.iter().filter(|binding| binding.active).count(), 1);
    assert!(bindings[0].active);
    (bound, bindings[0].repository.clone())
}

async fn committed_to(world: &World, named: &str) -> String {
    let request = CommitFilesRequest {
        account: ACCOUNT.into(),
        repository: named.into(),
        message: "Add a model".into(),
        files: vec![write("models/a.sql", format!("-- {named} {}\n", uuid::Uuid::now_v7()))],
        ..Default::default()
    };
    let url = world.commit_files(request).await.unwrap().url;
    url.split("/commit/").next().unwrap().trim_start_matches(world.sim.web_url()).to_owned()
}

#[tokio::test]
async fn a_repository_is_chosen_from_the_list_and_another_one_later() {
    let world = World::connected().await;
    for name in ["lake", "shop"] {
        let seed = github_sim::seed::Repository { empty: false, ..repository("acme", name) };
        world.sim.add_repository(&seed).unwrap();
    }
    assert_eq!(bound(&world).await, (vec![REPO.into()], REPO.into()));
    // A second one beside it, which is not in use yet.
    world.configure_repo(bind("acme/lake", false)).await.unwrap();
    assert_eq!(bound(&world).await, (vec!["acme/lake".into(), REPO.into()], REPO.into()));
    assert_eq!(committed_to(&world, "").await, format!("/{REPO}"));
    assert_eq!(committed_to(&world, "acme/lake").await, "/acme/lake", "by its name");
    // From now on it is.
    world.configure_repo(bind("acme/lake", true)).await.unwrap();
    assert_eq!(bound(&world).await, (vec!["acme/lake".into(), REPO.into()], "acme/lake".into()));
    assert_eq!(committed_to(&world, "").await, "/acme/lake");
    assert_eq!(committed_to(&world, REPO).await, format!("/{REPO}"), "which stays bound");
    // What is only listed is not worked in.
    let request = GetRepoTokenRequest {
        account: ACCOUNT.into(),
        repository: "acme/shop".into(),
        ..Default::default()
    };
    let refused = world.get_repo_token(request).await.unwrap_err();
    assert_reason(&refused, Code::NotFound, "REPO_NOT_ACCESSIBLE");
    world.finish().await;
}

#[tokio::test]
async fn a_bound_one_is_known_in_the_list_by_its_id() {
    let world = World::connected().await;
    world.sim.rename_repository(REPO, "depot");
    let listed = world.list_repositories(everything()).await.unwrap().repositories;
    assert!(listed[0].bound && listed[0].name == "acme/depot", "{listed:?}");
    world.finish().await;
}
