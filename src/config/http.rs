//! `[webhooks]`, and that of each further site: the secrets that GitHub signs with, each read.

use std::path::PathBuf;

use zeroize::Zeroizing;

use super::{check::Checker, shown};
use crate::auth::WebhookSecrets;

impl Checker<'_> {
    pub(super) fn webhooks(&mut self, section: &str) -> Option<WebhookSecrets> {
        let key = format!("{section}.secrets");
        let paths = self.file.texts(&key).unwrap_or_default();
        if !self.file.has(section) {
            return None;
        }
        if paths.is_empty() {
            self.wrong(format!(
                "{key} is missing: name at least one file with the webhook secret of the App's settings page"
            ));
        }
        if self.flags.http_listen.is_none() && !self.file.has("server.http_listen") {
            self.wrong(format!("server.http_listen is missing: [{section}] is served there"));
        }
        let secrets: Vec<_> =
            paths.into_iter().filter_map(|path| self.webhook_secret(&key, path.into())).collect();
        Some(WebhookSecrets::new(secrets.iter().map(|secret| secret.trim_ascii())))
    }

    fn webhook_secret(&mut self, key: &str, path: PathBuf) -> Option<Zeroizing<Vec<u8>>> {
        let secret = self.read(key, &path)?;
        if secret.trim_ascii().is_empty() {
            self.wrong(format!(
                "{key} {}: is empty, so that everybody could sign with it",
                shown(&path)
            ));
        }
        Some(secret)
    }
}
