//! A broker on a real gRPC port, beside a GitHub simulator on a real HTTP port, both on clocks that only a test moves.
//!
//! * [`World`]: both, with one App, its installation and one repository.
//! * [`clock`]: the broker's clock.
//! * [`status`]: what a failed call says, taken apart.
//! * [`git`]: the real git.
//! * [`lines`]: what is logged.
//! * [`liar`]: a GitHub that does not tell the truth.
//! * [`person`]: what people do on GitHub itself. [`browser`]: its pages.
//! * [`program`]: the real program. [`replica`]: another broker on the same database.
//! * [`pki`]: authorities, and certificates by them. [`tokens_of_kubernetes`]: a cluster, and tokens by it.
//! * [`portal`]: where customers connect GitHub.
//! * [`story`]: a flow of the product from its beginning to the operator's look at the audit.
//! * [`door`]: what stands before a broker whose callers have to prove who they are, and a [`caller`] before it.

pub mod browser;
pub mod caller;
mod calls;
pub mod clock;
pub mod door;
pub mod git;
pub mod liar;
pub mod lines;
pub mod person;
pub mod pki;
pub mod portal;
pub mod program;
pub mod replica;
mod rows;
pub mod status;
pub mod story;
pub mod tokens_of_kubernetes;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
    time::Duration,
};

use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der},
    rsa::{KeyPair, KeySize},
    signature::KeyPair as _,
};
use base64::{Engine, prelude::BASE64_STANDARD};
use ghbroker::{
    app::{self, Listeners},
    audit::Target,
    auth::{Required, WebhookSecrets},
    config::{Config, Log},
    crypto::{Kek, KeySet},
    domain::{Method, Permissions, Token},
    github::{AppIdentity, AppKeys, Limits, OAuthClient, Settings},
    proto::{
        self, connection_admin_client::ConnectionAdminClient,
        credential_broker_client::CredentialBrokerClient,
    },
};
use github_sim::{Options, Sim, SimClock, seed};
use tokio::{sync::oneshot, task::JoinHandle};
use tonic::transport::Channel;
use url::Url;

use caller::{Authorization, Caller};
use clock::TestClock;
use door::Door;

/// The account that every world begins with, its repository and its installation.
pub const ACCOUNT: &str = "tenant-acme";
pub const REPO: &str = "acme/warehouse";
pub const INSTALLATION: i64 = 4711;
pub const CLIENT_ID: &str = "Iv23testClientId0001";
pub const APP_ID: u64 = 77;
pub const APP_CLIENT_SECRET: &str = "app-client-secret";
pub const WEBHOOK_SECRET: &str = "webhook-secret";

pub struct World {
    pub sim: Sim,
    pub broker: CredentialBrokerClient<Channel>,
    pub admin: ConnectionAdminClient<Channel>,
    pub address: String,
    /// Where its HTTP port is.
    pub http: String,
    urls: Urls,
    clock: TestClock,
    folder: Arc<tempfile::TempDir>,
    stop: Option<oneshot::Sender<()>>,
    running: Option<JoinHandle<Result<(), app::Error>>>,
    database_url: String,
    setup: Setup,
}

/// What a test wants otherwise of a broker.
#[derive(Default)]
struct Setup {
    /// Its callers have to prove who they are.
    door: Option<Door>,
    change: Option<Change>,
    /// Pages of a portal that the broker sends browsers on to. GitHub sends them back to the broker itself.
    pages: Vec<Url>,
}

/// Changes the configuration.
type Change = Arc<dyn Fn(&mut Config) + Send + Sync>;

/// One key for all tests of the process: making one takes a while.
pub fn app_key() -> &'static (String, String) {
    static KEY: OnceLock<(String, String)> = OnceLock::new();
    KEY.get_or_init(new_app_key)
}

/// Another private key, in PKCS#8, and its public one.
pub fn new_app_key() -> (String, String) {
    let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
    let private: Pkcs8V1Der = pair.as_der().unwrap();
    (pem("PRIVATE KEY", private.as_ref()), pem("RSA PUBLIC KEY", pair.public_key().as_ref()))
}

