//! Credentials that are not believed: each is told why, and what to do.

use std::time::Duration;

use jsonwebtoken::{Algorithm, EncodingKey};
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose};
use serde_json::{Value, json};

use super::{ask, assert_let_in, assert_not_allowed, assert_not_authenticated, operator};
use crate::harness::{
    World,
    door::Door,
    pki::{self, Authority},
    seed,
    tokens_of_kubernetes::{KEY, LIFE, NEXT, claims, message, signed},
};

/// A world whose operator is let in, if it is known.
async fn world(required: &str) -> World {
    World::guarded(seed(), Door::new(required, &operator())).await
}

/// Names of `spiffe://example.org/operator`, good between these times.
fn between(world: &World, from: i64, to: i64) -> CertificateParams {
    let second = time::Duration::SECOND;
    let mut params = pki::client(&["spiffe://example.org/operator"]);
    (params.not_before, params.not_after) = (
        world.now() + second * i32::try_from(from).unwrap(),
        world.now() + second * i32::try_from(to).unwrap(),
    );
    params
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_gets_no_connection() {
    let world = world("mtls").await;
    let (door, others) = (world.door(), Authority::new("others"));
    let mut of_a_server = between(&world, 0, 60);
    of_a_server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    door.knock(&world.address, &door.authority.issue(between(&world, -60, 60))).await.unwrap();
    for (issued, alert) in [
        (door.authority.issue(between(&world, -60, -1)), "CertificateExpired"),
        // TLS has no word of its own for this one.
        (door.authority.issue(between(&world, 1, 60)), "CertificateExpired"),
        (others.issue(between(&world, -60, 60)), "UnknownCA"),
        (door.authority.issue(of_a_server), "UnsupportedCertificate"),
    ] {
        let refused = door.knock(&world.address, &issued).await.unwrap_err().to_string();
        assert!(refused.contains(alert), "{alert}: {refused}");
    }
    world.finish().await;
}

#[tokio::test]
async fn a_certificate_must_name_one_workload() {
    let world = world("mtls").await;
    let operator = "spiffe://example.org/operator";
    assert_let_in(&ask(&world.workload("operator").await).await);
    for uris in [
        &[operator, "spiffe://example.org/set-up"][..],
        &[operator, operator],
        &[operator, "https://example.org/operator"],
        &["https://example.org/operator"],
        &[],
    ] {
        let issued = world.door().authority.issue(pki::client(uris));
        let status = ask(&world.caller(Some(&issued), &[]).await).await;
        assert_not_authenticated(&status, "exactly one URI name, and that a SPIFFE id");
    }
    let status = ask(&world.caller(None, &[]).await).await;
    assert_not_authenticated(&status, "no client certificate was sent");
    world.finish().await;
}

#[tokio::test]
async fn a_certificate_ends_on_an_open_connection() {
    let world = world("mtls").await;
    let issued = world.door().authority.issue(between(&world, -60, 120));
    let operator = world.caller(Some(&issued), &[]).await;
    assert_let_in(&ask(&operator).await);
    world.advance(Duration::from_secs(3 * 60));
    assert_not_authenticated(&ask(&operator).await, "connect again with the present one");
    world.finish().await;
}

/// The claims of a good token with one changed, or taken away by null.
fn with(world: &World, name: &str, value: Value) -> Value {
    let mut claims = claims("operator", world.now());
    match value {
        Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
        value => claims[name] = value,
    }
    claims
}

/// Tokens that must not be believed, and what is said.
fn bad_tokens(world: &World) -> Vec<(String, &'static str)> {
    let good = claims("operator", world.now());
    let with = |name: &str, value: Value| KEY.token(&with(world, name, value));
    let (header, now) =
        (|alg: &str| json!({ "alg": alg, "kid": "one" }), world.now().unix_timestamp());
    let hs256 = |secret: &[u8]| {
        signed(&header("HS256"), &good, &EncodingKey::from_secret(secret), Algorithm::HS256)
    };
    let token = KEY.token(&good);
    let (_, signature) = token.rsplit_once('.').unwrap();
    let changed = message(&json!({ "alg": "RS256", "kid": "one" }), &claims("set-up", world.now()));
    let none = message(&header("none"), &good);
    vec![
        (with("exp", json!(now - 60)), "expired; read it anew from its file"),
        (with("exp", Value::Null), "`kid`, `sub` and `exp`"),
        (with("nbf", json!(now + 60)), "not valid yet; compare the clocks"),
        (with("aud", json!(["https://kubernetes.default.svc"])), "ask for one (a projected volume"),
        (with("aud", json!("ghbroker2")), "for another audience"),
        (with("aud", Value::Null), "for another audience"),
        (with("iss", json!("https://other.example")), "of another issuer"),
        (with("sub", json!("system:node:a")), "not one of a Kubernetes ServiceAccount"),
        (
            with("sub", json!("system:serviceaccount:example:set-up")),
            "and `kubernetes.io` say the same",
        ),
        (format!("{none}."), "`alg` is not one that this broker allows"),
        (format!("{none}.{signature}"), "`alg` is not one that this broker allows"),
        (hs256(KEY.public_pem.as_bytes()), "`alg` is not one that this broker allows"),
        (hs256(b""), "`alg` is not one that this broker allows"),
        (NEXT.token(&good), "a key that the issuer does not list; get a new token"),
        (format!("{changed}.{signature}"), "signature is wrong"),
        (token.rsplit_once('.').unwrap().0.to_owned() + ".", "signature is wrong"),
        ("not-a-token".into(), "must be `Bearer` and one JWT"),
        ("a".repeat(9000), "of at most 8 KiB"),
    ]
}

#[tokio::test]
async fn a_bad_token_is_refused_in_words_and_shown_nowhere() {
    for required in ["service_account", "either"] {
        let world = world(required).await;
        assert_let_in(&ask(&world.service_account("operator").await).await);
        for (token, says) in bad_tokens(&world) {
            let status = ask(&world.caller(None, &[&format!("Bearer {token}")]).await).await;
            assert_not_authenticated(&status, says);
            let part = token.split('.').nth(1).unwrap_or(&token);
            assert!(!format!("{status:?}").contains(part), "{status:?}");
            let line = world.audit().pop().unwrap();
            assert!(!line.to_string().contains(part) && line["caller"].is_null(), "{line}");
        }
        world.finish().await;
    }
}

#[tokio::test]
async fn the_header_is_one_bearer_token_and_nothing_else() {
    let world = world("service_account").await;
    let token = KEY.token(&claims("operator", world.now()));
    let (bearer, malformed) = (format!("Bearer {token}"), "must be `Bearer` and one JWT");
    assert_let_in(&ask(&world.caller(None, &[&format!("bearer {token}")]).await).await);
    for (headers, says) in [
        (&[][..], "no ServiceAccount token was sent; send `authorization: Bearer TOKEN`"),
        (&[bearer.as_str(), bearer.as_str()], malformed),
        (&[bearer.as_str(), "Basic b3BlcmF0b3I6"], malformed),
        (&["Basic b3BlcmF0b3I6eA==", bearer.as_str()], malformed),
        (&["Basic b3BlcmF0b3I6eA=="], malformed),
        (&[&format!("Basic {token}")], malformed),
        (&[&token], malformed),
        (&[&format!("Bearer {token}, Bearer {token}")], malformed),
        (&["Bearer "], malformed),
        (&[""], malformed),
    ] {
        let status = ask(&world.caller(None, headers).await).await;
        assert_not_authenticated(&status, says);
    }
    world.finish().await;
}

#[tokio::test]
async fn a_token_ends_with_its_time() {
    let world = world("service_account").await;
    let operator = world.service_account("operator").await;
    world.advance(LIFE - Duration::from_secs(1));
    assert_let_in(&ask(&operator).await);
    world.advance(Duration::from_secs(11));
    assert_not_authenticated(&ask(&operator).await, "the token has expired");
    world.finish().await;
}

#[tokio::test]
async fn where_both_are_required_both_have_to_be_of_one_rule() {
    let world = world("both").await;
    let bearer = |name: &str| format!("Bearer {}", KEY.token(&claims(name, world.now())));
    let (operator, other) = (bearer("operator"), bearer("other"));
    let (certificate, others) =
        (world.door().certificate("operator"), world.door().certificate("other"));
    assert_let_in(&ask(&world.caller(Some(&certificate), &[&operator]).await).await);
    let line = world.audit().pop().unwrap();
    assert_eq!(line["authenticated_by"], "mtls+service_account");
    assert_eq!(
        line["caller"],
        "spiffe://example.org/operator+system:serviceaccount:example:operator"
    );
    for (certificate, token) in [(&certificate, &other), (&others, &operator)] {
        assert_not_allowed(&ask(&world.caller(Some(certificate), &[token]).await).await);
    }
    let status = ask(&world.caller(Some(&certificate), &[]).await).await;
    assert_not_authenticated(&status, "no ServiceAccount token was sent");
    let status = ask(&world.caller(None, &[&operator]).await).await;
    assert_not_authenticated(&status, "no client certificate was sent");
    world.finish().await;
}

#[tokio::test]
async fn where_either_will_do_a_bad_token_is_not_mended_by_a_good_certificate() {
    let world = world("either").await;
    let certificate = world.door().certificate("operator");
    assert_let_in(&ask(&world.caller(Some(&certificate), &[]).await).await);
    for (token, says) in bad_tokens(&world) {
        let header = format!("Bearer {token}");
        let status = ask(&world.caller(Some(&certificate), &[&header]).await).await;
        assert_not_authenticated(&status, says);
    }
    // Who sends nothing is told of both ways in.
    let status = ask(&world.caller(None, &[]).await).await;
    assert_not_authenticated(
        &status,
        "neither a ServiceAccount token nor a client certificate was sent",
    );
    // Who sends a good one is known by it, and not by the certificate.
    let other = format!("Bearer {}", KEY.token(&claims("other", world.now())));
    assert_not_allowed(&ask(&world.caller(Some(&certificate), &[&other]).await).await);
    world.finish().await;
}
