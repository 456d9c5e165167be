//! The account's state follows what happens at GitHub, each event told once, late, twice or after the next one.

use ghbroker::proto::{ConnectionStatus, GetRepoTokenRequest, RepositoryState};
use github_sim::{Effect, Fault, Level};
use serde_json::json;
use tonic::Code;

use super::{Delivery, LOOK, binding, connection, events, follow, status};
use crate::harness::{ACCOUNT, INSTALLATION, REPO, World, status::assert_reason};

fn token(permissions: &[(&str, &str)]) -> GetRepoTokenRequest {
    let permissions =
        permissions.iter().map(|(name, level)| ((*name).into(), (*level).into())).collect();
    GetRepoTokenRequest { account: ACCOUNT.into(), permissions, ..Default::default() }
}

#[tokio::test]
async fn uninstalled_the_account_has_nothing_left() {
    let world = World::connected().await;
    world.token(&[("contents", "read")]).await;
    world.sim.uninstall(INSTALLATION as u64);
    // GitHub is not asked: it need not be there.
    world.sim.fault(Fault::always("*", Effect::Status { status: 502, html: true }));
    follow(&world, &Delivery::installation("deleted")).await;
    assert_eq!(status(&world).await, ConnectionStatus::Revoked);
    world.sim.clear_faults();
    // The cached token went, too.
    let refused = world.get_repo_token(token(&[("contents", "read")])).await.unwrap_err();
    assert_reason(&refused, Code::FailedPrecondition, "INSTALLATION_GONE");
}

#[tokio::test]
async fn suspended_and_back() {
    let world = World::connected().await;
    world.sim.suspend(INSTALLATION as u64);
    follow(&world, &Delivery::installation("suspend")).await;
    assert_eq!(status(&world).await, ConnectionStatus::Suspended);
    assert!(world.get_repo_token(token(&[])).await.is_err());
    world.sim.unsuspend(INSTALLATION as u64);
    follow(&world, &Delivery::installation("unsuspend")).await;
    assert_eq!(status(&world).await, ConnectionStatus::Active);
    // The refusal was not kept.
    world.token(&[]).await;
}

#[tokio::test]
async fn what_an_owner_accepts_counts_at_once() {
    let world = World::connected().await;
    let wanted = [("contents", "read"), ("checks", "read")];
    let refused = world.get_repo_token(token(&wanted)).await.unwrap_err();
    assert_reason(&refused, Code::FailedPrecondition, "PERMISSION_NOT_GRANTED");
    let granted = [("contents", Level::Write), ("checks", Level::Read), ("metadata", Level::Read)];
    world.sim.set_installation_permissions(INSTALLATION as u64, granted);
    follow(&world, &Delivery::installation("new_permissions_accepted")).await;
    world.token(&wanted).await;
    assert_eq!(status(&world).await, ConnectionStatus::Active);
}

#[tokio::test]
async fn repositories_taken_end_tokens_and_repositories_given_do_not() {
    let world = World::connected().await;
    let asked = world.sim.count(crate::harness::MINT);
    world.token(&[("contents", "read")]).await;
    for (action, mints) in [("added", 1), ("removed", 2)] {
        let body =
            json!({"action": action, "installation": {"id": INSTALLATION, "account": {"id": 1}}});
        follow(&world, &Delivery::new("installation_repositories", &body)).await;
        world.token(&[("contents", "read")]).await;
        assert_eq!(world.sim.count(crate::harness::MINT), asked + mints, "{action}");
    }
}

#[tokio::test]
async fn an_account_that_is_renamed_takes_its_bindings_along() {
    let world = World::connected().await;
    let says = r#"{"id":4711,"app_id":77,"account":{"id":1,"login":"Acme-Inc","type":"Organization"},
        "repository_selection":"all","permissions":{},"suspended_at":null,"html_url":"https://new.page"}"#;
    world.sim.fault(Fault::always(LOOK, Effect::Says(says)));
    let body = json!({
        "action": "renamed", "installation": {"id": INSTALLATION}, "target_type": "Organization",
        "account": {"id": 1, "login": "Acme-Inc"}, "changes": {"login": {"from": "acme"}},
    });
    follow(&world, &Delivery::new("installation_target", &body)).await;
    let installation = connection(&world).await.installation.unwrap();
    assert_eq!(installation.github_login, "Acme-Inc");
    assert_eq!(installation.settings_url, "https://new.page", "the old one has the old name in it");
    assert_eq!(binding(&world).await.repository, "Acme-Inc/warehouse");
}

#[tokio::test]
async fn a_repository_is_followed_through_its_names() {
    let world = World::connected().await;
    world.sim.rename_repository(REPO, "Depot");
    follow(&world, &Delivery::repository(&world, "renamed", "acme/Depot", "2030-01-01T00:00:01Z"))
        .await;
    assert_eq!(binding(&world).await.repository, "acme/Depot");
    world.token(&[("contents", "read")]).await;
    follow(
        &world,
        &Delivery::repository(&world, "transferred", "acme/Depot", "2030-01-01T00:00:02Z"),
    )
    .await;
    assert_eq!(binding(&world).await.repository_state(), RepositoryState::Available);
}

