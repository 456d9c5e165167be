//! Putting the items of a seed into the world.

mod repository;

use crate::http::jwt;
use crate::hub::Hub;
use crate::level::Level;
use crate::secrets::letters;
use crate::seed::{self, PatKind, Seed, SeedError};
use crate::world::{Account, AccountKind, App, Installation, Token, TokenKind, Webhook};
use std::collections::{BTreeMap, BTreeSet};

type Result<T> = std::result::Result<T, SeedError>;

fn wrong<T>(text: String) -> Result<T> {
    Err(SeedError(text))
}

impl Hub {
    /// Adds everything of a seed, in the order of its lists.
    pub fn plant(&self, seed: &Seed) -> Result<()> {
        for user in &seed.users {
            self.add_user(user)?;
        }
        for org in &seed.orgs {
            self.add_org(org)?;
        }
        for app in &seed.apps {
            self.add_app(app)?;
        }
        for repository in &seed.repositories {
            self.add_repository(repository)?;
        }
        for installation in &seed.installations {
            self.add_installation(installation)?;
        }
        for pat in &seed.pats {
            self.add_pat(pat)?;
        }
        let mut world = self.world();
        world.authorize_as.clone_from(&seed.authorize_as);
        world.secret_patterns.extend(seed.secret_patterns.iter().cloned());
        Ok(())
    }

    fn add_account(
        &self,
        id: Option<u64>,
        login: &str,
        address: Option<String>,
        kind: AccountKind,
    ) -> Result<u64> {
        let mut world = self.world();
        if login.is_empty() || world.account(login).is_some() {
            return wrong(format!("the login {login:?} is empty or taken"));
        }
        let id = world.claim_id(id);
        if world
            .accounts
            .insert(id, Account { id, login: login.to_owned(), address, kind })
            .is_some()
        {
            return wrong(format!("the account id {id} is taken"));
        }
        Ok(id)
    }

    pub fn add_user(&self, user: &seed::User) -> Result<u64> {
        self.add_account(user.id, &user.login, user.email.clone(), AccountKind::User)
    }

    pub fn add_org(&self, org: &seed::Org) -> Result<u64> {
        let mut members = BTreeMap::new();
        for member in &org.members {
            members.insert(self.account_id(&member.login)?, member.role);
        }
        let kind = AccountKind::Organization {
            members,
            saml_sso: org.saml_sso,
            pat_policy: org.pat_policy,
            base_permission: org.base_permission.unwrap_or(Level::Read),
        };
        self.add_account(org.id, &org.login, None, kind)
    }

    pub fn account_id(&self, login: &str) -> Result<u64> {
        let found = self.world().account(login).map(|account| account.id);
        found.ok_or_else(|| SeedError(format!("there is no account {login:?}")))
    }

    pub fn add_app(&self, app: &seed::App) -> Result<u64> {
        let owner_id = self.account_id(&app.owner)?;
        let mut public_keys = Vec::new();
        for pem in &app.public_key_pem {
            let key = jwt::public_key(pem);
            let problem = || SeedError(format!("a public key of the App {:?} is no PEM", app.slug));
            public_keys.push(key.ok_or_else(problem)?);
        }
        let bot = format!("{}[bot]", app.slug);
        let bot_id = self.add_account(None, &bot, None, AccountKind::Bot)?;
        let created_at = self.clock.seconds();
        let mut world = self.world();
        let id = world.claim_id(app.id);
        let webhook = app.webhook_url.as_ref().map(|url| Webhook {
            id: world.fresh_id(),
            url: url.clone(),
            secret: app.webhook_secret.clone(),
        });
        let client_id = app.client_id.clone().unwrap_or_else(|| format!("Iv23li{id:014}"));
        let stored = App {
            id,
            client_id,
            client_secret: app.client_secret.clone(),
            slug: app.slug.clone(),
            name: app.name.clone().unwrap_or_else(|| app.slug.clone()),
            owner_id,
            public_keys,
            permissions: app.permissions.clone(),
            callback_urls: app.callback_urls.clone(),
            setup_url: app.setup_url.clone(),
            user_tokens_expire: !app.user_tokens_never_expire && !app.oauth_app,
            oauth: app.oauth_app,
            request_oauth_on_install: app.request_oauth_on_install,
            setup_on_update: app.setup_on_update,
            homepage_url: app.homepage_url.clone(),
            webhook,
            events: app.events.clone().unwrap_or_else(|| vec!["repository".to_owned()]),
            bot_id,
            created_at,
        };
        if world.apps.insert(id, stored).is_some() {
            return wrong(format!("the App id {id} is taken"));
        }
        Ok(id)
    }

