//! TLS of the broker's port, from files.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use rustls::{
    RootCertStore, ServerConfig,
    server::{NoClientAuth, WebPkiClientVerifier, danger::ClientCertVerifier},
    time_provider::TimeProvider,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, UnixTime, pem, pem::PemObject};
use time::OffsetDateTime;

use super::file::{Content, read_file};
use crate::domain::Clock;

/// Files of `[server.tls]`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TlsFiles {
    /// The server's certificate with its chain, PEM.
    pub certificate: PathBuf,
    /// Its private key, PEM.
    pub private_key: PathBuf,
    /// Authorities of clients' certificates, PEM. Without them no client is asked for a certificate.
    pub client_ca: Option<PathBuf>,
}

/// What is in those files, ready to serve with. Cheap to clone.
#[derive(Clone)]
pub struct Tls {
    server: Arc<ServerConfig>,
    clients: Option<Arc<dyn ClientCertVerifier>>,
}

impl TlsFiles {
    /// Reads and checks the files. Blocks.
    ///
    /// # Errors
    /// Every mistake, each with the key and the file.
    pub fn load(&self, clock: Arc<dyn Clock>) -> Result<Tls, Vec<String>> {
        let contents: Vec<Content> = self.paths().iter().map(|path| read_file(path)).collect();
        self.parse(&contents, clock)
    }

    /// The files, in the order in which [`Self::parse`] takes their contents.
    pub fn paths(&self) -> Vec<PathBuf> {
        let needed = [self.certificate.clone(), self.private_key.clone()];
        needed.into_iter().chain(self.client_ca.clone()).collect()
    }

    /// The same as [`Self::load`] from `contents` that were read already.
    pub fn parse(&self, contents: &[Content], clock: Arc<dyn Clock>) -> Result<Tls, Vec<String>> {
        let mut mistakes = Vec::new();
        let mut contents = contents.iter();
        let chain = certificates(contents.next());
        let chain = take(&mut mistakes, "certificate", &self.certificate, chain);
        let key = private_key(contents.next());
        let key = take(&mut mistakes, "private_key", &self.private_key, key);
        // No bundle at all is no mistake; one that is named must be good.
        let clients = self.client_ca.as_ref().map_or(Some(None), |path| {
            take(&mut mistakes, "client_ca", path, client_verifier(contents.next())).map(Some)
        });
        let (Some(chain), Some(key), Some(clients)) = (chain, key, clients) else {
            return Err(mistakes);
        };
        Tls::new(chain, key, clients, clock).map_err(|error| {
            let (certificate, key) = (self.certificate.display(), self.private_key.display());
            vec![format!(
                "server.tls.certificate {certificate} and server.tls.private_key {key} do not go together: {error}"
            )]
        })
    }
}

impl Tls {
    fn new(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
        clients: Option<Arc<dyn ClientCertVerifier>>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, rustls::Error> {
        let verifier = clients.clone().unwrap_or_else(|| Arc::new(NoClientAuth));
        // Sessions are kept in a store that each configuration has of its own, and tickets only point into it: what was
        // agreed on under the authorities before cannot be resumed. Early data, which can be replayed, is off.
        let mut server = ServerConfig::builder()
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain, key)?;
        server.alpn_protocols = vec![b"h2".to_vec()];
        server.time_provider = Arc::new(ByClock(clock));
        Ok(Self { server: Arc::new(server), clients })
    }

    /// What to take connections with.
    pub fn server(&self) -> Arc<ServerConfig> {
        self.server.clone()
    }

    /// Who says which clients are trusted; none where clients are not asked for a certificate.
    pub(super) fn client_verifier(&self) -> Option<&Arc<dyn ClientCertVerifier>> {
        self.clients.as_ref()
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls(..)")
    }
}

/// The injected clock, for rustls.
struct ByClock(Arc<dyn Clock>);

impl TimeProvider for ByClock {
    fn current_time(&self) -> Option<UnixTime> {
        Some(unix_time(self.0.now()))
    }
}

impl fmt::Debug for ByClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ByClock")
    }
}

/// A time as rustls has it. One before 1970 is none, and no certificate is valid then.
pub(super) fn unix_time(at: OffsetDateTime) -> UnixTime {
    let seconds = u64::try_from(at.unix_timestamp()).unwrap_or_default();
    UnixTime::since_unix_epoch(Duration::from_secs(seconds))
}

/// What was read, or what is wrong with it as a mistake.
fn take<T>(
    mistakes: &mut Vec<String>,
    key: &str,
    path: &Path,
    read: Result<T, String>,
) -> Option<T> {
    let said = |mistake| format!("server.tls.{key} {}: {mistake}", path.display());
    read.map_err(|mistake| mistakes.push(said(mistake))).ok()
}

fn bytes(content: Option<&Content>) -> Result<&[u8], String> {
    match content {
        Some(Ok(bytes)) => Ok(bytes),
        Some(Err(error)) => Err(error.to_string()),
        None => Err("was not read".to_owned()),
    }
}

fn certificates(content: Option<&Content>) -> Result<Vec<CertificateDer<'static>>, String> {
    let read = CertificateDer::pem_slice_iter(bytes(content)?).collect::<Result<Vec<_>, _>>();
    match read {
        Ok(certificates) if certificates.is_empty() => {
            Err("holds no certificate in PEM".to_owned())
        }
        Ok(certificates) => Ok(certificates),
        Err(error) => Err(format!("is not PEM: {error}")),
    }
}

fn private_key(content: Option<&Content>) -> Result<PrivateKeyDer<'static>, String> {
    PrivateKeyDer::from_pem_slice(bytes(content)?).map_err(|error| match error {
        pem::Error::NoItemsFound => {
            "holds no private key in PEM; one under a password cannot be used".to_owned()
        }
        // The error's own text quotes what it stumbled over, which may be of the key.
        _ => "is not PEM".to_owned(),
    })
}

/// Trusts what the authorities in `content` signed. A client that sends no certificate is let through, so that it is told
/// in an answer of gRPC that it needs one: TLS 1.3 would only cut the connection.
fn client_verifier(content: Option<&Content>) -> Result<Arc<dyn ClientCertVerifier>, String> {
    let mut roots = RootCertStore::empty();
    for authority in certificates(content)? {
        roots.add(authority).map_err(|error| error.to_string())?;
    }
    let builder = WebPkiClientVerifier::builder(Arc::new(roots)).allow_unauthenticated();
    builder.build().map_err(|error| error.to_string())
}
