//! Codes, and what they are exchanged for: user tokens.

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::form::Form;
use crate::http::{Answer, Arrived, Payload, Refusal, basic, encode, pairs};
use crate::hub::Hub;
use crate::secrets::letters;
use crate::world::{App, OAuthCode, Token, TokenKind, World};

/// A code lives ten minutes.
const CODE_LIFE: i64 = 600;
/// An access token lives eight hours.
const ACCESS_LIFE: i64 = 28_800;
/// A refresh token lives about six months.
const REFRESH_LIFE: i64 = 15_897_600;
/// The most tokens of one user and App; the oldest goes.
const MOST_TOKENS: usize = 10;

/// What a code is asked for.
pub(super) struct Asked<'a> {
    pub app: &'a App,
    pub user: u64,
    pub redirect_uri: &'a str,
    pub scopes: Vec<String>,
    pub challenge: Option<&'a str>,
}

impl Asked<'_> {
    /// Makes the code.
    pub fn keep(self, hub: &Hub, world: &mut World) -> String {
        let code = letters(20).to_lowercase();
        let stored = OAuthCode {
            app_id: self.app.id,
            user_id: self.user,
            redirect_uri: self.redirect_uri.to_owned(),
            scopes: self.scopes,
            challenge: self.challenge.map(str::to_owned),
            expires_at: hub.clock.seconds() + CODE_LIFE,
        };
        world.codes.insert(code.clone(), stored);
        code
    }
}

/// The code that a person gives an App by installing it.
pub(super) fn code_for(
    hub: &Hub,
    world: &mut World,
    app: &App,
    user: u64,
    redirect_uri: &str,
) -> String {
    world.authorizations.insert((user, app.id));
    Asked { app, user, redirect_uri, scopes: Vec::new(), challenge: None }.keep(hub, world)
}

/// `POST /login/oauth/access_token`: errors are answered with 200.
pub(super) fn access_token(hub: &Hub, arrived: &Arrived) -> Answer {
    let header = |name: &str| {
        arrived.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned()
    };
    let mut form = if header("content-type").contains("json") {
        match serde_json::from_slice::<serde_json::Map<String, Value>>(&arrived.body) {
            Ok(fields) => Form(
                fields
                    .into_iter()
                    .filter_map(|(name, v)| v.as_str().map(|v| (name, v.to_owned())))
                    .collect(),
            ),
            Err(_) => return Refusal::new(400, "Problems parsing JSON").into_answer(),
        }
    } else {
        Form::body(arrived)
    };
    form.0.extend(pairs(&arrived.query));
    if let Some((id, secret)) = basic(&arrived.headers) {
        form.0.push(("client_id".to_owned(), id));
        form.0.push(("client_secret".to_owned(), secret));
    }
    let body = exchange(hub, &form).unwrap_or_else(|(error, description)| {
        json!({
            "error": error, "error_description": description,
            "error_uri": "https://docs.github.com/apps/managing-oauth-apps/troubleshooting-oauth-app-access-token-request-errors",
        })
    });
    if header("accept").contains("json") {
        return Answer::ok(body);
    }
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let pairs: Vec<String> = body
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, value)| format!("{name}={}", encode(&text(value))))
        .collect();
    let kind = "application/x-www-form-urlencoded; charset=utf-8";
    Answer::new(200, Payload::Raw(kind, pairs.join("&").into()))
}

type Error = (&'static str, &'static str);

fn exchange(hub: &Hub, form: &Form) -> Result<Value, Error> {
    let mut world = hub.world();
    let now = hub.clock.seconds();
    let client = form.get("client_id").unwrap_or_default();
    let secret = form.get("client_secret").unwrap_or_default();
    let app = world
        .apps
        .values()
        .find(|app| app.client_id == client && !secret.is_empty() && app.client_secret == secret)
        .cloned()
        .ok_or((
            "incorrect_client_credentials",
            "The client_id and/or client_secret passed are incorrect.",
        ))?;
    match form.get("grant_type") {
        Some("refresh_token") => {
            let bad = ("bad_refresh_token", "The refresh token passed is incorrect or expired.");
            let old = form.get("refresh_token").unwrap_or_default();
            let token = world.tokens.get(old).filter(|token| !token.expired(now)).ok_or(bad)?;
            let TokenKind::Refresh { user_id, app_id, .. } = token.kind else { return Err(bad) };
            if app_id != app.id {
                return Err(bad);
            }
            // The old pair is worth nothing from here on.
            world.drop_user_token(old);
            Ok(issue(&mut world, &app, user_id, Vec::new(), now))
        }
        None | Some("authorization_code") => {
            let code = redeem(&mut world, &app, form, now)?;
            Ok(issue(&mut world, &app, code.user_id, code.scopes, now))
        }
        Some(_) => Err(("unsupported_grant_type", "The grant_type is not supported.")),
    }
}

