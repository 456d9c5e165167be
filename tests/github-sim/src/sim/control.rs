//! Changing GitHub's ways and tokens while the simulator runs.

use std::time::Duration;

use super::Sim;
use crate::fault::Fault;
use crate::http;
use crate::secrets::TokenFormat;
use crate::web;
use crate::world::{Caller, ReplicationLag, TokenKind};

/// Faults and the ways of GitHub.
impl Sim {
    /// Lets a fault wait for its requests.
    pub fn fault(&self, fault: Fault) {
        self.hub.faults.add(fault);
    }

    /// Takes all faults back.
    pub fn clear_faults(&self) {
        self.hub.faults.clear();
    }

    /// Refuses fresh installation tokens at first.
    pub fn set_replication_lag(&self, lag: ReplicationLag) {
        self.hub.world().lag = lag;
    }

    /// Sets GitHub's clock ahead of the simulator's (behind it, when negative), in seconds.
    pub fn set_date_skew(&self, seconds: i64) {
        self.hub.world().skew = seconds;
    }

    /// Sets the format of the installation tokens minted from now on.
    pub fn set_token_format(&self, format: TokenFormat) {
        self.hub.world().token_format = format;
    }

    /// Answers 404 on `/graphql` from now on.
    pub fn disable_graphql(&self) {
        self.hub.world().graphql_disabled = true;
    }

    /// Takes a mutation out of the schema, as on a host that does not have it.
    pub fn disable_mutation(&self, name: &str) {
        self.hub.world().disabled_mutations.insert(name.to_owned());
    }

    /// Lets `duration` of the simulator's time pass.
    pub fn advance(&self, duration: Duration) {
        self.hub.clock.advance(duration);
    }

    /// Lets push protection take a text for a secret.
    pub fn block_secret(&self, pattern: &str) {
        self.hub.world().secret_patterns.push(pattern.to_owned());
    }

    /// Lets a user keep an address private and block pushes that publish it.
    pub fn keep_email_private(&self, login: &str, email: &str) {
        let mut world = self.hub.world();
        let user = world.account(login).unwrap_or_else(|| panic!("there is no user {login}")).id;
        world.private_emails.insert(user, email.to_owned());
    }
}

/// Tokens.
impl Sim {
    /// Makes a token of any kind worthless.
    pub fn revoke_token(&self, secret: &str) {
        self.hub.world().drop_user_token(secret);
    }

    /// Makes a personal access token worthless.
    pub fn revoke_pat(&self, secret: &str) {
        self.revoke_token(secret);
    }

    /// Signs a person in without the page, and returns the `Cookie` header of a browser.
    pub fn sign_in(&self, login: &str) -> String {
        let mut world = self.hub.world();
        let user = world.account(login).unwrap_or_else(|| panic!("there is no user {login}")).id;
        web::sign_in(&mut world, user)
    }

    /// Lets an organization approve a fine-grained token that waited for it.
    pub fn approve_pat(&self, secret: &str) {
        let mut world = self.hub.world();
        let token = world.tokens.get_mut(secret).map(|token| &mut token.kind);
        let Some(TokenKind::FineGrained { pending, .. }) = token else {
            panic!("there is no such fine-grained token");
        };
        *pending = false;
    }

    /// Gives out a user token of an App (`ghu_`; `gho_` without scopes of an OAuth App) without the pages.
    pub fn user_token(&self, app_id: u64, login: &str) -> String {
        let mut world = self.hub.world();
        let user = world.account(login).unwrap_or_else(|| panic!("there is no user {login}")).id;
        let app = world.apps.get(&app_id).cloned();
        let app = app.unwrap_or_else(|| panic!("there is no App {app_id}"));
        let issued = web::issue(&mut world, &app, user, Vec::new(), self.hub.clock.seconds());
        issued["access_token"].as_str().unwrap_or_default().to_owned()
    }

    /// How many installation tokens work now.
    pub fn live_installation_tokens(&self) -> usize {
        let now = self.hub.github_time();
        let world = self.hub.world();
        let live = world.tokens.values().filter(|token| {
            matches!(token.kind, TokenKind::Installation { .. }) && !token.expired(now)
        });
        live.count()
    }

    /// How many tokens of users by OAuth work now, those to renew them with too.
    pub fn live_user_tokens(&self) -> usize {
        let now = self.hub.github_time();
        let world = self.hub.world();
        let live = world.tokens.values().filter(|token| {
            let of_user =
                matches!(token.kind, TokenKind::UserToServer { .. } | TokenKind::Refresh { .. });
            of_user && !token.expired(now)
        });
        live.count()
    }

    /// Whether a token, by its secret, is accepted now; no request is made or counted.
    pub fn accepts(&self, secret: &str) -> bool {
        let now = self.hub.github_time();
        let accepted = http::token(&mut self.hub.world(), secret, now);
        matches!(accepted, Ok(Caller::Token(_)))
    }
}