    pub fn add_installation(&self, seed: &seed::Installation) -> Result<u64> {
        let account_id = self.account_id(&seed.account)?;
        let now = self.clock.seconds();
        let mut world = self.world();
        let Some(app) = world.apps.get(&seed.app_id) else {
            return wrong(format!("there is no App {}", seed.app_id));
        };
        let permissions = seed.permissions.clone().unwrap_or_else(|| app.asked_of_accounts());
        let mut repositories = BTreeSet::new();
        for name in &seed.repositories {
            match world.repository(&seed.account, name) {
                Some(repository) => repositories.insert(repository.meta.id),
                None => return wrong(format!("there is no repository {}/{name}", seed.account)),
            };
        }
        let id = world.claim_id(seed.id);
        let installation = Installation {
            id,
            app_id: seed.app_id,
            account_id,
            selection: seed.repository_selection,
            repositories,
            permissions,
            suspended_at: seed.suspended.then_some(now),
            suspended_by: None,
            created_at: now,
            updated_at: now,
        };
        if world.installations.insert(id, installation).is_some() {
            return wrong(format!("the installation id {id} is taken"));
        }
        Ok(id)
    }

    /// Adds a token and returns its secret.
    pub fn add_pat(&self, pat: &seed::Pat) -> Result<String> {
        let user_id = self.account_id(&pat.owner)?;
        let resource_owner = pat.resource_owner.as_deref().unwrap_or(&pat.owner);
        let owner_id = self.account_id(resource_owner)?;
        let now = self.clock.seconds();
        let mut world = self.world();
        let prefix = match pat.kind {
            PatKind::Classic => format!("ghp_{}", letters(36)),
            PatKind::FineGrained => format!("github_pat_{}_{}", letters(22), letters(59)),
        };
        let secret = pat.token.clone().unwrap_or(prefix);
        let kind = match pat.kind {
            PatKind::Classic => TokenKind::Classic {
                user_id,
                scopes: pat.scopes.clone(),
                sso_authorized: pat.sso_authorized,
            },
            PatKind::FineGrained => {
                let mut ids = BTreeSet::new();
                for name in pat.repositories.iter().flatten() {
                    match world.repository(resource_owner, name) {
                        Some(repository) => ids.insert(repository.meta.id),
                        None => {
                            return wrong(format!(
                                "there is no repository {resource_owner}/{name}"
                            ));
                        }
                    };
                }
                let repositories = pat.repositories.as_ref().map(|_| ids);
                TokenKind::FineGrained {
                    user_id,
                    owner_id,
                    repositories,
                    permissions: pat.permissions.clone(),
                    pending: pat.pending_approval,
                }
            }
        };
        let id = world.fresh_id();
        let expires_at = pat.expires_at.map(|end| end.unix_timestamp());
        let token = Token { id, kind, expires_at, usable_from: now.min(0), refusals_left: 0 };
        if world.tokens.insert(secret.clone(), token).is_some() {
            return wrong("two tokens have the same secret".to_owned());
        }
        Ok(secret)
    }

    /// Notes that a repository was pushed to.
    pub fn pushed(&self, id: u64) {
        let now = self.clock.seconds();
        if let Some(repository) = self.world().repositories.get_mut(&id) {
            repository.meta.pushed_at = now;
        }
    }
}
