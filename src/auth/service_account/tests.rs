//! Tokens good and bad, and keys that change, are slow or are away.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use futures_util::future::join_all;
use jsonwebtoken::{Algorithm as Jwa, EncodingKey, crypto};
use proptest::prelude::*;
use rustls::{ServerConfig, crypto::aws_lc_rs};
use rustls_pki_types::PrivateKeyDer;
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::{
    testing::{
        AUDIENCE, Broker, CURVE, ISSUER, NEW, NOW, OLD, SUBJECT, Server, SigningKey, answer,
        claims, claims_with, expected, jwks, message, pem, signed,
    },
    *,
};
use crate::auth::Keys;

const MINUTE: i64 = 60;

fn keys() -> Keys {
    Keys::parse(jwks(&[&OLD, &CURVE]).as_bytes()).unwrap()
}

/// What becomes of a token that is signed with a good key and has these claims.
fn of(claims: &Value) -> Result<ServiceAccount, Refused> {
    verify(&OLD.token(claims), &keys(), &expected(), NOW)
}

#[test]
fn takes_what_an_api_server_writes() {
    let account = of(&claims()).unwrap();
    assert_eq!(account.as_str(), SUBJECT);
    for (name, value) in [
        ("aud", json!(AUDIENCE)),
        ("aud", json!(["https://kubernetes.default.svc", AUDIENCE])),
        ("nbf", Value::Null),
        ("kubernetes.io", Value::Null),
        ("exp", json!(NOW.unix_timestamp() as f64 + 0.5)),
        // Clocks differ a little.
        ("exp", json!(NOW.unix_timestamp() - 9)),
        ("nbf", json!(NOW.unix_timestamp() + 10)),
    ] {
        assert_eq!(of(&claims_with(name, value.clone())), Ok(account.clone()), "{name} {value}");
    }
}

#[test]
fn refuses_claims_that_are_not_as_expected() {
    let now = NOW.unix_timestamp();
    let other = |namespace: &str, name: &str| json!({ "namespace": namespace, "serviceaccount": { "name": name } });
    for (name, value, refused) in [
        ("exp", json!(now - 10), Refused::TokenExpired),
        ("exp", json!(-1e300), Refused::TokenExpired),
        ("exp", Value::Null, Refused::MalformedToken),
        ("exp", json!("never"), Refused::MalformedToken),
        ("nbf", json!(now + 11), Refused::TokenNotYetValid),
        ("aud", json!("ghbroker2"), Refused::WrongAudience),
        ("aud", json!(["https://kubernetes.default.svc", "vault"]), Refused::WrongAudience),
        ("aud", json!([]), Refused::WrongAudience),
        ("aud", Value::Null, Refused::WrongAudience),
        ("aud", json!({ "ghbroker": true }), Refused::MalformedToken),
        ("iss", json!(format!("{ISSUER}/")), Refused::WrongIssuer),
        ("iss", Value::Null, Refused::WrongIssuer),
        ("sub", json!("system:node:n1"), Refused::NotServiceAccount),
        ("sub", json!("alice"), Refused::NotServiceAccount),
        ("sub", Value::Null, Refused::MalformedToken),
        ("kubernetes.io", other("prod", "generator"), Refused::NotServiceAccount),
        ("kubernetes.io", other("build", "admin"), Refused::NotServiceAccount),
        ("kubernetes.io", json!({ "namespace": "build" }), Refused::NotServiceAccount),
        ("kubernetes.io", json!({}), Refused::NotServiceAccount),
    ] {
        assert_eq!(of(&claims_with(name, value.clone())), Err(refused), "{name} {value}");
    }
}

