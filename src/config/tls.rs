//! `[server.tls]`: the certificates, read and put together.

use std::sync::Arc;

use rustls::{RootCertStore, ServerConfig, server::WebPkiClientVerifier};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};

use super::{Tls, check::Checker};

impl Checker<'_> {
    pub(super) fn tls(&mut self) -> Option<Tls> {
        // A section that names nothing is one that somebody believes to be in force.
        let wanted = self.file.has("server.tls");
        let mut path = |key| {
            let path = self.file.text(key);
            if wanted && !self.file.has(key) {
                self.wrong(format!("{key} is missing: [server.tls] needs all of its three files"));
            }
            path
        };
        let certificate = path("server.tls.certificate");
        let private_key = path("server.tls.private_key");
        let client_ca = path("server.tls.client_ca");

        let certificates =
            certificate.and_then(|path| self.certificates("server.tls.certificate", &path));
        let key = private_key.and_then(|path| {
            let key = PrivateKeyDer::from_pem_file(&path);
            self.take(format_args!("server.tls.private_key {path}"), key)
        });
        let authorities =
            client_ca.as_deref().and_then(|path| self.certificates("server.tls.client_ca", path));
        let (certificates, key, authorities) = (certificates?, key?, authorities?);

        let what = format!("server.tls.client_ca {}", client_ca.unwrap_or_default());
        let mut roots = RootCertStore::empty();
        for authority in authorities {
            self.take(&what, roots.add(authority))?;
        }
        let verifier = WebPkiClientVerifier::builder(Arc::new(roots)).build();
        let verifier = self.take(&what, verifier)?;
        let server = ServerConfig::builder()
            .with_client_cert_verifier(verifier)
            .with_single_cert(certificates, key);
        let mut server = self.take("server.tls: certificate and private key", server)?;
        server.alpn_protocols = vec![b"h2".to_vec()];
        Some(Tls(Arc::new(server)))
    }

    fn certificates(&mut self, key: &str, path: &str) -> Option<Vec<CertificateDer<'static>>> {
        let what = format!("{key} {path}");
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
