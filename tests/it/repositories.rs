//! Which repositories an account can work with: seeing them, making one, and choosing.

mod choose;
mod create;
mod list;
mod lost;

use ghbroker::proto::*;
use github_sim::{Level, seed};

use crate::harness::{ACCOUNT, INSTALLATION, World};

fn repository(owner: &str, name: &str) -> seed::Repository {
    seed::Repository { owner: owner.into(), name: name.into(), empty: true, ..Default::default() }
}

fn classic(scope: &str) -> seed::Pat {
    seed::Pat { scopes: vec![scope.into()], ..Default::default() }
}

fn fine_grained() -> seed::Pat {
    let write = |name: &str| (name.to_owned(), Level::Write);
    seed::Pat {
        kind: seed::PatKind::FineGrained,
        permissions: [write("contents"), write("administration")].into(),
        resource_owner: Some("acme".into()),
        repositories: Some(vec!["warehouse".into()]),
        ..Default::default()
    }
}

async fn set_pat(world: &World, pat: seed::Pat) -> String {
    let token = world.pat(pat);
    let request =
        SetPatRequest { account: ACCOUNT.into(), token: token.clone(), ..Default::default() };
    world.set_pat(request).await.unwrap();
    token
}

/// [`ACCOUNT`], connected by nothing but alice's authorization.
async fn by_oauth() -> World {
    let world = World::with_portal(|_| {}).await;
    world.connect_github(ACCOUNT, "alice").await;
    world
}

/// Lets the App make repositories of `acme`.
fn let_administer(world: &World) {
    let granted = [
        ("administration", Level::Write),
        ("contents", Level::Write),
        ("pull_requests", Level::Write),
        ("metadata", Level::Read),
    ];
    world.sim.set_installation_permissions(INSTALLATION as u64, granted);
}

fn everything() -> ListRepositoriesRequest {
    ListRepositoriesRequest { account: ACCOUNT.into(), ..Default::default() }
}

fn names(answer: &ListRepositoriesResponse) -> Vec<&str> {
    answer.repositories.iter().map(|repository| repository.name.as_str()).collect()
}
