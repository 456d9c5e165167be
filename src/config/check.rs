//! Flags and file together, checked: every mistake is collected, so that an operator mends them in one go.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use secrecy::{ExposeSecret, SecretString};
use tracing_subscriber::EnvFilter;
use zeroize::Zeroizing;

use super::{Config, Flags, Log, Mistakes, file::File, shown};
use crate::{
    audit::Target,
    crypto::{Kek, KeySet},
    store,
};

const DEFAULT_LISTEN: ([u8; 4], u16) = ([127, 0, 0, 1], 50051);
const DEFAULT_DATABASE: &str = "sqlite://ghbroker.db";
/// Logs go to stderr, so that the two do not mix.
const DEFAULT_AUDIT: &str = "stdout";
const DEFAULT_LOG: &str = "info";

/// Collects mistakes on the way.
pub(super) struct Checker<'a> {
    pub flags: &'a Flags,
    pub file: File,
    mistakes: Vec<String>,
}

pub(super) fn check(flags: &Flags, file: File) -> Result<Config, Mistakes> {
    let mut checker = Checker { flags, file, mistakes: Vec::new() };
    let listen = checker.listen();
    let health_listen = checker.address("server.health_listen", &flags.health_listen);
    let http_listen = checker.address("server.http_listen", &flags.http_listen);
    let tls = checker.tls();
    let auth = checker.auth();
    let policy = checker.policy();
    let has_policy = flags.policy.is_some() || checker.file.has("policy.file");
    checker.exposure(listen, tls.is_some(), auth.as_ref(), has_policy);
    let audit = checker.audit();
    let limits = checker.limits();
    let database_url = checker.database_url();
    let keys = checker.keys();
    let default_site = checker.default_site();
    let sites = checker.further_sites();
    checker.told_apart(default_site.iter().chain(&sites));
    let connecting = checker.connecting();
    let revoke_on_shutdown = checker.file.switch("tokens.revoke_on_shutdown").unwrap_or(false);
    let commit_trailers = checker.file.switch("commits.trailers").unwrap_or(false);
    let log = checker.log();

    let mut mistakes = checker.file.mistakes();
    mistakes.append(&mut checker.mistakes);
    match (listen, auth, audit, keys, default_site) {
        (Some(listen), Some(auth), Some(audit), Some(keys), Some(default_site))
            if mistakes.is_empty() =>
        {
            Ok(Config {
                listen,
                health_listen,
                http_listen,
                tls,
                auth,
                policy,
                audit,
                limits,
                connecting,
                revoke_on_shutdown,
                commit_trailers,
                database_url,
                keys,
                github: default_site.github,
                former_issuers: default_site.former_issuers,
                webhooks: default_site.webhooks,
                sites,
                log,
            })
        }
        _ => Err(Mistakes(mistakes)),
    }
}

impl Checker<'_> {
    pub fn wrong(&mut self, mistake: impl Into<String>) {
        self.mistakes.push(mistake.into());
    }

    /// The value, or its error as a mistake.
    pub fn take<T, E: std::fmt::Display>(
        &mut self,
        what: impl std::fmt::Display,
        result: Result<T, E>,
    ) -> Option<T> {
        result.map_err(|error| self.wrong(format!("{what}: {error}"))).ok()
    }

    /// What the flag says, or else the file. The file is asked in any case, so that it is checked.
    pub fn text(&mut self, key: &str, flag: &Option<String>) -> Option<String> {
        let in_file = self.file.text(key);
        flag.clone().or(in_file)
    }

    /// A file's content, which may be a secret.
    pub fn read(&mut self, key: &str, path: &Path) -> Option<Zeroizing<Vec<u8>>> {
        self.take(format_args!("{key} {}", shown(path)), std::fs::read(path)).map(Zeroizing::new)
    }

    fn listen(&mut self) -> Option<SocketAddr> {
        let flags = self.flags;
        if flags.listen.is_none() && !self.file.has("server.listen") {
            return Some(DEFAULT_LISTEN.into());
        }
        self.address("server.listen", &flags.listen)
    }

    fn address(&mut self, key: &str, flag: &Option<String>) -> Option<SocketAddr> {
        let text = self.text(key, flag)?;
        let address = text.parse();
        if address.is_err() {
            self.wrong(format!("{key} {text:?}: must be IP:PORT, for example 127.0.0.1:50051"));
        }
        address.ok()
    }

    fn audit(&mut self) -> Option<Target> {
        let flags = self.flags;
        let target = self.text("audit.target", &flags.audit).unwrap_or(DEFAULT_AUDIT.to_owned());
        self.take(format_args!("audit.target {target:?}"), target.parse())
    }

    fn database_url(&mut self) -> SecretString {
        let in_file = self.file.text("database.url").map(SecretString::from);
        let url = self.flags.database_url.clone().or(in_file).unwrap_or(DEFAULT_DATABASE.into());
        if let Err(invalid) = store::check_url(url.expose_secret()) {
            self.wrong(format!("database.url {invalid}"));
        }
        url
    }

    fn keys(&mut self) -> Option<KeySet> {
        let in_file = self.file.texts("encryption.keys").unwrap_or_default();
        let paths = match self.flags.encryption_keys.as_slice() {
            [] => in_file.into_iter().map(PathBuf::from).collect(),
            given => given.to_vec(),
        };
        if paths.is_empty() {
            self.wrong(
                "encryption.keys is missing: name at least one file with 32 random bytes in base64 \
                 (openssl rand -base64 32); without it no secret could be stored safely",
            );
        }
        let mut keks = paths.iter().filter_map(|path| self.kek(path));
        let primary = keks.next()?;
        Some(KeySet::new(primary, keks.collect()))
    }

    fn kek(&mut self, path: &Path) -> Option<Kek> {
        let bytes = self.read("encryption.keys", path)?;
        // What is not UTF-8 is not base64 either.
        let text = std::str::from_utf8(&bytes).unwrap_or_default();
        self.take(format_args!("encryption.keys {}", shown(path)), Kek::from_base64(text))
    }

    fn log(&mut self) -> Log {
        let flags = self.flags;
        let filter = self.text("log.level", &flags.log).unwrap_or(DEFAULT_LOG.to_owned());
        self.take(format_args!("log.level {filter:?}"), EnvFilter::try_new(&filter));
        let format = self.text("log.format", &flags.log_format).unwrap_or("json".to_owned());
        if format != "json" && format != "text" {
            self.wrong(format!("log.format must be json or text, not {format:?}"));
        }
        Log { filter, json: format == "json" }
    }
}
