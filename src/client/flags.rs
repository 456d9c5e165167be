//! Flags and environment variables of the commands that ask a broker.

#![allow(rustdoc::bare_urls, reason = "clap shows these comments as they are, without Markdown")]

use std::{collections::HashMap, path::PathBuf, str::FromStr, time::Duration};

use clap::Args;

use super::Address;
use crate::domain::{Invalid, RepoName};

/// Which broker, for which account, which token, and who asks. Help shows no value of a variable, as for the broker's own flags.
#[derive(Args, Clone, Debug)]
#[command(mut_args(|flag| flag.hide_env_values(true)))]
pub struct Flags {
    /// The broker: https://HOST:PORT, or http://HOST:PORT on loopback
    #[arg(long, env = "GHBROKER_ADDRESS", value_name = "URL")]
    pub broker: Address,
    /// The account to ask for
    #[arg(long, env = "GHBROKER_ACCOUNT", value_name = "ACCOUNT")]
    pub account: String,
    /// OWNER/NAME of a bound repository [default: the one that git names, else the account's active one]
    #[arg(long, env = "GHBROKER_REPOSITORY", value_name = "REPOSITORY")]
    pub repository: Option<RepoName>,
    /// A permission that the token must have, for example `contents:write`; give one flag for each
    #[arg(long = "permission", value_name = "NAME:LEVEL")]
    pub permissions: Vec<AskedPermission>,
    /// Seconds that the token must be good for at least, up to 1800 [default: 300]
    #[arg(long, value_name = "SECONDS")]
    pub min_ttl: Option<u32>,
    /// File with the authorities of the broker's certificate (PEM) [default: the system's]
    #[arg(long, env = "GHBROKER_CA", value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// File with the certificate to show (PEM)
    #[arg(long, env = "GHBROKER_CERT", value_name = "FILE", requires = "key")]
    pub cert: Option<PathBuf>,
    /// File with the certificate's private key (PEM)
    #[arg(long, env = "GHBROKER_KEY", value_name = "FILE", requires = "cert")]
    pub key: Option<PathBuf>,
    /// File with the ServiceAccount token to show; read at every call
    #[arg(long, env = "GHBROKER_TOKEN_FILE", value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// Seconds to wait for the broker
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..))]
    pub timeout: u32,
}

impl Flags {
    /// How long everything may take.
    pub(super) fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout.into())
    }

    /// The permissions as a request has them.
    pub(super) fn permissions(&self) -> HashMap<String, String> {
        self.permissions.iter().map(|asked| (asked.name.clone(), asked.level.clone())).collect()
    }
}

/// One `--permission`. The broker knows which names and levels there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AskedPermission {
    name: String,
    level: String,
}

impl FromStr for AskedPermission {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let parts =
            text.split_once(':').filter(|(name, level)| !name.is_empty() && !level.is_empty());
        let (name, level) = parts.ok_or_else(|| Invalid::new("must be like `contents:write`"))?;
        Ok(Self { name: name.to_owned(), level: level.to_owned() })
    }
}
