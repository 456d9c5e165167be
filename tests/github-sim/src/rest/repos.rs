//! Repositories: reading, creating, changing settings.

use super::{orgs, view};
use crate::http::{Answer, Call, Input, Outcome, Refusal};
use crate::level::Level;
use crate::seed::{self, Role};
use crate::world::{Account, TokenKind};

pub(super) fn get(call: &Call<'_>) -> Outcome {
    let repo = call.repo()?;
    let world = call.hub.world();
    Ok(Answer::ok(view::repository(&world, &call.hub.urls, repo, &call.caller)))
}

/// `PATCH /repos/{owner}/{repo}`: name, description, privacy, default branch, archived.
pub(super) fn update(call: &Call<'_>) -> Outcome {
    let input = call.input()?;
    let repo = call.repo()?;
    let archived = input.flag("archived")?;
    if repo.archived && archived != Some(false) {
        return Err(Refusal::new(403, "Repository was archived so is read-only."));
    }
    if let Some(branch) = input.text("default_branch")? {
        if call.git()?.head(branch).is_none() {
            return Err(Refusal::new(
                422,
                format!(
                    "The branch {branch} was not found. Please push that ref first or create it via \
                         the Git Data API."
                ),
            ));
        }
        call.git()?.run(&["symbolic-ref", "HEAD", &format!("refs/heads/{branch}")])?;
    }
    if let Some(name) = input.text("name")?.filter(|name| *name != repo.name) {
        let by = call.actor()?.id;
        call.hub.move_repository(repo.id, &repo.owner, name, Some(by)).map_err(|_| taken())?;
    }
    let (description, default_branch) = (input.text("description")?, input.text("default_branch")?);
    let private = input.flag("private")?;
    let auto_merge = input.flag("allow_auto_merge")?;
    if let Some(archived) = archived {
        call.hub.set_archived(repo.id, archived, call.actor()?.id);
    }
    let world = &mut *call.hub.world();
    let meta = &mut world.repositories.get_mut(&repo.id).ok_or_else(Refusal::not_found)?.meta;
    if let Some(text) = description {
        meta.description = Some(text.to_owned());
    }
    if let Some(branch) = default_branch {
        meta.default_branch = branch.to_owned();
    }
    meta.private = private.unwrap_or(meta.private);
    meta.allow_auto_merge = auto_merge.unwrap_or(meta.allow_auto_merge);
    let meta = meta.clone();
    Ok(Answer::ok(view::repository(world, &call.hub.urls, &meta, &call.caller)))
}

fn taken() -> Refusal {
    let error = serde_json::json!({
        "resource": "Repository", "code": "custom", "field": "name",
        "message": "name already exists on this account",
    });
    Refusal::new(422, "Repository creation failed.").because(error)
}

/// `POST /user/repos`: never with an App's token, as an App is nobody's account.
pub(super) fn create_for_user(call: &Call<'_>) -> Outcome {
    let allowed = match call.caller.token() {
        Some(TokenKind::Classic { scopes, .. }) => {
            scopes.iter().any(|s| s == "repo" || s == "public_repo")
        }
        Some(TokenKind::FineGrained { permissions, .. }) => {
            permissions.get("administration").copied().unwrap_or_default() >= Level::Write
        }
        Some(TokenKind::UserToServer { .. }) => true,
        _ => false,
    };
    if !allowed {
        return Err(call.forbidden());
    }
    let owner = call.actor()?;
    create(call, &owner)
}

/// `POST /orgs/{org}/repos`
pub(super) fn create_for_org(call: &Call<'_>) -> Outcome {
    let org = {
        let world = call.hub.world();
        let org = orgs::find(call, &world)?.clone();
        crate::http::org_gate(&world, &call.caller, org.id, &call.hub.urls.web)?;
        let allowed = match call.caller.token() {
            Some(TokenKind::Installation { installation_id, permissions, .. }) => {
                let here = world.installations.get(installation_id);
                let level = permissions.get("administration").copied().unwrap_or_default();
                here.is_some_and(|i| i.account_id == org.id) && level >= Level::Write
            }
            Some(TokenKind::FineGrained { owner_id, permissions, user_id, .. }) => {
                let level = permissions.get("administration").copied().unwrap_or_default();
                *owner_id == org.id && level >= Level::Write && org.role_of(*user_id).is_some()
            }
            Some(TokenKind::Classic { user_id, scopes, .. }) => {
                org.role_of(*user_id).is_some() && scopes.iter().any(|s| s == "repo")
            }
            Some(TokenKind::UserToServer { user_id, .. }) => {
                org.role_of(*user_id) == Some(Role::Admin)
            }
            _ => false,
        };
        if !allowed {
            return Err(call.forbidden());
        }
        org
    };
    create(call, &org)
}

fn create(call: &Call<'_>, owner: &Account) -> Outcome {
    let input = call.input()?;
    let name = input.needed_text("name")?;
    let odd = |c: char| !(c.is_ascii_alphanumeric() || "-_.".contains(c));
    if name.is_empty() || name.len() > 100 || name.contains(odd) || name.ends_with(".git") {
        return Err(Refusal::invalid("Repository", "name", "invalid"));
    }
    if call.hub.world().repository(&owner.login, name).is_some() {
        return Err(taken());
    }
    let private = is_private(&input)?;
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
