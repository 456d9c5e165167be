//! Disconnect.

use ghbroker::proto::*;
use github_sim::{Effect, Fault, Gate, seed};
use tonic::Code;

use super::{OTHER, OTHER_INSTALLATION, OTHER_REPO};
use super::{add_globex, bind, connection, disconnect, installed, pat, token};
use crate::harness::{ACCOUNT, INSTALLATION, MINT, REPO, World, status::assert_reason};

#[tokio::test]
async fn revokes_the_cached_tokens_at_github_and_leaves_nothing() {
    let world = World::connected().await;
    let secret = world.pat(seed::Pat { scopes: vec!["repo".into()], ..Default::default() });
    world.set_pat(pat(ACCOUNT, &secret)).await.unwrap();
    let read = world.token(&[("contents", "read")]).await.token;
    let write = world.token(&[("contents", "write")]).await.token;
    assert!(world.sim.accepts(&read) && world.sim.accepts(&write));

    let answer = disconnect(&world, ACCOUNT).await;
    assert!(answer.disconnected);
    assert!(answer.tokens_revoked >= 2, "{answer:?}");
    assert!(!world.sim.accepts(&read) && !world.sim.accepts(&write));
    assert!(world.sim.accepts(&secret), "the customer's own token is the customer's to revoke");

    for refused in [
        connection(&world, ACCOUNT).await.unwrap_err(),
        token(&world, ACCOUNT).await.unwrap_err(),
        world.configure_repo(bind(ACCOUNT, REPO)).await.unwrap_err(),
    ] {
        assert_reason(&refused, Code::NotFound, "ACCOUNT_NOT_CONNECTED");
    }
    let again = disconnect(&world, ACCOUNT).await;
    assert_eq!(again, DisconnectResponse { disconnected: false, tokens_revoked: 0 });
}

#[tokio::test]
async fn connecting_again_starts_from_nothing() {
    let world = World::connected().await;
    disconnect(&world, ACCOUNT).await;
    world.register_installation(installed(ACCOUNT, INSTALLATION)).await.unwrap();
    let seen = connection(&world, ACCOUNT).await.unwrap();
    assert_eq!((seen.pat, seen.bindings), (None, Vec::new()));
    world.configure_repo(bind(ACCOUNT, REPO)).await.unwrap();
    assert!(world.sim.accepts(&world.token(&[]).await.token));
}

#[tokio::test]
async fn while_github_is_down_the_account_is_disconnected_all_the_same() {
    let world = World::connected().await;
    world.token(&[]).await;
    world.sim.fault(Fault::always("*", Effect::Status { status: 502, html: true }));
    let answer = disconnect(&world, ACCOUNT).await;
    assert_eq!(answer, DisconnectResponse { disconnected: true, tokens_revoked: 0 });
    let nothing = connection(&world, ACCOUNT).await.unwrap_err();
    assert_reason(&nothing, Code::NotFound, "ACCOUNT_NOT_CONNECTED");
}

#[tokio::test]
async fn a_token_that_is_on_its_way_is_revoked_when_it_comes() {
    let world = World::connected().await;
    let live = world.sim.live_installation_tokens();
    let gate = Gate::new();
    world.sim.fault(Fault::once(MINT, Effect::Hold(gate.clone())));
    let leave = async {
        gate.arrived(1).await;
        assert!(disconnect(&world, ACCOUNT).await.disconnected);
        gate.open();
    };
    let (refused, ()) = tokio::join!(token(&world, ACCOUNT), leave);
    let refused = refused.expect_err("an account that is gone gets no token");
    assert_reason(&refused, Code::NotFound, "ACCOUNT_NOT_CONNECTED");
    let revoked = async || (world.sim.live_installation_tokens() == live).then_some(());
    world.until(revoked).await;
}

#[tokio::test]
async fn a_caller_who_gives_up_does_not_keep_tokens_alive() {
    let world = World::connected().await;
    let cached = world.token(&[]).await.token;
    let gate = Gate::new();
    world.sim.fault(Fault::always("DELETE /installation/token", Effect::Hold(gate.clone())));
    let mut admin = world.admin.clone();
    let request = DisconnectRequest { account: ACCOUNT.into() };
    let impatient = tokio::spawn(async move { admin.disconnect(request).await });
    gate.arrived(1).await;
    impatient.abort();
    assert!(impatient.await.unwrap_err().is_cancelled());
    // The broker has seen that the caller is gone once it has answered another call of the same connection.
    connection(&world, ACCOUNT).await.unwrap_err();
    gate.open();
    world.until(async || (!world.sim.accepts(&cached)).then_some(())).await;
}

#[tokio::test]
async fn another_account_keeps_what_it_has() {
    let world = World::connected().await;
    add_globex(&world);
    world.register_installation(installed(OTHER, OTHER_INSTALLATION)).await.unwrap();
    world.configure_repo(bind(OTHER, OTHER_REPO)).await.unwrap();
    let theirs = token(&world, OTHER).await.unwrap().token;
    let before = connection(&world, OTHER).await.unwrap();

    disconnect(&world, ACCOUNT).await;
    assert_eq!(connection(&world, OTHER).await.unwrap(), before);
    assert_eq!(token(&world, OTHER).await.unwrap().token, theirs);
    assert!(world.sim.accepts(&theirs));
}
