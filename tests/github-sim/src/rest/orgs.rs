//! Organizations.

use serde_json::{Value, json};

use super::users::repositories_page;
use crate::clock::iso;
use crate::http::{Answer, Call, Outcome, Refusal};
use crate::urls::Urls;
use crate::world::{Account, Meta, World};

/// GitHub's `organization-simple`.
pub(crate) fn simple(urls: &Urls, org: &Account) -> Value {
    let api = format!("{}/orgs/{}", urls.api, org.login);
    json!({
        "login": org.login,
        "id": org.id,
        "node_id": org.node_id(),
        "url": api,
        "repos_url": format!("{api}/repos"),
        "events_url": format!("{api}/events"),
        "hooks_url": format!("{api}/hooks"),
        "issues_url": format!("{api}/issues"),
        "members_url": format!("{api}/members{{/member}}"),
        "public_members_url": format!("{api}/public_members{{/member}}"),
        "avatar_url": format!("{}/avatars/u/{}", urls.web, org.id),
        "description": null,
    })
}

/// The organization of the path.
pub(super) fn find<'w>(call: &Call<'_>, world: &'w World) -> Result<&'w Account, Refusal> {
    world
        .account(call.param("org"))
        .filter(|account| account.is_organization())
        .ok_or_else(Refusal::not_found)
}

pub(super) fn get(call: &Call<'_>) -> Outcome {
    let world = call.hub.world();
    let org = find(call, &world)?;
    let mut body = simple(&call.hub.urls, org);
    let begun = iso(0);
    let more = json!({
        "html_url": format!("{}/{}", call.hub.urls.web, org.login),
        "type": "Organization", "has_organization_projects": true, "has_repository_projects": true,
        "public_repos": 0, "public_gists": 0, "followers": 0, "following": 0, "is_verified": false,
        "created_at": begun, "updated_at": begun, "archived_at": null,
    });
    if let (Value::Object(body), Value::Object(more)) = (&mut body, more) {
        body.extend(more);
    }
    Ok(Answer::ok(body))
}

pub(super) fn repositories(call: &Call<'_>) -> Outcome {
    let world = call.hub.world();
    let owner = find(call, &world)?.id;
    crate::http::org_gate(&world, &call.caller, owner, &call.hub.urls.web)?;
    let mut all: Vec<&Meta> = world
        .repositories
        .values()
        .map(|r| &r.meta)
        .filter(|r| r.owner_id == owner && world.sees(&call.caller, r))
        .collect();
    super::listing::sort(call, &mut all, "created")?;
    Ok(repositories_page(call, &world, all).answer())
}
