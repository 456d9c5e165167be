//! Flags and file together, checked: every mistake is collected, so that an operator mends them in one go.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{RootCertStore, ServerConfig, server::WebPkiClientVerifier};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use tracing_subscriber::EnvFilter;
use url::Url;

use super::{
    Config, Flags, Log, Mistakes, Tls,
    file::{self, File},
    shown,
};
use crate::{
    crypto::{Kek, KeySet},
    domain::Token,
    github::{AppIdentity, Limits, OAuthClient, Settings, SigningKey},
};

const DEFAULT_LISTEN: ([u8; 4], u16) = ([127, 0, 0, 1], 50051);
const DEFAULT_DATABASE: &str = "sqlite://ghbroker.db";
const DEFAULT_LOG: &str = "info";

/// Collects mistakes on the way.
#[derive(Default)]
struct Checker {
    mistakes: Vec<String>,
}

pub(super) fn check(flags: &Flags, file: File) -> Result<Config, Mistakes> {
    let mut checker = Checker::default();
    let listen = flags.listen.or(file.server.listen).unwrap_or(DEFAULT_LISTEN.into());
    let tls = file.server.tls.and_then(|tls| checker.tls(&tls));
    if tls.is_none() && !listen.ip().is_loopback() {
        checker.wrong(format!(
            "server.listen {listen}: without [server.tls] only loopback is allowed; configure TLS, or listen on 127.0.0.1"
        ));
    }
    let keys = if flags.encryption_keys.is_empty() {
        &file.encryption.keys
    } else {
        &flags.encryption_keys
    };
    let keys = checker.keys(keys);
    let database_url =
        flags.database_url.clone().or(file.database.url).unwrap_or(DEFAULT_DATABASE.to_owned());
    checker.database(&database_url);
    let github = checker.github(flags, file.github);
    let log = checker.log(flags, file.log);
    match (keys, github) {
        (Some(keys), Some(github)) if checker.mistakes.is_empty() => Ok(Config {
            listen,
            health_listen: flags.health_listen.or(file.server.health_listen),
            tls,
            database_url: database_url.into(),
            keys,
            github,
            hand_out_pats: file.tokens.hand_out_pats,
            log,
        }),
        _ => Err(Mistakes(checker.mistakes)),
    }
}

impl Checker {
    fn wrong(&mut self, mistake: impl Into<String>) {
        self.mistakes.push(mistake.into());
    }

    /// The value, or its error as a mistake.
    fn take<T, E: std::fmt::Display>(
        &mut self,
        what: impl std::fmt::Display,
        result: Result<T, E>,
    ) -> Option<T> {
        result.map_err(|error| self.wrong(format!("{what}: {error}"))).ok()
    }

    fn read(&mut self, key: &str, path: &Path) -> Option<Vec<u8>> {
        self.take(format_args!("{key} {}", shown(path)), std::fs::read(path))
    }

    fn keys(&mut self, paths: &[PathBuf]) -> Option<KeySet> {
        if paths.is_empty() {
            self.wrong(
                "encryption.keys is missing: name at least one file with 32 random bytes in base64 \
                 (openssl rand -base64 32); without it no secret could be stored safely",
            );
        }
        let mut keks = Vec::new();
        for path in paths {
            let bytes = self.read("encryption.keys", path)?;
            let text = String::from_utf8_lossy(&bytes);
            keks.push(self.take(
                format_args!("encryption.keys {}", shown(path)),
                Kek::from_base64(text.trim()),
            )?);
        }
        let mut keks = keks.into_iter();
        Some(KeySet::new(keks.next()?, keks.collect()))
    }

    fn database(&mut self, url: &str) {
        let known = ["sqlite:", "postgres:", "postgresql:"];
        if !known.iter().any(|scheme| url.starts_with(scheme)) {
            self.wrong("database.url must begin with sqlite:// or postgres://");
        }
    }

    fn github(&mut self, flags: &Flags, file: file::GitHub) -> Option<Settings> {
        let given = [
            ("github.api_url", flags.github_api_url.clone().or(file.api_url)),
            ("github.graphql_url", flags.github_graphql_url.clone().or(file.graphql_url)),
            ("github.web_url", flags.github_web_url.clone().or(file.web_url)),
        ];
        self.one_host(&given);
        let [api_url, graphql_url, web_url] = given;
        let api_url = self.url(api_url, "https://api.github.com");
        let graphql_url = self.url(graphql_url, "https://api.github.com/graphql");
        let web_url = self.url(web_url, "https://github.com");
        let app = self.app(flags, file.app.unwrap_or_default());
        let oauth = file.oauth.and_then(|oauth| self.oauth(&oauth));
        Some(Settings {
            api_url: api_url?,
            graphql_url: graphql_url?,
            web_url: web_url?,
            app,
            oauth,
            limits: Limits::default(),
        })
    }

