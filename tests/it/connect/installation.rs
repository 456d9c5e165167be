//! RegisterInstallation.

use std::sync::Arc;

use ghbroker::{
    app::{self, Listeners},
    domain::SystemClock,
    proto::*,
};
use github_sim::{Effect, Fault, seed};
use tonic::Code;

use super::{add_globex, bind, connection, disconnect, installed, token};
use crate::harness::{
    self, ACCOUNT, APP_ID, INSTALLATION, REPO, World, config, person, simulator,
    status::{assert_reason, bad_fields},
};

const INSTALLATION_ROUTE: &str = "GET /app/installations/{installation_id}";

#[tokio::test]
async fn binds_the_installation_to_the_account() {
    let world = World::start().await;
    let answer = world.register_installation(installed(ACCOUNT, INSTALLATION)).await.unwrap();
    let stored = answer.installation.unwrap();
    assert_eq!(stored.installation_id, INSTALLATION);
    assert_eq!(stored.github_login, "acme");
    assert!(stored.github_account_id > 0);
    assert_eq!(stored.status(), ConnectionStatus::Active);
    let now = world.sim.clock().now().unix_timestamp();
    assert_eq!(stored.registered_at.unwrap().seconds, now);

    let connection = connection(&world, ACCOUNT).await.unwrap();
    assert_eq!(connection.effective_source(), CredentialSource::AppInstallation);
    assert_eq!(connection.installation, Some(stored));
    assert_eq!((connection.pat, connection.bindings), (None, Vec::new()));
}

#[tokio::test]
async fn registering_again_changes_nothing() {
    let world = World::start().await;
    let first = world.register_installation(installed(ACCOUNT, INSTALLATION)).await.unwrap();
    world.advance(std::time::Duration::from_secs(3600));
    let mut again = installed(ACCOUNT, INSTALLATION);
    again.setup_action = SetupAction::Update.into();
    assert_eq!(world.register_installation(again).await.unwrap(), first);
}

#[tokio::test]
async fn an_app_that_was_installed_anew_takes_the_place_of_the_old_one() {
    let world = World::connected().await;
    world.token(&[]).await;
    world.sim.uninstall(INSTALLATION as u64);
    let anew = seed::Installation { app_id: APP_ID, account: "acme".into(), ..Default::default() };
    let id = world.sim.add_installation(&anew).unwrap() as i64;
    world.register_installation(installed(ACCOUNT, id)).await.unwrap();

    let connected = connection(&world, ACCOUNT).await.unwrap();
    assert_eq!(connected.installation.unwrap().installation_id, id);
    assert_eq!(connected.bindings.len(), 1, "the repository stays bound");
    assert!(
        world.sim.accepts(&world.token(&[]).await.token),
        "the old installation's token is gone"
    );
}

/// What GitHub's redirect says when an organization owner was asked, where nobody said which organization it will be.
fn requested() -> RegisterInstallationRequest {
    RegisterInstallationRequest {
        setup_action: SetupAction::Request.into(),
        expected_github_login: String::new(),
        ..installed(ACCOUNT, 0)
    }
}

#[tokio::test]
async fn an_installation_that_waits_for_approval_says_so_until_it_is_there() {
    let world = World::start().await;
    let requested = requested();
    let pending = world.register_installation(requested).await.unwrap().installation.unwrap();
    assert_eq!(pending.status(), ConnectionStatus::PendingApproval);
    assert_eq!(pending.installation_id, 0);

    let seen = connection(&world, ACCOUNT).await.unwrap();
    assert_eq!(seen.effective_source(), CredentialSource::Unspecified);
    assert_eq!(seen.installation, Some(pending));
    let refused = world.configure_repo(bind(ACCOUNT, REPO)).await.unwrap_err();
    assert_reason(&refused, Code::FailedPrecondition, "INSTALLATION_PENDING");
    assert!(world.sim.requests().is_empty(), "there is nothing to ask GitHub yet");

    world.register_installation(installed(ACCOUNT, INSTALLATION)).await.unwrap();
    world.configure_repo(bind(ACCOUNT, REPO)).await.unwrap();
    assert!(world.sim.accepts(&world.token(&[]).await.token));
}

