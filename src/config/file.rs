//! The TOML file. An unknown key is a mistake: it is one that somebody believes to be in force.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use serde::Deserialize;
use url::Url;

use super::{Mistakes, shown};

#[derive(Deserialize, Default, Debug)]
#[serde(deny_unknown_fields, default)]
pub(super) struct File {
    pub server: Server,
    pub database: Database,
    pub encryption: Encryption,
    pub github: GitHub,
    pub tokens: Tokens,
    pub log: Log,
}

#[derive(Deserialize, Default, Debug)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Server {
    pub listen: Option<SocketAddr>,
    pub health_listen: Option<SocketAddr>,
    pub tls: Option<Tls>,
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(super) struct Tls {
    pub certificate: PathBuf,
    pub private_key: PathBuf,
    pub client_ca: PathBuf,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Database {
    pub url: Option<String>,
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Database(..)")
    }
}

#[derive(Deserialize, Default, Debug)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Encryption {
    pub keys: Vec<PathBuf>,
}

#[derive(Deserialize, Default, Debug)]
#[serde(deny_unknown_fields, default)]
pub(super) struct GitHub {
    pub api_url: Option<Url>,
    pub graphql_url: Option<Url>,
    pub web_url: Option<Url>,
    pub app: Option<App>,
    pub oauth: Option<OAuth>,
}

#[derive(Deserialize, Default, Debug)]
#[serde(deny_unknown_fields, default)]
pub(super) struct App {
    pub issuer: Option<String>,
    pub private_key: Option<PathBuf>,
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(super) struct OAuth {
    pub client_id: String,
    pub client_secret: PathBuf,
}

#[derive(Deserialize, Default, Debug)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Tokens {
    pub hand_out_pats: bool,
}

#[derive(Deserialize, Default, Debug)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Log {
    pub level: Option<String>,
    pub format: Option<String>,
}

pub(super) fn read(path: &Path) -> Result<File, Mistakes> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Mistakes(vec![format!("{} cannot be read: {error}", shown(path))]))?;
    toml::from_str(&text).map_err(|error| {
        // The parser's full text quotes the line, which may hold a password.
        let line = error
            .span()
            .map_or(0, |span| text.get(..span.start).unwrap_or_default().lines().count().max(1));
        Mistakes(vec![format!("{} line {line}: {}", shown(path), error.message())])
    })
}
