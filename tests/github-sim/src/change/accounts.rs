//! What happens to accounts, and to what people authorized.

use serde_json::json;

use super::payload;
use crate::hooks::Event;
use crate::hub::Hub;
use crate::world::Installation;

impl Hub {
    /// Renames an account; its repositories are found by their old names too. Returns whether it could be.
    pub fn rename_account(&self, id: u64, login: &str, by: u64) -> bool {
        let mut world = self.world();
        if world.account(login).is_some_and(|other| other.id != id) {
            return false;
        }
        let Some(account) = world.accounts.get_mut(&id) else { return false };
        let old = std::mem::replace(&mut account.login, login.to_owned());
        let (account, kind) = (account.json(&self.urls), account.type_name());
        for repository in world.repositories.values_mut().filter(|r| r.meta.owner_id == id) {
            repository.old_names.insert(repository.meta.full_name().to_lowercase());
            repository.meta.owner = login.to_owned();
        }
        let on_it = |i: &&Installation| i.account_id == id;
        let installations: Vec<_> =
            world.installations.values().filter(on_it).map(|i| (i.id, i.app_id)).collect();
        for (installation, app_id) in installations {
            let mut body = json!({
                "action": "renamed",
                "account": account,
                "changes": {"login": {"from": old}},
                "installation": payload::installation_lite(installation),
                "target_type": kind,
                "sender": payload::sender(&world, &self.urls, by),
            });
            if let Some(organization) = payload::organization(&world, &self.urls, id) {
                body["organization"] = organization;
            }
            self.announce(
                &mut world,
                Event {
                    app_id,
                    name: "installation_target",
                    payload: body,
                    installation_id: Some(installation),
                    repository_id: None,
                },
            );
        }
        true
    }

    /// Takes back what a user authorized an App for; the App is told if there was anything.
    pub fn revoke_authorization(&self, app_id: u64, user: u64) {
        let mut world = self.world();
        if !world.revoke_authorization(user, app_id) {
            return;
        }
        let sender = payload::sender(&world, &self.urls, user);
        self.announce(
            &mut world,
            Event {
                app_id,
                name: "github_app_authorization",
                payload: json!({"action": "revoked", "sender": sender}),
                installation_id: None,
                repository_id: None,
            },
        );
    }
}
