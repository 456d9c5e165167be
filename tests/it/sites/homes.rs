//! Where an account is at home: from its first connection until Disconnect, whatever is configured meanwhile.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use github_sim::{Sim, seed};
use tonic::Code;

use super::{AT_DEFAULT, AT_GHES, AT_SECOND, GHES, SECOND, SECOND_CLIENT, Sites};
use crate::harness::status::{assert_reason, bad_fields};

/// A personal access token of alice, who owns `acme`.
fn pat_of(sim: &Sim) -> String {
    let scopes = vec!["repo".into()];
    sim.add_pat(&seed::Pat { owner: "alice".into(), scopes, ..Default::default() }).unwrap()
}

#[tokio::test]
async fn an_unknown_site_is_a_wrong_field_and_the_sites_are_named() {
    let sites = Sites::start().await;
    let before = sites.asked();
    for bad in ["other", "GHES", "a b"] {
        let refused = sites.register(AT_GHES, bad).await.unwrap_err();
        assert_eq!(bad_fields(&refused), ["site"]);
        let refused = sites.set_pat(AT_GHES, bad, "ghp_x").await.unwrap_err();
        assert_eq!(bad_fields(&refused), ["site"]);
    }
    let refused = sites.register(AT_GHES, "other").await.unwrap_err();
    assert!(refused.message().contains("default, ghes, second"), "{refused:?}");
    assert_eq!(sites.asked(), before);
    sites.finish().await;
}

#[tokio::test]
async fn an_account_stays_at_its_site_until_it_is_disconnected() {
    let sites = Sites::connected().await;
    let token = pat_of(&sites.ghes);
    let before = sites.asked();
    for other in ["default", SECOND] {
        let refused = sites.register(AT_GHES, other).await.unwrap_err();
        let details = assert_reason(&refused, Code::FailedPrecondition, "ACCOUNT_ELSEWHERE");
        assert_eq!(details.error_info().unwrap().metadata["site"], GHES);
        let refused = sites.set_pat(AT_GHES, other, &token).await.unwrap_err();
        assert_reason(&refused, Code::FailedPrecondition, "ACCOUNT_ELSEWHERE");
    }
    assert_eq!(sites.asked(), before, "no other host has seen the token");
    // Its own needs no name.
    assert_eq!(sites.set_pat(AT_GHES, "", &token).await.unwrap().owner_login, "alice");
    assert_eq!(sites.set_pat(AT_GHES, GHES, &token).await.unwrap().owner_login, "alice");
    assert_eq!(sites.asked().0, before.0);

    // The installation of the default site is taken by another account.
    sites.disconnect(AT_DEFAULT).await;
    sites.disconnect(AT_GHES).await;
    let refused = sites.token(AT_GHES).await.unwrap_err();
    assert_reason(&refused, Code::NotFound, "ACCOUNT_NOT_CONNECTED");
    sites.register(AT_GHES, "default").await.unwrap();
    sites.bind(AT_GHES).await;
    let token = sites.token(AT_GHES).await.unwrap().token;
    assert!(sites.world.sim.accepts(&token) && !sites.ghes.accepts(&token));
    assert_eq!(sites.connection(AT_GHES).await.unwrap().site, "default");
    sites.finish().await;
}

#[tokio::test]
async fn homes_outlast_a_restart() {
    let mut sites = Sites::connected().await;
    sites.world.restart().await;
    for (account, at_ghes) in [(AT_DEFAULT, false), (AT_GHES, true), (AT_SECOND, false)] {
        let token = sites.token(account).await.unwrap().token;
        assert_eq!(sites.ghes.accepts(&token), at_ghes, "{account}");
    }
    sites.finish().await;
}

/// Sites of which the further ones can be taken out of the configuration.
async fn removable() -> (Sites, Arc<AtomicBool>) {
    let gone = Arc::new(AtomicBool::new(false));
    let is_gone = gone.clone();
    let sites = Sites::start_with(move |config| {
        if is_gone.load(Ordering::Relaxed) {
            config.sites.clear();
        }
    });
    (sites.await, gone)
}

#[tokio::test]
async fn no_other_site_serves_an_account_whose_site_is_gone() {
    let (mut sites, gone) = removable().await;
    let token = pat_of(&sites.ghes);
    sites.set_pat(AT_GHES, GHES, &token).await.unwrap();
    sites.bind(AT_GHES).await;
    // On the same host as the default one: its tokens and bindings would work there.
    let theirs = pat_of(&sites.world.sim);
    sites.set_pat(AT_SECOND, SECOND, &theirs).await.unwrap();
    sites.bind(AT_SECOND).await;
    sites.register(AT_DEFAULT, "").await.unwrap();
    gone.store(true, Ordering::Relaxed);
    sites.world.restart().await;

    let before = sites.asked();
    for account in [AT_GHES, AT_SECOND] {
        let refused = sites.token(account).await.unwrap_err();
        assert_reason(&refused, Code::FailedPrecondition, "SITE_NOT_CONFIGURED");
        let refused = sites.connection(account).await.unwrap_err();
        assert_reason(&refused, Code::FailedPrecondition, "SITE_NOT_CONFIGURED");
        let refused = sites.set_pat(account, "default", &theirs).await.unwrap_err();
        assert_reason(&refused, Code::FailedPrecondition, "SITE_NOT_CONFIGURED");
    }
    let refused = sites.token(AT_SECOND).await.unwrap_err();
    assert!(refused.message().contains(SECOND_CLIENT), "{refused:?}");
    let listed = sites.world.list_connections(Default::default()).await.unwrap().connections;
    let listed: Vec<_> = listed.iter().map(|c| c.account.as_str()).collect();
    assert_eq!(listed, [AT_DEFAULT], "what is at a site that is gone is left out");
    assert_eq!(sites.asked(), before);

    // Only to start anew.
    assert!(sites.disconnect(AT_SECOND).await.disconnected);
    sites.set_pat(AT_SECOND, "", &theirs).await.unwrap();
    assert_eq!(sites.connection(AT_SECOND).await.unwrap().site, "default");

    // The site is back, and so is its account.
    gone.store(false, Ordering::Relaxed);
    sites.world.restart().await;
    assert_eq!(sites.token(AT_GHES).await.unwrap().token, token);
    sites.finish().await;
}

#[tokio::test]
async fn an_app_under_a_new_issuer_keeps_its_accounts() {
    let renamed = Arc::new(AtomicBool::new(false));
    let is_renamed = renamed.clone();
    let mut sites = Sites::start_with(move |config| {
        if is_renamed.load(Ordering::Relaxed) {
            let app = config.github.app.as_mut().unwrap();
            let before = std::mem::replace(&mut app.issuer, crate::harness::APP_ID.to_string());
            config.former_issuers = vec![before];
        }
    })
    .await;
    sites.register(AT_DEFAULT, "").await.unwrap();
    sites.bind(AT_DEFAULT).await;
    renamed.store(true, Ordering::Relaxed);
    sites.world.restart().await;
    sites.token(AT_DEFAULT).await.unwrap();
    sites.register(AT_DEFAULT, "default").await.unwrap();
    sites.finish().await;
}
