//! Credentials that were good until what vouches for them changed: whoever has stolen one has it no longer.

use std::time::Duration;

use tonic::{Code, Status};

use super::{ask, assert_let_in, assert_not_authenticated, operator};
use crate::harness::{
    World,
    caller::Caller,
    door::Door,
    pki::Authority,
    seed,
    status::assert_reason,
    tokens_of_kubernetes::{KEY, KeyServer, NEXT, SigningKey, claims},
};

/// How often the broker looks at its files.
const LOOK: Duration = Duration::from_secs(5);
const MINUTE: Duration = Duration::from_secs(60);

/// Steps through time until the caller is not let in any more; what it is told then.
async fn until_refused(world: &World, caller: &Caller, step: Duration) -> Status {
    world
        .until(async || {
            world.advance(step);
            Some(ask(caller).await).filter(|status| status.code() != Code::NotFound)
        })
        .await
}

#[tokio::test]
async fn a_certificate_ends_with_its_authority_on_open_connections_too() {
    let world = World::guarded(seed(), Door::new("mtls", &operator())).await;
    let (door, new) = (world.door(), Authority::new("new"));
    let stolen = door.certificate("operator");
    let renewed = new.client("spiffe://example.org/operator");
    let open = world.caller(Some(&stolen), &[]).await;
    assert_let_in(&ask(&open).await);
    assert!(door.knock(&world.address, &renewed).await.is_err());
    door.trust(&[&door.authority, &new]);
    world
        .until(async || {
            world.advance(LOOK);
            door.knock(&world.address, &renewed).await.ok()
        })
        .await;
    assert_let_in(&ask(&open).await);
    let good = world.caller(Some(&renewed), &[]).await;
    door.trust(&[&new]);
    let status = until_refused(&world, &open, LOOK).await;
    assert_not_authenticated(&status, "connect again with the present one");
    let refused = door.knock(&world.address, &stolen).await.unwrap_err().to_string();
    assert!(refused.contains("UnknownCA"), "{refused}");
    assert_let_in(&ask(&good).await);
    world.finish().await;
}

#[tokio::test]
async fn a_token_ends_with_the_key_that_signed_it() {
    let world = World::guarded(seed(), Door::new("service_account", &operator())).await;
    let token =
        |key: &SigningKey| format!("Bearer {}", key.token(&claims("operator", world.now())));
    let stolen = world.caller(None, &[&token(&KEY)]).await;
    let renewed = world.caller(None, &[&token(&NEXT)]).await;
    assert_let_in(&ask(&stolen).await);
    world.door().list(&[&KEY, &NEXT]);
    world.advance(Duration::from_secs(10));
    assert_let_in(&ask(&renewed).await);
    assert_let_in(&ask(&stolen).await);
    world.door().list(&[&NEXT]);
    world.advance(10 * MINUTE);
    // The keys are read beside the calls: some of them may still be by the old ones.
    let status = until_refused(&world, &stolen, Duration::ZERO).await;
    assert_not_authenticated(&status, "a key that the issuer does not list");
    assert_let_in(&ask(&renewed).await);
    world.finish().await;
}

#[tokio::test]
async fn keys_at_a_url_are_followed_and_outlast_their_server_for_a_while() {
    let server = KeyServer::start(&[&KEY]).await;
    let door = Door::with_jwks_url("either", &operator(), &server.url);
    let world = World::guarded(seed(), door).await;
    let token =
        |key: &SigningKey| format!("Bearer {}", key.token(&claims("operator", world.now())));
    let old = world.caller(None, &[&token(&KEY)]).await;
    let new = world.caller(None, &[&token(&NEXT)]).await;
    assert_let_in(&ask(&old).await);
    world.advance(Duration::from_secs(10));
    assert_not_authenticated(&ask(&new).await, "try again in 10 s");

    server.list(&[&KEY, &NEXT]);
    assert_not_authenticated(&ask(&new).await, "try again in 10 s");
    world.advance(Duration::from_secs(10));
    assert_let_in(&ask(&new).await);

    server.fail();
    for _ in 0..5 {
        world.advance(11 * MINUTE);
        for caller in [&old, &new] {
            assert_let_in(&ask(caller).await);
        }
    }
    world.advance(6 * MINUTE);
    let status = ask(&new).await;
    assert_reason(&status, Code::Unavailable, "CALLER_KEYS_UNAVAILABLE");
    assert!(status.message().contains("try again shortly"), "{}", status.message());
    // Who needs none of those keys is still known.
    assert_let_in(&ask(&world.workload("operator").await).await);

    server.list(&[&NEXT]);
    world.advance(Duration::from_secs(10));
    assert_let_in(&ask(&new).await);
    assert_not_authenticated(&ask(&old).await, "a key that the issuer does not list");
    world.finish().await;
}