#[tokio::test]
async fn a_repository_is_followed_through_its_states() {
    let world = World::connected().await;
    let told = async |action, at| {
        follow(&world, &Delivery::repository(&world, action, REPO, at)).await;
        binding(&world).await.repository_state()
    };
    assert_eq!(told("archived", "2030-01-01T00:00:01Z").await, RepositoryState::Archived);
    assert_eq!(told("unarchived", "2030-01-01T00:00:02Z").await, RepositoryState::Available);
    assert_eq!(told("deleted", "2030-01-01T00:00:02Z").await, RepositoryState::Deleted);
    assert_eq!(
        told("archived", "2030-01-01T00:00:03Z").await,
        RepositoryState::Deleted,
        "gone is gone"
    );
    // Configured anew, it is what it is then.
    world.sim.archive(REPO, true);
    let request = ghbroker::proto::ConfigureRepoRequest {
        account: ACCOUNT.into(),
        repository: REPO.into(),
        ..Default::default()
    };
    let seen = world.configure_repo(request).await.unwrap().binding.unwrap();
    assert_eq!(seen.repository_state(), RepositoryState::Archived);
}

/// Whoever has a signed body can send it again: the delivery's id is not signed.
#[tokio::test]
async fn an_old_message_under_a_new_id_does_no_harm() {
    let world = World::connected().await;
    let again = |old: &Delivery| Delivery { id: uuid::Uuid::now_v7().to_string(), ..old.clone() };

    let suspend = Delivery::installation("suspend");
    world.sim.suspend(INSTALLATION as u64);
    follow(&world, &suspend).await;
    world.sim.unsuspend(INSTALLATION as u64);
    follow(&world, &Delivery::installation("unsuspend")).await;
    follow(&world, &again(&suspend)).await;
    assert_eq!(status(&world).await, ConnectionStatus::Active);

    world.sim.rename_repository(REPO, "attic");
    let first = Delivery::repository(&world, "renamed", "acme/attic", "2030-01-01T00:00:01Z");
    follow(&world, &first).await;
    world.sim.rename_repository("acme/attic", "cellar");
    let second = Delivery::repository(&world, "renamed", "acme/cellar", "2030-01-01T00:00:02Z");
    follow(&world, &second).await;
    follow(&world, &again(&first)).await;
    assert_eq!(binding(&world).await.repository, "acme/cellar");
}

#[tokio::test]
async fn what_comes_in_another_order_ends_the_same() {
    let world = World::connected().await;
    world.sim.suspend(INSTALLATION as u64);
    world.sim.uninstall(INSTALLATION as u64);
    follow(&world, &Delivery::installation("deleted")).await;
    follow(&world, &Delivery::installation("suspend")).await;
    follow(&world, &Delivery::installation("created")).await;
    assert_eq!(status(&world).await, ConnectionStatus::Revoked);
}

#[tokio::test]
async fn what_no_account_has_is_followed_to_its_end() {
    let world = World::start().await;
    let installation = json!({"id": 999, "account": {"id": 5}});
    let of =
        |action| json!({"action": action, "installation": installation, "requester": {"id": 6}});
    follow(&world, &Delivery::new("installation", &of("created"))).await;
    follow(&world, &Delivery::new("installation", &of("deleted"))).await;
    let body = json!({"action": "revoked", "sender": {"id": 7}});
    follow(&world, &Delivery::new("github_app_authorization", &body)).await;
    let body = json!({"action": "archived", "repository": {"id": 8, "full_name": "a/b"}});
    follow(&world, &Delivery::new("repository", &body)).await;
    assert_eq!(events(&world, "installation", "done").await, 2);
    assert_eq!(events(&world, "repository", "done").await, 1);
}

#[tokio::test]
async fn a_neighbour_is_left_alone() {
    let world = World::connected().await;
    let other = github_sim::seed::Installation {
        id: Some(4712),
        app_id: crate::harness::APP_ID,
        account: "mallory".into(),
        ..Default::default()
    };
    world.sim.add_installation(&other).unwrap();
    let request = ghbroker::proto::RegisterInstallationRequest {
        account: "tenant-mallory".into(),
        installation_id: 4712,
        setup_action: ghbroker::proto::SetupAction::Install.into(),
        expected_github_login: "mallory".into(),
        ..Default::default()
    };
    world.register_installation(request).await.unwrap();
    let body = json!({"action": "deleted", "installation": {"id": 4712, "account": {"id": 1}}});
    follow(&world, &Delivery::new("installation", &body)).await;
    assert_eq!(status(&world).await, ConnectionStatus::Active);
    let request = ghbroker::proto::GetConnectionRequest { account: "tenant-mallory".into() };
    let neighbour = world.get_connection(request).await.unwrap().installation.unwrap();
    assert_eq!(neighbour.status(), ConnectionStatus::Revoked);
}
