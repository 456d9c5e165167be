//! Several Apps and hosts in one process: an account is at one of them, and nothing of it is ever asked of another one.
//!
//! The worlds here have three sites: the default one, `ghes` (another host, with the same ids), and `second` (another App on the host
//! of the default one).

mod browsers;
mod homes;
mod known;
mod serving;
mod webhooks;

use std::{collections::BTreeMap, net::Ipv4Addr};

use ghbroker::{
    auth::WebhookSecrets,
    config::{self, Config},
    domain::Token,
    github::{AppIdentity, OAuthClient},
    proto::*,
};
use github_sim::{Credential, Options, Sim, SimClock, seed};

use crate::harness::{APP_CLIENT_SECRET, INSTALLATION, REPO, Urls, World, portal::CALLBACK, seed};

const GHES: &str = "ghes";
const SECOND: &str = "second";
/// Accounts, each at home at one site.
const AT_DEFAULT: &str = "at-default";
const AT_GHES: &str = "at-ghes";
const AT_SECOND: &str = "at-second";
/// The other host's App, and the other App of the first host.
const GHES_APP: u64 = 5;
const GHES_CLIENT: &str = "Iv1.ghes";
const SECOND_APP: u64 = 78;
const SECOND_CLIENT: &str = "Iv23testClientId0002";
const SECOND_INSTALLATION: i64 = 4712;

/// A world, and the other host.
struct Sites {
    world: World,
    ghes: Sim,
}

/// An Enterprise Server whose ids are those of the other host, but for the App's.
async fn enterprise() -> Sim {
    let mut seed = two_apps();
    (seed.apps[0].id, seed.apps[0].client_id) = (Some(GHES_APP), Some(GHES_CLIENT.into()));
    seed.installations[0].app_id = GHES_APP;
    // The same loopback: what tells hosts apart is their name.
    let listen = (Ipv4Addr::new(127, 0, 0, 2), 0).into();
    let options = Options { clock: SimClock::manual(), listen, ..Options::default() };
    Sim::start(options, seed).await.unwrap()
}

/// What the first host has: two Apps on one organization.
fn two_apps() -> seed::Seed {
    let mut seed = seed();
    let mut second = seed.apps[0].clone();
    (second.id, second.client_id) = (Some(SECOND_APP), Some(SECOND_CLIENT.into()));
    second.slug = "ghbroker-second".into();
    seed.apps.push(second);
    seed.installations.push(seed::Installation {
        id: Some(SECOND_INSTALLATION as u64),
        app_id: SECOND_APP,
        account: "acme".into(),
        ..Default::default()
    });
    seed
}

/// A site as `[sites.NAME]` would have it, beside the default one of `config`.
fn site(config: &Config, name: &str, urls: &Urls, issuer: &str) -> config::Site {
    let mut github = config.github.clone();
    github.api_url = urls.api.parse().unwrap();
    github.graphql_url = urls.graphql.parse().unwrap();
    github.web_url = urls.web.parse().unwrap();
    let app = github.app.take().unwrap();
    github.app = Some(AppIdentity { issuer: issuer.into(), ..app });
    github.oauth = Some(OAuthClient {
        client_id: issuer.into(),
        client_secret: Token::new(APP_CLIENT_SECRET.into()),
        scopes: Vec::new(),
    });
    config::Site {
        name: name.parse().unwrap(),
        github,
        former_issuers: Vec::new(),
        webhooks: Some(WebhookSecrets::new([format!("secret of {name}").as_bytes()])),
    }
}

impl Sites {
    async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// With another configuration.
    async fn start_with(change: impl Fn(&mut Config) + Send + Sync + 'static) -> Self {
        let ghes = enterprise().await;
        let at_ghes = Urls::of(&ghes);
        let world = World::configured_with(two_apps(), move |config| {
            config.connecting.callback_url = Some(CALLBACK.parse().unwrap());
            let web = config.github.web_url.to_string();
            let here = Urls {
                api: config.github.api_url.to_string(),
                graphql: config.github.graphql_url.to_string(),
                web,
            };
            config.sites = vec![
                site(config, GHES, &at_ghes, GHES_CLIENT),
                site(config, SECOND, &here, SECOND_CLIENT),
            ];
            change(config);
        })
        .await;
        Self { world, ghes }
    }

    /// With each account connected by the installation at its site, and [`REPO`] bound.
    async fn connected() -> Self {
        let sites = Self::start().await;
        for (account, site) in [(AT_DEFAULT, ""), (AT_GHES, GHES), (AT_SECOND, SECOND)] {
            sites.register(account, site).await.unwrap();
            sites.bind(account).await;
        }
        sites
    }

    async fn register(&self, account: &str, site: &str) -> Result<Installation, tonic::Status> {
        let installation_id = if site == SECOND { SECOND_INSTALLATION } else { INSTALLATION };
        let request = RegisterInstallationRequest {
            account: account.into(),
            installation_id,
            setup_action: SetupAction::Install.into(),
            expected_github_login: "acme".into(),
            site: site.into(),
            ..Default::default()
        };
        let done = self.world.register_installation(request).await?;
        Ok(done.installation.unwrap())
    }

    async fn set_pat(&self, account: &str, site: &str, token: &str) -> Result<Pat, tonic::Status> {
        let (account, site, token) = (account.into(), site.into(), token.into());
        let done = self.world.set_pat(SetPatRequest { account, token, site }).await?;
        Ok(done.pat.unwrap())
    }

    async fn bind(&self, account: &str) {
        let (account, repository) = (account.into(), REPO.into());
        let request = ConfigureRepoRequest { account, repository, ..Default::default() };
        self.world.configure_repo(request).await.unwrap();
    }

    async fn token(&self, account: &str) -> Result<GetRepoTokenResponse, tonic::Status> {
        let request = GetRepoTokenRequest { account: account.into(), ..Default::default() };
        self.world.get_repo_token(request).await
    }

    async fn connection(&self, account: &str) -> Result<GetConnectionResponse, tonic::Status> {
        self.world.get_connection(GetConnectionRequest { account: account.into() }).await
    }

    async fn disconnect(&self, account: &str) -> DisconnectResponse {
        self.world.disconnect(DisconnectRequest { account: account.into() }).await.unwrap()
    }

    /// How often each host was asked: what concerns one of them only must leave the other as it is.
    fn asked(&self) -> (usize, usize) {
        (self.world.sim.requests().len(), self.ghes.requests().len())
    }

    async fn finish(self) {
        self.world.finish().await;
        assert_eq!(self.ghes.unknown_routes(), Vec::<String>::new());
    }
}

/// The Apps that a host was asked as, each with the number of requests.
fn apps(sim: &Sim) -> BTreeMap<u64, usize> {
    let mut apps = BTreeMap::new();
    for seen in sim.requests() {
        if let Credential::App { app_id } = seen.credential {
            *apps.entry(app_id).or_default() += 1;
        }
    }
    apps
}
