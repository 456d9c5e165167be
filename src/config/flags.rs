//! Flags and environment variables.

#![allow(rustdoc::bare_urls, reason = "clap shows these comments as they are, without Markdown")]

use std::path::PathBuf;

use clap::Args;
use secrecy::SecretString;

/// What can be set beside the file. A flag wins over its variable, and both over the file.
///
/// Secrets are never given here but by the name of a file; the database's URL, which may hold a password, is best given
/// by its variable. What a text must be is checked with the file, so that all mistakes are reported together. Help shows no
/// value of a variable: whoever asks for it may show it to others.
#[derive(Args, Clone, Debug, Default)]
#[command(mut_args(|flag| flag.hide_env_values(true)))]
pub struct Flags {
    /// TOML file with the configuration
    #[arg(long, env = "GHBROKER_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Address to serve gRPC on [default: 127.0.0.1:50051]
    #[arg(long, env = "GHBROKER_LISTEN", value_name = "ADDRESS")]
    pub listen: Option<String>,
    /// Address to serve only the health service on, in plaintext, for probes
    #[arg(long, env = "GHBROKER_HEALTH_LISTEN", value_name = "ADDRESS")]
    pub health_listen: Option<String>,
    /// Address to serve GitHub's webhooks and metrics on, in plaintext, behind an ingress
    #[arg(long, env = "GHBROKER_HTTP_LISTEN", value_name = "ADDRESS")]
    pub http_listen: Option<String>,
    /// File with the rules of what callers may do
    #[arg(long, env = "GHBROKER_POLICY", value_name = "FILE")]
    pub policy: Option<PathBuf>,
    /// Where the audit is written: `stdout`, or a file [default: stdout]
    #[arg(long, env = "GHBROKER_AUDIT", value_name = "TARGET")]
    pub audit: Option<String>,
    /// Let everybody who reaches the port call, on any address, as `anonymous`
    #[arg(long)]
    pub dangerously_serve_unauthenticated: bool,
    /// sqlite://FILE or postgres://USER:PASSWORD@HOST/DATABASE [default: sqlite://ghbroker.db]
    #[arg(long, env = "GHBROKER_DATABASE_URL", value_name = "URL")]
    pub database_url: Option<SecretString>,
    /// File with a key-encryption key (32 bytes in base64); give the one that seals first, older ones after it
    #[arg(
        long = "encryption-key",
        env = "GHBROKER_ENCRYPTION_KEYS",
        value_delimiter = ',',
        value_name = "FILE"
    )]
    pub encryption_keys: Vec<PathBuf>,
    /// GitHub's REST API [default: https://api.github.com]
    #[arg(long, env = "GHBROKER_GITHUB_API_URL", value_name = "URL")]
    pub github_api_url: Option<String>,
    /// GitHub's GraphQL API [default: https://api.github.com/graphql]
    #[arg(long, env = "GHBROKER_GITHUB_GRAPHQL_URL", value_name = "URL")]
    pub github_graphql_url: Option<String>,
    /// GitHub's web pages and git [default: https://github.com]
    #[arg(long, env = "GHBROKER_GITHUB_WEB_URL", value_name = "URL")]
    pub github_web_url: Option<String>,
    /// Client id (or app id) of the GitHub App
    #[arg(long, env = "GHBROKER_GITHUB_APP_ISSUER", value_name = "ID")]
    pub github_app_issuer: Option<String>,
    /// File with the App's private key (PEM)
    #[arg(long, env = "GHBROKER_GITHUB_APP_PRIVATE_KEY", value_name = "FILE")]
    pub github_app_private_key: Option<PathBuf>,
    /// What to log, for example `info` or `info,ghbroker=debug` [default: info]
    #[arg(long, env = "GHBROKER_LOG", value_name = "FILTER")]
    pub log: Option<String>,
    /// `json` or `text` [default: json]
    #[arg(long, env = "GHBROKER_LOG_FORMAT", value_name = "FORMAT")]
    pub log_format: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing_of_the_database_url() {
        let url = "postgres://broker:hunter2@db/broker".to_owned();
        let flags = Flags { database_url: Some(url.into()), ..Flags::default() };
        assert!(!format!("{flags:?}").contains("hunter2"));
    }
}
