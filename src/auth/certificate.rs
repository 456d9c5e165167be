//! The certificate of a caller, for as long as its connection is open.

use std::{fmt, net::SocketAddr, sync::Arc};

use arc_swap::{ArcSwap, ArcSwapOption};
use rustls::server::danger::ClientCertVerifier;
use rustls_pki_types::CertificateDer;
use time::{Duration, OffsetDateTime};
use webpki::EndEntityCert;

use super::{Refused, Tls, tls::unix_time, uri_names};
use crate::domain::SpiffeId;

/// Who is at the other end of a connection. Cheap to clone: each call of the connection has one.
#[derive(Clone, Debug)]
pub struct Peer {
    /// Where the connection comes from.
    pub address: SocketAddr,
    /// What the client sent in the TLS handshake, and has proven to hold the key of.
    pub certificate: Option<Arc<PeerCertificate>>,
}

/// A client's certificate. That it was trusted at the handshake is not enough: connections outlive certificates and
/// authorities, and a resumed session has no verification at all.
pub struct PeerCertificate {
    /// The client's own certificate, and those between it and an authority.
    chain: Vec<CertificateDer<'static>>,
    id: Result<SpiffeId, Refused>,
    tls: Arc<ArcSwap<Tls>>,
    checked: ArcSwapOption<Checked>,
}

/// An answer to "is it trusted?".
struct Checked {
    /// Who gave it. Kept, so that no later one can be at the same address.
    by: Arc<dyn ClientCertVerifier>,
    at: OffsetDateTime,
    trusted: bool,
}

/// An answer holds for so long under the same authorities: a certificate that expires works at most so much longer.
const CHECK_EVERY: Duration = Duration::minutes(1);

impl PeerCertificate {
    /// The certificate at the head of a `chain` as rustls has it, to be verified by what `tls` has in force at the time.
    /// None if the chain is empty.
    pub fn new(chain: Vec<CertificateDer<'static>>, tls: Arc<ArcSwap<Tls>>) -> Option<Self> {
        let id = spiffe_id(chain.first()?);
        Some(Self { chain, id, tls, checked: ArcSwapOption::empty() })
    }

    /// The one SPIFFE id of the certificate, if the authorities in force now vouch for it.
    ///
    /// # Errors
    /// [`Refused::NotOneSpiffeId`] if it has no URI name, several, or one that is no SPIFFE id;
    /// [`Refused::CertificateNotTrusted`] if it has expired, or its authority is no longer one.
    pub fn identity(&self, now: OffsetDateTime) -> Result<SpiffeId, Refused> {
        let id = self.id.clone()?;
        if self.is_trusted(now) { Ok(id) } else { Err(Refused::CertificateNotTrusted) }
    }

    fn is_trusted(&self, now: OffsetDateTime) -> bool {
        let tls = self.tls.load();
        let Some(verifier) = tls.client_verifier() else { return false };
        if let Some(checked) = self.checked.load().as_ref() {
            let age = now - checked.at;
            if Arc::ptr_eq(&checked.by, verifier) && !age.is_negative() && age < CHECK_EVERY {
                return checked.trusted;
            }
        }
        let trusted = self.verify(verifier.as_ref(), now);
        let checked = Checked { by: verifier.clone(), at: now, trusted };
        self.checked.store(Some(Arc::new(checked)));
        trusted
    }

    /// As the handshake does it.
    fn verify(&self, verifier: &dyn ClientCertVerifier, now: OffsetDateTime) -> bool {
        match self.chain.split_first() {
            Some((own, between)) => {
                verifier.verify_client_cert(own, between, unix_time(now)).is_ok()
            }
            None => false,
        }
    }
}

impl fmt::Debug for PeerCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PeerCertificate").field("id", &self.id).finish_non_exhaustive()
    }
}

/// The certificate's only URI name, if it is a SPIFFE id.
fn spiffe_id(certificate: &CertificateDer<'_>) -> Result<SpiffeId, Refused> {
    let parsed = EndEntityCert::try_from(certificate).map_err(|_| Refused::NotOneSpiffeId)?;
    let mut readable = parsed.valid_uri_names();
    match (readable.next(), uri_names::count(certificate)) {
        (Some(name), Some(1)) => name.parse().map_err(|_| Refused::NotOneSpiffeId),
        _ => Err(Refused::NotOneSpiffeId),
    }
}
