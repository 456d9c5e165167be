//! The App itself, and its installation tokens.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::view;
use crate::clock::iso;
use crate::http::{Answer, Call, Input, Outcome, Payload, Refusal};
use crate::level::{KNOWN_PERMISSIONS, Level};
use crate::secrets;
use crate::seed::Selection;
use crate::world::{Caller, Installation, Meta, ReplicationLag, Token, TokenKind, World};

/// An installation token lives one hour.
const TOKEN_LIFE: i64 = 3600;
/// The largest number of repositories that a token can be narrowed to.
const MOST_REPOSITORIES: usize = 500;

pub(super) fn get(call: &Call<'_>) -> Outcome {
    let world = call.hub.world();
    let app = app_id(call).and_then(|id| world.apps.get(&id)).ok_or_else(Refusal::not_found)?;
    Ok(Answer::ok(app.json(&world, &call.hub.urls)))
}

pub(super) fn by_slug(call: &Call<'_>) -> Outcome {
    let world = call.hub.world();
    let slug = call.param("app_slug");
    let app = world.apps.values().find(|a| a.slug == slug).ok_or_else(Refusal::not_found)?;
    Ok(Answer::ok(app.json(&world, &call.hub.urls)))
}

/// The App that calls, by JWT or by client secret.
pub(super) fn app_id(call: &Call<'_>) -> Option<u64> {
    match call.caller {
        Caller::App { app_id } | Caller::Client { app_id } => Some(app_id),
        Caller::Anonymous | Caller::Token(_) => None,
    }
}

/// The installation of the path, when it is the calling App's.
pub(super) fn own_installation(call: &Call<'_>, world: &World) -> Result<Installation, Refusal> {
    let id = call.id("installation_id")?;
    let installation = world.installations.get(&id).ok_or_else(Refusal::not_found)?;
    if Some(installation.app_id) == app_id(call) {
        Ok(installation.clone())
    } else {
        Err(Refusal::not_found())
    }
}

/// `POST /app/installations/{installation_id}/access_tokens`
pub(super) fn mint(call: &Call<'_>) -> Outcome {
    let input = call.input()?;
    let now = call.now();
    let mut world = call.hub.world();
    let installation = own_installation(call, &world)?;
    if installation.suspended_at.is_some() {
        return Err(Refusal::new(403, "This installation has been suspended"));
    }
    let permissions = permissions(&input, &installation)?;
    let repositories = narrowed(&input, &world, &installation)?;
    let secret = secrets::installation_token(world.token_format, installation.app_id);
    let (usable_from, refusals_left) = match world.lag {
        ReplicationLag::None => (now, 0),
        ReplicationLag::Seconds(seconds) => (now + seconds, 0),
        ReplicationLag::Uses(uses) => (now, uses),
    };
    // A token's end is told in GitHub's time, as its end is checked in it.
    let expires_at = now + world.skew + TOKEN_LIFE;
    let mut body = json!({
        "token": secret,
        "expires_at": iso(expires_at),
        "permissions": permissions,
        "repository_selection": if repositories.is_some() {
            Selection::Selected
        } else {
            installation.selection
        },
    });
    if let Some(ids) = &repositories {
        let mut shown = Vec::new();
        for id in ids {
            let repo = world.repositories.get(id).ok_or_else(Refusal::not_found)?;
            shown.push(view::repository(&world, &call.hub.urls, &repo.meta, &call.caller));
        }
        body["repositories"] = Value::Array(shown);
    }
    let token = Token {
        id: world.fresh_id(),
        kind: TokenKind::Installation {
            installation_id: installation.id,
            repositories,
            permissions,
        },
        expires_at: Some(expires_at),
        usable_from: usable_from + world.skew,
        refusals_left,
    };
    world.tokens.insert(secret, token);
    Ok(Answer::new(201, Payload::Json(body)))
}

/// What the token may do: what was asked for, which the installation must have been granted.
fn permissions(
    input: &Input,
    installation: &Installation,
) -> Result<BTreeMap<String, Level>, Refusal> {
    let Some(asked) = input.object("permissions")? else {
        return Ok(with_metadata(installation.permissions.clone()));
    };
    let mut permissions = BTreeMap::new();
    for (name, value) in asked.fields() {
        let level = value.as_str().and_then(Level::parse).filter(|level| {
            // Workflows know only `write`, and only two permissions know `admin`.
            (name != "workflows" || *level == Level::Write)
                && (*level != Level::Admin
                    || ["repository_projects", "organization_projects"].contains(&name.as_str()))
        });
        let Some(level) = level.filter(|_| KNOWN_PERMISSIONS.contains(&name.as_str())) else {
            return Err(Refusal::new(
                422,
                format!(
                    "Invalid request.\n\nFor 'properties/permissions', {name} is not permitted."
                ),
            ));
        };
        let granted = installation.permissions.get(name).copied().unwrap_or_default();
        if level > granted && name != "metadata" {
            return Err(Refusal::new(
                422,
                "The permissions requested are not granted to this installation.",
            ));
        }
        permissions.insert(name.clone(), level);
    }
    Ok(with_metadata(permissions))
}

fn with_metadata(mut permissions: BTreeMap<String, Level>) -> BTreeMap<String, Level> {
    permissions.entry("metadata".to_owned()).or_insert(Level::Read);
    permissions
}

/// The repositories that the token is narrowed to, if any are named.
fn narrowed(
    input: &Input,
    world: &World,
    installation: &Installation,
) -> Result<Option<BTreeSet<u64>>, Refusal> {
    let names = input.texts("repositories")?;
    let ids = input.numbers("repository_ids")?;
    if names.is_none() && ids.is_none() {
        return Ok(None);
    }
    let (names, ids) = (names.unwrap_or_default(), ids.unwrap_or_default());
    if names.len() + ids.len() > MOST_REPOSITORIES {
        return Err(Refusal::new(422, "Too many repositories requested; the limit is 500."));
    }
    let covered = |repo: &&Meta| installation.covers(repo.id, repo.owner_id);
    let metas = || world.repositories.values().map(|r| &r.meta).filter(covered);
    let by_name = names.iter().map(|n| metas().find(|r| r.name.eq_ignore_ascii_case(n)));
    let by_id = ids.iter().map(|id| metas().find(|r| r.id == *id));
    let found: Option<BTreeSet<u64>> = by_name.chain(by_id).map(|r| r.map(|r| r.id)).collect();
    match found {
        Some(found) => Ok(Some(found).filter(|ids| !ids.is_empty())),
        None => Err(Refusal::new(
            422,
            "There is at least one repository that does not exist or is not accessible to the parent \
             installation.",
        )),
    }
}

/// `DELETE /installation/token`
pub(super) fn revoke(call: &Call<'_>) -> Outcome {
    if let Caller::Token(grant) = &call.caller {
        call.hub.world().tokens.retain(|_, token| token.id != grant.token_id);
    }
    Ok(Answer::empty())
}
