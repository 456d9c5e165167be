//! What people do with installations and accounts, without the pages. Apps are told by webhook.

use std::collections::{BTreeMap, BTreeSet};

use super::Sim;
use crate::change::NewInstallation;
use crate::http::jwt::public_key;
use crate::level::Level;
use crate::seed::Selection;
use crate::world::World;

/// Installations.
impl Sim {
    /// Installs an App on an account as `by`, on the named repositories (without owner) or on all.
    pub fn install(
        &self,
        app_id: u64,
        account: &str,
        repositories: Option<&[&str]>,
        by: &str,
    ) -> u64 {
        let new = self.wanted(app_id, account, repositories, by);
        let id = self.hub.install(new);
        id.unwrap_or_else(|| panic!("the App {app_id} is unknown, or installed on {account}"))
    }

    /// Asks an organization's owners to install an App, as the member `by`; returns the request's id.
    pub fn request_installation(
        &self,
        app_id: u64,
        account: &str,
        repositories: Option<&[&str]>,
        by: &str,
    ) -> u64 {
        self.hub.request_installation(self.wanted(app_id, account, repositories, by))
    }

    /// The ids of the requests that no owner has answered.
    pub fn installation_requests(&self) -> Vec<u64> {
        self.hub.world().requests.keys().copied().collect()
    }

    /// Installs what a member asked for, as the owner `by`; returns the installation.
    pub fn approve_request(&self, request: u64, by: &str) -> u64 {
        let by = account(&self.hub.world(), by);
        let id = self.hub.approve_request(request, by);
        id.unwrap_or_else(|| panic!("there is no request {request}, or the App is installed"))
    }

    fn wanted(
        &self,
        app_id: u64,
        login: &str,
        repositories: Option<&[&str]>,
        by: &str,
    ) -> NewInstallation {
        let world = self.hub.world();
        let account_id = account(&world, login);
        NewInstallation {
            app_id,
            account_id,
            selection: if repositories.is_some() { Selection::Selected } else { Selection::All },
            repositories: named(&world, login, repositories.unwrap_or_default()),
            by: account(&world, by),
            requester: None,
        }
    }

    /// Narrows an installation to the named repositories (without owner) of its account.
    pub fn set_repositories(&self, installation: u64, repositories: &[&str]) {
        let by = self.owner_of_installation(installation);
        let ids = {
            let world = self.hub.world();
            let on = world.installations.get(&installation).map_or(0, |i| i.account_id);
            let login = world.accounts.get(&on).map(|a| a.login.clone()).unwrap_or_default();
            named(&world, &login, repositories)
        };
        self.hub.set_repositories(installation, Selection::Selected, ids, by);
    }

    /// Widens an installation to all repositories of its account.
    pub fn select_all_repositories(&self, installation: u64) {
        let by = self.owner_of_installation(installation);
        self.hub.set_repositories(installation, Selection::All, BTreeSet::new(), by);
    }

    /// Suspends an installation.
    pub fn suspend(&self, installation: u64) {
        let by = self.owner_of_installation(installation);
        self.hub.set_suspended(installation, true, by);
    }

    /// Ends the suspension of an installation.
    pub fn unsuspend(&self, installation: u64) {
        let by = self.owner_of_installation(installation);
        self.hub.set_suspended(installation, false, by);
    }

    /// Takes an installation away, with its tokens.
    pub fn uninstall(&self, installation: u64) {
        let by = self.owner_of_installation(installation);
        self.hub.uninstall(installation, by);
    }

    /// Changes where an App's people are sent: after authorizing, and after installing.
    pub fn set_app_urls(&self, app_id: u64, callbacks: &[&str], setup: Option<&str>) {
        let mut world = self.hub.world();
        let app = world.apps.get_mut(&app_id);
        let app = app.unwrap_or_else(|| panic!("there is no App {app_id}"));
        app.callback_urls = callbacks.iter().map(|&url| url.to_owned()).collect();
        app.setup_url = setup.map(str::to_owned);
    }

    /// Replaces an App's public keys (PEM): a private key is generated, or deleted, on its settings page.
    pub fn set_app_keys(&self, app_id: u64, public_key_pem: &[&str]) {
        let read = |pem: &&str| public_key(pem).unwrap_or_else(|| panic!("{pem:?} is no PEM"));
        let keys = public_key_pem.iter().map(read).collect();
        let mut world = self.hub.world();
        let app = world.apps.get_mut(&app_id);
        let app = app.unwrap_or_else(|| panic!("there is no App {app_id}"));
        app.public_keys = keys;
    }

    /// Changes what an App asks for. Installations keep what they have until their owners accept.
    pub fn set_app_permissions(
        &self,
        app_id: u64,
        permissions: impl IntoIterator<Item = (&'static str, Level)>,
    ) {
        let mut world = self.hub.world();
        let app = world.apps.get_mut(&app_id);
        let app = app.unwrap_or_else(|| panic!("there is no App {app_id}"));
        app.permissions = owned(permissions);
    }

    /// Changes what an installation was granted. Tokens already minted keep what they have.
    pub fn set_installation_permissions(
        &self,
        installation: u64,
        permissions: impl IntoIterator<Item = (&'static str, Level)>,
    ) {
        let by = self.owner_of_installation(installation);
        self.hub.accept_permissions(installation, owned(permissions), by);
    }

    fn owner_of_installation(&self, id: u64) -> u64 {
        let world = self.hub.world();
        let installation = world.installations.get(&id);
        let on = installation.unwrap_or_else(|| panic!("there is no installation {id}"));
        world.owner_of(on.account_id)
    }
}

/// Accounts.
impl Sim {
    /// Renames a user or an organization.
    pub fn rename_account(&self, login: &str, new: &str) {
        let (id, by) = {
            let world = self.hub.world();
            let id = account(&world, login);
            (id, world.owner_of(id))
        };
        assert!(self.hub.rename_account(id, new, by), "the login {new} is taken");
    }

    /// Takes back what a user authorized an App for, with the user's tokens of it.
    pub fn revoke_authorization(&self, app_id: u64, login: &str) {
        let user = account(&self.hub.world(), login);
        self.hub.revoke_authorization(app_id, user);
    }
}

fn account(world: &World, login: &str) -> u64 {
    world.account(login).unwrap_or_else(|| panic!("there is no account {login}")).id
}

fn named(world: &World, owner: &str, names: &[&str]) -> BTreeSet<u64> {
    let find = |name: &&str| {
        let found = world.repository(owner, name);
        found.unwrap_or_else(|| panic!("there is no repository {owner}/{name}")).meta.id
    };
    names.iter().map(find).collect()
}

fn owned(permissions: impl IntoIterator<Item = (&'static str, Level)>) -> BTreeMap<String, Level> {
    permissions.into_iter().map(|(name, level)| (name.to_owned(), level)).collect()
}
