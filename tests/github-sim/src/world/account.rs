//! Users, organizations and the bot users of Apps.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::http::encode;
use crate::level::Level;
use crate::seed::{PatPolicy, Role};
use crate::urls::Urls;

/// What an account is, with what only that kind has.
#[derive(Clone, Debug)]
pub(crate) enum AccountKind {
    User,
    /// The user as whom an App acts.
    Bot,
    Organization {
        /// Roles by user id.
        members: BTreeMap<u64, Role>,
        saml_sso: bool,
        pat_policy: PatPolicy,
        base_permission: Level,
    },
}

/// An account that can own repositories or act.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    pub id: u64,
    pub login: String,
    /// The address that a person has given.
    pub address: Option<String>,
    pub kind: AccountKind,
}

impl Account {
    /// GitHub's word for the kind.
    pub fn type_name(&self) -> &'static str {
        match self.kind {
            AccountKind::User => "User",
            AccountKind::Bot => "Bot",
            AccountKind::Organization { .. } => "Organization",
        }
    }

    pub fn is_organization(&self) -> bool {
        matches!(self.kind, AccountKind::Organization { .. })
    }

    /// The role of a user in this organization.
    pub fn role_of(&self, user: u64) -> Option<Role> {
        match &self.kind {
            AccountKind::Organization { members, .. } => members.get(&user).copied(),
            AccountKind::User | AccountKind::Bot => None,
        }
    }

    /// The address GitHub gives an account that hides its own.
    pub fn email(&self) -> String {
        format!("{}+{}@users.noreply.github.com", self.id, self.login)
    }

    pub fn node_id(&self) -> String {
        crate::urls::node_id(self.type_name(), &self.id.to_string())
    }

    /// GitHub's `simple-user`.
    pub fn json(&self, urls: &Urls) -> Value {
        // The brackets of a bot's login may not stand in an address.
        let login = encode(&self.login);
        let api = format!("{}/users/{login}", urls.api);
        let page = match self.kind {
            AccountKind::Bot => {
                format!("{}/apps/{}", urls.web, self.login.trim_end_matches("[bot]"))
            }
            AccountKind::User | AccountKind::Organization { .. } => format!("{}/{login}", urls.web),
        };
        json!({
            "login": self.login,
            "id": self.id,
            "node_id": self.node_id(),
            "avatar_url": format!("{}/avatars/u/{}", urls.web, self.id),
            "gravatar_id": "",
            "url": api,
            "html_url": page,
            "followers_url": format!("{api}/followers"),
            "following_url": format!("{api}/following{{/other_user}}"),
            "gists_url": format!("{api}/gists{{/gist_id}}"),
            "starred_url": format!("{api}/starred{{/owner}}{{/repo}}"),
            "subscriptions_url": format!("{api}/subscriptions"),
            "organizations_url": format!("{api}/orgs"),
            "repos_url": format!("{api}/repos"),
            "events_url": format!("{api}/events{{/privacy}}"),
            "received_events_url": format!("{api}/received_events"),
            "type": self.type_name(),
            "user_view_type": "public",
            "site_admin": false,
        })
    }
}
