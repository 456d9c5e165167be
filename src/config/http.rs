//! `[webhooks]`: the secrets that GitHub signs with, each read.

use std::path::PathBuf;

use zeroize::Zeroizing;

use super::{check::Checker, shown};
use crate::auth::WebhookSecrets;

impl Checker<'_> {
    pub(super) fn webhooks(&mut self) -> Option<WebhookSecrets> {
        let paths = self.file.texts("webhooks.secrets").unwrap_or_default();
        if !self.file.has("webhooks") {
            return None;
        }
        if paths.is_empty() {
            self.wrong(
                "webhooks.secrets is missing: name at least one file with the webhook secret of the App's settings page",
            );
        }
        if self.flags.http_listen.is_none() && !self.file.has("server.http_listen") {
            self.wrong("server.http_listen is missing: [webhooks] is served there");
        }
        let secrets: Vec<_> =
            paths.into_iter().filter_map(|path| self.webhook_secret(path.into())).collect();
        Some(WebhookSecrets::new(secrets.iter().map(|secret| secret.trim_ascii())))
    }

    fn webhook_secret(&mut self, path: PathBuf) -> Option<Zeroizing<Vec<u8>>> {
        let secret = self.read("webhooks.secrets", &path)?;
        if secret.trim_ascii().is_empty() {
            self.wrong(format!(
                "webhooks.secrets {}: is empty, so that everybody could sign with it",
                shown(&path)
            ));
        }
        Some(secret)
    }
}
