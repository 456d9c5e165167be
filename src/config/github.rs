//! `[github]`, and each of `[sites.NAME]`: the addresses, the App and its OAuth client.

use std::path::{Path, PathBuf};

use url::Url;

use super::{Flags, check::Checker, shown};
use crate::{
    domain::{Token, is_private},
    github::{AppIdentity, AppKeys, Limits, OAuthClient, Settings},
};

/// What flags and variables say in place of a section's keys.
#[derive(Default)]
pub(super) struct Given {
    api_url: Option<String>,
    graphql_url: Option<String>,
    web_url: Option<String>,
    issuer: Option<String>,
    private_key: Option<PathBuf>,
}

impl Given {
    /// Those of `[github]`; further sites have none.
    pub fn by(flags: &Flags) -> Self {
        Self {
            api_url: flags.github_api_url.clone(),
            graphql_url: flags.github_graphql_url.clone(),
            web_url: flags.github_web_url.clone(),
            issuer: flags.github_app_issuer.clone(),
            private_key: flags.github_app_private_key.clone(),
        }
    }
}

impl Checker<'_> {
    /// One App on one host, as `section` has it.
    pub(super) fn github(&mut self, section: &str, flags: Given) -> Option<Settings> {
        let given = [
            ("api_url", flags.api_url),
            ("graphql_url", flags.graphql_url),
            ("web_url", flags.web_url),
        ]
        .map(|(key, flag)| {
            let key = format!("{section}.{key}");
            let url = self.text(&key, &flag);
            (key, url)
        });
        self.one_host(section, &given);
        let [api_url, graphql_url, web_url] = given;
        let api_url = self.url(api_url, "https://api.github.com");
        let graphql_url = self.url(graphql_url, "https://api.github.com/graphql");
        let web_url = self.url(web_url, "https://github.com");
        let app = self.app(section, &flags.issuer, flags.private_key);
        let oauth = self.oauth(section);
        let limits = self.github_limits(section);
        Some(Settings {
            api_url: api_url?,
            graphql_url: graphql_url?,
            web_url: web_url?,
            app,
            oauth,
            limits,
        })
    }

    fn github_limits(&mut self, section: &str) -> Limits {
        let mut limits = Limits::default();
        let key = format!("{section}.mints_per_minute");
        self.count(&key, 10..=10_000, &mut limits.mints_per_minute);
        limits
    }

    /// All three addresses are given, or none: beside an Enterprise Server's address the default of another one would send
    /// its customers' tokens to github.com.
    fn one_host(&mut self, section: &str, given: &[(String, Option<String>); 3]) {
        let left_out: Vec<&str> =
            given.iter().filter(|(_, url)| url.is_none()).map(|(key, _)| key.as_str()).collect();
        if (1..given.len()).contains(&left_out.len()) {
            self.wrong(format!(
                "{} left out: give all of {section}.api_url, {section}.graphql_url and {section}.web_url, \
                 or none of them for github.com",
                left_out.join(" and ")
            ));
        }
    }

    /// GitHub is reached over TLS, but for a simulator on this machine.
    fn url(&mut self, (key, given): (String, Option<String>), default: &str) -> Option<Url> {
        let url: Url = self.take(&key, given.as_deref().unwrap_or(default).parse())?;
        if is_private(&url) {
            return Some(url);
        }
        self.wrong(format!("{key} must be an https:// address (http:// only on loopback)"));
        None
    }

    fn app(
        &mut self,
        section: &str,
        issuer: &Option<String>,
        private_key: Option<PathBuf>,
    ) -> Option<AppIdentity> {
        let (issuer_key, key_key) =
            (format!("{section}.app.issuer"), format!("{section}.app.private_key"));
        let issuer = self.text(&issuer_key, issuer).filter(|issuer| !issuer.is_empty());
        let path = self.file.text(&key_key).map(PathBuf::from);
        match (issuer, private_key.or(path)) {
            (None, None) => None,
            (Some(issuer), Some(path)) => {
                let private_keys = self.app_keys(&key_key, &path)?;
                Some(AppIdentity { issuer, private_keys, key_file: Some(path) })
            }
            (None, Some(path)) => {
                self.wrong(format!(
                    "{issuer_key} is missing: the App's client id, from its settings page"
                ));
                self.app_keys(&key_key, &path);
                None
            }
            (Some(_), None) => {
                self.wrong(format!(
                    "{key_key} is missing: the file with the App's private key (PEM)"
                ));
                None
            }
        }
    }

    fn app_keys(&mut self, key: &str, path: &Path) -> Option<AppKeys> {
        let pem = self.read(key, path)?;
        let what = format!("{key} {}", shown(path));
        self.take(what, AppKeys::from_pem(&pem))
    }

    fn oauth(&mut self, section: &str) -> Option<OAuthClient> {
        let section = format!("{section}.oauth");
        let [id_key, secret_key] =
            ["client_id", "client_secret"].map(|key| format!("{section}.{key}"));
        let client_id = self.file.text(&id_key);
        let path = self.file.text(&secret_key);
        let scopes = self.file.texts(&format!("{section}.scopes")).unwrap_or_default();
        if !self.file.has(&section) {
            return None;
        }
        for key in [&id_key, &secret_key] {
            if !self.file.has(key) {
                self.wrong(format!("{key} is missing: [{section}] needs both of its keys"));
            }
        }
        let bytes = self.read(&secret_key, Path::new(&path?))?;
        let secret = self.take(&secret_key, std::str::from_utf8(&bytes))?;
        let client_secret = Token::new(secret.trim().to_owned());
        Some(OAuthClient { client_id: client_id?, client_secret, scopes })
    }
}
