//! SetPat.

use std::collections::BTreeMap;

use ghbroker::proto::*;
use github_sim::{Effect, Fault, Level, seed};
use time::Duration;
use tonic::Code;

use super::{bind, connection, disconnect, installed, pat, token};
use crate::harness::{ACCOUNT, INSTALLATION, REPO, World, status::assert_reason, write};

fn classic() -> seed::Pat {
    seed::Pat { scopes: vec!["repo".into(), "workflow".into()], ..Default::default() }
}

fn fine_grained() -> seed::Pat {
    let write = |name: &str| (name.to_owned(), Level::Write);
    seed::Pat {
        kind: seed::PatKind::FineGrained,
        permissions: BTreeMap::from([write("contents"), write("pull_requests")]),
        resource_owner: Some("acme".into()),
        ..Default::default()
    }
}

#[tokio::test]
async fn a_classic_token_is_described_and_never_shown() {
    let world = World::start().await;
    let secret = world.pat(classic());
    let stored = world.set_pat(pat(ACCOUNT, &secret)).await.unwrap().pat.unwrap();
    assert_eq!(stored.kind(), PatKind::Classic);
    assert_eq!(stored.owner_login, "alice");
    assert_eq!(stored.scopes, ["repo", "workflow"]);
    assert_eq!(stored.expire_time, None);
    assert_eq!(stored.fingerprint, secret[secret.len() - 4..]);
    assert_eq!(stored.status(), ConnectionStatus::Active);
    assert_eq!(stored.registered_at.unwrap().seconds, world.sim.clock().now().unix_timestamp());

    let seen = connection(&world, ACCOUNT).await.unwrap();
    assert_eq!(seen.effective_source(), CredentialSource::Pat);
    assert!(!format!("{seen:?}").contains("ghp_"));
    assert_eq!(seen.pat, Some(stored));
}

#[tokio::test]
async fn a_fine_grained_token_tells_its_end_and_no_scopes() {
    let world = World::start().await;
    let end = world.sim.clock().now() + Duration::days(30);
    let secret = world.pat(seed::Pat { expires_at: Some(end), ..fine_grained() });
    let stored = world.set_pat(pat(ACCOUNT, &secret)).await.unwrap().pat.unwrap();
    assert_eq!(stored.kind(), PatKind::FineGrained);
    assert_eq!(stored.scopes, Vec::<String>::new());
    assert_eq!(stored.expire_time.unwrap().seconds, end.unix_timestamp());

    world.advance(std::time::Duration::from_secs(31 * 24 * 3600));
    let seen = connection(&world, ACCOUNT).await.unwrap();
    assert_eq!(seen.effective_source(), CredentialSource::Unspecified);
    assert_eq!(seen.pat.unwrap().status(), ConnectionStatus::Expired);
}

#[tokio::test]
async fn a_token_that_github_refuses_is_not_stored_and_the_old_one_stays() {
    let world = World::start().await;
    let good = world.pat(classic());
    let revoked = world.pat(classic());
    world.sim.revoke_pat(&revoked);
    let yesterday = world.sim.clock().now() - Duration::days(1);
    let expired = world.pat(seed::Pat { expires_at: Some(yesterday), ..classic() });

    let first = world.set_pat(pat(ACCOUNT, &revoked)).await.unwrap_err();
    assert_reason(&first, Code::FailedPrecondition, "CREDENTIAL_REJECTED");
    let nothing = connection(&world, ACCOUNT).await.unwrap_err();
    assert_reason(&nothing, Code::NotFound, "ACCOUNT_NOT_CONNECTED");

    world.set_pat(pat(ACCOUNT, &good)).await.unwrap();
    world.configure_repo(bind(ACCOUNT, REPO)).await.unwrap();
    let before = connection(&world, ACCOUNT).await.unwrap();
    for bad in [revoked, expired] {
        let refused = world.set_pat(pat(ACCOUNT, &bad)).await.unwrap_err();
        assert_reason(&refused, Code::FailedPrecondition, "CREDENTIAL_REJECTED");
        assert!(!format!("{refused:?}").contains(&bad[bad.len() - 8..]));
    }
    assert_eq!(connection(&world, ACCOUNT).await.unwrap(), before);
    assert_eq!(token(&world, ACCOUNT).await.unwrap().token, good);
}

