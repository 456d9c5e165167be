//! ServiceAccount tokens: believed only if it is to the byte what the issuer signed, and the claims are right.
//!
//! An input is three parts with line breaks between them: the JSON of the header, of the claims (signed in any case, as if
//! the issuer had made them), and what is changed afterwards: pairs of a place, counted from the end, and its new byte (0
//! takes it away); or `=` and another signature.
#![no_main]

use std::sync::LazyLock;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use ghbroker_fuzz::{
    auth::{Algorithm, Expected, Keys, Refused, verify},
    domain::ServiceAccount,
};
use jsonwebtoken::{Algorithm as Jwa, EncodingKey, crypto, jwk::Jwk};
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};
use time::{OffsetDateTime, macros::datetime};

const NOW: OffsetDateTime = datetime!(2026-11-20 12:00:00 UTC);
const ISSUER: &str = "https://kubernetes.default.svc";
const AUDIENCE: &str = "ghbroker";

/// The issuer. Its key is another one in every run; what the fuzzer learns is not in the signature.
struct Issuer {
    private: EncodingKey,
    keys: Keys,
    expected: Expected,
}

static ISSUING: LazyLock<Issuer> = LazyLock::new(|| {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key");
    let der = pair.to_pkcs8v1().expect("its DER");
    let private = EncodingKey::from_ec_der(der.as_ref());
    let mut jwk = json!(Jwk::from_encoding_key(&private, Jwa::ES256).expect("a JWK"));
    jwk["kid"] = json!("k");
    let keys = Keys::parse(json!({ "keys": [jwk] }).to_string().as_bytes()).expect("a JWKS");
    assert_eq!(keys.len(), 1);
    let (issuer, audience) = (ISSUER.to_owned(), AUDIENCE.to_owned());
    Issuer {
        private,
        keys,
        expected: Expected { issuer, audience, algorithms: vec![Algorithm::Es256] },
    }
});

fuzz_target!(|input: &[u8]| {
    let mut parts = input.splitn(3, |byte| *byte == b'\n');
    let mut part = || parts.next().unwrap_or_default();
    let (header, claims, change) = (part(), part(), part());
    let base64 = |part: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(part);
    let message = format!("{}.{}", base64(header), base64(claims));
    let signature =
        crypto::sign(message.as_bytes(), &ISSUING.private, Jwa::ES256).expect("a signature");
    let signed = format!("{message}.{signature}");

    let result = believed(&signed);
    if let Ok(account) = &result {
        assert_header(header);
        assert_claims(claims, account);
    }
    let changed = changed(&signed, change);
    if changed != signed {
        assert!(believed(&changed).is_err(), "believed, and never signed: {changed:?}");
    }
});

fn believed(token: &str) -> Result<ServiceAccount, Refused> {
    verify(token, &ISSUING.keys, &ISSUING.expected, NOW)
}

/// Another token. A believed one is ASCII, so bytes that are not are made to be.
fn changed(token: &str, change: &[u8]) -> String {
    if let Some(signature) = change.strip_prefix(b"=") {
        let message = token.rsplit_once('.').map_or("", |(message, _)| message);
        return format!("{message}.{}", String::from_utf8_lossy(signature));
    }
    let mut bytes = token.as_bytes().to_vec();
    for pair in change.chunks_exact(2) {
        let (from_end, byte) = (usize::from(pair[0]), pair[1]);
        let Some(place) = bytes.len().checked_sub(from_end + 1) else { continue };
        if byte == 0 {
            bytes.remove(place);
        } else {
            bytes[place] = byte;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn assert_header(header: &[u8]) {
    let Some(header) = json_of(header) else { return };
    assert_eq!((&header["alg"], &header["kid"]), (&json!("ES256"), &json!("k")));
    assert!(header.get("crit").is_none(), "an extension that nobody understood: {header}");
}

/// None for what nobody looks at and a `Value` cannot hold, as 1e999.
fn json_of(part: &[u8]) -> Option<Value> {
    serde_json::from_str(&String::from_utf8_lossy(part)).ok()
}

fn assert_claims(claims: &[u8], account: &ServiceAccount) {
    let Some(claims) = json_of(claims) else { return };
    let now = NOW.unix_timestamp() as f64;
    assert_eq!(claims["iss"], ISSUER);
    let audiences = claims["aud"].as_array().cloned().unwrap_or(vec![claims["aud"].clone()]);
    assert!(audiences.contains(&json!(AUDIENCE)), "for another: {claims}");
    assert!(claims["exp"].as_f64().expect("a time") > now - 10.0, "expired: {claims}");
    assert!(claims["nbf"].as_f64().is_none_or(|begin| begin <= now + 10.0), "too early: {claims}");
    assert_eq!(claims["sub"], account.as_str());
    if let Some(kubernetes) = claims.get("kubernetes.io").filter(|claim| !claim.is_null()) {
        let named = (&kubernetes["namespace"], &kubernetes["serviceaccount"]["name"]);
        let (namespace, name) = account.parts();
        assert_eq!(named, (&json!(namespace), &json!(name)), "says two things");
    }
}