pub fn pem(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", BASE64_STANDARD.encode(der))
}

/// What GitHub holds when a world begins: an organization with one repository, and the App installed on it.
pub fn seed() -> seed::Seed {
    let level = |list: &[(&str, github_sim::Level)]| -> BTreeMap<String, github_sim::Level> {
        list.iter().map(|(name, level)| ((*name).to_owned(), *level)).collect()
    };
    use github_sim::Level::{Read, Write};
    seed::Seed {
        users: vec![
            seed::User { login: "alice".into(), ..Default::default() },
            seed::User { login: "mallory".into(), ..Default::default() },
        ],
        orgs: vec![seed::Org {
            login: "acme".into(),
            members: vec![seed::Member { login: "alice".into(), role: seed::Role::Admin }],
            ..Default::default()
        }],
        apps: vec![seed::App {
            id: Some(APP_ID),
            client_id: Some(CLIENT_ID.into()),
            client_secret: APP_CLIENT_SECRET.into(),
            slug: "ghbroker-test".into(),
            owner: "acme".into(),
            public_key_pem: vec![app_key().1.clone()],
            permissions: level(&[
                ("contents", Write),
                ("pull_requests", Write),
                ("issues", Write),
                ("metadata", Read),
            ]),
            ..Default::default()
        }],
        repositories: vec![seed::Repository {
            owner: "acme".into(),
            name: "warehouse".into(),
            files: BTreeMap::from([
                ("README.md".to_owned(), "# Warehouse\n".to_owned()),
                ("models/orders.sql".to_owned(), "select 1 as id\n".to_owned()),
            ]),
            ..Default::default()
        }],
        installations: vec![seed::Installation {
            id: Some(INSTALLATION as u64),
            app_id: APP_ID,
            account: "acme".into(),
            ..Default::default()
        }],
        ..Default::default()
    }
}

impl World {
    /// A world in which nothing is connected yet.
    pub async fn start() -> Self {
        Self::start_with(seed()).await
    }

    /// The same with another configuration of the broker.
    pub async fn configured(change: impl Fn(&mut Config) + Send + Sync + 'static) -> Self {
        Self::configured_with(seed(), change).await
    }

    /// The same over another GitHub, too.
    pub async fn configured_with(
        seed: seed::Seed,
        change: impl Fn(&mut Config) + Send + Sync + 'static,
    ) -> Self {
        let (folder, sim) = (Arc::new(tempfile::tempdir().unwrap()), simulator(seed).await);
        let url = format!("sqlite://{}/ghbroker.db", folder.path().display());
        let urls = Urls::of(&sim);
        let setup = Setup { change: Some(Arc::new(change)), ..Setup::default() };
        Self::around(sim, urls, folder, url, setup).await
    }

