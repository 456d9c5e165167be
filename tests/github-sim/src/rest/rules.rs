//! Rulesets.

use serde_json::{Value, json};

use super::view;
use crate::clock::iso;
use crate::http::{Answer, Call, Outcome, Page, Refusal};
use crate::world::{Meta, Ruleset};

/// The active rules for a branch, which need not exist.
pub(super) fn of_branch(call: &Call<'_>) -> Outcome {
    let repo = call.repo()?;
    let world = call.hub.world();
    let rules = world
        .rules_for(repo.id, call.param("branch"))
        .into_iter()
        .map(|(set, rule)| {
            let mut shown = json!({
                "type": rule.type_name(),
                "ruleset_source_type": "Repository",
                "ruleset_source": repo.full_name(),
                "ruleset_id": set.id,
            });
            if let Some(parameters) = rule.parameters(repo.id) {
                shown["parameters"] = parameters;
            }
            shown
        })
        .collect();
    Ok(Page::of(call, rules).answer())
}

fn show(call: &Call<'_>, repo: &Meta, set: &Ruleset) -> Value {
    let api = view::api(&call.hub.urls, repo);
    json!({
        "id": set.id,
        "name": set.name,
        "target": "branch",
        "source_type": "Repository",
        "source": repo.full_name(),
        "enforcement": "active",
        "node_id": crate::urls::node_id("RepositoryRuleset", &set.id.to_string()),
        "_links": {
            "self": {"href": format!("{api}/rulesets/{}", set.id)},
            "html": {"href": format!("{}/rules/{}", view::page(&call.hub.urls, repo), set.id)},
        },
        "created_at": iso(repo.created_at),
        "updated_at": iso(repo.created_at),
    })
}

pub(super) fn list(call: &Call<'_>) -> Outcome {
    let repo = call.repo()?;
    let world = call.hub.world();
    let sets = world.repositories.get(&repo.id).map(|r| r.rulesets.as_slice()).unwrap_or_default();
    Ok(Page::of(call, sets.iter().map(|set| show(call, repo, set)).collect()).answer())
}

pub(super) fn get(call: &Call<'_>) -> Outcome {
    let repo = call.repo()?;
    let id = call.id("ruleset_id")?;
    let world = call.hub.world();
    let set = world
        .repositories
        .get(&repo.id)
        .and_then(|r| r.rulesets.iter().find(|set| set.id == id))
        .ok_or_else(Refusal::not_found)?;
    let mut body = show(call, repo, set);
    let pattern = format!("refs/heads/{}", set.pattern);
    body["conditions"] = json!({"ref_name": {"include": [pattern], "exclude": []}});
    let rules = set.rules.iter().map(|rule| match rule.parameters(repo.id) {
        Some(parameters) => json!({"type": rule.type_name(), "parameters": parameters}),
        None => json!({"type": rule.type_name()}),
    });
    body["rules"] = rules.collect();
    body["current_user_can_bypass"] = json!(if set.bypass { "always" } else { "never" });
    Ok(Answer::ok(body))
}
