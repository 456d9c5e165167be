//! `[github]`: the addresses, the App and its OAuth client.

use std::path::{Path, PathBuf};

use url::Url;

use super::{check::Checker, shown};
use crate::{
    domain::{Token, is_private},
    github::{AppIdentity, Limits, OAuthClient, Settings, SigningKey},
};

impl Checker<'_> {
    pub(super) fn github(&mut self) -> Option<Settings> {
        let flags = self.flags;
        let given = [
            ("github.api_url", &flags.github_api_url),
            ("github.graphql_url", &flags.github_graphql_url),
            ("github.web_url", &flags.github_web_url),
        ]
        .map(|(key, flag)| (key, self.text(key, flag)));
        self.one_host(&given);
        let [api_url, graphql_url, web_url] = given;
        let api_url = self.url(api_url, "https://api.github.com");
        let graphql_url = self.url(graphql_url, "https://api.github.com/graphql");
        let web_url = self.url(web_url, "https://github.com");
        let app = self.app();
        let oauth = self.oauth();
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
    fn one_host(&mut self, given: &[(&str, Option<String>); 3]) {
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
    fn url(&mut self, (key, given): (&str, Option<String>), default: &str) -> Option<Url> {
        let url: Url = self.take(key, given.as_deref().unwrap_or(default).parse())?;
        if is_private(&url) {
            return Some(url);
        }
        self.wrong(format!("{key} must be an https:// address (http:// only on loopback)"));
        None
    }

    fn app(&mut self) -> Option<AppIdentity> {
        let flags = self.flags;
        let issuer = self
            .text("github.app.issuer", &flags.github_app_issuer)
            .filter(|issuer| !issuer.is_empty());
        let key = self.file.text("github.app.private_key").map(PathBuf::from);
        match (issuer, flags.github_app_private_key.clone().or(key)) {
            (None, None) => None,
            (Some(issuer), Some(path)) => {
                let private_key = self.signing_key(&path)?;
                Some(AppIdentity { issuer, private_key })
            }
            (None, Some(path)) => {
                self.wrong(
                    "github.app.issuer is missing: the App's client id, from its settings page",
                );
                self.signing_key(&path);
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

    fn signing_key(&mut self, path: &Path) -> Option<SigningKey> {
        let pem = self.read("github.app.private_key", path)?;
        let what = format!("github.app.private_key {}", shown(path));
        self.take(what, SigningKey::from_pem(&pem))
    }

    fn oauth(&mut self) -> Option<OAuthClient> {
        let client_id = self.file.text("github.oauth.client_id");
        let path = self.file.text("github.oauth.client_secret");
        let scopes = self.file.texts("github.oauth.scopes").unwrap_or_default();
        if !self.file.has("github.oauth") {
            return None;
        }
        for key in ["github.oauth.client_id", "github.oauth.client_secret"] {
            if !self.file.has(key) {
                self.wrong(format!("{key} is missing: [github.oauth] needs both of its keys"));
            }
        }
        let bytes = self.read("github.oauth.client_secret", Path::new(&path?))?;
        let secret = self.take("github.oauth.client_secret", std::str::from_utf8(&bytes))?;
        let client_secret = Token::new(secret.trim().to_owned());
        Some(OAuthClient { client_id: client_id?, client_secret, scopes })
    }
}
