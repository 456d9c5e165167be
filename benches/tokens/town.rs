//! A thousand keys in steady use, before a broker in this process: its clock and GitHub's are moved together.

use std::{
    collections::BTreeMap,
    fs,
    sync::Arc,
    time::{Duration, Instant},
};

use ghbroker::{
    app::{self, Listeners},
    config::{Config, Flags},
    proto::{
        ConfigureRepoRequest, GetRepoTokenRequest, RegisterInstallationRequest,
        connection_admin_client::ConnectionAdminClient,
        credential_broker_client::CredentialBrokerClient,
    },
};
use github_sim::{Options, SimClock, seed};
use serde_json::Value;
use tokio::{
    sync::oneshot,
    task::{JoinHandle, JoinSet},
    time::timeout,
};
use tonic::transport::Channel;

use crate::{
    clock::TestClock,
    common::{
        Result,
        place::{ACCOUNT, CLIENT_ID, INSTALLATION, MINT, Place},
    },
};

const REPOSITORIES: usize = 100;
/// What is asked for in each repository: a key each.
const WISHES: [&[(&str, &str)]; 10] = [
    &[("contents", "read")],
    &[("contents", "write")],
    &[("contents", "read"), ("issues", "read")],
    &[("contents", "write"), ("issues", "write")],
    &[("contents", "read"), ("pull_requests", "read")],
    &[("contents", "write"), ("pull_requests", "write")],
    &[("contents", "read"), ("checks", "read")],
    &[("contents", "read"), ("deployments", "read")],
    &[("contents", "write"), ("deployments", "write")],
    &[("issues", "write")],
];
pub const KEYS: usize = REPOSITORIES * WISHES.len();
/// What the clocks are moved by at once: the broker looks for what is due as often.
pub const STEP: Duration = Duration::from_secs(15);
/// Least real time of a step, for requests to GitHub that nobody waits for: 15 s are 1,000 times as long.
const PACE: Duration = Duration::from_millis(6);
/// Real time without any answer, after which the calls that are left wait for the clock.
const SILENCE: Duration = Duration::from_millis(200);
/// All keys are of one installation here, and get their first token at once: the usual 180 leave it 90.
const MINTS_PER_MINUTE: u32 = 10_000;
/// Every key may be asked for.
const POLICY: &str = r#"
[[rule]]
name = "everybody"
callers = ["anonymous"]
accounts = ["*"]
rpcs = ["RegisterInstallation", "ConfigureRepo", "GetRepoToken"]
permissions = { contents = "write", issues = "write", pull_requests = "write", checks = "write", deployments = "write" }
"#;

pub struct Town {
    pub place: Place,
    clock: TestClock,
    broker: CredentialBrokerClient<Channel>,
    calls: JoinSet<Option<String>>,
    /// The next key to be asked for.
    next: usize,
    stop: oneshot::Sender<()>,
    running: JoinHandle<std::result::Result<(), app::Error>>,
}

/// What became of calls.
#[derive(Default, Debug)]
pub struct Calls {
    pub all: usize,
    /// Those that got a token.
    pub served: usize,
    /// How often which answer came to the others.
    pub refused: BTreeMap<String, usize>,
}

