//! What happens to repositories. The installations that cover one are told.

use serde_json::{Value, json};

use super::payload;
use crate::hooks::Event;
use crate::hub::Hub;
use crate::seed::SeedError;
use crate::world::{Installation, Meta, World};

impl Hub {
    /// Gives a repository another owner or name; the old name leads to it from now on.
    ///
    /// # Errors
    /// When the owner or the repository is unknown, or the name is taken there.
    pub fn move_repository(
        &self,
        id: u64,
        owner: &str,
        name: &str,
        by: Option<u64>,
    ) -> Result<(), SeedError> {
        let owner_id = self.account_id(owner)?;
        let mut world = self.world();
        if world.repository(owner, name).is_some_and(|other| other.meta.id != id) {
            return Err(SeedError(format!("{owner}/{name} is taken")));
        }
        let owner = world.accounts.get(&owner_id).map(|a| a.login.clone()).unwrap_or_default();
        let Some(repository) = world.repositories.get_mut(&id) else {
            return Err(SeedError(format!("there is no repository {id}")));
        };
        let old = repository.meta.clone();
        repository.old_names.insert(old.full_name().to_lowercase());
        repository.meta.owner_id = owner_id;
        repository.meta.owner = owner;
        repository.meta.name = name.to_owned();
        let new = repository.meta.clone();
        let by = by.unwrap_or_else(|| world.owner_of(old.owner_id));
        if old.owner_id == owner_id {
            let changes = json!({"repository": {"name": {"from": old.name}}});
            self.tell_repository(&mut world, &new, "renamed", Some(changes), by);
        } else {
            self.transferred(&mut world, &old, &new, by);
        }
        Ok(())
    }

    /// The installations of the former owner lose the repository, those of the new one may get it.
    fn transferred(&self, world: &mut World, old: &Meta, new: &Meta, by: u64) {
        for installation in covering(world, old) {
            if let Some(kept) = world.installations.get_mut(&installation.id) {
                kept.repositories.remove(&old.id);
            }
            let removed = json!([payload::short(old)]);
            self.tell_repositories(world, &installation, "removed", json!([]), removed, by);
        }
        for installation in covering(world, new) {
            let added = json!([payload::short(new)]);
            self.tell_repositories(world, &installation, "added", added, json!([]), by);
        }
        let former = payload::sender(world, &self.urls, old.owner_id);
        let organization = payload::organization(world, &self.urls, old.owner_id);
        let from = match organization {
            Some(organization) => json!({"organization": organization}),
            None => json!({"user": former}),
        };
        let changes = json!({"owner": {"from": from}});
        self.tell_repository(world, new, "transferred", Some(changes), by);
    }

    /// Tells of a repository that was just made, which some installations now cover.
    pub fn repository_made(&self, world: &mut World, repo: &Meta, by: u64) {
        for installation in covering(world, repo) {
            let added = json!([payload::short(repo)]);
            self.tell_repositories(world, &installation, "added", added, json!([]), by);
        }
        self.tell_repository(world, repo, "created", None, by);
    }

    /// Puts a repository into the archive, or takes it out.
    pub fn set_archived(&self, id: u64, archived: bool, by: u64) {
        let mut world = self.world();
        let Some(repository) = world.repositories.get_mut(&id) else { return };
        if repository.meta.archived == archived {
            return;
        }
        repository.meta.archived = archived;
        let repo = repository.meta.clone();
        let action = if archived { "archived" } else { "unarchived" };
        self.tell_repository(&mut world, &repo, action, None, by);
    }

    /// Takes a repository away.
    pub fn delete_repository(&self, id: u64, by: u64) {
        let mut world = self.world();
        let Some(repo) = world.repositories.get(&id).map(|r| r.meta.clone()) else { return };
        self.tell_repository(&mut world, &repo, "deleted", None, by);
        for installation in covering(&world, &repo) {
            if let Some(kept) = world.installations.get_mut(&installation.id) {
                kept.repositories.remove(&id);
            }
            let removed = json!([payload::short(&repo)]);
            self.tell_repositories(&mut world, &installation, "removed", json!([]), removed, by);
        }
        world.repositories.remove(&id);
    }

    /// `repository`, to the Apps that subscribed to it and cover the repository.
    fn tell_repository(
        &self,
        world: &mut World,
        repo: &Meta,
        action: &str,
        changes: Option<Value>,
        by: u64,
    ) {
        let mut body = json!({
            "action": action,
            "repository": payload::repository(world, &self.urls, repo),
            "sender": payload::sender(world, &self.urls, by),
        });
        if let Some(changes) = changes {
            body["changes"] = changes;
        }
        if let Some(organization) = payload::organization(world, &self.urls, repo.owner_id) {
            body["organization"] = organization;
        }
        for installation in covering(world, repo) {
            let app = world.apps.get(&installation.app_id);
            let subscribed =
                app.is_some_and(|app| app.events.iter().any(|event| event == "repository"));
            if !subscribed || installation.suspended_at.is_some() {
                continue;
            }
            let mut payload = body.clone();
            payload["installation"] = payload::installation_lite(installation.id);
            self.announce(
                world,
                Event {
                    app_id: installation.app_id,
                    name: "repository",
                    payload,
                    installation_id: Some(installation.id),
                    repository_id: Some(repo.id),
                },
            );
        }
    }
}

/// The installations that cover a repository as it is described.
fn covering(world: &World, repo: &Meta) -> Vec<Installation> {
    let all = world.installations.values();
    all.filter(|i| i.covers(repo.id, repo.owner_id)).cloned().collect()
}
