//! `[auth]` and `[policy]`: what callers have to prove, and what they may do.

use std::{net::SocketAddr, path::PathBuf};

use url::Url;

use super::{check::Checker, shown};
use crate::{
    auth::{Algorithm, KeySource, Required, ServiceAccountSettings, read_file},
    domain::Policy,
};

/// Issuer of the tokens of most clusters, as seen from inside.
const DEFAULT_ISSUER: &str = "https://kubernetes.default.svc.cluster.local";

impl Checker<'_> {
    /// What callers have to prove.
    pub(super) fn auth(&mut self) -> Option<Required> {
        // Whether the file is any good is said where it is tried.
        let certificates = self.file.has("server.tls.client_ca");
        let tokens = self.file.has("auth.service_account");
        let settings = self.service_account(tokens);
        let required = self.file.text("auth.require");
        let required = match (&required, certificates, tokens) {
            (Some(text), ..) => text.as_str(),
            (None, true, true) => {
                self.wrong(
                    "auth.require is missing: with server.tls.client_ca and [auth.service_account] say which is required: \
                     mtls, service_account, either or both",
                );
                return None;
            }
            (None, true, false) => "mtls",
            (None, false, true) => "service_account",
            (None, false, false) => return Some(Required::Nothing),
        };
        let wants_certificate = matches!(required, "mtls" | "either" | "both");
        let wants_token = matches!(required, "service_account" | "either" | "both");
        if !wants_certificate && !wants_token {
            self.wrong("auth.require must be mtls, service_account, either or both");
            return None;
        }
        for (wanted, given, key) in [
            (wants_certificate, certificates, "server.tls.client_ca"),
            (wants_token, tokens, "[auth.service_account]"),
        ] {
            if wanted && !given {
                self.wrong(format!("{key} is missing: auth.require = {required:?} needs it"));
            } else if given && !wanted {
                self.wrong(format!("{key} has no effect with auth.require = {required:?}"));
            }
        }
        match required {
            "mtls" => Some(Required::Certificate),
            "service_account" => settings.map(Required::ServiceAccount),
            "either" => settings.map(Required::Either),
            _ => settings.map(Required::Both),
        }
    }

    fn service_account(&mut self, wanted: bool) -> Option<ServiceAccountSettings> {
        let issuer = self.file.text("auth.service_account.issuer");
        let audience = self.file.text("auth.service_account.audience");
        let algorithms = self.algorithms();
        let keys = self.key_source(wanted);
        if wanted && audience.as_ref().is_none_or(String::is_empty) {
            self.wrong(
                "auth.service_account.audience is missing: a name that only tokens for this broker have, for example ghbroker",
            );
        }
        let issuer = issuer.unwrap_or_else(|| DEFAULT_ISSUER.to_owned());
        let mut settings = ServiceAccountSettings::new(issuer, audience?, keys?);
        if let Some(algorithms) = algorithms {
            settings.expected.algorithms = algorithms;
        }
        Some(settings)
    }

    fn algorithms(&mut self) -> Option<Vec<Algorithm>> {
        let names = self.file.texts("auth.service_account.algorithms")?;
        let algorithms: Option<Vec<Algorithm>> =
            names.iter().map(|name| name.parse().ok()).collect();
        if algorithms.as_ref().is_none_or(Vec::is_empty) {
            let names = Algorithm::ALL.map(Algorithm::name).join(", ");
            self.wrong(format!("auth.service_account.algorithms must be some of {names}"));
        }
        algorithms
    }

    fn key_source(&mut self, wanted: bool) -> Option<KeySource> {
        let file = self.file.text("auth.service_account.jwks_file").map(PathBuf::from);
        let url = self.file.text("auth.service_account.jwks_url");
        let ca = self.file.text("auth.service_account.jwks_ca").map(PathBuf::from);
        let bearer_token_file =
            self.file.text("auth.service_account.jwks_token_file").map(PathBuf::from);
        match (file, url) {
            (Some(path), None) => Some(KeySource::File(path)),
            (None, Some(url)) => {
                let url: Url = self.take("auth.service_account.jwks_url", url.parse())?;
                Some(KeySource::Url { url, ca, bearer_token_file })
            }
            _ => {
                if wanted {
                    self.wrong(
                        "[auth.service_account] needs the issuer's keys: either jwks_file or jwks_url",
                    );
                }
                None
            }
        }
    }

    /// Beyond loopback everybody on the network could call a broker that asks nobody who they are.
    pub(super) fn exposure(
        &mut self,
        listen: Option<SocketAddr>,
        tls: bool,
        auth: Option<&Required>,
        policy: bool,
    ) {
        let flag = self.flags.dangerously_serve_unauthenticated.then_some(true);
        let in_file = self.file.switch("server.dangerously_serve_unauthenticated");
        let dangerous = flag.or(in_file).unwrap_or_default();
        let (Some(listen), Some(auth)) = (listen, auth) else { return };
        let nobody_asked = matches!(auth, Required::Nothing);
        if !listen.ip().is_loopback() && (nobody_asked || !tls) && !dangerous {
            self.wrong(format!(
                "server.listen {listen}: beyond loopback callers have to prove who they are, over TLS; configure [server.tls] \
                 with client_ca or [auth.service_account], or listen on 127.0.0.1"
            ));
        }
        if !nobody_asked && !policy {
            self.wrong(
                "policy.file is missing: what callers may do; without a rule none of them may do anything",
            );
        } else if dangerous && !policy {
            self.wrong(
                "policy.file is missing: a broker that is open to the network needs a rule for callers = [\"anonymous\"]",
            );
        }
    }

    /// The policy's file, once it is known to be good.
    pub(super) fn policy(&mut self) -> Option<PathBuf> {
        let flags = self.flags;
        let in_file = self.file.text("policy.file").map(PathBuf::from);
        let path = flags.policy.clone().or(in_file)?;
        let what = format!("policy.file {}", shown(&path));
        let content = self.take(&what, read_file(&path))?;
        match Policy::from_file(&content) {
            Ok(_) => Some(path),
            Err(mistakes) => {
                mistakes.into_iter().for_each(|mistake| self.wrong(format!("{what}: {mistake}")));
                None
            }
        }
    }
}