    /// The same over another GitHub.
    pub async fn start_with(seed: seed::Seed) -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let url = format!("sqlite://{}/ghbroker.db", folder.path().display());
        Self::start_on(seed, folder, url).await
    }

    /// The same over a database of its own on a PostgreSQL server.
    pub async fn start_on_postgres() -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        Self::start_on(seed(), folder, crate::postgres::fresh_database().await).await
    }

    async fn start_on(
        seed: seed::Seed,
        folder: Arc<tempfile::TempDir>,
        database_url: String,
    ) -> Self {
        let sim = simulator(seed).await;
        let urls = Urls::of(&sim);
        Self::around(sim, urls, folder, database_url, Setup::default()).await
    }

    /// The same with a broker that reaches GitHub at other addresses, by way of something that watches.
    pub async fn start_behind(sim: Sim, urls: Urls) -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let url = format!("sqlite://{}/ghbroker.db", folder.path().display());
        Self::around(sim, urls, folder, url, Setup::default()).await
    }

    /// The same with a broker whose callers come by a door: the world's own as `set-up`.
    pub async fn guarded(seed: seed::Seed, door: Door) -> Self {
        Self::guarded_and_configured(seed, door, |_| {}).await
    }

    /// The same with another configuration of the broker, too.
    pub async fn guarded_and_configured(
        seed: seed::Seed,
        door: Door,
        change: impl Fn(&mut Config) + Send + Sync + 'static,
    ) -> Self {
        let (sim, folder) = (simulator(seed).await, Arc::new(tempfile::tempdir().unwrap()));
        let url = format!("sqlite://{}/ghbroker.db", folder.path().display());
        let urls = Urls::of(&sim);
        let change: Option<Change> = Some(Arc::new(change));
        let setup = Setup { door: Some(door), change, ..Setup::default() };
        Self::around(sim, urls, folder, url, setup).await
    }

    /// The same for a portal with these pages: GitHub sends browsers and webhooks to the broker's HTTP port.
    pub async fn with_pages(seed: seed::Seed, door: Option<Door>, pages: &[Url]) -> Self {
        let (sim, folder) = (simulator(seed).await, Arc::new(tempfile::tempdir().unwrap()));
        let url = format!("sqlite://{}/ghbroker.db", folder.path().display());
        let urls = Urls::of(&sim);
        let setup = Setup { door, change: None, pages: pages.to_vec() };
        let world = Self::around(sim, urls, folder, url, setup).await;
        let callback = world.callback();
        world.sim.set_app_urls(APP_ID, &[callback.as_str()], Some(callback.as_str()));
        let webhooks = format!("{}/webhooks/github", world.http);
        world.sim.set_webhook(APP_ID, &webhooks, WEBHOOK_SECRET);
        world
    }

    /// Where browsers come back to the broker.
    pub fn callback(&self) -> Url {
        callback_of(&self.http)
    }

    async fn around(
        sim: Sim,
        urls: Urls,
        folder: Arc<tempfile::TempDir>,
        database_url: String,
        setup: Setup,
    ) -> Self {
        let clock = TestClock::starting_at(sim.clock().now());
        let (stop, running, ports) = run(&urls, &clock, &database_url, &folder, &setup).await;
        let Ports { grpc: address, http } = ports;
        let channel = connect_by(setup.door.as_ref(), &address).await;
        Self {
            sim,
            broker: client(channel.clone()),
            admin: ConnectionAdminClient::new(channel),
            address,
            http,
            urls,
            clock,
            folder,
            stop: Some(stop),
            running: Some(running),
            database_url,
            setup,
        }
    }

    /// A world with [`ACCOUNT`] connected by installation, and [`REPO`] bound: staging -> main.
    pub async fn connected() -> Self {
        let mut world = Self::start().await;
        world.register(ACCOUNT, INSTALLATION).await;
        world.configure(ACCOUNT, REPO).await;
        world
    }

    pub async fn register(&mut self, account: &str, installation_id: i64) {
        let request = proto::RegisterInstallationRequest {
            account: account.into(),
            installation_id,
            setup_action: proto::SetupAction::Install.into(),
            expected_github_login: "acme".into(),
            ..Default::default()
        };
        self.broker.register_installation(request).await.unwrap();
    }

    pub async fn configure(&mut self, account: &str, repository: &str) {
        let request = proto::ConfigureRepoRequest {
            account: account.into(),
            repository: repository.into(),
            ..Default::default()
        };
        self.admin.configure_repo(request).await.unwrap();
    }

    /// Moves the time of GitHub and of the broker.
    pub fn advance(&self, by: Duration) {
        self.sim.clock().advance(by);
        self.clock.advance(by);
    }

    /// Moves only the broker's time: its machine's clock is wrong.
    pub fn skew(&self, by: Duration) {
        self.clock.advance(by);
    }

    /// Stops the broker in order and starts it again on the same database.
    pub async fn restart(&mut self) {
        self.stop().await.unwrap();
        self.start_again().await;
    }

    /// Starts the broker again after [`World::stop`].
    pub async fn start_again(&mut self) {
        let (stop, running, ports) =
            run(&self.urls, &self.clock, &self.database_url, &self.folder, &self.setup).await;
        let Ports { grpc: address, http } = ports;
        let channel = connect_by(self.setup.door.as_ref(), &address).await;
        self.broker = client(channel.clone());
        self.admin = ConnectionAdminClient::new(channel);
        (self.stop, self.running) = (Some(stop), Some(running));
        (self.address, self.http) = (address, http);
    }

    /// Stops the broker and says how it ended.
    pub async fn stop(&mut self) -> Result<(), app::Error> {
        self.stop.take().unwrap().send(()).unwrap();
        self.running.take().unwrap().await.unwrap()
    }

    /// The lines of the audit so far.
    pub fn audit(&self) -> Vec<serde_json::Value> {
        self.audit_after(0)
    }

    /// Those after the first so many.
    pub fn audit_after(&self, lines: usize) -> Vec<serde_json::Value> {
        let text = std::fs::read_to_string(self.folder.path().join(AUDIT)).unwrap();
        text.lines().skip(lines).map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The door of a world that has one.
    pub fn door(&self) -> &Door {
        self.setup.door.as_ref().unwrap()
    }

    /// The broker's time.
    pub fn now(&self) -> time::OffsetDateTime {
        ghbroker::domain::Clock::now(&self.clock)
    }

    /// A caller at the door, on a connection of its own.
    pub async fn caller(&self, issued: Option<&pki::Issued>, authorization: &[&str]) -> Caller {
        let channel = self.door().connect(&self.address, issued).await.unwrap();
        let values = authorization.iter().map(|value| value.parse().unwrap());
        Caller { channel, authorization: Authorization(values.collect()) }
    }

    /// `spiffe://example.org/NAME`, by its certificate.
    pub async fn workload(&self, name: &str) -> Caller {
        self.caller(Some(&self.door().certificate(name)), &[]).await
    }

    /// `system:serviceaccount:example:NAME`, by its token.
    pub async fn service_account(&self, name: &str) -> Caller {
        let claims = tokens_of_kubernetes::claims(name, self.now());
        let token = tokens_of_kubernetes::KEY.token(&claims);
        self.caller(None, &[&format!("Bearer {token}")]).await
    }

    /// URL of the database.
    pub fn database_url(&self) -> &str {
        &self.database_url
    }

    /// All that the database holds, as text.
    pub async fn stored(&self) -> Vec<String> {
        rows::all(&self.database_url).await
    }

    /// Folder of the world's files.
    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// A token for [`ACCOUNT`]'s repository with `permissions`.
    pub async fn token(&self, permissions: &[(&str, &str)]) -> proto::GetRepoTokenResponse {
        let permissions = permissions
            .iter()
            .map(|(name, level)| ((*name).to_owned(), (*level).to_owned()))
            .collect();
        let request = proto::GetRepoTokenRequest {
            account: ACCOUNT.into(),
            permissions,
            ..Default::default()
        };
        self.broker.clone().get_repo_token(request).await.unwrap().into_inner()
    }

    /// Commits files to the staging branch of [`ACCOUNT`].
    pub async fn commit(
        &self,
        message: &str,
        files: Vec<proto::FileChange>,
    ) -> Result<proto::CommitFilesResponse, tonic::Status> {
        let request = proto::CommitFilesRequest {
            account: ACCOUNT.into(),
            message: message.into(),
            files,
            ..Default::default()
        };
        self.broker.clone().commit_files(request).await.map(tonic::Response::into_inner)
    }

    /// A personal access token of alice, who owns `acme`.
    pub fn pat(&self, pat: seed::Pat) -> String {
        self.sim.add_pat(&seed::Pat { owner: "alice".into(), ..pat }).unwrap()
    }

    /// What GitHub holds of [`REPO`], and how often it was asked: what a refused call must leave as it is.
    pub fn footprint(&self) -> Footprint {
        Footprint {
            refs: git::git(&self.sim.git_dir(REPO), &["show-ref"]),
            pulls: self.sim.pulls(REPO),
            requests: self.sim.requests().len(),
        }
    }

    /// Asks again and again until there is an answer. Ends with a failure if none comes.
    pub async fn until<T>(&self, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
        let wait = async {
            loop {
                if let Some(answer) = ask().await {
                    return answer;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), wait).await.unwrap()
    }

    /// Ends the world: the broker stops in order, and dropping it checks what GitHub has.
    pub async fn finish(mut self) {
        self.stop().await.unwrap();
    }
}

impl Drop for World {
    /// What was asked for and is not simulated fails the test that asked, and so does a broken repository.
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let unknown = self.sim.unknown_routes();
            assert!(unknown.is_empty(), "not simulated: {}", unknown.join(", "));
            self.sim.fsck();
        }
    }
}

