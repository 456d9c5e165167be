//! Checking an App's JWT as GitHub does.

use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::Value;

use super::Refusal;
use crate::world::World;

/// The longest life that GitHub accepts, in seconds.
const LONGEST_LIFE: i64 = 600;
/// How far `iat` may lie in the future, in seconds.
const LEEWAY: i64 = 60;

const UNDECODABLE: &str = "A JSON web token could not be decoded";

/// Whether a bearer value has the form of a JWT and not of one of GitHub's tokens.
pub(crate) fn looks_like_one(value: &str) -> bool {
    value.split('.').count() == 3 && !value.starts_with("gh")
}

/// The id of the App that signed the JWT, at GitHub's time `now`.
pub(crate) fn verify(world: &World, jwt: &str, now: i64) -> Result<u64, Refusal> {
    let refuse = |text: &str| Refusal::new(401, text);
    let undecodable = || refuse(UNDECODABLE);
    let parts: Vec<&str> = jwt.split('.').collect();
    let [header, claims, signature] = parts[..] else { return Err(undecodable()) };
    let header = part(header).ok_or_else(undecodable)?;
    let claims = part(claims).ok_or_else(undecodable)?;
    if header.get("alg").and_then(Value::as_str) != Some("RS256") {
        return Err(undecodable());
    }
    let issuer = match claims.get("iss") {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        _ => return Err(refuse("'Issuer' claim ('iss') must be an Integer")),
    };
    let app = world
        .apps
        .values()
        .find(|app| app.client_id == issuer || app.id.to_string() == issuer)
        .ok_or_else(|| Refusal::new(404, "Integration not found"))?;
    if app.public_keys.is_empty() {
        return Err(refuse("Integration must generate a public key"));
    }
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| undecodable())?;
    let signed = jwt.rsplit_once('.').map_or("", |(signed, _)| signed);
    let trusted = app.public_keys.iter().any(|key| {
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key)
            .verify(signed.as_bytes(), &signature)
            .is_ok()
    });
    if !trusted {
        return Err(undecodable());
    }
    check_times(&claims, now)?;
    Ok(app.id)
}

fn check_times(claims: &Value, now: i64) -> Result<(), Refusal> {
    let refuse = |text: &str| Err(Refusal::new(401, text));
    let Some(end) = claims.get("exp").and_then(Value::as_i64) else {
        return refuse(
            "'Expiration time' claim ('exp') must be a numeric value representing the future time at \
             which the assertion expires",
        );
    };
    let begin = claims.get("iat").and_then(Value::as_i64).filter(|begin| *begin <= now + LEEWAY);
    let Some(begin) = begin else {
        return refuse(
            "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was \
             issued",
        );
    };
    if end <= now {
        return refuse(
            "'Expiration time' claim ('exp') must be a numeric value representing the future time at \
             which the assertion expires",
        );
    }
    if end > now + LONGEST_LIFE || end - begin > LONGEST_LIFE + LEEWAY {
        return refuse("'Expiration time' claim ('exp') is too far in the future");
    }
    Ok(())
}

fn part(text: &str) -> Option<Value> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()
}

/// The bytes within a PEM block of a public key.
pub(crate) fn public_key(pem: &str) -> Option<Vec<u8>> {
    let begin = pem.find("-----BEGIN ")?;
    let body = &pem[begin..];
    let body = &body[body.find('\n')?..];
    let body = &body[..body.find("-----END ")?];
    let text: String = body.chars().filter(|c| !c.is_whitespace()).collect();
    STANDARD.decode(text).ok()
}
