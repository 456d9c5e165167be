//! What the client is built from.

use std::{path::PathBuf, time::Duration};

use url::Url;

use super::signing_key::AppKeys;
use crate::domain::Token;

/// Where GitHub is, who the broker is there, and how hard it may try.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Base of the REST API: `https://api.github.com`, or `https://HOST/api/v3` of an Enterprise Server.
    pub api_url: Url,
    /// GraphQL endpoint: `https://api.github.com/graphql`, or `https://HOST/api/graphql`.
    pub graphql_url: Url,
    /// What people open in a browser and clone from: `https://github.com`.
    pub web_url: Url,
    /// The GitHub App; without it only calls with a token are possible.
    pub app: Option<AppIdentity>,
    /// The App's OAuth client; needed only to learn who installed the App.
    pub oauth: Option<OAuthClient>,
    /// Limits on time, size and number of calls.
    pub limits: Limits,
}

impl Settings {
    /// Checks what a URL's type leaves open.
    pub(super) fn check_urls(&self) -> Result<(), BuildError> {
        let urls = [
            ("the API URL", &self.api_url, "https://api.github.com"),
            ("the GraphQL URL", &self.graphql_url, "https://api.github.com/graphql"),
            ("the web URL", &self.web_url, "https://github.com"),
        ];
        for (name, url, example) in urls {
            if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
                return Err(BuildError::Url { name, example });
            }
        }
        Ok(())
    }
}

/// The App's name and key.
#[derive(Clone, Debug)]
pub struct AppIdentity {
    /// Client id, or App id where the host is older than Enterprise Server 3.14: `iss` of the App's JWT.
    pub issuer: String,
    /// The App's private keys.
    pub private_keys: AppKeys,
    /// The file that they are from, if it is to be read again while serving.
    pub key_file: Option<PathBuf>,
}

/// The App's OAuth client.
#[derive(Clone, Debug)]
pub struct OAuthClient {
    /// The App's client id.
    pub client_id: String,
    /// The App's client secret.
    pub client_secret: Token,
    /// What an OAuth App asks for; a GitHub App asks for nothing.
    pub scopes: Vec<String>,
}

/// Limits on time, size and number of calls to GitHub.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Time to connect, TLS included.
    pub connect_timeout: Duration,
    /// Time for one whole request, its answer included.
    pub request_timeout: Duration,
    /// The same for requests that carry file content.
    pub upload_timeout: Duration,
    /// How often a repeatable request is sent at most.
    pub attempts: u32,
    /// Longest wait before the first repetition; it doubles with each.
    pub retry_base: Duration,
    /// The same after an answer "too many requests" that names no time.
    pub throttled_base: Duration,
    /// No wait is longer; a request that GitHub puts off for longer is not repeated.
    pub retry_cap: Duration,
    /// First wait before a token that was minted just now is believed to be refused; it doubles with each.
    pub fresh_token_wait: Duration,
    /// Requests in flight at once.
    pub in_flight: usize,
    /// Installation tokens minted in a minute.
    pub mints_per_minute: u32,
    /// Longest answer that is read, in bytes.
    pub max_body: usize,
    /// Failures in a row after which a host is left alone.
    pub breaker_failures: u32,
    /// How long it is left alone.
    pub breaker_open: Duration,
}

/// A connection that takes longer will not come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// GitHub itself ends a request after 10 s.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// 48 MiB of files over a slow line.
const UPLOAD_TIMEOUT: Duration = Duration::from_secs(60);
/// More attempts only add load to a host that is failing.
const ATTEMPTS: u32 = 3;
/// Long enough for a restarting front end to be replaced by its neighbour.
const RETRY_BASE: Duration = Duration::from_millis(50);
/// GitHub asks for a second between requests.
const THROTTLED_BASE: Duration = Duration::from_secs(1);
/// Callers have a deadline of 30 s.
const RETRY_CAP: Duration = Duration::from_secs(20);
/// GitHub's machines learn of a new token within a few seconds: 0.5 + 1 + 2 s are waited in all.
const FRESH_TOKEN_WAIT: Duration = Duration::from_millis(500);
/// GitHub allows 100 at once for everything that the App does; half is left to others.
const IN_FLIGHT: usize = 50;
/// GitHub allows 900 points a minute, of which a POST takes 5.
const MINTS_PER_MINUTE: u32 = 180;
/// GitHub's largest answer that is asked for, a recursive tree, ends at 7 MB; twice that for JSON on other hosts.
const MAX_BODY: usize = 16 << 20;
/// One request's attempts alone must not open the breaker.
const BREAKER_FAILURES: u32 = 5;
/// About as long as a caller's deadline.
const BREAKER_OPEN: Duration = Duration::from_secs(30);

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect_timeout: CONNECT_TIMEOUT,
            request_timeout: REQUEST_TIMEOUT,
            upload_timeout: UPLOAD_TIMEOUT,
            attempts: ATTEMPTS,
            retry_base: RETRY_BASE,
            fresh_token_wait: FRESH_TOKEN_WAIT,
            throttled_base: THROTTLED_BASE,
            retry_cap: RETRY_CAP,
            in_flight: IN_FLIGHT,
            mints_per_minute: MINTS_PER_MINUTE,
            max_body: MAX_BODY,
            breaker_failures: BREAKER_FAILURES,
            breaker_open: BREAKER_OPEN,
        }
    }
}

/// Why the client cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A base URL is not one of a web server.
    #[error("{name} must be an http or https URL with a host, such as {example}")]
    Url {
        /// Which setting.
        name: &'static str,
        /// What it could be.
        example: &'static str,
    },
    /// TLS could not be set up.
    #[error(
        "cannot set up HTTPS ({0}); if this machine has no system CA store, install ca-certificates"
    )]
    Tls(String),
}
