//! The handle on a running simulator: where it listens, what can be changed while it runs, what it saw.

mod control;
mod hooks;
mod installations;
mod look;
mod repositories;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::clock::SimClock;
use crate::hub::Hub;
use crate::seed::{self, Seed, SeedError};
use crate::urls::Urls;
use crate::{http, web};

/// How a simulator is started.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where it listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Its time.
    pub clock: SimClock,
    /// Where the git repositories are kept; a temporary directory, removed at the end, when left out.
    pub root: Option<PathBuf>,
    /// Whether each request is written to standard error.
    pub log: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            clock: SimClock::default(),
            root: None,
            log: false,
        }
    }
}

/// Why a simulator did not start.
#[derive(Debug)]
pub enum StartError {
    /// The port or the directory cannot be used.
    Io(std::io::Error),
    /// The seed contradicts itself.
    Seed(SeedError),
}

impl std::fmt::Display for StartError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Io(error) => write!(f, "cannot listen or write: {error}"),
            Self::Seed(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for StartError {}

impl From<std::io::Error> for StartError {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<SeedError> for StartError {
    fn from(error: SeedError) -> Self {
        Self::Seed(error)
    }
}

/// A running simulator; it stops when it is dropped.
///
/// The functions that change or look at a thing panic when there is no such thing: they are called by tests,
/// which should fail there.
#[derive(Debug)]
pub struct Sim {
    hub: Arc<Hub>,
    server: JoinHandle<()>,
    /// Removed with the simulator.
    _temporary: Option<tempfile::TempDir>,
}

impl Drop for Sim {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Sim {
    /// Binds the port, makes the repositories of the seed and serves.
    ///
    /// # Errors
    /// When the port or the directory cannot be used, or the seed contradicts itself.
    pub async fn start(options: Options, seed: Seed) -> Result<Self, StartError> {
        let listener = TcpListener::bind(options.listen).await?;
        let urls = Urls::new(listener.local_addr()?);
        let (root, temporary) = match options.root {
            Some(root) => (root, None),
            None => {
                let temporary = tempfile::Builder::new().prefix("github-sim-").tempdir()?;
                (temporary.path().to_owned(), Some(temporary))
            }
        };
        let hub = Hub::new(options.clock, urls, std::path::absolute(root)?, options.log);
        let hub = tokio::task::spawn_blocking(move || {
            install_hook(&hub.root)?;
            hub.plant(&seed)?;
            Ok::<_, StartError>(Arc::new(hub))
        })
        .await
        .map_err(std::io::Error::other)??;
        let serving = hub.clone();
        let server = tokio::spawn(async move {
            http::serve(listener, serving).await;
        });
        Ok(Self { hub, server, _temporary: temporary })
    }

    /// The base of the REST API, without a trailing slash.
    pub fn api_url(&self) -> &str {
        &self.hub.urls.api
    }

    /// The GraphQL endpoint.
    pub fn graphql_url(&self) -> &str {
        &self.hub.urls.graphql
    }

    /// The base of web pages and git repositories, without a trailing slash.
    pub fn web_url(&self) -> &str {
        &self.hub.urls.web
    }

    /// The simulator's time.
    pub fn clock(&self) -> &SimClock {
        &self.hub.clock
    }
}

/// Writes the hook that all repositories share.
fn install_hook(root: &std::path::Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let hooks = root.join("hooks");
    std::fs::create_dir_all(&hooks)?;
    let hook = hooks.join("pre-receive");
    std::fs::write(&hook, web::HOOK)?;
    std::fs::set_permissions(&hook, std::fs::Permissions::from_mode(0o755))
}

/// Adding things while the simulator runs.
impl Sim {
    /// Adds a user and returns the id.
    ///
    /// # Errors
    /// When the login or the id is taken.
    pub fn add_user(&self, user: &seed::User) -> Result<u64, SeedError> {
        self.hub.add_user(user)
    }

    /// Adds an organization and returns the id.
    ///
    /// # Errors
    /// When the login or the id is taken, or a member is unknown.
    pub fn add_org(&self, org: &seed::Org) -> Result<u64, SeedError> {
        self.hub.add_org(org)
    }

    /// Adds an App and returns the id.
    ///
    /// # Errors
    /// When the id or the slug is taken, the owner is unknown or a key is no PEM.
    pub fn add_app(&self, app: &seed::App) -> Result<u64, SeedError> {
        self.hub.add_app(app)
    }

    /// Adds a repository and returns the id.
    ///
    /// # Errors
    /// When the name or the id is taken, the owner is unknown or git fails.
    pub fn add_repository(&self, repository: &seed::Repository) -> Result<u64, SeedError> {
        self.hub.add_repository(repository)
    }

    /// Adds an installation and returns the id.
    ///
    /// # Errors
    /// When the id is taken, or the App, the account or a repository is unknown.
    pub fn add_installation(&self, installation: &seed::Installation) -> Result<u64, SeedError> {
        self.hub.add_installation(installation)
    }

    /// Adds a personal access token and returns its secret.
    ///
    /// # Errors
    /// When the secret is taken, or the owner or a repository is unknown.
    pub fn add_pat(&self, pat: &seed::Pat) -> Result<String, SeedError> {
        self.hub.add_pat(pat)
    }
}