/// See [`World::footprint`].
#[derive(Debug, PartialEq)]
pub struct Footprint {
    pub refs: String,
    pub pulls: Vec<serde_json::Value>,
    pub requests: usize,
}

/// Name of a world's audit.
const AUDIT: &str = "audit.jsonl";

/// Files that all tests of the process share.
fn shared() -> &'static tempfile::TempDir {
    static FOLDER: OnceLock<tempfile::TempDir> = OnceLock::new();
    FOLDER.get_or_init(|| tempfile::tempdir().unwrap())
}

/// A policy for tests of what comes after it: whoever comes may have what it asks for, but for protected paths.
pub fn everything_allowed() -> &'static Path {
    static FILE: OnceLock<PathBuf> = OnceLock::new();
    FILE.get_or_init(|| {
        let file = shared().path().join("policy.toml");
        let methods = Method::ALL.map(|method| format!("{:?}", method.name())).join(", ");
        let permissions = Permissions::ALL.iter();
        let permissions: Vec<String> =
            permissions.map(|(permission, _)| format!("{} = \"write\"", permission.name())).collect();
        let rule = format!(
            "[[rule]]\nname = \"everything\"\ncallers = [\"anonymous\"]\naccounts = [\"*\"]\nrpcs = [{methods}]\n\
             unnarrowed_tokens = true\nauto_merge = true\nwork_branches = [\"adagent/*\"]\npermissions = {{ {} }}\n",
            permissions.join(", ")
        );
        std::fs::write(&file, rule).unwrap();
        file
    })
}

