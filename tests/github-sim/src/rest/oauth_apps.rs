//! Managing user tokens with an App's client secret, and revoking leaked credentials.

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::apps::app_id;
use crate::clock::iso;
use crate::http::{Answer, Call, Outcome, Payload, Refusal};
use crate::secrets::letters;
use crate::world::{Token, TokenKind, World};

/// The most credentials that one request may revoke.
const MOST_CREDENTIALS: usize = 1000;

/// The token in the request, when it is one of the calling App's user tokens.
fn find(call: &Call<'_>, world: &World) -> Result<(String, Token), Refusal> {
    let input = call.input()?;
    let secret = input.needed_text("access_token")?;
    let app = app_id(call);
    let named = app.and_then(|id| world.apps.get(&id)).map(|a| a.client_id.as_str());
    if named != Some(call.param("client_id")) {
        return Err(Refusal::not_found());
    }
    let token = world.tokens.get(secret).filter(|token| {
        let own = token.kind.authorized().is_some_and(|(_, app_id)| Some(app_id) == app);
        let access = !matches!(token.kind, TokenKind::Refresh { .. });
        own && access && !token.expired(call.now())
    });
    token.map(|t| (secret.to_owned(), t.clone())).ok_or_else(Refusal::not_found)
}

/// GitHub's `authorization`.
fn show(call: &Call<'_>, world: &World, secret: &str, token: &Token) -> Value {
    let hash = STANDARD.encode(digest::digest(&digest::SHA256, secret.as_bytes()));
    let app = app_id(call).and_then(|id| world.apps.get(&id));
    let user = token.kind.authorized().and_then(|(user, _)| world.accounts.get(&user));
    let scopes = match &token.kind {
        TokenKind::OAuth { scopes, .. } => scopes.clone(),
        _ => Vec::new(),
    };
    let now = iso(call.now());
    let start = secret.len().saturating_sub(8);
    json!({
        "id": token.id,
        "url": format!("{}/authorizations/{}", call.hub.urls.api, token.id),
        "scopes": scopes, "token": secret, "token_last_eight": secret.get(start..),
        "hashed_token": hash,
        "app": {
            "name": app.map(|a| a.name.clone()), "client_id": app.map(|a| a.client_id.clone()),
            "url": app.map(|a| format!("{}/github-apps/{}", call.hub.urls.web, a.slug)),
        },
        "note": null, "note_url": null, "fingerprint": null,
        "created_at": now, "updated_at": now,
        "expires_at": token.expires_at.map(iso),
        "user": user.map(|a| a.json(&call.hub.urls)),
    })
}

pub(super) fn check(call: &Call<'_>) -> Outcome {
    let world = call.hub.world();
    let (secret, token) = find(call, &world)?;
    Ok(Answer::ok(show(call, &world, &secret, &token)))
}

/// Replaces a token by a new one.
pub(super) fn reset(call: &Call<'_>) -> Outcome {
    let mut world = call.hub.world();
    let (secret, mut token) = find(call, &world)?;
    world.tokens.remove(&secret);
    token.id = world.fresh_id();
    let prefix = if matches!(token.kind, TokenKind::OAuth { .. }) { "gho" } else { "ghu" };
    let fresh = format!("{prefix}_{}", letters(36));
    let shown = show(call, &world, &fresh, &token);
    world.tokens.insert(fresh, token);
    Ok(Answer::ok(shown))
}

pub(super) fn delete(call: &Call<'_>) -> Outcome {
    let mut world = call.hub.world();
    let (secret, _) = find(call, &world)?;
    world.drop_user_token(&secret);
    Ok(Answer::empty())
}

/// Takes back all that the user granted the App.
pub(super) fn delete_grant(call: &Call<'_>) -> Outcome {
    let (_, token) = find(call, &call.hub.world())?;
    if let Some((user_id, app_id)) = token.kind.authorized() {
        call.hub.revoke_authorization(app_id, user_id);
    }
    Ok(Answer::empty())
}

/// `POST /credentials/revoke`: nobody learns which of them worked.
pub(super) fn revoke_credentials(call: &Call<'_>) -> Outcome {
    let input = call.input()?;
    let secrets = match input.texts("credentials")? {
        Some(secrets) if (1..=MOST_CREDENTIALS).contains(&secrets.len()) => secrets,
        _ => {
            return Err(Refusal::new(
                422,
                "Invalid request.\n\n\"credentials\" takes 1 to 1000 items.",
            ));
        }
    };
    let mut world = call.hub.world();
    for secret in &secrets {
        let kinds = ["ghp_", "github_pat_", "gho_", "ghu_", "ghr_"];
        if kinds.iter().any(|kind| secret.starts_with(kind)) {
            world.drop_user_token(secret);
        }
    }
    Ok(Answer::new(202, Payload::Json(json!({}))))
}
