//! Installations as the App sees them, and their repositories.

use serde_json::{Value, json};

use super::apps::{app_id, own_installation};
use super::view;
use crate::clock::iso;
use crate::http::{Answer, Call, Outcome, Page, Refusal};
use crate::urls::node_id;
use crate::world::{InstallationRequest, Meta, TokenKind};

pub(super) fn list(call: &Call<'_>) -> Outcome {
    let world = call.hub.world();
    let own = world.installations.values().filter(|i| Some(i.app_id) == app_id(call)).collect();
    Ok(Page::of(call, own).map(|i: &_| i.json(&world, &call.hub.urls)).answer())
}

pub(super) fn get(call: &Call<'_>) -> Outcome {
    let world = call.hub.world();
    Ok(Answer::ok(own_installation(call, &world)?.json(&world, &call.hub.urls)))
}

/// Uninstalls; the newer API version answers 202.
pub(super) fn delete(call: &Call<'_>) -> Outcome {
    let installation = own_installation(call, &call.hub.world())?;
    call.hub.uninstall(installation.id, call.actor()?.id);
    let mut answer = Answer::empty();
    if call.header("x-github-api-version") == Some("2026-03-10") {
        answer.status = 202;
    }
    Ok(answer)
}

pub(super) fn suspend(call: &Call<'_>) -> Outcome {
    set_suspended(call, true)
}

pub(super) fn unsuspend(call: &Call<'_>) -> Outcome {
    set_suspended(call, false)
}

fn set_suspended(call: &Call<'_>, suspended: bool) -> Outcome {
    let id = own_installation(call, &call.hub.world())?.id;
    call.hub.set_suspended(id, suspended, call.actor()?.id);
    Ok(Answer::empty())
}

/// `GET /app/installation-requests`
pub(super) fn requests(call: &Call<'_>) -> Outcome {
    let world = call.hub.world();
    let own = world.requests.values().filter(|r| Some(r.app_id) == app_id(call)).collect();
    let account = |id: &u64| world.accounts.get(id).map(|a| a.json(&call.hub.urls));
    let show = |request: &InstallationRequest| {
        json!({
            "id": request.id,
            "node_id": node_id("IntegrationInstallationRequest", &request.id.to_string()),
            "account": account(&request.account_id),
            "requester": account(&request.requester_id),
            "created_at": iso(request.created_at),
        })
    };
    Ok(Page::of(call, own).map(show).answer())
}

/// The App's installation that covers a repository, found also by the repository's former name.
pub(super) fn of_repository(call: &Call<'_>) -> Outcome {
    let world = call.hub.world();
    let (owner, name) = (call.param("owner"), call.param("repo"));
    let own = |repo: &Meta| {
        let mut own = world.installations.values().filter(|i| Some(i.app_id) == app_id(call));
        own.find(|i| i.covers(repo.id, repo.owner_id)).cloned()
    };
    if let Some(repo) = world.repository(owner, name) {
        let installation = own(&repo.meta).ok_or_else(Refusal::not_found)?;
        return Ok(Answer::ok(installation.json(&world, &call.hub.urls)));
    }
    let moved = world.moved_repository(owner, name).ok_or_else(Refusal::not_found)?;
    own(&moved.meta).ok_or_else(Refusal::not_found)?;
    let url = format!("{}/repositories/{}/installation", call.hub.urls.api, moved.meta.id);
    Err(Refusal::new(301, "Moved Permanently").with("location", url))
}

pub(super) fn of_org(call: &Call<'_>) -> Outcome {
    of_account(call, call.param("org"), true)
}

pub(super) fn of_user(call: &Call<'_>) -> Outcome {
    of_account(call, call.param("username"), false)
}

fn of_account(call: &Call<'_>, login: &str, organization: bool) -> Outcome {
    let world = call.hub.world();
    let account = world
        .account(login)
        .filter(|a| a.is_organization() == organization)
        .ok_or_else(Refusal::not_found)?;
    let installation = world
        .installations
        .values()
        .find(|i| i.account_id == account.id && Some(i.app_id) == app_id(call))
        .ok_or_else(Refusal::not_found)?;
    Ok(Answer::ok(installation.json(&world, &call.hub.urls)))
}

/// `GET /installation/repositories`
pub(super) fn repositories(call: &Call<'_>) -> Outcome {
    let world = call.hub.world();
    let Some(TokenKind::Installation { installation_id, repositories, .. }) = call.caller.token()
    else {
        return Err(call.forbidden());
    };
    let installation =
        world.installations.get(installation_id).ok_or_else(Refusal::bad_credentials)?;
    let metas: Vec<&Meta> = world
        .repositories
        .values()
        .map(|r| &r.meta)
        .filter(|r| installation.covers(r.id, r.owner_id))
        .filter(|r| repositories.as_ref().is_none_or(|ids| ids.contains(&r.id)))
        .collect();
    let selection = match repositories {
        Some(_) => json!("selected"),
        None => json!(installation.selection),
    };
    let show = |r: &Meta| -> Value { view::repository(&world, &call.hub.urls, r, &call.caller) };
    Ok(Page::of(call, metas)
        .map(show)
        .answer_as("repositories", json!({"repository_selection": selection})))
}
