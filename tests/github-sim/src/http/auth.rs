//! From the `Authorization` header to the caller.

use axum::http::HeaderMap;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{Refusal, jwt};
use crate::world::{Caller, Grant, TokenKind, World};

/// The user name and password of a Basic header.
pub(crate) fn basic(headers: &HeaderMap) -> Option<(String, String)> {
    let value = headers.get("authorization")?.to_str().ok()?;
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (user, password) = text.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

/// Who makes a REST or GraphQL request, at GitHub's time `now`.
pub(crate) fn caller(world: &mut World, headers: &HeaderMap, now: i64) -> Result<Caller, Refusal> {
    let Some(value) = headers.get("authorization") else { return Ok(Caller::Anonymous) };
    let value = value.to_str().map_err(|_| Refusal::bad_credentials())?;
    if let Some((user, password)) = basic(headers) {
        let client = world.apps.values().find(|a| a.client_id == user);
        return match client {
            Some(app) if !password.is_empty() && app.client_secret == password => {
                Ok(Caller::Client { app_id: app.id })
            }
            Some(_) => Err(Refusal::bad_credentials()),
            None => token(world, &password, now),
        };
    }
    let secret = match value.split_once(' ') {
        Some((scheme, secret))
            if scheme.eq_ignore_ascii_case("bearer") || scheme.eq_ignore_ascii_case("token") =>
        {
            secret.trim()
        }
        _ => return Err(Refusal::bad_credentials()),
    };
    if jwt::looks_like_one(secret) {
        return jwt::verify(world, secret, now).map(|app_id| Caller::App { app_id });
    }
    token(world, secret, now)
}

/// Who holds a token, if it works now.
pub(crate) fn token(world: &mut World, secret: &str, now: i64) -> Result<Caller, Refusal> {
    let bad = Refusal::bad_credentials;
    let token = world.tokens.get_mut(secret).ok_or_else(bad)?;
    if token.expired(now) || token.usable_from > now {
        return Err(bad());
    }
    if token.refusals_left > 0 {
        token.refusals_left -= 1;
        return Err(bad());
    }
    let token = token.clone();
    match &token.kind {
        TokenKind::Refresh { .. } => return Err(bad()),
        TokenKind::Installation { installation_id, .. } => {
            let installation = world.installations.get(installation_id).ok_or_else(bad)?;
            if installation.suspended_at.is_some() {
                return Err(Refusal::new(403, "This installation has been suspended"));
            }
        }
        TokenKind::UserToServer { .. }
        | TokenKind::OAuth { .. }
        | TokenKind::Classic { .. }
        | TokenKind::FineGrained { .. } => {}
    }
    Ok(Caller::Token(Grant { token_id: token.id, kind: token.kind, expires_at: token.expires_at }))
}