/// The route of a mint, as the simulator counts it.
pub const MINT: &str = "POST /app/installations/{installation_id}/access_tokens";

/// A place in the code that logs is asked once whether anybody listens, and the answer is kept for the whole process. With
/// somebody who always listens no test can make another one's lines vanish.
pub fn keep_callsites_awake() {
    let nowhere = tracing_subscriber::fmt().with_writer(std::io::sink).finish();
    // Fails for all worlds but the first.
    drop(tracing::subscriber::set_global_default(nowhere));
}

async fn run(
    urls: &Urls,
    clock: &TestClock,
    database_url: &str,
    folder: &tempfile::TempDir,
    setup: &Setup,
) -> (oneshot::Sender<()>, JoinHandle<Result<(), app::Error>>, Ports) {
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    keep_callsites_awake();
    let audit = Target::File(folder.path().join(AUDIT));
    let config = Config { audit, ..config_at(urls, database_url) };
    let mut config = match &setup.door {
        Some(door) => door.configure(config).unwrap(),
        None => config,
    };
    if let Some(change) = &setup.change {
        change(&mut config);
    }
    let listeners = Listeners::bind(&config).await.unwrap();
    let http = listeners.http.as_ref().unwrap().local_addr().unwrap();
    let ports = Ports {
        grpc: listeners.grpc.local_addr().unwrap().to_string(),
        http: format!("http://{http}"),
    };
    if !setup.pages.is_empty() {
        config.connecting.callback_url = Some(callback_of(&ports.http));
        config.connecting.return_urls = setup.pages.clone();
    }
    let (stop, stopped) = oneshot::channel::<()>();
    let shutdown = async {
        drop(stopped.await);
    };
    let running = tokio::spawn(app::run(config, listeners, Arc::new(clock.clone()), shutdown));
    (stop, running, ports)
}

fn callback_of(http: &str) -> Url {
    format!("{http}/github/callback").parse().unwrap()
}