#[tokio::test]
async fn while_github_is_down_the_old_token_stays() {
    let world = World::start().await;
    let old = world.pat(classic());
    world.set_pat(pat(ACCOUNT, &old)).await.unwrap();
    let before = connection(&world, ACCOUNT).await.unwrap();
    world.sim.fault(Fault::always("GET /user", Effect::Status { status: 503, html: false }));
    let failed = world.set_pat(pat(ACCOUNT, &world.pat(classic()))).await.unwrap_err();
    assert_reason(&failed, Code::Unavailable, "GITHUB_UNAVAILABLE");
    assert_eq!(connection(&world, ACCOUNT).await.unwrap(), before);
}

#[tokio::test]
async fn a_new_token_takes_the_place_of_the_old_one_at_once() {
    let world = World::start().await;
    let (old, new) = (world.pat(classic()), world.pat(fine_grained()));
    world.set_pat(pat(ACCOUNT, &old)).await.unwrap();
    world.configure_repo(bind(ACCOUNT, REPO)).await.unwrap();
    assert_eq!(token(&world, ACCOUNT).await.unwrap().token, old);

    world.advance(std::time::Duration::from_secs(60));
    let stored = world.set_pat(pat(ACCOUNT, &new)).await.unwrap().pat.unwrap();
    assert_eq!(stored.kind(), PatKind::FineGrained);
    assert_eq!(stored.registered_at.unwrap().seconds, world.sim.clock().now().unix_timestamp());
    let handed_out = token(&world, ACCOUNT).await.unwrap();
    assert_eq!(handed_out.token, new);
    assert_eq!(handed_out.source(), CredentialSource::Pat);
    assert_eq!(handed_out.repository, REPO);
    assert!(handed_out.permissions.is_empty(), "a personal access token is not narrowed");
}

#[tokio::test]
async fn a_reported_token_is_not_used_any_more_once_github_refuses_it() {
    const USER: &str = "GET /user";
    let world = World::start().await;
    let secret = world.pat(classic());
    world.set_pat(pat(ACCOUNT, &secret)).await.unwrap();
    world.configure_repo(bind(ACCOUNT, REPO)).await.unwrap();
    let report = async |token: &str| {
        let request = ReportRejectedTokenRequest { account: ACCOUNT.into(), token: token.into() };
        world.report_rejected_token(request).await.unwrap().dropped
    };
    let before = world.sim.count(USER);
    assert!(!report("ghp_anotherAnotherAnotherAnotherAnother00").await);
    assert_eq!(world.sim.count(USER), before, "only the account's own token is asked about");
    for _ in 0..3 {
        assert!(!report(&secret).await, "GitHub still takes it");
    }
    assert_eq!(world.sim.count(USER), before + 1);
    assert_eq!(token(&world, ACCOUNT).await.unwrap().token, secret);

    world.sim.revoke_pat(&secret);
    world.advance(std::time::Duration::from_secs(10));
    assert!(report(&secret).await);
    let refused = token(&world, ACCOUNT).await.unwrap_err();
    assert_reason(&refused, Code::FailedPrecondition, "CREDENTIAL_REJECTED");
    let seen = connection(&world, ACCOUNT).await.unwrap().pat.unwrap();
    assert_eq!(seen.status(), ConnectionStatus::Revoked);
}

#[tokio::test]
async fn an_installation_goes_before_a_token() {
    let world = World::start().await;
    let secret = world.pat(classic());
    world.set_pat(pat(ACCOUNT, &secret)).await.unwrap();
    world.configure_repo(bind(ACCOUNT, REPO)).await.unwrap();
    world.register_installation(installed(ACCOUNT, INSTALLATION)).await.unwrap();

    let seen = connection(&world, ACCOUNT).await.unwrap();
    assert_eq!(seen.effective_source(), CredentialSource::AppInstallation);
    assert!(seen.pat.is_some(), "the token is kept");
    let handed_out = token(&world, ACCOUNT).await.unwrap();
    assert_eq!(handed_out.source(), CredentialSource::AppInstallation);
    assert_ne!(handed_out.token, secret);
}

#[tokio::test]
async fn a_stored_token_outlives_a_restart_and_lies_nowhere_in_the_clear() {
    let mut world = World::start().await;
    let secret = world.pat(classic());
    world.set_pat(pat(ACCOUNT, &secret)).await.unwrap();
    world.configure_repo(bind(ACCOUNT, REPO)).await.unwrap();
    world.restart().await;
    assert_eq!(token(&world, ACCOUNT).await.unwrap().token, secret);

    let mut files = 0;
    for file in std::fs::read_dir(world.folder()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        files += 1;
        assert!(!bytes.windows(secret.len()).any(|part| part == secret.as_bytes()));
    }
    assert!(files > 0, "the database is in this folder");
}

