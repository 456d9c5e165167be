//! Configuration: a file, the environment and flags, the later ones first; read once, and every mistake reported at once.
//!
//! * [`Flags`]: flags and environment variables (clap reads both).
//! * [`file`]: the TOML file.
//! * [`check`]: both together become a [`Config`], with every file that it names read; [`auth`], [`connect`], [`github`],
//!   [`http`], [`limits`], [`sites`] and [`tls`] are sections of it.

mod auth;
mod check;
mod connect;
mod file;
mod flags;
mod github;
mod http;
mod limits;
mod sites;
mod tls;

use std::{
    fmt,
    net::SocketAddr,
    path::{Path, PathBuf},
};

pub use flags::Flags;
use secrecy::SecretString;
pub use sites::Site;
use url::Url;

use crate::{
    audit::Target,
    auth::{Required, TlsFiles, WebhookSecrets, read_file},
    crypto::KeySet,
    domain::{Connecting, Limits, Policy},
    github::Settings,
};

/// Everything that the broker needs to run, checked.
#[derive(Debug)]
pub struct Config {
    /// Where gRPC is served.
    pub listen: SocketAddr,
    /// Where the health service alone is served, in the clear.
    pub health_listen: Option<SocketAddr>,
    /// Where webhooks and metrics are served, in the clear.
    pub http_listen: Option<SocketAddr>,
    /// What GitHub signs the webhooks of the default site with; none if none are taken.
    pub webhooks: Option<WebhookSecrets>,
    /// TLS for `listen`: files that are followed while serving.
    pub tls: Option<TlsFiles>,
    /// What callers have to prove.
    pub auth: Required,
    /// File with the rules of what callers may do, followed while serving. None only where callers prove nothing.
    pub policy: Option<PathBuf>,
    /// Where calls are written down.
    pub audit: Target,
    /// How much is taken on at once, and for how long.
    pub limits: Limits,
    /// How accounts are connected.
    pub connecting: Connecting,
    /// True if commits say at their end who asked for them.
    pub commit_trailers: bool,
    /// True if cached installation tokens are ended at GitHub when the broker stops.
    pub revoke_on_shutdown: bool,
    /// The database's URL, which may carry a password.
    pub database_url: SecretString,
    /// Keys that seal secrets at rest.
    pub keys: KeySet,
    /// The default site: GitHub's addresses, the App and its key.
    pub github: Settings,
    /// Issuers that the default site's App had before.
    pub former_issuers: Vec<String>,
    /// Further sites.
    pub sites: Vec<Site>,
    /// Logs.
    pub log: Log,
}

/// How to log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Log {
    /// Filter of tracing-subscriber: `info`, or `info,ghbroker=debug`.
    pub filter: String,
    /// One JSON object a line, or text.
    pub json: bool,
}

/// All mistakes of a configuration, each with the key or file and what to do.
#[derive(Debug, PartialEq, Eq)]
pub struct Mistakes(pub Vec<String>);

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the configuration has {} mistake(s):", self.0.len())?;
        self.0.iter().try_for_each(|mistake| write!(f, "\n  - {mistake}"))
    }
}

impl std::error::Error for Mistakes {}

impl Config {
    /// Reads everything. No port is bound and nothing is written before this succeeds.
    pub fn load(flags: &Flags) -> Result<Self, Mistakes> {
        let file = match &flags.config {
            Some(path) => file::File::read(path)?,
            None => file::File::default(),
        };
        check::check(flags, file)
    }

    /// The rules that would be in force.
    pub fn policy(&self) -> Result<Policy, Mistakes> {
        let Some(path) = &self.policy else { return Ok(Policy::anonymous()) };
        let what = |mistake: String| format!("policy.file {}: {mistake}", shown(path));
        let content = read_file(path).map_err(|error| Mistakes(vec![what(error.to_string())]))?;
        Policy::from_file(&content)
            .map_err(|mistakes| Mistakes(mistakes.into_iter().map(what).collect()))
    }

    /// What would run, in a few lines without secrets.
    pub fn summary(&self) -> String {
        let or_none = |text: Option<String>| text.unwrap_or_else(|| "none".to_owned());
        let transport = if self.tls.is_some() { "TLS" } else { "plaintext" };
        let callers = match &self.auth {
            Required::Nothing => "not asked who they are: anonymous",
            Required::Certificate => "known by client certificate (SPIFFE id)",
            Required::ServiceAccount(_) => "known by ServiceAccount token",
            Required::Either(_) => "known by ServiceAccount token or client certificate",
            Required::Both(_) => "known by client certificate and ServiceAccount token",
        };
        let policy = self
            .policy
            .as_ref()
            .map_or("none: anonymous callers may do what is safe".to_owned(), |path| {
                path.display().to_string()
            });
        let app = self.github.app.as_ref().map(|app| app.issuer.clone());
        let mut lines = vec![
            format!("grpc:        {} ({transport})", self.listen),
            format!(
                "health:      {}",
                or_none(self.health_listen.map(|at| format!("{at} (plaintext)")))
            ),
            format!(
                "http:        {}",
                or_none(self.http_listen.map(|at| format!("{at} (plaintext)")))
            ),
            format!(
                "webhooks:    {}",
                if self.webhooks.is_some() { "taken, signed" } else { "none" }
            ),
            format!("callers:     {callers}"),
            format!("policy:      {policy}"),
            format!("audit:       {}", self.audit),
            format!("database:    {}", database_kind(&self.database_url)),
            format!("encryption:  {}", self.keys),
            format!(
                "github:      {}, {}, {}",
                self.github.api_url, self.github.graphql_url, self.github.web_url
            ),
            format!("github app:  {}", or_none(app)),
            format!(
                "oauth:       {}",
                or_none(self.github.oauth.as_ref().map(|oauth| oauth.client_id.clone()))
            ),
            format!(
                "callback:    {}",
                or_none(self.connecting.callback_url.as_ref().map(Url::to_string))
            ),
            format!(
                "log:         {} as {}",
                self.log.filter,
                if self.log.json { "json" } else { "text" }
            ),
        ];
        lines.extend(self.sites.iter().map(sites::shown));
        lines.join("\n")
    }
}

fn database_kind(url: &SecretString) -> &'static str {
    use secrecy::ExposeSecret;
    if url.expose_secret().starts_with("sqlite:") { "SQLite (one replica)" } else { "PostgreSQL" }
}

/// A path as people write it in a message.
fn shown(path: &Path) -> std::path::Display<'_> {
    path.display()
}