impl Town {
    /// One whose keys all have a token that is as old as the others.
    pub async fn found() -> Result<Self> {
        let sections = "[server]\nlisten = \"127.0.0.1:0\"\n[log]\nlevel = \"off\"\n";
        let options = Options { clock: SimClock::manual(), ..Options::default() };
        let place = Place::new(options, sections).await?;
        place.write("policy.toml", POLICY)?;
        let clock = TestClock::starting_at(place.sim.clock().now());
        let flags = Flags {
            config: Some(place.path().join("ghbroker.toml")),
            policy: Some(place.path().join("policy.toml")),
            github_api_url: Some(place.sim.api_url().into()),
            github_graphql_url: Some(place.sim.graphql_url().into()),
            github_web_url: Some(place.sim.web_url().into()),
            github_app_issuer: Some(CLIENT_ID.into()),
            ..Default::default()
        };
        let mut config = Config::load(&flags).map_err(|mistakes| mistakes.to_string())?;
        config.github.limits.mints_per_minute = MINTS_PER_MINUTE;
        let listeners = Listeners::bind(&config).await?;
        let address = listeners.grpc.local_addr()?;
        let (stop, stopped) = oneshot::channel::<()>();
        let shutdown = async {
            drop(stopped.await);
        };
        let running = tokio::spawn(app::run(config, listeners, Arc::new(clock.clone()), shutdown));
        let channel = Channel::from_shared(format!("http://{address}"))?.connect().await?;
        let mut broker = CredentialBrokerClient::new(channel.clone());
        let install = RegisterInstallationRequest {
            account: ACCOUNT.into(),
            installation_id: INSTALLATION as i64,
            expected_github_login: "acme".into(),
            ..Default::default()
        };
        broker.register_installation(install).await?;
        let mut admin = ConnectionAdminClient::new(channel);
        for number in 0..REPOSITORIES {
            place.sim.add_repository(&seed::Repository {
                owner: "acme".into(),
                name: format!("model-{number}"),
                files: BTreeMap::new(),
                ..Default::default()
            })?;
            let bind = ConfigureRepoRequest {
                account: ACCOUNT.into(),
                repository: format!("acme/model-{number}"),
                ..Default::default()
            };
            admin.configure_repo(bind).await?;
        }
        let calls = JoinSet::new();
        let mut town = Self { place, clock, broker, calls, next: 0, stop, running };
        town.ask(KEYS);
        let mut first = Calls::default();
        town.settle(&mut first).await?;
        if first.served == KEYS { Ok(town) } else { Err(format!("{first:?}").into()) }
    }

    /// Lets time pass, in which each key is asked for once in every `turn`.
    pub async fn live(&mut self, time: Duration, turn: Duration) -> Result<Calls> {
        let steps = time.as_secs() / STEP.as_secs();
        let a_step = KEYS * STEP.as_secs() as usize / turn.as_secs() as usize;
        let mut calls = Calls::default();
        for _ in 0..steps {
            let begin = Instant::now();
            self.place.sim.clock().advance(STEP);
            self.clock.advance(STEP);
            self.ask(a_step);
            self.answered(&mut calls).await?;
            tokio::time::sleep(PACE.saturating_sub(begin.elapsed())).await;
        }
        self.settle(&mut calls).await?;
        for (message, count) in &calls.refused {
            println!("{count} times: {message}");
        }
        Ok(calls)
    }

    fn ask(&mut self, count: usize) {
        for _ in 0..count {
            let (repository, wish) = (self.next % REPOSITORIES, self.next / REPOSITORIES);
            self.next = (self.next + 1) % KEYS;
            let request = GetRepoTokenRequest {
                account: ACCOUNT.into(),
                repository: format!("acme/model-{repository}"),
                permissions: WISHES[wish].iter().map(|(n, l)| ((*n).into(), (*l).into())).collect(),
                ..Default::default()
            };
            let mut broker = self.broker.clone();
            self.calls.spawn(async move {
                let refused = broker.get_repo_token(request).await.err()?;
                Some(refused.message().to_owned())
            });
        }
    }

    /// Waits for the calls that were made, and moves the clock on for those that wait for it.
    async fn settle(&mut self, calls: &mut Calls) -> Result<()> {
        while !self.calls.is_empty() {
            self.answered(calls).await?;
            self.clock.advance(STEP);
        }
        Ok(())
    }

    /// Waits for the calls that were made, but for those that wait for the clock.
    async fn answered(&mut self, calls: &mut Calls) -> Result<()> {
        while let Ok(Some(refused)) = timeout(SILENCE, self.calls.join_next()).await {
            calls.all += 1;
            match refused? {
                None => calls.served += 1,
                Some(message) => *calls.refused.entry(message).or_default() += 1,
            }
        }
        Ok(())
    }

    /// Mints since the town was founded, and those with it.
    pub fn mints(&self) -> usize {
        self.place.sim.requests().iter().filter(|seen| seen.is_of(MINT)).count()
    }

    /// Calls that did not get a token from memory, as the audit has it.
    pub fn waited(&self) -> Result<usize> {
        let audit = fs::read_to_string(self.place.path().join("audit"))?;
        let mut waited = 0;
        for line in audit.lines() {
            let line: Value = serde_json::from_str(line)?;
            waited += usize::from(line["rpc"] == "GetRepoToken" && line["cache"] != "hit");
        }
        Ok(waited)
    }

    pub async fn leave(self) -> Result<()> {
        drop(self.stop);
        drop((self.broker, self.calls));
        Ok(self.running.await??)
    }
}