/// Where a broker listens.
struct Ports {
    /// Address of the gRPC port.
    grpc: String,
    /// URL of the HTTP port.
    http: String,
}

/// Where the broker looks for GitHub.
#[derive(Clone)]
pub struct Urls {
    pub api: String,
    pub graphql: String,
    pub web: String,
}

impl Urls {
    pub fn of(sim: &Sim) -> Self {
        Self {
            api: sim.api_url().into(),
            graphql: sim.graphql_url().into(),
            web: sim.web_url().into(),
        }
    }
}

/// A GitHub on a port of its own, whose clock stands still.
pub async fn simulator(seed: seed::Seed) -> Sim {
    let options = Options { clock: SimClock::manual(), ..Options::default() };
    Sim::start(options, seed).await.unwrap()
}

/// What `[github]`, `[database]` and `[encryption]` would say; delays are short, and nothing else differs from a real one.
pub fn config(sim: &Sim, database_url: &str) -> Config {
    config_at(&Urls::of(sim), database_url)
}

/// The same with GitHub at other addresses.
pub fn config_at(urls: &Urls, database_url: &str) -> Config {
    let kek = Kek::from_base64("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=").unwrap();
    let app = AppIdentity {
        issuer: CLIENT_ID.into(),
        private_keys: AppKeys::from_pem(app_key().0.as_bytes()).unwrap(),
        key_file: None,
    };
    let limits = Limits {
        retry_base: Duration::from_millis(1),
        throttled_base: Duration::from_millis(2),
        fresh_token_wait: Duration::from_millis(1),
        ..Limits::default()
    };
    Config {
        listen: "127.0.0.1:0".parse().unwrap(),
        health_listen: None,
        http_listen: Some("127.0.0.1:0".parse().unwrap()),
        webhooks: Some(WebhookSecrets::new([WEBHOOK_SECRET.as_bytes()])),
        tls: None,
        auth: Required::Nothing,
        policy: Some(everything_allowed().to_owned()),
        audit: Target::File(shared().path().join("audit.jsonl")),
        limits: Default::default(),
        connecting: Default::default(),
        commit_trailers: false,
        revoke_on_shutdown: false,
        database_url: database_url.to_owned().into(),
        keys: KeySet::new(kek, Vec::new()),
        github: Settings {
            api_url: urls.api.parse().unwrap(),
            graphql_url: urls.graphql.parse().unwrap(),
            web_url: urls.web.parse().unwrap(),
            app: Some(app),
            oauth: Some(OAuthClient {
                client_id: CLIENT_ID.into(),
                client_secret: Token::new(APP_CLIENT_SECRET.into()),
                scopes: Vec::new(),
            }),
            limits,
        },
        former_issuers: Vec::new(),
        sites: Vec::new(),
        log: Log { filter: "info".into(), json: true },
    }
}

pub async fn connect(address: &str) -> Channel {
    Channel::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap()
}

async fn connect_by(door: Option<&Door>, address: &str) -> Channel {
    match door {
        Some(door) => door.connect(address, Some(&door.certificate("set-up"))).await.unwrap(),
        None => connect(address).await,
    }
}

/// A client that may send the largest commit.
pub fn client(channel: Channel) -> CredentialBrokerClient<Channel> {
    CredentialBrokerClient::new(channel).max_encoding_message_size(usize::MAX)
}

/// A file of a commit.
pub fn write(path: &str, content: impl Into<Vec<u8>>) -> proto::FileChange {
    proto::FileChange {
        path: path.into(),
        change: Some(proto::file_change::Change::Content(content.into().into())),
        mode: 0,
    }
}

/// An executable file of a commit.
pub fn executable(path: &str, content: impl Into<Vec<u8>>) -> proto::FileChange {
    proto::FileChange { mode: proto::FileMode::Executable.into(), ..write(path, content) }
}

/// A deletion of a commit.
pub fn delete(path: &str) -> proto::FileChange {
    let change = Some(proto::file_change::Change::Delete(proto::DeleteFile {}));
    proto::FileChange { path: path.into(), change, mode: 0 }
}
