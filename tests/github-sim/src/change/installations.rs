//! What happens to installations.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::payload;
use crate::hooks::Event;
use crate::hub::Hub;
use crate::level::Level;
use crate::seed::Selection;
use crate::world::{Installation, InstallationRequest, World};

/// An installation that a person makes.
#[derive(Clone, Debug)]
pub(crate) struct NewInstallation {
    pub app_id: u64,
    pub account_id: u64,
    pub selection: Selection,
    /// Used when the selection is `selected`.
    pub repositories: BTreeSet<u64>,
    /// Whoever installs.
    pub by: u64,
    /// The member who had asked for it.
    pub requester: Option<u64>,
}

impl Hub {
    /// Installs an App with the permissions that it asks for; nothing if it is installed there already.
    pub fn install(&self, new: NewInstallation) -> Option<u64> {
        let now = self.clock.seconds();
        let mut world = self.world();
        let permissions = world.apps.get(&new.app_id)?.asked_of_accounts();
        if world.installed(new.app_id, new.account_id).is_some() {
            return None;
        }
        let id = world.fresh_id();
        let installation = Installation {
            id,
            app_id: new.app_id,
            account_id: new.account_id,
            selection: new.selection,
            repositories: new.repositories,
            permissions,
            suspended_at: None,
            suspended_by: None,
            created_at: now,
            updated_at: now,
        };
        world.installations.insert(id, installation.clone());
        world.requests.retain(|_, r| (r.app_id, r.account_id) != (new.app_id, new.account_id));
        self.tell(&mut world, &installation, "created", new.by, new.requester);
        Some(id)
    }

    /// Notes that a member wants an App to be installed, and returns the request's id. Asking again
    /// replaces what was asked before.
    pub fn request_installation(&self, new: NewInstallation) -> u64 {
        let mut world = self.world();
        let id = world.fresh_id();
        let request = InstallationRequest {
            id,
            app_id: new.app_id,
            account_id: new.account_id,
            requester_id: new.by,
            selection: new.selection,
            repositories: new.repositories,
            created_at: self.clock.seconds(),
        };
        world.requests.retain(|_, old| {
            (old.app_id, old.account_id, old.requester_id)
                != (request.app_id, request.account_id, request.requester_id)
        });
        world.requests.insert(id, request);
        id
    }

    /// Installs what a member asked for; nothing if there is no such request.
    pub fn approve_request(&self, id: u64, by: u64) -> Option<u64> {
        let request = self.world().requests.remove(&id)?;
        self.install(NewInstallation {
            app_id: request.app_id,
            account_id: request.account_id,
            selection: request.selection,
            repositories: request.repositories,
            by,
            requester: Some(request.requester_id),
        })
    }

    /// Takes an installation away, with its tokens.
    pub fn uninstall(&self, id: u64, by: u64) {
        let mut world = self.world();
        let Some(installation) = world.installations.get(&id).cloned() else { return };
        // The payload lists the repositories that it had.
        self.tell(&mut world, &installation, "deleted", by, None);
        world.uninstall(id);
    }

    /// Suspends an installation, or ends that. What is so already stays as it is.
    pub fn set_suspended(&self, id: u64, suspended: bool, by: u64) {
        let now = self.clock.seconds();
        let mut world = self.world();
        let Some(installation) = world.installations.get_mut(&id) else { return };
        if installation.suspended_at.is_some() == suspended {
            return;
        }
        installation.suspended_at = suspended.then_some(now);
        installation.suspended_by = suspended.then_some(by);
        installation.updated_at = now;
        let installation = installation.clone();
        let action = if suspended { "suspend" } else { "unsuspend" };
        self.tell(&mut world, &installation, action, by, None);
    }

    /// Changes what an installation was granted. Tokens already minted keep what they have.
    pub fn accept_permissions(&self, id: u64, granted: BTreeMap<String, Level>, by: u64) {
        let mut world = self.world();
        let Some(installation) = world.installations.get_mut(&id) else { return };
        installation.permissions = granted;
        installation.updated_at = self.clock.seconds();
        let installation = installation.clone();
        self.tell(&mut world, &installation, "new_permissions_accepted", by, None);
    }

    /// Changes which repositories an installation covers.
    pub fn set_repositories(&self, id: u64, selection: Selection, ids: BTreeSet<u64>, by: u64) {
        let mut world = self.world();
        let Some(old) = world.installations.get(&id).cloned() else { return };
        let before = world.covered(&old);
        let mut new = old;
        new.selection = selection;
        new.repositories = ids;
        new.updated_at = self.clock.seconds();
        world.installations.insert(id, new.clone());
        let after = world.covered(&new);
        let added: BTreeSet<u64> = after.difference(&before).copied().collect();
        let removed: BTreeSet<u64> = before.difference(&after).copied().collect();
        let added = payload::repositories(&world, &added);
        let removed = payload::repositories(&world, &removed);
        for (action, added, removed) in
            [("added", added, json!([])), ("removed", json!([]), removed)]
        {
            if added != json!([]) || removed != json!([]) {
                self.tell_repositories(&mut world, &new, action, added, removed, by);
            }
        }
    }

    fn tell(
        &self,
        world: &mut World,
        installation: &Installation,
        action: &str,
        by: u64,
        requester: Option<u64>,
    ) {
        let mut body = json!({
            "action": action,
            "installation": payload::installation(world, &self.urls, installation, action),
            "sender": payload::sender(world, &self.urls, by),
        });
        if !matches!(action, "suspend" | "unsuspend") {
            body["repositories"] = payload::repositories(world, &world.covered(installation));
            body["requester"] =
                requester.map_or(json!(null), |id| payload::sender(world, &self.urls, id));
        }
        self.announce(
            world,
            Event {
                app_id: installation.app_id,
                name: "installation",
                payload: body,
                installation_id: Some(installation.id),
                repository_id: None,
            },
        );
    }

    /// `installation_repositories`, unless the installation is suspended.
    pub(super) fn tell_repositories(
        &self,
        world: &mut World,
        installation: &Installation,
        action: &str,
        added: serde_json::Value,
        removed: serde_json::Value,
        by: u64,
    ) {
        // A suspended App hears of nothing but the end of that.
        if installation.suspended_at.is_some() {
            return;
        }
        let body = json!({
            "action": action,
            "installation": payload::installation(world, &self.urls, installation, action),
            "repository_selection": installation.selection_word(),
            "repositories_added": added,
            "repositories_removed": removed,
            "requester": null,
            "sender": payload::sender(world, &self.urls, by),
        });
        self.announce(
            world,
            Event {
                app_id: installation.app_id,
                name: "installation_repositories",
                payload: body,
                installation_id: Some(installation.id),
                repository_id: None,
            },
        );
    }
}
