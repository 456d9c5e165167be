//! Connecting an account, changing what it is connected with, and leaving; two customers beside each other.

mod begin;
mod branches;
mod browsers;
mod disconnect;
mod installation;
mod isolation;
mod pat;
mod preference;
mod repository;

use ghbroker::proto::*;
use github_sim::seed;
use tonic::Status;

use crate::harness::{APP_ID, World};

/// A second customer: bob's organization, with a repository and an installation of its own.
const OTHER: &str = "tenant-globex";
const OTHER_REPO: &str = "globex/ledger";
const OTHER_INSTALLATION: i64 = 4712;

/// Puts the second customer on GitHub; nothing of it is connected.
fn add_globex(world: &World) {
    let sim = &world.sim;
    sim.add_user(&seed::User { login: "bob".into(), ..Default::default() }).unwrap();
    let members = vec![seed::Member { login: "bob".into(), role: seed::Role::Admin }];
    sim.add_org(&seed::Org { login: "globex".into(), members, ..Default::default() }).unwrap();
    sim.add_repository(&repository("globex", "ledger")).unwrap();
    let installation = seed::Installation {
        id: Some(OTHER_INSTALLATION as u64),
        app_id: APP_ID,
        account: "globex".into(),
        ..Default::default()
    };
    sim.add_installation(&installation).unwrap();
}

fn repository(owner: &str, name: &str) -> seed::Repository {
    let files = [("README.md".to_owned(), "# Read me\n".to_owned())].into();
    seed::Repository { owner: owner.into(), name: name.into(), files, ..Default::default() }
}

/// What GitHub's redirect after an installation leads to, by a platform that knows whose organization it is.
fn installed(account: &str, installation_id: i64) -> RegisterInstallationRequest {
    let owner = if installation_id == OTHER_INSTALLATION { "globex" } else { "acme" };
    RegisterInstallationRequest {
        account: account.into(),
        installation_id,
        setup_action: SetupAction::Install.into(),
        expected_github_login: owner.into(),
        ..Default::default()
    }
}

fn pat(account: &str, token: &str) -> SetPatRequest {
    SetPatRequest { account: account.into(), token: token.into(), ..Default::default() }
}

fn bind(account: &str, repository: &str) -> ConfigureRepoRequest {
    ConfigureRepoRequest {
        account: account.into(),
        repository: repository.into(),
        ..Default::default()
    }
}

async fn connection(world: &World, account: &str) -> Result<GetConnectionResponse, Status> {
    world.get_connection(GetConnectionRequest { account: account.into() }).await
}

async fn disconnect(world: &World, account: &str) -> DisconnectResponse {
    world.disconnect(DisconnectRequest { account: account.into() }).await.unwrap()
}

async fn token(world: &World, account: &str) -> Result<GetRepoTokenResponse, Status> {
    let request = GetRepoTokenRequest { account: account.into(), ..Default::default() };
    world.get_repo_token(request).await
}
