//! Branches.

use serde_json::{Value, json};

use super::view;
use crate::git::Reference;
use crate::http::{Answer, Call, Outcome, Page, Refusal, encode};
use crate::world::{Meta, World};

fn is_protected(world: &World, repo: &Meta, branch: &str) -> bool {
    world.protection_of(repo.id, branch).is_some() || !world.rules_for(repo.id, branch).is_empty()
}

pub(super) fn list(call: &Call<'_>) -> Outcome {
    let repo = call.repo()?;
    let api = view::api(&call.hub.urls, repo);
    let refs = call.git()?.refs("refs/heads/")?;
    let world = call.hub.world();
    let wanted = call.query("protected").map(|value| value == "true");
    let shown = refs
        .iter()
        .filter_map(|Reference { name, oid, .. }| {
            let branch = name.strip_prefix("refs/heads/")?;
            let protected = is_protected(&world, repo, branch);
            wanted.is_none_or(|wanted| wanted == protected).then(|| {
                json!({
                    "name": branch,
                    "commit": {"sha": oid, "url": format!("{api}/commits/{oid}")},
                    "protected": protected,
                    "protection": {"enabled": protected},
                    "protection_url": format!("{api}/branches/{}/protection", encode(branch)),
                })
            })
        })
        .collect();
    Ok(Page::of(call, shown).answer())
}

fn not_found() -> Refusal {
    Refusal::new(404, "Branch not found")
}

pub(super) fn get(call: &Call<'_>) -> Outcome {
    let repo = call.repo()?;
    let branch = call.param("branch");
    let git = call.git()?;
    let oid = git.head(branch).ok_or_else(not_found)?;
    let commit = git.commit(&oid)?.ok_or_else(not_found)?;
    let world = call.hub.world();
    let urls = &call.hub.urls;
    let api = format!("{}/branches/{}", view::api(urls, repo), encode(branch));
    let protected = is_protected(&world, repo, branch);
    Ok(Answer::ok(json!({
        "name": branch,
        "commit": view::commit(&world, urls, repo, &commit),
        "_links": {"self": api, "html": format!("{}/tree/{branch}", view::page(urls, repo))},
        "protected": protected,
        "protection": {
            "enabled": protected,
            "required_status_checks":
                {"enforcement_level": "off", "contexts": [], "checks": []},
        },
        "protection_url": format!("{api}/protection"),
    })))
}

/// Classic protection: rulesets do not show here.
pub(super) fn protection(call: &Call<'_>) -> Outcome {
    let repo = call.repo()?;
    let branch = call.param("branch");
    if call.git()?.head(branch).is_none() {
        return Err(not_found());
    }
    let world = call.hub.world();
    let protection = world
        .protection_of(repo.id, branch)
        .ok_or_else(|| Refusal::new(404, "Branch not protected"))?;
    let url = format!("{}/branches/{}/protection", view::api(&call.hub.urls, repo), encode(branch));
    let off = json!({"enabled": false});
    let mut body = json!({
        "url": url,
        "enforce_admins": {"url": format!("{url}/enforce_admins"), "enabled": true},
        "required_linear_history": off, "allow_force_pushes": off, "allow_deletions": off,
        "block_creations": off, "required_conversation_resolution": off,
    });
    if !protection.checks.is_empty() {
        let checks: Vec<Value> =
            protection.checks.iter().map(|c| json!({"context": c, "app_id": null})).collect();
        body["required_status_checks"] = json!({
            "url": format!("{url}/required_status_checks"), "strict": false,
            "contexts": protection.checks, "checks": checks,
            "contexts_url": format!("{url}/required_status_checks/contexts"),
        });
    }
    if protection.pull_request {
        body["required_pull_request_reviews"] = json!({
            "url": format!("{url}/required_pull_request_reviews"),
            "dismiss_stale_reviews": false, "require_code_owner_reviews": false,
            "required_approving_review_count": 0, "require_last_push_approval": false,
        });
    }
    Ok(Answer::ok(body))
}