#[tokio::test]
async fn the_old_token_is_refused_at_once_on_every_replica() {
    let world = World::start().await;
    let (old, new) = (world.pat(classic()), world.pat(classic()));
    world.set_pat(pat(ACCOUNT, &old)).await.unwrap();
    world.configure_repo(bind(ACCOUNT, REPO)).await.unwrap();
    let replica = world.replica().await;
    let there = async || {
        let request = GetRepoTokenRequest { account: ACCOUNT.into(), ..Default::default() };
        replica.broker.clone().get_repo_token(request).await.map(tonic::Response::into_inner)
    };
    assert_eq!(there().await.unwrap().token, old);
    world.set_pat(pat(ACCOUNT, &new)).await.unwrap();
    assert_eq!(there().await.unwrap().token, new);
    switch(&world, false).await;
    let refused = there().await.unwrap_err();
    assert_reason(&refused, Code::FailedPrecondition, "CREDENTIAL_DISABLED");
    switch(&world, true).await;
    assert_eq!(there().await.unwrap().token, new);
    disconnect(&world, ACCOUNT).await;
    assert_reason(&there().await.unwrap_err(), Code::NotFound, "ACCOUNT_NOT_CONNECTED");
}

async fn switch(world: &World, enabled: bool) {
    let source = CredentialSource::Pat.into();
    let request =
        SetCredentialEnabledRequest { account: ACCOUNT.into(), source, enabled: Some(enabled) };
    world.set_credential_enabled(request).await.unwrap();
}

#[tokio::test]
async fn a_token_that_is_switched_off_stays_so_and_is_the_same_afterwards() {
    let mut world = World::start().await;
    let secret = world.pat(classic());
    let stored = world.set_pat(pat(ACCOUNT, &secret)).await.unwrap().pat;
    world.configure_repo(bind(ACCOUNT, REPO)).await.unwrap();
    switch(&world, false).await;
    for restarted in [false, true] {
        if restarted {
            world.restart().await;
        }
        let refused = token(&world, ACCOUNT).await.unwrap_err();
        assert_reason(&refused, Code::FailedPrecondition, "CREDENTIAL_DISABLED");
        let refused = world.commit("Not now", vec![write("a.sql", "select 1\n")]).await;
        assert_reason(&refused.unwrap_err(), Code::FailedPrecondition, "CREDENTIAL_DISABLED");
        let seen = connection(&world, ACCOUNT).await.unwrap();
        assert_eq!(seen.effective_source(), CredentialSource::Unspecified);
        assert_eq!(seen.pat.unwrap().status(), ConnectionStatus::Disabled);
    }
    switch(&world, true).await;
    world.restart().await;
    assert_eq!(token(&world, ACCOUNT).await.unwrap().token, secret);
    assert_eq!(connection(&world, ACCOUNT).await.unwrap().pat, stored);

    // A new one is a decision to use it.
    switch(&world, false).await;
    let new = world.pat(classic());
    world.set_pat(pat(ACCOUNT, &new)).await.unwrap();
    assert_eq!(token(&world, ACCOUNT).await.unwrap().token, new);
}

#[tokio::test]
async fn a_token_that_ends_within_14_days_is_warned_of_until_it_is_renewed() {
    let world = World::start().await;
    let end = world.now() + Duration::days(15);
    let secret = world.pat(seed::Pat { expires_at: Some(end), ..classic() });
    world.set_pat(pat(ACCOUNT, &secret)).await.unwrap();
    let warnings = async || connection(&world, ACCOUNT).await.unwrap().warnings;
    assert_eq!(warnings().await, [""; 0]);
    world.advance(std::time::Duration::from_secs(24 * 3600 + 1));
    let warned = warnings().await;
    for told in ["alice", &end.date().to_string(), &secret[secret.len() - 4..], "SetPat"] {
        assert!(warned.len() == 1 && warned[0].contains(told), "{told}: {warned:?}");
    }
    assert!(!warned[0].contains(&secret[..20]));
    let later = world.now() + Duration::days(90);
    let renewed = world.pat(seed::Pat { expires_at: Some(later), ..classic() });
    world.set_pat(pat(ACCOUNT, &renewed)).await.unwrap();
    assert_eq!(warnings().await, [""; 0]);
}
