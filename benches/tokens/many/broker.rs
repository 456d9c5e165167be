//! A broker in this process that has a token for every one of its keys, and the process that calls it.

use std::{
    fs,
    sync::Arc,
    time::{Duration, Instant},
};

use ghbroker::{
    app::{self, Listeners},
    config::{Config, Flags},
    domain::SystemClock,
    proto::{
        ConfigureRepoRequest, RegisterInstallationRequest,
        connection_admin_client::ConnectionAdminClient,
        credential_broker_client::CredentialBrokerClient,
    },
};
use github_sim::Options;
use tokio::{
    sync::oneshot,
    task::{JoinHandle, JoinSet},
};
use tonic::transport::Channel;

use super::{
    github::{GitHub, installation_id},
    keys::{Keys, REPOSITORIES, account_id, organization, repository_name},
};
use crate::{
    common::{
        Result,
        place::{CLIENT_ID, Place},
    },
    door::Key,
    load::{Load, Order},
};

/// Accounts that are connected at once: the database takes one change after another.
const AT_ONCE: usize = 16;
/// Calls of the fill: enough that neither process waits for the other.
const CONNECTIONS: usize = 4;
const STREAMS: usize = 16;
/// Keys that are filled in with one order, after which their lines of the audit (about 800 B each) are thrown away.
const PART: usize = 50_000;
/// Nothing of the fill is to be put off.
const IN_FLIGHT: usize = 4 * CONNECTIONS * STREAMS;
const CALLS_PER_SECOND: u32 = 1_000_000;
const CONNECTION_AGE: Duration = Duration::from_secs(24 * 60 * 60);

pub struct Broker {
    pub keys: Keys,
    pub load: Load,
    place: Place,
    stop: oneshot::Sender<()>,
    running: JoinHandle<std::result::Result<(), app::Error>>,
}

impl Broker {
    pub async fn filled(github: &GitHub, keys: Keys) -> Result<Self> {
        // The place's own GitHub is not asked anything.
        let place = Place::new(Options::default(), "[server]\nlisten = \"127.0.0.1:0\"\n").await?;
        let config = config(&place, github)?;
        let listeners = Listeners::bind(&config).await?;
        let address = listeners.grpc.local_addr()?.to_string();
        let (stop, stopped) = oneshot::channel::<()>();
        let shutdown = async {
            drop(stopped.await);
        };
        let running = tokio::spawn(app::run(config, listeners, Arc::new(SystemClock), shutdown));
        let begin = Instant::now();
        connect(&address, keys).await?;
        let connected = begin.elapsed();
        let load = Load::start(&Key { address, tls: None, authorization: None })?;
        let mut broker = Self { keys, load, place, stop, running };
        broker.fill()?;
        let (count, accounts) = (keys.count(), keys.accounts);
        let filled = begin.elapsed() - connected;
        println!(
            "{accounts} accounts connected in {:.1} s, {count} keys filled in {:.1} s ({:.0} µs each)",
            connected.as_secs_f64(),
            filled.as_secs_f64(),
            filled.as_secs_f64() * 1e6 / count as f64,
        );
        Ok(broker)
    }

    fn fill(&mut self) -> Result<()> {
        let keys = self.keys;
        for these in keys.parts(PART) {
            let (streams, connections) = (STREAMS, CONNECTIONS);
            self.load.run(&Order::Each { keys, these, streams, connections })?;
            // As a rotation does: the broker makes a new one.
            fs::remove_file(self.place.path().join("audit"))?;
        }
        Ok(())
    }

    pub async fn stop(self) -> Result<()> {
        drop((self.stop, self.load));
        Ok(self.running.await??)
    }
}

fn config(place: &Place, github: &GitHub) -> Result<Config> {
    let url = Some(format!("http://{}", github.address));
    let flags = Flags {
        config: Some(place.path().join("ghbroker.toml")),
        github_api_url: url.clone(),
        github_graphql_url: url.clone(),
        github_web_url: url,
        github_app_issuer: Some(CLIENT_ID.into()),
        ..Default::default()
    };
    let mut config = Config::load(&flags).map_err(|mistakes| mistakes.to_string())?;
    config.github.limits.mints_per_minute = u32::MAX;
    config.github.limits.in_flight = IN_FLIGHT;
    config.limits.calls_per_second_per_caller = CALLS_PER_SECOND;
    config.limits.burst_per_caller = CALLS_PER_SECOND;
    config.limits.connection_age = CONNECTION_AGE;
    config.revoke_on_shutdown = false;
    Ok(config)
}

/// Connects all accounts, and binds their repositories.
async fn connect(address: &str, keys: Keys) -> Result<()> {
    let channel = Channel::from_shared(format!("http://{address}"))?.connect().await?;
    let mut all = JoinSet::new();
    for first in 0..AT_ONCE {
        let channel = channel.clone();
        all.spawn(async move {
            for account in (first..keys.accounts).step_by(AT_ONCE) {
                connect_account(channel.clone(), account).await?;
            }
            Result::Ok(())
        });
    }
    while let Some(connected) = all.join_next().await {
        connected??;
    }
    Ok(())
}

async fn connect_account(channel: Channel, account: usize) -> Result<()> {
    let install = RegisterInstallationRequest {
        account: account_id(account),
        installation_id: installation_id(account).try_into()?,
        expected_github_login: organization(account),
        ..Default::default()
    };
    CredentialBrokerClient::new(channel.clone()).register_installation(install).await?;
    let mut admin = ConnectionAdminClient::new(channel);
    for repository in 0..REPOSITORIES {
        let bind = ConfigureRepoRequest {
            account: account_id(account),
            repository: repository_name(account, repository),
            ..Default::default()
        };
        admin.configure_repo(bind).await?;
    }
    Ok(())
}
