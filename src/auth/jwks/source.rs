//! Where keys are read from.

use std::{
    error::Error as _,
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use reqwest::{
    Certificate, Client, StatusCode,
    header::{AUTHORIZATION, HeaderValue},
    redirect,
};
use tokio::io::AsyncReadExt;
use url::Url;

use super::keys::Keys;
use crate::domain::{Clock, Invalid, Token, is_private};

/// An API server is near: a connection that takes longer will not come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// For everything, files too: callers wait for this, and have 30 s themselves.
const READ_TIMEOUT: Duration = Duration::from_secs(5);
/// 64 keys of 8192 bits need a third of it.
const MAX_JWKS: usize = 256 << 10;
/// Tokens of clusters have 1 to 2 KiB.
const MAX_BEARER_TOKEN: usize = 8 << 10;

/// Where an issuer's public keys (a JWKS) are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum KeySource {
    /// A file, which may be changed or replaced at any time.
    File(PathBuf),
    /// A web server.
    Url {
        /// Its address: https, or http on this machine.
        url: Url,
        /// PEM file of the authorities that its certificate may be from, such as the cluster's; read once. Without it,
        /// the machine's.
        ca: Option<PathBuf>,
        /// File with the token that the broker shows there; read for each request, because it is replaced.
        bearer_token_file: Option<PathBuf>,
    },
}

/// Why tokens cannot be checked as the settings say.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The address of the keys is not one that they can be trusted from.
    #[error(
        "the URL of the keys must be https (http only on a loopback address), such as \
         https://kubernetes.default.svc/openid/v1/jwks, and without a user name"
    )]
    Url,
    /// The authorities cannot be read.
    #[error("cannot read the authorities in {}: {cause}", path.display())]
    Authorities {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        cause: String,
    },
    /// TLS could not be set up.
    #[error(
        "cannot set up HTTPS ({0}); if this machine has no system CA store, install ca-certificates \
         or name a file with the authorities"
    )]
    Tls(String),
    /// The issuer, the audience or the algorithms are empty.
    #[error("{0} must not be empty: without it every token would be refused")]
    Empty(&'static str),
}

/// Why keys could not be read. It says where and why, and nothing that the server answered.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("cannot read {}: {cause}", path.display())]
    File { path: PathBuf, cause: io::Error },
    #[error("{} is longer than {limit} bytes", path.display())]
    LongFile { path: PathBuf, limit: usize },
    #[error("{} does not hold one token", path.display())]
    NotAToken { path: PathBuf },
    #[error("cannot get them from {host}: {cause}")]
    Lost { host: String, cause: String },
    #[error("{host} answered HTTP {status} where 200 is needed")]
    Status { host: String, status: u16 },
    #[error("the answer of {host} is longer than {MAX_JWKS} bytes")]
    LongAnswer { host: String },
    #[error("it took longer than {} s", READ_TIMEOUT.as_secs())]
    Late,
    #[error("what was read {0}")]
    Content(#[from] Invalid),
}

/// A [`KeySource`], ready to be read from.
pub(in crate::auth) enum Source {
    File(PathBuf),
    Server { client: Client, url: Url, bearer_token_file: Option<PathBuf> },
}

impl Source {
    /// Reads the authorities; nothing is sent yet.
    pub(in crate::auth) fn new(source: KeySource) -> Result<Self, BuildError> {
        match source {
            KeySource::File(path) => Ok(Self::File(path)),
            KeySource::Url { url, ca, bearer_token_file } => {
                let client = client(&url, ca)?;
                Ok(Self::Server { client, url, bearer_token_file })
            }
        }
    }

    /// The keys as they are now. Ends within [`READ_TIMEOUT`].
    pub(super) async fn read(&self, clock: &dyn Clock) -> Result<Keys, Failure> {
        let json = tokio::select! {
            json = self.content() => json?,
            () = clock.sleep(READ_TIMEOUT) => return Err(Failure::Late),
        };
        Ok(Keys::parse(&json)?)
    }