    /// All three addresses are given, or none: beside an Enterprise Server's address the default of another one would send
    /// its customers' tokens to github.com.
    fn one_host(&mut self, given: &[(&str, Option<Url>); 3]) {
        let left_out: Vec<&str> =
            given.iter().filter(|(_, url)| url.is_none()).map(|(key, _)| *key).collect();
        if (1..given.len()).contains(&left_out.len()) {
            self.wrong(format!(
                "{} left out: give all of github.api_url, github.graphql_url and github.web_url, \
                 or none of them for github.com",
                left_out.join(" and ")
            ));
        }
    }

    /// GitHub is reached over TLS, but for a simulator on this machine.
    fn url(&mut self, (key, given): (&str, Option<Url>), default: &str) -> Option<Url> {
        let url = match given {
            Some(url) => url,
            None => self.take(key, default.parse::<Url>())?,
        };
        let loopback = match url.host() {
            Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
            Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
            Some(url::Host::Domain(name)) => name == "localhost",
            None => false,
        };
        if url.scheme() == "https" || (url.scheme() == "http" && loopback) {
            return Some(url);
        }
        self.wrong(format!("{key} must be an https:// address (http:// only on loopback)"));
        None
    }

    fn app(&mut self, flags: &Flags, file: file::App) -> Option<AppIdentity> {
        let issuer =
            flags.github_app_issuer.clone().or(file.issuer).filter(|issuer| !issuer.is_empty());
        let key = flags.github_app_private_key.clone().or(file.private_key);
        match (issuer, key) {
            (None, None) => None,
            (Some(issuer), Some(path)) => {
                let pem = self.read("github.app.private_key", &path)?;
                let what = format!("github.app.private_key {}", shown(&path));
                let private_key = self.take(what, SigningKey::from_pem(&pem))?;
                Some(AppIdentity { issuer, private_key })
            }
            (None, Some(_)) => {
                self.wrong(
                    "github.app.issuer is missing: the App's client id, from its settings page",
                );
                None
            }
            (Some(_), None) => {
                self.wrong(
                    "github.app.private_key is missing: the file with the App's private key (PEM)",
                );
                None
            }
        }
    }

    fn oauth(&mut self, file: &file::OAuth) -> Option<OAuthClient> {
        let bytes = self.read("github.oauth.client_secret", &file.client_secret)?;
        let secret = self.take("github.oauth.client_secret", String::from_utf8(bytes))?;
        Some(OAuthClient {
            client_id: file.client_id.clone(),
            client_secret: Token::new(secret.trim().to_owned()),
        })
    }

    fn log(&mut self, flags: &Flags, file: file::Log) -> Log {
        let filter = flags.log.clone().or(file.level).unwrap_or(DEFAULT_LOG.to_owned());
        self.take(format_args!("log.level {filter:?}"), EnvFilter::try_new(&filter));
        let format = flags.log_format.clone().or(file.format).unwrap_or("json".to_owned());
        if format != "json" && format != "text" {
            self.wrong(format!("log.format must be json or text, not {format:?}"));
        }
        Log { filter, json: format == "json" }
    }

    fn tls(&mut self, file: &file::Tls) -> Option<Tls> {
        let certificates = self.certificates("server.tls.certificate", &file.certificate);
        let key = self.take(
            format_args!("server.tls.private_key {}", shown(&file.private_key)),
            PrivateKeyDer::from_pem_file(&file.private_key),
        );
        let authorities = self.certificates("server.tls.client_ca", &file.client_ca);
        let (certificates, key, authorities) = (certificates?, key?, authorities?);
        let mut roots = RootCertStore::empty();
        for authority in authorities {
            self.take(
                format_args!("server.tls.client_ca {}", shown(&file.client_ca)),
                roots.add(authority),
            )?;
        }
        let verifier = WebPkiClientVerifier::builder(Arc::new(roots)).build();
        let verifier =
            self.take(format_args!("server.tls.client_ca {}", shown(&file.client_ca)), verifier)?;
        let server = ServerConfig::builder()
            .with_client_cert_verifier(verifier)
            .with_single_cert(certificates, key);
        let mut server = self.take("server.tls: certificate and private key", server)?;
        server.alpn_protocols = vec![b"h2".to_vec()];
        Some(Tls(Arc::new(server)))
    }

    fn certificates(&mut self, key: &str, path: &Path) -> Option<Vec<CertificateDer<'static>>> {
        let what = format!("{key} {}", path.display());
        let read =
            CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let certificates = self.take(&what, read)?;
        if certificates.is_empty() {
            self.wrong(format!("{what}: holds no certificate in PEM"));
            return None;
        }
        Some(certificates)
    }
}
