//! Ports, and the connections that come in on them.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_stream::{Stream, wrappers::ReceiverStream};
use tonic::transport::server::Connected;
use tracing::{debug, info, warn};

use super::Error;
use crate::config::{Config, Tls};

/// The broker's ports, bound but not yet served.
pub struct Listeners {
    /// For gRPC.
    pub grpc: TcpListener,
    /// For the health service alone.
    pub health: Option<TcpListener>,
}

/// A client that takes longer than this for its TLS handshake is not one.
const HANDSHAKE: Duration = Duration::from_secs(5);
/// Connections that are accepted and not yet served; more wait in the kernel's queue.
const ACCEPTED: usize = 64;
/// Pause after a failed accept: the usual cause is that file descriptors have run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

impl Listeners {
    /// Binds what the configuration names.
    pub async fn bind(config: &Config) -> Result<Self, Error> {
        let grpc = bind(config.listen).await?;
        let health = match config.health_listen {
            Some(address) => Some(bind(address).await?),
            None => None,
        };
        Ok(Self { grpc, health })
    }

    pub(super) fn announce(&self, tls: bool) {
        let address =
            |port: &TcpListener| port.local_addr().map(|at| at.to_string()).unwrap_or_default();
        let how = if tls { "mTLS" } else { "plaintext, loopback only: no TLS is configured" };
        info!(listen = address(&self.grpc), how, "gRPC port");
        if let Some(health) = &self.health {
            info!(listen = address(health), "health port, plaintext");
        }
    }
}

async fn bind(address: SocketAddr) -> Result<TcpListener, Error> {
    TcpListener::bind(address).await.map_err(|source| Error::Listen { address, source })
}

/// Accepts until the stream is dropped. A handshake runs as a task of its own, so that a slow client holds up nobody.
pub(super) fn connections(
    port: TcpListener,
    tls: Option<Tls>,
) -> impl Stream<Item = io::Result<Connection>> {
    let (accepted, connections) = mpsc::channel(ACCEPTED);
    let acceptor = tls.map(|Tls(config)| TlsAcceptor::from(config));
    tokio::spawn(async move {
        loop {
            let accept = tokio::select! {
                accept = port.accept() => accept,
                () = accepted.closed() => return,
            };
            match accept {
                Ok((stream, peer)) => {
                    tokio::spawn(greet(stream, peer, acceptor.clone(), accepted.clone()));
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

async fn greet(
    stream: TcpStream,
    peer: SocketAddr,
    acceptor: Option<TlsAcceptor>,
    accepted: mpsc::Sender<io::Result<Connection>>,
) {
    // Without it small answers wait for the client's acknowledgement of the one before.
    drop(stream.set_nodelay(true));
    let transport = match acceptor {
        None => Transport::Plain(stream),
        Some(acceptor) => match timeout(HANDSHAKE, acceptor.accept(stream)).await {
            Ok(Ok(stream)) => Transport::Tls(Box::new(stream)),
            Ok(Err(error)) => return info!(%peer, %error, "TLS handshake failed"),
            Err(_) => return info!(%peer, "TLS handshake took too long"),
        },
    };
    if accepted.send(Ok(Connection { transport, peer })).await.is_err() {
        debug!(%peer, "connection came while stopping");
    }
}

/// A client's connection.
pub(super) struct Connection {
    transport: Transport,
    peer: SocketAddr,
}

enum Transport {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Connected for Connection {
    type ConnectInfo = SocketAddr;

    fn connect_info(&self) -> SocketAddr {
        self.peer
    }
}

/// Both kinds of stream, for polling.
trait Duplex: AsyncRead + AsyncWrite + Unpin {}
impl<T: AsyncRead + AsyncWrite + Unpin> Duplex for T {}

impl Connection {
    fn stream(&mut self) -> Pin<&mut dyn Duplex> {
        match &mut self.transport {
            Transport::Plain(stream) => Pin::new(stream),
            Transport::Tls(stream) => Pin::new(stream.as_mut()),
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.stream().poll_read(cx, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.stream().poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.stream().poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        match &self.transport {
            Transport::Plain(stream) => stream.is_write_vectored(),
            Transport::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_shutdown(cx)
    }
}
