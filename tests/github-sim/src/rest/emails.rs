//! The addresses of the person who calls.

use serde_json::json;

use crate::http::{Call, Outcome, Page, Refusal};
use crate::level::Level;
use crate::world::TokenKind;

/// `GET /user/emails`: the person's own address first, then the one that GitHub gives.
pub(super) fn list(call: &Call<'_>) -> Outcome {
    let person = call.actor()?;
    let granted = match call.caller.token() {
        Some(TokenKind::Classic { scopes, .. } | TokenKind::OAuth { scopes, .. }) => {
            if !scopes.iter().any(|scope| scope == "user" || scope == "user:email") {
                return Err(
                    Refusal::not_found().with("x-accepted-oauth-scopes", "user, user:email")
                );
            }
            Level::Read
        }
        // What an App may do for its users is the App's own, of whatever installation.
        Some(TokenKind::UserToServer { app_id, .. }) => {
            let world = call.hub.world();
            let app = world.apps.get(app_id);
            app.and_then(|app| app.permissions.get("emails").copied()).unwrap_or_default()
        }
        Some(TokenKind::FineGrained { permissions, .. }) => {
            permissions.get("emails").copied().unwrap_or_default()
        }
        _ => Level::None,
    };
    if granted < Level::Read {
        return Err(call.forbidden().with("x-accepted-github-permissions", "emails=read"));
    }
    let own = person.address.as_ref().map(|address| {
        json!({"email": address, "primary": true, "verified": true, "visibility": "private"})
    });
    let given = json!({
        "email": person.email(), "primary": own.is_none(), "verified": true, "visibility": null,
    });
    Ok(Page::of(call, own.into_iter().chain([given]).collect()).answer())
}