#[tokio::test]
async fn a_request_for_approval_takes_no_working_installation_away() {
    let world = World::connected().await;
    let requested = requested();
    world.register_installation(requested).await.unwrap();
    let seen = connection(&world, ACCOUNT).await.unwrap();
    assert_eq!(seen.effective_source(), CredentialSource::AppInstallation);
    world.token(&[]).await;
}

#[tokio::test]
async fn an_uninstalled_app_that_is_asked_for_again_waits_for_approval() {
    let world = World::connected().await;
    world.sim.uninstall(INSTALLATION as u64);
    let gone = token(&world, ACCOUNT).await.unwrap_err();
    assert_reason(&gone, Code::FailedPrecondition, "INSTALLATION_GONE");

    let requested = requested();
    let pending = world.register_installation(requested).await.unwrap().installation.unwrap();
    assert_eq!(pending.status(), ConnectionStatus::PendingApproval);
    assert_eq!(connection(&world, ACCOUNT).await.unwrap().installation, Some(pending));
    let waiting = token(&world, ACCOUNT).await.unwrap_err();
    assert_reason(&waiting, Code::FailedPrecondition, "INSTALLATION_PENDING");
}

#[tokio::test]
async fn of_two_accounts_at_once_one_gets_the_installation() {
    let world = World::start().await;
    let (a, b) = tokio::join!(
        world.register_installation(installed("tenant-a", INSTALLATION)),
        world.register_installation(installed("tenant-b", INSTALLATION)),
    );
    assert!(a.is_ok() ^ b.is_ok(), "{a:?} {b:?}");
    let (winner, loser, refused) = match (a, b) {
        (Err(refused), _) => ("tenant-b", "tenant-a", refused),
        (_, refused) => ("tenant-a", "tenant-b", refused.unwrap_err()),
    };
    assert_reason(&refused, Code::AlreadyExists, "INSTALLATION_TAKEN");
    assert!(!format!("{refused:?}").contains(winner), "whose it is, is nobody else's business");
    let nothing = connection(&world, loser).await.unwrap_err();
    assert_reason(&nothing, Code::NotFound, "ACCOUNT_NOT_CONNECTED");

    disconnect(&world, winner).await;
    world.register_installation(installed(loser, INSTALLATION)).await.unwrap();
}

#[tokio::test]
async fn what_is_suspended_gone_or_another_apps_is_refused() {
    let world = World::start().await;
    let other_app = seed::App {
        slug: "other".into(),
        owner: "acme".into(),
        public_key_pem: Vec::new(),
        ..Default::default()
    };
    let app_id = world.sim.add_app(&other_app).unwrap();
    let theirs = seed::Installation { app_id, account: "acme".into(), ..Default::default() };
    let theirs = world.sim.add_installation(&theirs).unwrap() as i64;
    world.sim.suspend(INSTALLATION as u64);
    for (id, reason) in [
        (INSTALLATION, "INSTALLATION_SUSPENDED"),
        (404, "INSTALLATION_GONE"),
        (theirs, "INSTALLATION_GONE"),
    ] {
        let refused = world.register_installation(installed(ACCOUNT, id)).await.unwrap_err();
        assert_reason(&refused, Code::FailedPrecondition, reason);
    }
    let nothing = connection(&world, ACCOUNT).await.unwrap_err();
    assert_reason(&nothing, Code::NotFound, "ACCOUNT_NOT_CONNECTED");
}

#[tokio::test]
async fn a_refused_installation_leaves_the_one_before_it() {
    let world = World::connected().await;
    let refused = world.register_installation(installed(ACCOUNT, 404)).await.unwrap_err();
    assert_reason(&refused, Code::FailedPrecondition, "INSTALLATION_GONE");
    let kept = connection(&world, ACCOUNT).await.unwrap().installation.unwrap();
    assert_eq!((kept.installation_id, kept.status()), (INSTALLATION, ConnectionStatus::Active));
}

