//! GitHub Apps and their installations.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{Account, World};
use crate::clock::iso;
use crate::level::{Level, USER_PERMISSIONS};
use crate::seed::Selection;
use crate::urls::{Urls, node_id};

/// A GitHub App.
#[derive(Clone, Debug)]
pub(crate) struct App {
    pub id: u64,
    pub client_id: String,
    pub client_secret: String,
    pub slug: String,
    pub name: String,
    pub owner_id: u64,
    /// Public keys in DER.
    pub public_keys: Vec<Vec<u8>>,
    pub permissions: BTreeMap<String, Level>,
    pub callback_urls: Vec<String>,
    pub setup_url: Option<String>,
    pub user_tokens_expire: bool,
    /// Whether it is an OAuth App, which has user tokens only.
    pub oauth: bool,
    pub request_oauth_on_install: bool,
    pub setup_on_update: bool,
    pub homepage_url: Option<String>,
    pub webhook: Option<Webhook>,
    /// The events it subscribed to, beside those that every App gets.
    pub events: Vec<String>,
    /// The account as which its installations act.
    pub bot_id: u64,
    pub created_at: i64,
}

/// Where an App wants to be told what happens.
#[derive(Clone, Debug)]
pub(crate) struct Webhook {
    pub id: u64,
    pub url: String,
    /// Empty when deliveries are not signed.
    pub secret: String,
}

/// An App on an account.
#[derive(Clone, Debug)]
pub(crate) struct Installation {
    pub id: u64,
    pub app_id: u64,
    pub account_id: u64,
    pub selection: Selection,
    /// Used when the selection is `selected`.
    pub repositories: BTreeSet<u64>,
    pub permissions: BTreeMap<String, Level>,
    pub suspended_at: Option<i64>,
    pub suspended_by: Option<u64>,
    pub created_at: i64,
    pub updated_at: i64,
}

/// A member's wish that an owner of the organization installs an App.
#[derive(Clone, Debug)]
pub(crate) struct InstallationRequest {
    pub id: u64,
    pub app_id: u64,
    pub account_id: u64,
    pub requester_id: u64,
    pub selection: Selection,
    pub repositories: BTreeSet<u64>,
    pub created_at: i64,
}

/// A code that the OAuth redirect carries; it works once.
#[derive(Clone, Debug)]
pub(crate) struct OAuthCode {
    pub app_id: u64,
    pub user_id: u64,
    /// Where the browser was sent.
    pub redirect_uri: String,
    /// The scopes that an OAuth App asked for.
    pub scopes: Vec<String>,
    /// The S256 challenge of PKCE.
    pub challenge: Option<String>,
    pub expires_at: i64,
}

impl Installation {
    /// Whether the installation covers a repository of that id and owner.
    pub fn covers(&self, repository: u64, owner: u64) -> bool {
        self.account_id == owner
            && (self.selection == Selection::All || self.repositories.contains(&repository))
    }

    pub fn selection_word(&self) -> &'static str {
        match self.selection {
            Selection::All => "all",
            Selection::Selected => "selected",
        }
    }

    /// The page on which its owner configures it.
    pub fn page(&self, world: &World, urls: &Urls) -> String {
        match world.accounts.get(&self.account_id).filter(|a| a.is_organization()) {
            Some(org) => {
                let login = &org.login;
                format!("{}/organizations/{login}/settings/installations/{}", urls.web, self.id)
            }
            None => format!("{}/settings/installations/{}", urls.web, self.id),
        }
    }

    /// GitHub's `installation`.
    pub fn json(&self, world: &World, urls: &Urls) -> Value {
        let account = world.accounts.get(&self.account_id);
        let app = world.apps.get(&self.app_id);
        let suspended_by = self.suspended_by.and_then(|id| world.accounts.get(&id));
        json!({
            "id": self.id,
            "client_id": app.map(|a| a.client_id.clone()),
            "account": account.map(|a| a.json(urls)),
            "repository_selection": self.selection_word(),
            "access_tokens_url": format!("{}/app/installations/{}/access_tokens", urls.api, self.id),
            "repositories_url": format!("{}/installation/repositories", urls.api),
            "html_url": self.page(world, urls),
            "app_id": self.app_id,
            "app_slug": app.map_or("", |a| a.slug.as_str()),
            "target_id": self.account_id,
            "target_type": account.map_or("User", Account::type_name),
            "permissions": self.permissions,
            "events": app.map(|a| a.events.clone()).unwrap_or_default(),
            "created_at": iso(self.created_at),
            "updated_at": iso(self.updated_at),
            "single_file_name": null,
            "has_multiple_single_files": false,
            "single_file_paths": [],
            "suspended_by": suspended_by.map(|a| a.json(urls)),
            "suspended_at": self.suspended_at.map(iso),
        })
    }
}

impl App {
    /// The permissions that an account grants by installing it; the rest are granted by each user.
    pub fn asked_of_accounts(&self) -> BTreeMap<String, Level> {
        let all = self.permissions.iter();
        let of_accounts = all.filter(|(name, _)| !USER_PERMISSIONS.contains(&name.as_str()));
        of_accounts.map(|(name, level)| (name.clone(), *level)).collect()
    }

    /// GitHub's `integration`.
    pub fn json(&self, world: &World, urls: &Urls) -> Value {
        let installations = world.installations.values().filter(|i| i.app_id == self.id).count();
        json!({
            "id": self.id,
            "slug": self.slug,
            "node_id": node_id("App", &self.id.to_string()),
            "client_id": self.client_id,
            "owner": world.accounts.get(&self.owner_id).map(|a| a.json(urls)),
            "name": self.name,
            "description": null,
            "external_url": self.homepage_url.as_ref().unwrap_or(&urls.web),
            "html_url": format!("{}/github-apps/{}", urls.web, self.slug),
            "created_at": iso(self.created_at),
            "updated_at": iso(self.created_at),
            "permissions": self.permissions,
            "events": self.events,
            "installations_count": installations,
        })
    }
}
