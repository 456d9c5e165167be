//! Configuration: a file, the environment and flags, the later ones first; read once, and every mistake reported at once.
//!
//! * [`Flags`]: flags and environment variables (clap reads both).
//! * [`file`]: the TOML file.
//! * [`check`]: both together become a [`Config`], with every file that it names read; [`github`] and [`tls`] are
//!   sections of it.

mod check;
mod file;
mod flags;
mod github;
mod tls;

use std::{fmt, net::SocketAddr, path::Path};

pub use flags::Flags;
use secrecy::SecretString;

use crate::{auth::TlsFiles, crypto::KeySet, domain::Limits, github::Settings};

/// Everything that the broker needs to run, checked.
#[derive(Debug)]
pub struct Config {
    /// Where gRPC is served.
    pub listen: SocketAddr,
    /// Where the health service alone is served, in the clear.
    pub health_listen: Option<SocketAddr>,
    /// TLS for `listen`: files that are followed while serving.
    pub tls: Option<TlsFiles>,
    /// How much is taken on at once, and for how long.
    pub limits: Limits,
    /// The database's URL, which may carry a password.
    pub database_url: SecretString,
    /// Keys that seal secrets at rest.
    pub keys: KeySet,
    /// GitHub's addresses, the App and its key.
    pub github: Settings,
    /// Whether GetRepoToken may answer personal access tokens.
    pub hand_out_pats: bool,
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

    /// What would run, in a few lines without secrets.
    pub fn summary(&self) -> String {
        let or_none = |text: Option<String>| text.unwrap_or_else(|| "none".to_owned());
        let transport = match &self.tls {
            Some(TlsFiles { client_ca: Some(_), .. }) => "mTLS",
            Some(_) => "TLS, clients are not asked for a certificate",
            None => "plaintext, loopback only: no TLS is configured",
        };
        let app = self.github.app.as_ref().map(|app| app.issuer.clone());
        [
            format!("grpc:        {} ({transport})", self.listen),
            format!(
                "health:      {}",
                or_none(self.health_listen.map(|at| format!("{at} (plaintext)")))
            ),
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
            format!("hand out PATs: {}", if self.hand_out_pats { "yes" } else { "no" }),
            format!(
                "log:         {} as {}",
                self.log.filter,
                if self.log.json { "json" } else { "text" }
            ),
        ]
        .join("\n")
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
