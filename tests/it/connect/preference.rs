//! Which of several credentials is used.

use std::time::Duration;

use ghbroker::proto::*;
use github_sim::{Effect, Fault, seed};
use tonic::Code;

use super::{bind, connection, installed, pat, token};
use crate::harness::{
    ACCOUNT, INSTALLATION, REPO, World,
    status::{assert_reason, bad_fields},
};

/// An account with all three credentials, of which the installation comes first.
async fn world(fallback: bool) -> World {
    let world = World::with_portal(move |config| {
        config.connecting.fallback = fallback;
    })
    .await;
    let own = world.pat(seed::Pat { scopes: vec!["repo".into()], ..Default::default() });
    world.set_pat(pat(ACCOUNT, &own)).await.unwrap();
    world.connect_github(ACCOUNT, "alice").await;
    world.register_installation(installed(ACCOUNT, INSTALLATION)).await.unwrap();
    world.configure_repo(bind(ACCOUNT, REPO)).await.unwrap();
    world
}

async fn switch(world: &World, source: CredentialSource, enabled: bool) -> CredentialSource {
    let request = SetCredentialEnabledRequest {
        account: ACCOUNT.into(),
        source: source.into(),
        enabled: Some(enabled),
    };
    world.set_credential_enabled(request).await.unwrap().effective_source()
}

async fn used(world: &World) -> CredentialSource {
    token(world, ACCOUNT).await.unwrap().source()
}

#[tokio::test]
async fn the_first_that_is_switched_on_is_used_and_getconnection_says_why() {
    use CredentialSource::{AppInstallation, OauthUser, Pat};
    let mut world = world(false).await;
    for (switched_off, then, why) in [
        (None, AppInstallation, "the App installation comes first"),
        (Some(AppInstallation), OauthUser, "the App installation is switched off"),
        (Some(OauthUser), Pat, "the user's authorization (OAuth) is switched off"),
    ] {
        if let Some(source) = switched_off {
            assert_eq!(switch(&world, source, false).await, then);
        }
        let seen = connection(&world, ACCOUNT).await.unwrap();
        assert_eq!(seen.effective_source(), then);
        assert!(seen.effective_reason.contains(why), "{}", seen.effective_reason);
        assert_eq!(used(&world).await, then);
    }
    switch(&world, Pat, false).await;
    let seen = connection(&world, ACCOUNT).await.unwrap();
    let disabled = ConnectionStatus::Disabled;
    let states = (
        seen.installation.unwrap().status(),
        seen.oauth_user.unwrap().status(),
        seen.pat.unwrap().status(),
    );
    assert_eq!(states, (disabled, disabled, disabled));
    world.restart().await;
    let refused = token(&world, ACCOUNT).await.unwrap_err();
    assert_reason(&refused, Code::FailedPrecondition, "CREDENTIAL_DISABLED");

    assert_eq!(switch(&world, AppInstallation, true).await, AppInstallation);
    assert_eq!(used(&world).await, AppInstallation);
    world.finish().await;
}

#[tokio::test]
async fn what_is_switched_off_ends_the_tokens_that_it_gave() {
    let world = world(false).await;
    let given = token(&world, ACCOUNT).await.unwrap().token;
    switch(&world, CredentialSource::AppInstallation, false).await;
    assert!(!world.sim.accepts(&given));
    world.finish().await;
}

#[tokio::test]
async fn only_what_the_account_has_can_be_switched() {
    let world = World::connected().await;
    let request = SetCredentialEnabledRequest {
        account: ACCOUNT.into(),
        source: CredentialSource::Pat.into(),
        enabled: Some(false),
    };
    let refused = world.set_credential_enabled(request.clone()).await.unwrap_err();
    assert_reason(&refused, Code::NotFound, "ACCOUNT_NOT_CONNECTED");
    // What is left out is not taken for "off".
    let request = SetCredentialEnabledRequest { source: 0, enabled: None, ..request };
    let refused = world.set_credential_enabled(request).await.unwrap_err();
    assert_eq!(bad_fields(&refused), ["source", "enabled"]);
    world.finish().await;
}

#[tokio::test]
async fn a_broken_one_is_not_passed_over_unless_the_operator_says_so() {
    let world = world(false).await;
    world.sim.suspend(INSTALLATION as u64);
    let request = issues();
    for _ in 0..2 {
        let refused = world.get_repo_token(request.clone()).await.unwrap_err();
        assert_reason(&refused, Code::FailedPrecondition, "INSTALLATION_SUSPENDED");
    }
    let seen = connection(&world, ACCOUNT).await.unwrap();
    assert_eq!(seen.effective_source(), CredentialSource::Unspecified);
    assert!(seen.effective_reason.contains("suspended"), "{}", seen.effective_reason);
    world.finish().await;
}

#[tokio::test]
async fn with_fallback_the_next_one_is_used_until_the_first_works_again() {
    use CredentialSource::{AppInstallation, OauthUser};
    let world = world(true).await;
    world.sim.suspend(INSTALLATION as u64);
    let request = issues();
    // The call that learns of it fails.
    let refused = world.get_repo_token(request.clone()).await.unwrap_err();
    assert_reason(&refused, Code::FailedPrecondition, "INSTALLATION_SUSPENDED");
    assert_eq!(world.get_repo_token(request.clone()).await.unwrap().source(), OauthUser);
    let seen = connection(&world, ACCOUNT).await.unwrap();
    assert_eq!(seen.effective_source(), OauthUser);
    assert!(seen.effective_reason.contains("is suspended at GitHub"), "{}", seen.effective_reason);

    world.sim.unsuspend(INSTALLATION as u64);
    // GitHub is not asked at every call.
    world.advance(Duration::from_secs(60));
    assert_eq!(world.get_repo_token(request).await.unwrap().source(), AppInstallation);
    world.finish().await;
}

#[tokio::test]
async fn with_fallback_an_installation_that_only_seemed_gone_is_used_again() {
    use CredentialSource::{AppInstallation, OauthUser};
    let world = world(true).await;
    let mint = "POST /app/installations/{installation_id}/access_tokens";
    world.sim.fault(Fault::once(mint, Effect::Status { status: 404, html: false }));
    let gone = token(&world, ACCOUNT).await.unwrap_err();
    assert_reason(&gone, Code::FailedPrecondition, "INSTALLATION_GONE");
    // The first look of the next call finds it; one that is really gone is looked at every 10 minutes.
    assert_eq!(used(&world).await, AppInstallation);

    world.sim.uninstall(INSTALLATION as u64);
    let gone = world.get_repo_token(issues()).await.unwrap_err();
    assert_reason(&gone, Code::FailedPrecondition, "INSTALLATION_GONE");
    let look = "GET /app/installations/{installation_id}";
    let before = world.sim.count(look);
    for _ in 0..5 {
        world.advance(Duration::from_secs(60));
        assert_eq!(used(&world).await, OauthUser);
    }
    assert_eq!(world.sim.count(look), before);
    world.advance(Duration::from_secs(300));
    assert_eq!(used(&world).await, OauthUser);
    assert_eq!(world.sim.count(look), before + 1);
    world.finish().await;
}

fn issues() -> GetRepoTokenRequest {
    let permissions = [("issues".to_owned(), "read".to_owned())].into();
    GetRepoTokenRequest { account: ACCOUNT.into(), permissions, ..Default::default() }
}
