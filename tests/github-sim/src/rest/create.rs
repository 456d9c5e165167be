//! Creating repositories, and who may.

use super::{orgs, view};
use crate::http::{Answer, Call, Input, Outcome, Refusal};
use crate::level::Level;
use crate::seed;
use crate::world::{Account, TokenKind, World};

/// What GitHub names as the way in, for tokens with permissions.
const ACCEPTED: (&str, &str) = ("x-accepted-github-permissions", "administration=write");

pub(super) fn taken() -> Refusal {
    let error = serde_json::json!({
        "resource": "Repository", "code": "custom", "field": "name",
        "message": "name already exists on this account",
    });
    Refusal::new(422, "Repository creation failed.").because(error)
}

/// `POST /user/repos`: never with an installation token, as an App is nobody's account.
pub(super) fn for_user(call: &Call<'_>) -> Outcome {
    let input = call.input()?;
    let owner = call.actor()?;
    if call.caller.user_id().is_none() {
        return Err(call.forbidden());
    }
    allowed(call, &call.hub.world(), &owner, is_private(&input)?)?;
    create(call, &owner, &input)
}

/// `POST /orgs/{org}/repos`
pub(super) fn for_org(call: &Call<'_>) -> Outcome {
    let input = call.input()?;
    let org = {
        let world = call.hub.world();
        let org = orgs::find(call, &world)?.clone();
        crate::http::org_gate(&world, &call.caller, org.id, &call.hub.urls.web)?;
        allowed(call, &world, &org, is_private(&input)?)?;
        org
    };
    create(call, &org, &input)
}

/// Whether the token may create a repository of the account, and then whether the person may.
fn allowed(call: &Call<'_>, world: &World, owner: &Account, private: bool) -> Result<(), Refusal> {
    let enough = |level: Option<&Level>| level.copied().unwrap_or_default() >= Level::Write;
    let token = match call.caller.token() {
        Some(TokenKind::Classic { scopes, .. } | TokenKind::OAuth { scopes, .. }) => {
            let has = |scope: &str| scopes.iter().any(|s| s == scope);
            if !has("repo") && (private || !has("public_repo")) {
                let accepted = "public_repo, repo";
                return Err(Refusal::not_found().with("x-accepted-oauth-scopes", accepted));
            }
            true
        }
        Some(TokenKind::FineGrained { owner_id, permissions, pending, .. }) => {
            !pending && *owner_id == owner.id && enough(permissions.get("administration"))
        }
        Some(TokenKind::UserToServer { app_id, .. }) => {
            let here = world.installed(*app_id, owner.id).filter(|i| i.suspended_at.is_none());
            here.is_some_and(|i| enough(i.permissions.get("administration")))
        }
        Some(TokenKind::Installation { installation_id, permissions, .. }) => {
            let here = world.installations.get(installation_id);
            here.is_some_and(|i| i.account_id == owner.id)
                && enough(permissions.get("administration"))
        }
        _ => false,
    };
    if !token {
        return Err(call.forbidden().with(ACCEPTED.0, ACCEPTED.1));
    }
    match call.caller.user_id() {
        Some(user) if user != owner.id && owner.role_of(user).is_none() => Err(Refusal::new(
            403,
            "You need admin access to the organization before adding a repository to it.",
        )),
        _ => Ok(()),
    }
}

fn create(call: &Call<'_>, owner: &Account, input: &Input) -> Outcome {
    let name = input.needed_text("name")?;
    let odd = |c: char| !(c.is_ascii_alphanumeric() || "-_.".contains(c));
    if name.is_empty() || name.len() > 100 || name.contains(odd) || name.ends_with(".git") {
        return Err(Refusal::invalid("Repository", "name", "invalid"));
    }
    if call.hub.world().repository(&owner.login, name).is_some() {
        return Err(taken());
    }
    let private = is_private(input)?;
    let auto_init = input.flag("auto_init")?.unwrap_or(false);
    let mut seed = seed::Repository {
        owner: owner.login.clone(),
        name: name.to_owned(),
        private,
        empty: !auto_init,
        ..seed::Repository::default()
    };
    if auto_init {
        seed.files.insert("README.md".to_owned(), format!("# {name}\n"));
    }
    let id = call.hub.add_repository(&seed).map_err(|e| Refusal::new(500, e.to_string()))?;
    let description = input.text("description")?.map(str::to_owned);
    let by = call.actor()?.id;
    let world = &mut *call.hub.world();
    if let Some(TokenKind::Installation { installation_id, .. }) = call.caller.token() {
        // An App can reach what it has made.
        if let Some(installation) = world.installations.get_mut(installation_id) {
            installation.repositories.insert(id);
        }
    }
    let meta = &mut world.repositories.get_mut(&id).ok_or_else(Refusal::not_found)?.meta;
    meta.description = description;
    let meta = meta.clone();
    call.hub.repository_made(world, &meta, by);
    Ok(Answer::created(view::repository(world, &call.hub.urls, &meta, &call.caller)))
}

fn is_private(input: &Input) -> Result<bool, Refusal> {
    Ok(match input.text("visibility")? {
        Some(visibility) => visibility != "public",
        None => input.flag("private")?.unwrap_or(false),
    })
}