#[test]
fn refuses_signatures_that_prove_nothing() {
    let check = |token: &str| verify(token, &keys(), &expected(), NOW);
    let with = |alg: &str| json!({ "alg": alg, "kid": OLD.kid });
    for alg in ["none", "None", "NONE", ""] {
        for signature in ["", "x"] {
            let token = format!("{}.{signature}", message(&with(alg), &claims()));
            assert_eq!(check(&token), Err(Refused::AlgorithmNotAllowed), "{alg}");
        }
    }
    // The public key as the secret, in each form in which somebody may hold it.
    let forms = [
        OLD.public.clone(),
        pem("RSA PUBLIC KEY", &OLD.public).into_bytes(),
        OLD.jwk()["n"].as_str().unwrap().as_bytes().to_vec(),
    ];
    for form in forms {
        let secret = EncodingKey::from_secret(&form);
        let token = signed(&with("HS256"), &claims(), &secret, Jwa::HS256);
        assert_eq!(check(&token), Err(Refused::AlgorithmNotAllowed));
        let posing = signed(&with("RS256"), &claims(), &secret, Jwa::HS256);
        assert_eq!(check(&posing), Err(Refused::BadSignature));
    }
    // Not pinned, though the signature is good.
    let token = signed(&with("RS512"), &claims(), &OLD.private, Jwa::RS512);
    assert_eq!(check(&token), Err(Refused::AlgorithmNotAllowed));
    assert_eq!(check(&CURVE.token(&claims())), Err(Refused::AlgorithmNotAllowed));
    // Another key under a known name, a changed claim, no signature at all.
    let token = signed(&with("RS256"), &claims(), &NEW.private, Jwa::RS256);
    assert_eq!(check(&token), Err(Refused::BadSignature));
    let good = OLD.token(&claims());
    let (_, signature) = good.rsplit_once('.').unwrap();
    let changed = claims_with("sub", json!("system:serviceaccount:build:admin"));
    let token = format!("{}.{signature}", message(&with("RS256"), &changed));
    assert_eq!(check(&token), Err(Refused::BadSignature));
    let token = format!("{}.", message(&with("RS256"), &claims()));
    assert_eq!(check(&token), Err(Refused::BadSignature));
    assert_eq!(check(&NEW.token(&claims())), Err(Refused::UnknownKey));
}