/// What a code stands for; it is used up whatever comes.
fn redeem(world: &mut World, app: &App, form: &Form, now: i64) -> Result<OAuthCode, Error> {
    let bad = ("bad_verification_code", "The code passed is incorrect or expired.");
    let code = world.codes.remove(form.get("code").unwrap_or_default()).ok_or(bad)?;
    if code.app_id != app.id || code.expires_at <= now {
        return Err(bad);
    }
    if form.get("redirect_uri").is_some_and(|uri| uri != code.redirect_uri) {
        let text = "The redirect_uri MUST match the registered callback URL for this application.";
        return Err(("redirect_uri_mismatch", text));
    }
    if let Some(challenge) = &code.challenge {
        let verifier = form.get("code_verifier").unwrap_or_default();
        let hash = digest::digest(&digest::SHA256, verifier.as_bytes());
        if URL_SAFE_NO_PAD.encode(hash) != *challenge {
            return Err(bad);
        }
    }
    Ok(code)
}

/// A fresh access token. An OAuth App's has scopes; a GitHub App's comes with a refresh token where its user
/// tokens expire.
pub(crate) fn issue(
    world: &mut World,
    app: &App,
    user_id: u64,
    scopes: Vec<String>,
    now: i64,
) -> Value {
    let app_id = app.id;
    world.authorizations.insert((user_id, app_id));
    let mut keep = |secret: &str, kind, life: i64| {
        let token = Token {
            id: world.fresh_id(),
            kind,
            expires_at: app.user_tokens_expire.then_some(now + life),
            usable_from: i64::MIN,
            refusals_left: 0,
        };
        world.tokens.insert(secret.to_owned(), token);
    };
    let body = if app.oauth {
        let access = format!("gho_{}", letters(36));
        let scope = scopes.join(",");
        keep(&access, TokenKind::OAuth { user_id, app_id, scopes }, ACCESS_LIFE);
        json!({"access_token": access, "token_type": "bearer", "scope": scope})
    } else {
        let access = format!("ghu_{}", letters(36));
        keep(&access, TokenKind::UserToServer { user_id, app_id }, ACCESS_LIFE);
        let mut body = json!({"access_token": access, "token_type": "bearer", "scope": ""});
        if app.user_tokens_expire {
            let refresh = format!("ghr_{}", letters(76));
            keep(&refresh, TokenKind::Refresh { user_id, app_id, access }, REFRESH_LIFE);
            body["refresh_token"] = json!(refresh);
            body["expires_in"] = json!(ACCESS_LIFE);
            body["refresh_token_expires_in"] = json!(REFRESH_LIFE);
        }
        body
    };
    drop_oldest(world, user_id, app_id);
    body
}

/// The scopes of a request, which spaces or commas divide.
pub(super) fn scopes(text: &str) -> Vec<String> {
    text.split([' ', ',']).filter(|scope| !scope.is_empty()).map(str::to_owned).collect()
}

fn drop_oldest(world: &mut World, user_id: u64, app_id: u64) {
    let mut own: Vec<(u64, String)> = world
        .tokens
        .iter()
        .filter(|(_, token)| {
            token.kind.authorized() == Some((user_id, app_id))
                && !matches!(token.kind, TokenKind::Refresh { .. })
        })
        .map(|(secret, token)| (token.id, secret.clone()))
        .collect();
    own.sort();
    let surplus = own.len().saturating_sub(MOST_TOKENS);
    for (_, secret) in own.into_iter().take(surplus) {
        world.drop_user_token(&secret);
    }
}