#[tokio::test]
async fn an_installation_on_another_organization_than_expected_is_refused() {
    let world = World::start().await;
    add_globex(&world);
    let mut request = installed(ACCOUNT, INSTALLATION);
    request.expected_github_login = "globex".into();
    let refused = world.register_installation(request.clone()).await.unwrap_err();
    assert_reason(&refused, Code::FailedPrecondition, "INSTALLATION_NOT_OWNED");
    let nothing = connection(&world, ACCOUNT).await.unwrap_err();
    assert_reason(&nothing, Code::NotFound, "ACCOUNT_NOT_CONNECTED");

    request.expected_github_login = "ACME".into();
    world.register_installation(request).await.unwrap();
}

#[tokio::test]
async fn a_code_proves_who_installed_it() {
    let world = World::start().await;
    let mut request = installed(ACCOUNT, INSTALLATION);
    request.expected_github_login.clear();
    request.code = person::authorize(&world.sim, "mallory").await;
    let refused = world.register_installation(request.clone()).await.unwrap_err();
    assert_reason(&refused, Code::FailedPrecondition, "INSTALLATION_NOT_OWNED");
    assert!(!format!("{refused:?}").contains(&request.code));

    let used_up = world.register_installation(request.clone()).await.unwrap_err();
    assert_eq!(bad_fields(&used_up), ["code"]);
    assert!(!format!("{used_up:?}").contains(&request.code));
    let nothing = connection(&world, ACCOUNT).await.unwrap_err();
    assert_reason(&nothing, Code::NotFound, "ACCOUNT_NOT_CONNECTED");

    request.code = person::authorize(&world.sim, "alice").await;
    world.register_installation(request).await.unwrap();
}

#[tokio::test]
async fn a_client_secret_that_github_does_not_know_is_the_operators_to_mend() {
    let mut seed = crate::harness::seed();
    seed.apps[0].client_secret = "another-secret".into();
    let world = World::start_with(seed).await;
    let mut request = installed(ACCOUNT, INSTALLATION);
    request.expected_github_login.clear();
    request.code = person::authorize(&world.sim, "alice").await;
    let refused = world.register_installation(request).await.unwrap_err();
    assert_reason(&refused, Code::Internal, "INTERNAL");
    assert!(refused.message().contains("client secret"), "{}", refused.message());
}

#[tokio::test]
async fn a_broker_without_an_app_does_not_ask_to_connect_again() {
    let sim = simulator(crate::harness::seed()).await;
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(&sim, &format!("sqlite://{}/ghbroker.db", folder.path().display()));
    config.github.app = None;
    let listeners = Listeners::bind(&config).await.unwrap();
    let address = listeners.grpc.local_addr().unwrap().to_string();
    let running = app::run(config, listeners, Arc::new(SystemClock), std::future::pending());
    let running = tokio::spawn(running);
    let mut broker = harness::client(harness::connect(&address).await);
    let refused = broker.register_installation(installed(ACCOUNT, INSTALLATION)).await.unwrap_err();
    assert_reason(&refused, Code::FailedPrecondition, "APP_NOT_CONFIGURED");
    running.abort();
}

#[tokio::test]
async fn while_github_is_down_nothing_is_registered() {
    let world = World::start().await;
    let down = Effect::Status { status: 502, html: true };
    world.sim.fault(Fault::always(INSTALLATION_ROUTE, down));
    let failed = world.register_installation(installed(ACCOUNT, INSTALLATION)).await.unwrap_err();
    assert_reason(&failed, Code::Unavailable, "GITHUB_UNAVAILABLE");
    let nothing = connection(&world, ACCOUNT).await.unwrap_err();
    assert_reason(&nothing, Code::NotFound, "ACCOUNT_NOT_CONNECTED");
}

#[tokio::test]
async fn connections_outlive_a_restart() {
    let mut world = World::connected().await;
    let before = connection(&world, ACCOUNT).await.unwrap();
    world.restart().await;
    assert_eq!(connection(&world, ACCOUNT).await.unwrap(), before);
    assert!(world.sim.accepts(&token(&world, ACCOUNT).await.unwrap().token));
}
