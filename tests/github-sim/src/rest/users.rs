//! People: the one who calls, and others.

use serde_json::{Value, json};

use super::listing::{self, Wanted};
use super::view;
use crate::clock::iso;
use crate::http::{Answer, Call, Outcome, Page, Refusal};
use crate::level::Level;
use crate::world::{Account, Installation, Meta, TokenKind, World};

/// An account with what `GET /user` and `GET /users/{username}` add.
fn profile(call: &Call<'_>, account: &Account) -> Value {
    let mut body = account.json(&call.hub.urls);
    let repositories = call.hub.world();
    let public = repositories
        .repositories
        .values()
        .filter(|r| r.meta.owner_id == account.id && !r.meta.private)
        .count();
    let begun = iso(0);
    let more = json!({
        "name": account.login, "company": null, "blog": "", "location": null, "email": null,
        "hireable": null, "bio": null, "twitter_username": null, "public_repos": public,
        "public_gists": 0, "followers": 0, "following": 0, "created_at": begun, "updated_at": begun,
    });
    if let (Value::Object(body), Value::Object(more)) = (&mut body, more) {
        body.extend(more);
    }
    body
}

pub(super) fn me(call: &Call<'_>) -> Outcome {
    Ok(Answer::ok(profile(call, &call.actor()?)))
}

pub(super) fn get(call: &Call<'_>) -> Outcome {
    let account = call.hub.world().account(call.param("username")).cloned();
    Ok(Answer::ok(profile(call, &account.ok_or_else(Refusal::not_found)?)))
}

/// The App that a user token belongs to; other tokens may not ask about installations.
fn token_app(call: &Call<'_>) -> Result<(u64, u64), Refusal> {
    match call.caller.token() {
        Some(TokenKind::UserToServer { user_id, app_id }) => Ok((*user_id, *app_id)),
        _ => Err(Refusal::new(
            403,
            "You must authenticate with an access token authorized to a GitHub App in order to list \
             installations",
        )),
    }
}

/// Whether a person has to do with an installation: their own, their organization's, or one that covers
/// a repository they can reach.
fn visible(world: &World, installation: &Installation, user: u64) -> bool {
    if installation.account_id == user {
        return true;
    }
    let member = world
        .accounts
        .get(&installation.account_id)
        .is_some_and(|account| account.role_of(user).is_some());
    member
        || world.repositories.values().map(|r| &r.meta).any(|repo| {
            installation.covers(repo.id, repo.owner_id)
                && repo.collaborators.get(&user).is_some_and(|level| *level > Level::None)
        })
}

pub(super) fn installations(call: &Call<'_>) -> Outcome {
    let (user, app) = token_app(call)?;
    let world = call.hub.world();
    let all = world
        .installations
        .values()
        .filter(|i| i.app_id == app && visible(&world, i, user))
        .collect();
    Ok(Page::of(call, all)
        .map(|i: &Installation| i.json(&world, &call.hub.urls))
        .answer_as("installations", json!({})))
}

pub(super) fn installation_repositories(call: &Call<'_>) -> Outcome {
    let (user, app) = token_app(call)?;
    let id = call.id("installation_id")?;
    let world = call.hub.world();
    let installation = world
        .installations
        .get(&id)
        .filter(|i| i.app_id == app && visible(&world, i, user))
        .ok_or_else(Refusal::not_found)?;
    let all = world
        .repositories
        .values()
        .map(|r| &r.meta)
        .filter(|r| installation.covers(r.id, r.owner_id) && world.sees(&call.caller, r))
        .collect();
    let selection = json!({"repository_selection": installation.selection});
    Ok(repositories_page(call, &world, all).answer_as("repositories", selection))
}

/// `GET /user/repos`
pub(super) fn repositories(call: &Call<'_>) -> Outcome {
    let user = call.caller.user_id().ok_or_else(|| call.forbidden())?;
    let world = call.hub.world();
    let wanted = Wanted::of(call, user)?;
    let related = |repo: &&Meta| wanted.shows(&world, repo) && world.sees(&call.caller, repo);
    let gate = |repo: &&Meta| {
        crate::http::org_gate(&world, &call.caller, repo.owner_id, &call.hub.urls.web).is_ok()
    };
    let metas = world.repositories.values().map(|r| &r.meta);
    let mut all: Vec<&Meta> = metas.filter(related).filter(gate).collect();
    listing::sort(call, &mut all, "full_name")?;
    Ok(repositories_page(call, &world, all).answer())
}

pub(super) fn repositories_of(call: &Call<'_>) -> Outcome {
    let world = call.hub.world();
    let owner = world.account(call.param("username")).ok_or_else(Refusal::not_found)?.id;
    let all = world
        .repositories
        .values()
        .map(|r| &r.meta)
        .filter(|r| r.owner_id == owner && world.sees(&call.caller, r))
        .collect();
    Ok(repositories_page(call, &world, all).answer())
}

pub(super) fn repositories_page(call: &Call<'_>, world: &World, all: Vec<&Meta>) -> Page<Value> {
    let show = |r: &Meta| view::repository(world, &call.hub.urls, r, &call.caller);
    Page::of(call, all).map(show)
}

pub(super) fn orgs(call: &Call<'_>) -> Outcome {
    let user = call.caller.user_id().ok_or_else(|| call.forbidden())?;
    let world = call.hub.world();
    let all = world.accounts.values().filter(|a| a.role_of(user).is_some()).collect();
    Ok(Page::of(call, all).map(|a: &Account| super::orgs::simple(&call.hub.urls, a)).answer())
}