    async fn content(&self) -> Result<Vec<u8>, Failure> {
        match self {
            Self::File(path) => read_file(path, MAX_JWKS).await,
            Self::Server { client, url, bearer_token_file } => {
                get(client, url, bearer_token_file.as_deref()).await
            }
        }
    }
}

fn client(url: &Url, ca: Option<PathBuf>) -> Result<Client, BuildError> {
    // A user name would be a second credential, and be shown wherever the URL is.
    if !is_private(url) || !url.username().is_empty() || url.password().is_some() {
        return Err(BuildError::Url);
    }
    let mut builder = Client::builder()
        .user_agent(concat!("ghbroker/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_TIMEOUT)
        // Who may sign is said by this server alone; and a variable of the environment must not send the broker's
        // token by way of another machine.
        .redirect(redirect::Policy::none())
        .no_proxy();
    if let Some(path) = ca {
        builder = builder.tls_certs_only(authorities(path)?);
    }
    builder.build().map_err(|error| {
        BuildError::Tls(error.source().map_or_else(|| error.to_string(), ToString::to_string))
    })
}

fn authorities(path: PathBuf) -> Result<Vec<Certificate>, BuildError> {
    let read = std::fs::read(&path).map_err(|error| error.to_string()).and_then(|pem| {
        match Certificate::from_pem_bundle(&pem) {
            Ok(certificates) if !certificates.is_empty() => Ok(certificates),
            _ => Err("it holds no certificate in PEM".to_owned()),
        }
    });
    read.map_err(|cause| BuildError::Authorities { path, cause })
}

async fn get(client: &Client, url: &Url, token_file: Option<&Path>) -> Result<Vec<u8>, Failure> {
    let host = || url.host_str().unwrap_or_default().to_owned();
    let lost = |error: reqwest::Error| Failure::Lost { host: host(), cause: cause(&error) };
    let mut request = client.get(url.clone());
    if let Some(path) = token_file {
        request = request.header(AUTHORIZATION, bearer(path).await?);
    }
    let mut response = request.send().await.map_err(lost)?;
    if response.status() != StatusCode::OK {
        return Err(Failure::Status { host: host(), status: response.status().as_u16() });
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(lost)? {
        if body.len() + chunk.len() > MAX_JWKS {
            return Err(Failure::LongAnswer { host: host() });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

async fn bearer(path: &Path) -> Result<HeaderValue, Failure> {
    let bad = || Failure::NotAToken { path: path.to_owned() };
    let text = String::from_utf8(read_file(path, MAX_BEARER_TOKEN).await?).map_err(|_| bad())?;
    let token = Token::new(text);
    let text = token.expose().trim();
    if text.is_empty() || text.contains(char::is_whitespace) {
        return Err(bad());
    }
    let mut value = HeaderValue::try_from(format!("Bearer {text}")).map_err(|_| bad())?;
    value.set_sensitive(true);
    Ok(value)
}

async fn read_file(path: &Path, limit: usize) -> Result<Vec<u8>, Failure> {
    let failed = |cause| Failure::File { path: path.to_owned(), cause };
    // A pipe would block a thread for ever, already when it is opened.
    if !tokio::fs::metadata(path).await.map_err(failed)?.is_file() {
        return Err(failed(io::Error::other("is not a regular file")));
    }
    let file = tokio::fs::File::open(path).await.map_err(failed)?;
    let mut content = Vec::new();
    let one_more = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    file.take(one_more).read_to_end(&mut content).await.map_err(failed)?;
    if content.len() > limit {
        return Err(Failure::LongFile { path: path.to_owned(), limit });
    }
    Ok(content)
}

/// The deepest cause: the others name the URL again.
fn cause(error: &reqwest::Error) -> String {
    let mut cause = error.source();
    while let Some(deeper) = cause.and_then(|cause| cause.source()) {
        cause = Some(deeper);
    }
    cause.map_or_else(|| "the request failed".to_owned(), ToString::to_string)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn a_pipe_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("jwks.json");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let read = tokio::time::timeout(Duration::from_secs(10), read_file(&pipe, 10)).await;
        assert!(matches!(read, Ok(Err(Failure::File { .. }))), "{read:?}");
    }
}
