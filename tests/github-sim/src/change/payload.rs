//! How things look in the payloads of webhooks: the shapes of GitHub's published examples.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::rest::{organization_json, view};
use crate::urls::{Urls, node_id};
use crate::world::{Caller, Installation, Meta, World};

/// Whoever did it.
pub(super) fn sender(world: &World, urls: &Urls, id: u64) -> Value {
    world.accounts.get(&id).map_or(Value::Null, |account| account.json(urls))
}

/// A whole installation. Its times are numbers here, except where it was suspended or no longer is.
pub(super) fn installation(world: &World, urls: &Urls, it: &Installation, action: &str) -> Value {
    let mut body = it.json(world, urls);
    if !matches!(action, "suspend" | "unsuspend") {
        body["created_at"] = json!(it.created_at);
        body["updated_at"] = json!(it.updated_at);
    }
    body
}

/// The installation as events about other things name it.
pub(super) fn installation_lite(id: u64) -> Value {
    json!({"id": id, "node_id": node_id("Integration", &id.to_string())})
}

/// The few fields by which installations list their repositories.
pub(super) fn repositories(world: &World, ids: &BTreeSet<u64>) -> Value {
    ids.iter().filter_map(|id| world.repositories.get(id)).map(|r| short(&r.meta)).collect()
}

pub(super) fn short(repo: &Meta) -> Value {
    json!({
        "id": repo.id,
        "node_id": repo.node_id(),
        "name": repo.name,
        "full_name": repo.full_name(),
        "private": repo.private,
    })
}

/// A whole repository.
pub(super) fn repository(world: &World, urls: &Urls, repo: &Meta) -> Value {
    let mut body = view::repository(world, urls, repo, &Caller::Anonymous);
    body["custom_properties"] = json!({});
    body
}

/// The organization that an event happened in, if the account is one.
pub(super) fn organization(world: &World, urls: &Urls, account: u64) -> Option<Value> {
    let account = world.accounts.get(&account).filter(|account| account.is_organization())?;
    Some(organization_json(urls, account))
}