/// JSON that two readers may read as different claims, or that is made to break one.
#[test]
fn claims_that_are_odd_json_prove_nothing() {
    let header = OLD.header().to_string();
    let good = claims().to_string();
    let rest = good.strip_prefix('{').unwrap();
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    for claims in [
        format!(r#"{{"sub":"system:serviceaccount:build:admin",{rest}"#),
        format!(r#"{{"aud":"other",{rest}"#),
        good.replace(r#""exp":"#, r#""exp":1e999,"was":"#),
        good.replace(r#""exp":"#, r#""exp":NaN,"was":"#),
        good.replace(r#""aud":"#, &format!(r#""aud":{},"was":"#, nested(2000))),
        format!("{good} {{}}"),
        format!("[{good}]"),
        nested(2000),
        String::new(),
    ] {
        let parts = [&header, &claims].map(|part| BASE64_URL_SAFE_NO_PAD.encode(part));
        let message = parts.join(".");
        let signature = crypto::sign(message.as_bytes(), &OLD.private, Jwa::RS256).unwrap();
        let checked = verify(&format!("{message}.{signature}"), &keys(), &expected(), NOW);
        assert_eq!(checked, Err(Refused::MalformedToken), "{claims}");
    }
}

#[test]
fn a_key_is_used_for_its_own_algorithm_only() {
    let allowed = Expected { algorithms: Algorithm::ALL.to_vec(), ..expected() };
    let check = |token: &str, keys: &Keys| verify(token, keys, &allowed, NOW).map(drop);
    assert_eq!(check(&CURVE.token(&claims()), &keys()), Ok(()));
    // Both pinned, and the key says which one is its own.
    let header = json!({ "alg": "RS512", "kid": OLD.kid });
    let token = signed(&header, &claims(), &OLD.private, Jwa::RS512);
    assert_eq!(check(&token, &keys()), Err(Refused::AlgorithmNotAllowed));
    let mut open = OLD.jwk();
    open.as_object_mut().unwrap().remove("alg");
    let open = Keys::parse(json!({ "keys": [open] }).to_string().as_bytes()).unwrap();
    assert_eq!(check(&token, &open), Ok(()));
    // A curve's algorithm with the name of an RSA key.
    let header = json!({ "alg": "ES256", "kid": OLD.kid });
    let token = signed(&header, &claims(), &CURVE.private, Jwa::ES256);
    assert_eq!(check(&token, &open), Err(Refused::AlgorithmNotAllowed));
}

#[test]
fn leaves_keys_out_that_are_for_something_else() {
    let with = |key: &SigningKey, name: &str, value: Value| {
        let mut jwk = key.jwk();
        jwk[name] = value;
        let keys = Keys::parse(json!({ "keys": [jwk] }).to_string().as_bytes()).unwrap();
        assert_eq!(keys.len() + keys.unusable(), 1);
        !keys.is_empty()
    };
    let n = OLD.jwk()["n"].as_str().unwrap().to_owned();
    assert!(with(&OLD, "x5t", json!("c0de")));
    assert!(with(&OLD, "key_ops", json!(["verify"])));
    assert!(with(&OLD, "use", Value::Null));
    for (name, value) in [
        ("use", json!("enc")),
        ("key_ops", json!(["sign", "encrypt"])),
        ("alg", json!("HS256")),
        ("alg", json!("RSA-OAEP")),
        ("kty", json!("oct")),
        ("kty", json!("EC")),
        ("kid", Value::Null),
        // 1024 bits, too many, and no base64.
        ("n", json!(n[..172])),
        ("n", json!(n.repeat(5))),
        ("n", json!("+/==")),
    ] {
        assert!(!with(&OLD, name, value.clone()), "{name} {value}");
    }
    for (name, value) in [("crv", json!("P-384")), ("crv", json!("Ed25519")), ("x", json!("AA"))] {
        assert!(!with(&CURVE, name, value.clone()), "{name} {value}");
    }
    // The secret of somebody who hopes for HS256.
    let secret = json!({ "kty": "oct", "kid": "old", "k": n, "use": "sig", "alg": "HS256" });
    let keys = Keys::parse(json!({ "keys": [secret, OLD.jwk()] }).to_string().as_bytes()).unwrap();
    assert_eq!((keys.len(), keys.unusable()), (1, 1));
    assert!(verify(&OLD.token(&claims()), &keys, &expected(), NOW).is_ok());
}

#[test]
fn refuses_headers_that_ask_for_more() {
    let with = |name: &str, value: Value| {
        let mut header = OLD.header();
        header[name] = value;
        let token = signed(&header, &claims(), &OLD.private, Jwa::RS256);
        verify(&token, &keys(), &expected(), NOW).map(drop)
    };
    assert_eq!(with("typ", json!("JWT")), Ok(()));
    for crit in [json!(["exp"]), json!([]), json!("b64"), Value::Null] {
        assert_eq!(with("crit", crit), Err(Refused::MalformedToken));
    }
    assert_eq!(with("kid", Value::Null), Err(Refused::MalformedToken));
    assert_eq!(with("kid", json!("")), Err(Refused::UnknownKey));
    // A key that the token brings along is not looked at.
    let mut header = json!({ "alg": "RS256", "kid": "new" });
    header["jwk"] = NEW.jwk();
    let token = signed(&header, &claims(), &NEW.private, Jwa::RS256);
    assert_eq!(verify(&token, &keys(), &expected(), NOW), Err(Refused::UnknownKey));
}

#[test]
fn no_character_of_a_token_can_be_changed() {
    let good = OLD.token(&claims());
    let keys = keys();
    for at in 0..good.len() {
        for other in ["A", "B", ".", "="] {
            let mut token = good.clone();
            token.replace_range(at..=at, other);
            let result = verify(&token, &keys, &expected(), NOW);
            assert!(token == good || result.is_err(), "{other} at {at}");
        }
    }
}

proptest! {
    #[test]
    fn any_text_is_an_answer_and_not_a_panic(
        header in any::<Vec<u8>>(), claims in any::<Vec<u8>>(), rest in ".*", json in ".*"
    ) {
        let part = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
        let token = format!("{}.{}.{rest}", part(&header), part(&claims));
        let keys = Keys::parse(json.as_bytes()).unwrap_or_default();
        prop_assert!(verify(&token, &keys, &expected(), NOW).is_err());
        prop_assert!(verify(&rest, &keys, &expected(), NOW).is_err());
    }

    #[test]
    fn any_claims_that_the_issuer_signs_are_judged(
        exp in any::<f64>(), nbf in any::<f64>(), sub in ".*", seconds in -377_705_116_800_i64..=253_402_300_799
    ) {
        let mut claims = claims();
        (claims["exp"], claims["nbf"]) = (json!(exp), json!(nbf));
        claims["sub"] = json!(sub);
        let now = OffsetDateTime::from_unix_timestamp(seconds).unwrap();
        prop_assert!(verify(&OLD.token(&claims), &keys(), &expected(), now).is_err());
    }
}

#[test]
fn bounds_the_length_of_tokens() {
    let padded = |length: usize| of(&claims_with("jti", json!("x".repeat(length)))).map(drop);
    assert_eq!(padded(5000), Ok(()));
    assert_eq!(padded(8000), Err(Refused::MalformedToken));
}

#[test]
fn every_refusal_has_its_own_sentence_without_the_token() {
    let token = OLD.token(&claims_with("sub", json!("system:node:n1")));
    let refused = verify(&token, &keys(), &expected(), NOW).unwrap_err();
    assert!(!refused.to_string().contains("n1"));
    assert!(Refused::KeysUnavailable.is_transient());
    assert!(!refused.is_transient() && !Refused::UnknownKey.is_transient());
}

#[tokio::test]
async fn takes_one_bearer_token_and_nothing_else() {
    let server = Server::with(&[&OLD]).await;
    let broker = server.broker();
    let token = OLD.token(&claims());
    let check = async |value: &str| broker.accounts.authenticate(Some(value.as_bytes())).await;
    for scheme in ["Bearer ", "bearer ", "BEARER  "] {
        assert!(check(&format!("{scheme}{token}")).await.is_ok(), "{scheme}");
    }
    assert_eq!(broker.accounts.authenticate(None).await, Err(Refused::NoToken));
    assert_eq!(
        broker.accounts.authenticate(Some(b"Bearer \xff")).await,
        Err(Refused::MalformedToken)
    );
    for bad in [
        String::new(),
        "Bearer".to_owned(),
        "Bearer ".to_owned(),
        token.clone(),
        format!("Basic {token}"),
        format!("Bearer\t{token}"),
        format!("Bearer {token} {token}"),
        format!("Bearer {token},{token}"),
        format!("Bearer {token}, Bearer {token}"),
        "Bearer a.b".to_owned(),
        "Bearer a.b.c.d".to_owned(),
        "Bearer ...".to_owned(),
    ] {
        assert_eq!(check(&bad).await, Err(Refused::MalformedToken), "{bad}");
    }
}

#[tokio::test]
async fn that_a_token_was_good_says_nothing_about_later_or_another_one() {
    let server = Server::with(&[&OLD]).await;
    let broker = server.broker();
    let call = async |token: &str| {
        broker.accounts.authenticate(Some(format!("Bearer {token}").as_bytes())).await
    };
    let token = OLD.token(&claims_with("exp", json!(NOW.unix_timestamp() + 60)));
    let other = OLD.token(&claims_with("exp", json!(NOW.unix_timestamp() + 61)));
    let (message, _) = token.rsplit_once('.').unwrap();
    let (_, signature) = other.rsplit_once('.').unwrap();
    for _ in 0..2 {
        assert!(call(&token).await.is_ok());
        assert_eq!(call(&format!("{message}.{signature}")).await, Err(Refused::BadSignature));
    }
    broker.clock.advance(69);
    assert!(call(&token).await.is_ok());
    broker.clock.advance(1);
    assert_eq!(call(&token).await, Err(Refused::TokenExpired));
    broker.clock.advance(-600);
    assert_eq!(call(&token).await, Err(Refused::TokenNotYetValid));
}

#[test]
fn more_good_tokens_than_are_remembered_are_not_looked_through_at_each_call() {
    let (seen, keys) = (Seen::default(), Arc::new(keys()));
    let token = OLD.token(&claims_with("exp", json!(NOW.unix_timestamp() + 5)));
    let is_kept = |name: &str, seconds: i64| {
        let proven = prove(&token, &keys, &expected(), NOW).unwrap();
        seen.keep(name, &keys, proven, NOW + time::Duration::seconds(seconds));
        seen.account(name, &keys, NOW).is_some()
    };
    for number in 0..10_000 {
        assert!(is_kept(&number.to_string(), 0));
    }
    assert!(!is_kept("one more", 0));
    // They have ended, but were looked through a moment ago.
    assert!(!is_kept("another one", 59));
    assert!(is_kept("the last one", 60));
}

#[tokio::test]
async fn an_unknown_key_is_looked_for_once_however_many_ask() {
    let server = Server::with(&[&OLD]).await;
    let broker = server.broker();
    broker.accounts.load().await.unwrap();
    assert_eq!(broker.call(&NEW).await, Err(Refused::UnknownKey));
    assert_eq!(server.requests().len(), 1, "the keys are a moment old");
    broker.clock.advance(10);
    server.hold(true);
    let calls = join_all((0..50).map(|_| broker.call(&NEW)));
    let release = async {
        server.asked(2).await;
        server.hold(false);
    };
    let (results, ()) = tokio::join!(calls, release);
    assert!(results.iter().all(|result| *result == Err(Refused::UnknownKey)));
    assert_eq!(server.requests().len(), 2);
    broker.clock.advance(9);
    assert_eq!(broker.call(&NEW).await, Err(Refused::UnknownKey));
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn a_key_that_is_rotated_in_works_at_once() {
    let server = Server::with(&[&OLD]).await;
    let broker = server.broker();
    broker.call(&OLD).await.unwrap();
    server.list(&[&OLD, &NEW]);
    broker.clock.advance(11);
    assert!(broker.call(&NEW).await.is_ok());
    assert!(broker.call(&OLD).await.is_ok());
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn a_key_that_is_taken_back_is_refused_after_the_refresh() {
    let server = Server::with(&[&OLD, &NEW]).await;
    let broker = server.broker();
    broker.call(&OLD).await.unwrap();
    server.list(&[&NEW]);
    broker.clock.advance(10 * MINUTE - 1);
    broker.call(&OLD).await.unwrap();
    assert_eq!(server.requests().len(), 1);
    broker.clock.advance(1);
    // Nobody waits for the refresh ...
    server.hold(true);
    broker.call(&OLD).await.unwrap();
    server.asked(2).await;
    broker.call(&OLD).await.unwrap();
    server.hold(false);
    // ... but one whose key is not known.
    assert_eq!(broker.call(&CURVE).await, Err(Refused::AlgorithmNotAllowed));
    let unknown =
        signed(&json!({ "alg": "RS256", "kid": "?" }), &claims(), &OLD.private, Jwa::RS256);
    let unknown = format!("Bearer {unknown}");
    let result = broker.accounts.authenticate(Some(unknown.as_bytes())).await;
    assert_eq!(result, Err(Refused::UnknownKey));
    assert_eq!(broker.call(&OLD).await, Err(Refused::UnknownKey));
    assert!(broker.call(&NEW).await.is_ok());
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn keys_outlive_their_source_for_an_hour() {
    let server = Server::with(&[&OLD]).await;
    let broker = server.broker();
    broker.call(&OLD).await.unwrap();
    server.say(answer(503, "", ""));
    for _ in 0..5 {
        broker.clock.advance(10 * MINUTE);
        broker.call(&OLD).await.unwrap();
        // It is told apart from a key that does not exist.
        assert_eq!(broker.call(&NEW).await, Err(Refused::KeysUnavailable));
    }
    assert_eq!(server.requests().len(), 6);
    broker.clock.advance(10 * MINUTE);
    assert_eq!(broker.call(&OLD).await, Err(Refused::KeysUnavailable));
    assert_eq!(server.requests().len(), 7, "it was looked for again");
    assert_eq!(broker.call(&OLD).await, Err(Refused::KeysUnavailable));
    assert_eq!(server.requests().len(), 7, "but not for each call");
    server.list(&[&OLD]);
    broker.clock.advance(10);
    assert!(broker.call(&OLD).await.is_ok());
}

#[tokio::test]
async fn a_clock_that_is_set_back_does_not_make_keys_last_longer() {
    let server = Server::with(&[&OLD]).await;
    let broker = server.broker();
    broker.call(&OLD).await.unwrap();
    server.list(&[&NEW]);
    broker.clock.advance(-60 * MINUTE);
    let early = OLD.token(&claims_with("nbf", Value::Null));
    let early = format!("Bearer {early}");
    let result = broker.accounts.authenticate(Some(early.as_bytes())).await;
    assert_eq!(result, Err(Refused::UnknownKey));
}

#[tokio::test]
async fn a_caller_that_gives_up_takes_nothing_from_the_others() {
    let server = Server::with(&[&OLD]).await;
    let broker = Arc::new(server.broker());
    server.hold(true);
    let first = tokio::spawn({
        let broker = broker.clone();
        async move { broker.call(&OLD).await }
    });
    server.asked(1).await;
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    let release = async { server.hold(false) };
    let (second, ()) = tokio::join!(broker.call(&OLD), release);
    assert!(second.is_ok());
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn answers_that_are_no_keys_count_as_none() {
    let long = format!(r#"{{"keys":[],"x":"{}"}}"#, "x".repeat(256 << 10));
    let many = vec![OLD.jwk(); 65];
    let elsewhere = Server::with(&[&OLD]).await;
    let moved = format!("location: {}\r\n", elsewhere.url);
    for bad in [
        answer(200, "", &long),
        answer(200, "", &json!({ "keys": many }).to_string()),
        answer(200, "", "<html>"),
        answer(200, "", "{}"),
        answer(302, &moved, ""),
        answer(401, "", &jwks(&[&OLD])),
        String::new(),
    ] {
        let server = Server::with(&[]).await;
        server.say(bad.clone());
        let broker = server.broker();
        let begin = bad.get(..20).unwrap_or_default();
        assert_eq!(broker.call(&OLD).await, Err(Refused::KeysUnavailable), "{begin}");
    }
    assert!(elsewhere.requests().is_empty());
}

#[tokio::test]
async fn an_issuer_may_take_back_all_keys() {
    let server = Server::with(&[&OLD]).await;
    let broker = server.broker();
    broker.call(&OLD).await.unwrap();
    server.list(&[]);
    broker.clock.advance(60 * MINUTE);
    assert_eq!(broker.call(&OLD).await, Err(Refused::UnknownKey));
}

#[tokio::test]
async fn a_source_that_does_not_answer_is_given_up() {
    let server = Server::with(&[&OLD]).await;
    let broker = server.broker();
    server.hold(true);
    let wait = async {
        server.asked(1).await;
        broker.clock.advance(5);
    };
    let (result, ()) = tokio::join!(broker.call(&OLD), wait);
    assert_eq!(result, Err(Refused::KeysUnavailable));
}

#[tokio::test]
async fn shows_the_token_of_the_moment_to_the_source() {
    let server = Server::with(&[&OLD]).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    let url = server.url.clone();
    let broker =
        Broker::new(KeySource::Url { url, ca: None, bearer_token_file: Some(file.clone()) });
    assert_eq!(broker.call(&OLD).await, Err(Refused::KeysUnavailable));
    assert!(server.requests().is_empty(), "not without the token");
    for (number, token) in ["first", "second"].into_iter().enumerate() {
        std::fs::write(&file, format!("{token}\n")).unwrap();
        broker.clock.advance(60 * MINUTE);
        broker.call(&OLD).await.unwrap();
        let request = &server.requests()[number];
        assert!(request.contains(&format!("authorization: Bearer {token}\r\n")), "{request}");
    }
}

#[tokio::test]
async fn believes_a_source_of_the_named_authority_only() {
    let key = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let private = PrivateKeyDer::Pkcs8(key.signing_key.serialize_der().into());
    let tls = ServerConfig::builder_with_provider(aws_lc_rs::default_provider().into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![key.cert.der().clone()], private)
        .unwrap();
    let server = Server::start(&[&OLD], Some(Arc::new(tls).into())).await;
    let folder = tempfile::tempdir().unwrap();
    let broker = |pem: String| {
        let ca = folder.path().join("ca.crt");
        std::fs::write(&ca, pem).unwrap();
        let url = server.url.clone();
        Broker::new(KeySource::Url { url, ca: Some(ca), bearer_token_file: None })
    };
    let stranger = broker(other.cert.pem()).call(&OLD).await;
    assert_eq!(stranger, Err(Refused::KeysUnavailable));
    assert!(server.requests().is_empty(), "nothing is said to a stranger");
    assert!(broker(other.cert.pem() + &key.cert.pem()).call(&OLD).await.is_ok());
}

#[tokio::test]
async fn keys_in_a_file_are_read_again_by_the_same_rules() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("jwks.json");
    let broker = Broker::new(KeySource::File(file.clone()));
    assert_eq!(broker.accounts.load().await, Err(Refused::KeysUnavailable));
    std::fs::write(&file, jwks(&[&OLD])).unwrap();
    broker.clock.advance(10);
    assert!(broker.call(&OLD).await.is_ok());
    std::fs::write(&file, jwks(&[&NEW])).unwrap();
    assert_eq!(broker.call(&NEW).await, Err(Refused::UnknownKey));
    broker.clock.advance(10);
    assert!(broker.call(&NEW).await.is_ok());
    assert_eq!(broker.call(&OLD).await, Err(Refused::UnknownKey));
    std::fs::write(&file, "x".repeat((256 << 10) + 1)).unwrap();
    broker.clock.advance(10 * MINUTE);
    assert!(broker.call(&NEW).await.is_ok());
    assert_eq!(broker.call(&OLD).await, Err(Refused::KeysUnavailable));
}

#[test]
fn settings_that_would_refuse_or_believe_all_are_errors() {
    let keys = || KeySource::File("jwks.json".into());
    let build = |settings| {
        let clock = Arc::new(crate::domain::SystemClock);
        ServiceAccounts::new(settings, clock).map(drop).map_err(|error| error.to_string())
    };
    let settings = |issuer: &str, audience: &str, keys| {
        ServiceAccountSettings::new(issuer.to_owned(), audience.to_owned(), keys)
    };
    assert_eq!(build(settings(ISSUER, AUDIENCE, keys())), Ok(()));
    assert!(build(settings("", AUDIENCE, keys())).unwrap_err().contains("issuer"));
    assert!(build(settings(ISSUER, "", keys())).unwrap_err().contains("audience"));
    let mut none = settings(ISSUER, AUDIENCE, keys());
    none.expected.algorithms.clear();
    assert!(build(none).unwrap_err().contains("algorithms"));
    let url = |url: &str, ca: Option<&str>| {
        let url = url.parse().unwrap();
        let keys = KeySource::Url { url, ca: ca.map(Into::into), bearer_token_file: None };
        build(settings(ISSUER, AUDIENCE, keys))
    };
    for good in ["http://127.0.0.1/", "http://[::1]:8080/", "http://localhost/jwks"] {
        assert_eq!(url(good, None), Ok(()), "{good}");
    }
    for bad in [
        "http://kubernetes.default.svc/",
        "http://10.0.0.1/",
        "http://127.0.0.1.example.com/",
        "https://user:password@kubernetes.default.svc/",
        "file:///etc/jwks.json",
    ] {
        let error = url(bad, None).unwrap_err();
        assert!(error.contains("must be https") && !error.contains("password"), "{error}");
    }
    let error = url("https://kubernetes.default.svc/", Some("/nowhere/ca.crt")).unwrap_err();
    assert!(error.contains("/nowhere/ca.crt"), "{error}");
}
