//! Repositories that were transferred to an owner where the App is not installed. GitHub mints no token for them, and does not say
//! why.

use std::time::Duration;

use ghbroker::proto::*;
use github_sim::{Credential, Seen, seed};
use tonic::{Code, Status};

use super::metadata;
use crate::harness::{
    ACCOUNT, INSTALLATION, MINT, REPO, World, seed as begin, status::assert_reason, write,
};

/// By what the broker looks for where the repository is now.
const OLD_NAME: &str = "/repos/acme/warehouse";
/// More than a refusal answers in GitHub's place.
const FORGOTTEN: Duration = Duration::from_secs(61);

/// REPO connected in a world with another organization, in which the App is not installed.
async fn world(private: bool) -> World {
    let mut seed = begin();
    seed.repositories[0].private = private;
    let member = seed::Member { login: "mallory".into(), role: seed::Role::Admin };
    let members = vec![member];
    seed.orgs.push(seed::Org { login: "other".into(), members, ..Default::default() });
    let mut world = World::start_with(seed).await;
    world.register(ACCOUNT, INSTALLATION).await;
    world.configure(ACCOUNT, REPO).await;
    world
}

async fn get(world: &World) -> Result<GetRepoTokenResponse, Status> {
    get_for(world, "contents").await
}

async fn get_for(world: &World, permission: &str) -> Result<GetRepoTokenResponse, Status> {
    let permissions = [(permission.to_owned(), "read".to_owned())].into();
    let request =
        GetRepoTokenRequest { account: ACCOUNT.into(), permissions, ..Default::default() };
    world.get_repo_token(request).await
}

/// All looks by the old name: whether each was with a token of the installation.
fn looks(world: &World) -> Vec<bool> {
    let named = |seen: Seen| matches!(seen.credential, Credential::Installation { .. });
    let requests = world.sim.requests().into_iter();
    requests.filter(|seen| seen.path.ends_with(OLD_NAME)).map(named).collect()
}

#[track_caller]
fn assert_moved(refused: &Status) {
    assert_eq!(metadata(refused, "REPO_MOVED")["repository"], "other/depot");
    assert!(refused.message().contains("install the App at its new owner"), "{refused:?}");
}

#[tokio::test]
async fn a_public_one_is_told_with_its_new_name_for_one_look_of_all_who_ask() {
    let world = world(false).await;
    world.sim.transfer_repository(REPO, "other", "depot");
    let count = || (world.sim.count(MINT), looks(&world).len());
    let (mints, looks) = count();
    let asked = [get(&world), get(&world), get(&world), get(&world), get(&world)];
    for refused in futures_util::future::join_all(asked).await {
        assert_moved(&refused.unwrap_err());
    }
    for _ in 0..5 {
        assert_moved(&get(&world).await.unwrap_err());
    }
    assert_eq!(count(), (mints + 1, looks + 1), "once for all");
    world.advance(FORGOTTEN);
    assert_moved(&get(&world).await.unwrap_err());
    assert_eq!(count(), (mints + 2, looks + 2), "anew with the refusal");
    let refused = world.commit("Change", vec![write("a", "x")]).await.unwrap_err();
    assert_moved(&refused);
    world.finish().await;
}

#[tokio::test]
async fn it_is_looked_for_with_a_token_that_the_installation_still_has() {
    let world = world(false).await;
    for has_one in [false, true] {
        if has_one {
            world.sim.transfer_repository("other/depot", "acme", "warehouse");
            world.advance(FORGOTTEN);
            get(&world).await.unwrap();
        }
        world.sim.transfer_repository(REPO, "other", "depot");
        let before = looks(&world).len();
        assert_moved(&get_for(&world, "issues").await.unwrap_err());
        assert_eq!(looks(&world)[before..], [has_one]);
    }
    world.finish().await;
}

#[tokio::test]
async fn of_a_private_one_nothing_is_told_but_that_it_may_have_been_transferred() {
    let world = world(true).await;
    get(&world).await.unwrap();
    world.sim.transfer_repository(REPO, "other", "depot");
    world.advance(Duration::from_secs(61 * 60));
    let refused = get(&world).await.unwrap_err();
    let details = assert_reason(&refused, Code::NotFound, "REPO_NOT_ACCESSIBLE");
    assert!(!details.error_info().unwrap().metadata.contains_key("repository"), "{details:?}");
    assert!(refused.message().contains("if it was transferred"), "{refused:?}");
    assert!(!refused.message().contains("depot"), "{refused:?}");
    world.finish().await;
}

#[tokio::test]
async fn one_that_is_where_it_was_and_another_one_of_its_name_have_not_moved() {
    let world = world(false).await;
    world.sim.set_repositories(INSTALLATION as u64, &[]);
    assert_reason(&get(&world).await.unwrap_err(), Code::NotFound, "REPO_NOT_ACCESSIBLE");
    world.sim.transfer_repository(REPO, "other", "depot");
    let another = seed::Repository {
        owner: "acme".into(),
        name: "warehouse".into(),
        private: false,
        ..Default::default()
    };
    world.sim.add_repository(&another).unwrap();
    world.advance(FORGOTTEN);
    assert_reason(&get(&world).await.unwrap_err(), Code::NotFound, "REPO_NOT_ACCESSIBLE");
    world.finish().await;
}
