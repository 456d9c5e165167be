//! `[server.tls]`: the files of certificates, each tried.

use std::{path::PathBuf, sync::Arc};

use super::check::Checker;
use crate::{auth::TlsFiles, domain::SystemClock};

impl Checker<'_> {
    pub(super) fn tls(&mut self) -> Option<TlsFiles> {
        // A section that names nothing is one that somebody believes to be in force.
        let wanted = self.file.has("server.tls");
        let mut path = |key, needed| {
            let path = self.file.text(key).map(PathBuf::from);
            if wanted && needed && !self.file.has(key) {
                self.wrong(format!(
                    "{key} is missing: [server.tls] needs a certificate and its private_key"
                ));
            }
            path
        };
        let certificate = path("server.tls.certificate", true);
        let private_key = path("server.tls.private_key", true);
        let client_ca = path("server.tls.client_ca", false);

        let files = TlsFiles { certificate: certificate?, private_key: private_key?, client_ca };
        match files.load(Arc::new(SystemClock)) {
            Ok(_) => Some(files),
            Err(mistakes) => {
                mistakes.into_iter().for_each(|mistake| self.wrong(mistake));
                None
            }
        }
    }
}
