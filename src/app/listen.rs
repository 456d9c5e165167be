//! Ports, and the connections that come in on them.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_stream::wrappers::ReceiverStream;
use tracing::{debug, info, warn};

use super::{
    Error,
    connection::{Connection, Transport},
};
use crate::{
    auth::{Peer, PeerCertificate, Required, Tls},
    config::Config,
    domain::{Clock, Limits},
    rpc::Refusals,
};

/// The broker's ports, bound but not yet served.
pub struct Listeners {
    /// For gRPC.
    pub grpc: TcpListener,
    /// For the health service alone.
    pub health: Option<TcpListener>,
    /// For webhooks, browsers on their way back from GitHub, and metrics.
    pub http: Option<TcpListener>,
}

/// Connections that are accepted and not yet served; more wait in the kernel's queue.
const ACCEPTED: usize = 64;
/// Pause after a failed accept: the usual cause is that file descriptors have run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// One of so many places must be free again before it is news that there is none.
const FREE_AGAIN: usize = 10;

impl Listeners {
    /// Binds what the configuration names.
    pub async fn bind(config: &Config) -> Result<Self, Error> {
        let grpc = bind(config.listen).await?;
        let health = bind_if_any(config.health_listen).await?;
        let http = bind_if_any(config.http_listen).await?;
        Ok(Self { grpc, health, http })
    }

    /// Says what is served where, and aloud what an operator has to mean.
    pub(super) fn announce(&self, tls: bool, auth: &Required) {
        let address =
            |port: &TcpListener| port.local_addr().map(|at| at.to_string()).unwrap_or_default();
        let how = if tls { "TLS" } else { "plaintext" };
        info!(listen = address(&self.grpc), how, "gRPC port");
        if !self.grpc.local_addr().is_ok_and(|at| at.ip().is_loopback()) {
            if matches!(auth, Required::Nothing) {
                warn!("nobody is asked who they are: everybody who reaches the gRPC port can call");
            }
            if !tls {
                warn!("tokens cross the network in plaintext: everybody on the way can read them");
            }
        }
        if let Some(health) = &self.health {
            info!(listen = address(health), "health port, plaintext");
        }
        if let Some(http) = &self.http {
            info!(listen = address(http), "HTTP port, plaintext");
        }
    }
}

async fn bind_if_any(address: Option<SocketAddr>) -> Result<Option<TcpListener>, Error> {
    match address {
        Some(address) => bind(address).await.map(Some),
        None => Ok(None),
    }
}

async fn bind(address: SocketAddr) -> Result<TcpListener, Error> {
    TcpListener::bind(address).await.map_err(|source| Error::Listen { address, source })
}

