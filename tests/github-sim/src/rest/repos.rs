//! Repositories: reading, changing settings, deleting.

use super::create::taken;
use super::view;
use crate::http::{Answer, Call, Outcome, Refusal};
use crate::world::TokenKind;

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

/// `DELETE /repos/{owner}/{repo}`: a classic token needs a scope of its own.
pub(super) fn delete(call: &Call<'_>) -> Outcome {
    let scopes = match call.caller.token() {
        Some(TokenKind::Classic { scopes, .. } | TokenKind::OAuth { scopes, .. }) => Some(scopes),
        _ => None,
    };
    if scopes.is_some_and(|scopes| !scopes.iter().any(|scope| scope == "delete_repo")) {
        return Err(Refusal::new(403, "Must have admin rights to Repository.")
            .with("x-accepted-oauth-scopes", "delete_repo"));
    }
    call.hub.delete_repository(call.repo()?.id, call.actor()?.id);
    Ok(Answer::empty())
}