/// Accepts until the stream is dropped. A handshake runs as a task of its own, so that a slow client holds up nobody; it is
/// made with what `tls` has in force at the time.
pub(super) fn connections(
    port: TcpListener,
    tls: Option<Arc<ArcSwap<Tls>>>,
    limits: &Limits,
    clock: Arc<dyn Clock>,
) -> ReceiverStream<io::Result<Connection>> {
    let (accepted, connections) = mpsc::channel(ACCEPTED);
    let mut places = Places::new(limits.connections);
    let failures = Arc::new(Refusals::new(clock));
    let host = Host { tls, patience: limits.handshake_timeout, failures, accepted };
    tokio::spawn(async move {
        loop {
            let accept = tokio::select! {
                accept = places.accept(&port) => accept,
                () = host.accepted.closed() => return,
            };
            match accept {
                Ok((stream, address, place)) => {
                    tokio::spawn(host.clone().greet(stream, address, place));
                }
                Err(error) => {
                    warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    });
    ReceiverStream::new(connections)
}

/// How many connections may be open, those in their handshake with them. Who comes when all places are taken waits in the
/// kernel's queue, and is served late instead of not at all.
struct Places {
    all: usize,
    free: Arc<Semaphore>,
    full: bool,
}

impl Places {
    fn new(all: usize) -> Self {
        let all = all.min(Semaphore::MAX_PERMITS);
        Self { all, free: Arc::new(Semaphore::new(all)), full: false }
    }

    /// The next connection, and its place. The place comes first.
    async fn accept(
        &mut self,
        port: &TcpListener,
    ) -> io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
        let free = self.free.available_permits();
        if free == 0 && !self.full {
            warn!(connections = self.all, "all places are taken: new connections wait for one");
            self.full = true;
        } else if free > self.all / FREE_AGAIN {
            self.full = false;
        }
        // The semaphore is never closed.
        let place = self.free.clone().acquire_owned().await.map_err(io::Error::other)?;
        let (stream, address) = port.accept().await?;
        Ok((stream, address, place))
    }
}

/// Who makes a connection of what was accepted.
#[derive(Clone)]
struct Host {
    tls: Option<Arc<ArcSwap<Tls>>>,
    patience: Duration,
    failures: Arc<Refusals>,
    accepted: mpsc::Sender<io::Result<Connection>>,
}

impl Host {
    async fn greet(self, stream: TcpStream, address: SocketAddr, place: OwnedSemaphorePermit) {
        // Without it small answers wait for the client's acknowledgement of the one before.
        drop(stream.set_nodelay(true));
        let mut peer = Peer { address, certificate: None };
        let transport = match &self.tls {
            None => Transport::Plain(stream),
            Some(tls) => {
                let acceptor = TlsAcceptor::from(tls.load().server());
                match timeout(self.patience, acceptor.accept(stream)).await {
                    Ok(Ok(stream)) => {
                        peer.certificate = certificate(&stream, tls);
                        Transport::Tls(Box::new(stream))
                    }
                    Ok(Err(error)) => return self.tell(address, &error.to_string()),
                    Err(_) => return self.tell(address, "it took too long"),
                }
            }
        };
        let connection = Connection::new(transport, peer, self.patience, place);
        if self.accepted.send(Ok(connection)).await.is_err() {
            debug!(peer = %address, "connection came while stopping");
        }
    }

    /// Of a client that nobody knows yet: not of each, so that whoever reaches the port cannot fill the log's disk.
    fn tell(&self, address: SocketAddr, error: &str) {
        if let Some(untold) = self.failures.tell() {
            info!(peer = %address, error, untold, "TLS handshake failed");
        }
    }
}

/// What the client sent, and the handshake found good.
fn certificate(
    stream: &TlsStream<TcpStream>,
    tls: &Arc<ArcSwap<Tls>>,
) -> Option<Arc<PeerCertificate>> {
    let (_, connection) = stream.get_ref();
    let chain = connection.peer_certificates()?.iter().map(|der| der.clone().into_owned());
    PeerCertificate::new(chain.collect(), tls.clone()).map(Arc::new)
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, CertifiedIssuer, KeyPair, SanType};
    use rustls::{ClientConfig, RootCertStore};
    use rustls_pki_types::{PrivateKeyDer, ServerName};
    use tokio_rustls::TlsConnector;
    use tokio_stream::StreamExt;
    use tonic::transport::server::Connected;

    use super::*;
    use crate::{
        auth::{Content, TlsFiles},
        domain::{Clock, SystemClock},
    };

    type Authority = CertifiedIssuer<'static, KeyPair>;

    fn authority() -> Authority {
        let mut params = CertificateParams::default();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
    }

    fn issue(authority: &Authority, name: SanType) -> (rcgen::Certificate, KeyPair) {
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![name];
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, authority).unwrap(), key)
    }

    fn tls(authority: &Authority) -> Arc<ArcSwap<Tls>> {
        let (certificate, key) =
            issue(authority, SanType::DnsName("localhost".try_into().unwrap()));
        let content = |text: String| -> Content { Ok(text.into_bytes().into()) };
        let contents = [certificate.pem(), key.serialize_pem(), authority.pem()].map(content);
        let files = TlsFiles {
            certificate: "c".into(),
            private_key: "k".into(),
            client_ca: Some("ca".into()),
        };
        let tls = files.parse(&contents, Arc::new(SystemClock)).unwrap();
        Arc::new(ArcSwap::from_pointee(tls))
    }

    fn client(authority: &Authority, id: Option<&str>) -> TlsConnector {
        let mut roots = RootCertStore::empty();
        roots.add(authority.der().clone()).unwrap();
        let builder = ClientConfig::builder().with_root_certificates(roots);
        let config = match id {
            None => builder.with_no_client_auth(),
            Some(id) => {
                let (certificate, key) = issue(authority, SanType::URI(id.try_into().unwrap()));
                let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
                builder.with_client_auth_cert(vec![certificate.der().clone()], key).unwrap()
            }
        };
        TlsConnector::from(Arc::new(config))
    }

    #[tokio::test]
    async fn a_connection_knows_who_is_at_its_other_end() {
        drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
        let authority = authority();
        let port = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = port.local_addr().unwrap();
        let mut connections =
            connections(port, Some(tls(&authority)), &Limits::default(), Arc::new(SystemClock));
        for id in [Some("spiffe://example.org/web"), Some("spiffe://example.org/db"), None] {
            let stream = TcpStream::connect(address).await.unwrap();
            let from = stream.local_addr().unwrap();
            let name = ServerName::try_from("localhost").unwrap();
            let shake_hands = client(&authority, id).connect(name, stream);
            let (connection, shaken) = tokio::join!(connections.next(), shake_hands);
            shaken.unwrap();
            let peer = connection.unwrap().unwrap().connect_info();
            assert_eq!(peer.address, from);
            let identity =
                peer.certificate.map(|certificate| certificate.identity(SystemClock.now()));
            assert_eq!(identity.map(|id| id.unwrap().to_string()).as_deref(), id);
        }
    }
}
