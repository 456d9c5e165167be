//! Who gets a connection: certificates, their change while serving, and how many and how slow clients may be.
//!
//! * [`identity`]: what a certificate proves, and for how long.
//! * [`rotation`]: files that change while serving.
//! * [`limits`]: slow clients, silent ones and many.

mod identity;
mod limits;
mod rotation;

use std::{
    fs, io,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use ghbroker::{
    app::{self, Listeners},
    config::{Config, Flags},
    proto::{self, connection_admin_client::ConnectionAdminClient},
};
use rcgen::ExtendedKeyUsagePurpose;
use rustls::{
    ClientConfig,
    version::{TLS12, TLS13},
};
use rustls_pki_types::{CertificateDer, ServerName};
use time::{OffsetDateTime, macros::datetime};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::oneshot,
    task::JoinHandle,
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tonic::{
    Code,
    transport::{Certificate, Channel, ClientTlsConfig, Endpoint},
};

use tonic_health::ServingStatus;

use crate::{
    harness::{
        self,
        clock::TestClock,
        lines::Lines,
        pki::{self, Authority, Issued, client_config},
    },
    serve::health,
};

const WEB: &str = "spiffe://example.org/web";
const START: OffsetDateTime = datetime!(2026-06-01 12:00 UTC);

/// Whoever has a certificate of this trust domain may look.
const POLICY: &str = r#"
[[rule]]
name = "all workloads"
callers = ["spiffe://example.org/**"]
role = "operator"
accounts = ["*"]
"#;

/// The files of `[server.tls]`, mounted as Kubernetes mounts a Secret.
struct Mount {
    folder: tempfile::TempDir,
    generation: AtomicUsize,
}

impl Mount {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), generation: AtomicUsize::new(0) }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Replaces all files at once: name -> ..data/name, ..data -> the folder of a generation.
    fn publish(&self, server: &Issued, client_ca: &str) {
        let generation = self.generation.fetch_add(1, Ordering::Relaxed).to_string();
        fs::create_dir(self.path(&generation)).unwrap();
        let files =
            [("tls.crt", &*server.certificate), ("tls.key", &server.key), ("ca.crt", client_ca)];
        for (name, text) in files {
            fs::write(self.path(&generation).join(name), text).unwrap();
            drop(symlink(Path::new("..data").join(name), self.path(name)));
        }
        symlink(&generation, self.path("..new")).unwrap();
        fs::rename(self.path("..new"), self.path("..data")).unwrap();
    }

    /// The configuration of a broker that uses the files.
    fn config(&self, client_ca: bool) -> Config {
        drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
        let top = self.folder.path().display();
        let mut file = format!(
            "[server]\nlisten = \"127.0.0.1:0\"\nhealth_listen = \"127.0.0.1:0\"\n\
             [database]\nurl = \"sqlite://{top}/x.db\"\n[encryption]\nkeys = [\"{top}/kek\"]\n\
             [server.tls]\ncertificate = \"{top}/tls.crt\"\nprivate_key = \"{top}/tls.key\"\n"
        );
        if client_ca {
            file +=
                &format!("client_ca = \"{top}/ca.crt\"\n[policy]\nfile = \"{top}/policy.toml\"\n");
        }
        file += &format!("[audit]\ntarget = \"{top}/audit.jsonl\"\n");
        fs::write(self.path("policy.toml"), POLICY).unwrap();
        fs::write(self.path("kek"), "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=").unwrap();
        fs::write(self.path("ghbroker.toml"), file).unwrap();
        let flags = Flags { config: Some(self.path("ghbroker.toml")), ..Default::default() };
        Config::load(&flags).unwrap()
    }
}

/// A broker on a port, at a time that only the test moves.
struct Broker {
    port: u16,
    health: String,
    clock: TestClock,
    stop: oneshot::Sender<()>,
    running: JoinHandle<Result<(), app::Error>>,
}

impl Broker {
    async fn start(config: Config) -> Self {
        harness::keep_callsites_awake();
        let listeners = Listeners::bind(&config).await.unwrap();
        let port = listeners.grpc.local_addr().unwrap().port();
        let health = listeners.health.as_ref().unwrap().local_addr().unwrap().to_string();
        let clock = TestClock::starting_at(START);
        let (stop, stopped) = oneshot::channel();
        let shutdown = async { drop(stopped.await) };
        let running = app::run(config, listeners, Arc::new(clock.clone()), shutdown);
        Self { port, health, clock, stop, running: tokio::spawn(running) }
    }

    async fn finish(self) {
        self.stop.send(()).unwrap();
        self.running.await.unwrap().unwrap();
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(("127.0.0.1", self.port)).await.unwrap()
    }

    /// TLS alone.
    async fn shake_hands(&self, client: &Arc<ClientConfig>) -> io::Result<TlsStream<TcpStream>> {
        let name = ServerName::try_from("localhost").unwrap();
        TlsConnector::from(client.clone()).connect(name, self.connect().await).await
    }

    /// TLS and the beginning of HTTP/2, up to the server's answer: with TLS 1.3 only this shows that the server took the
    /// client's certificate.
    async fn knock(&self, client: &Arc<ClientConfig>) -> io::Result<TlsStream<TcpStream>> {
        let mut stream = self.shake_hands(client).await?;
        stream.write_all(HELLO).await?;
        stream.read_u8().await?;
        Ok(stream)
    }

    /// Steps through time until there is an answer; tasks that sleep may go to sleep only after the clock was moved.
    async fn until<T>(&self, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
        until(async || {
            self.clock.advance(Duration::from_secs(5));
            ask().await
        })
        .await
    }

    /// Steps through time until the server shows this certificate.
    async fn until_it_shows(&self, server: &Issued, client: &Arc<ClientConfig>) {
        let expected = server.der();
        self.until(async || {
            let stream = self.shake_hands(client).await.ok()?;
            (shown(&stream) == expected).then_some(())
        })
        .await;
    }
}

/// HTTP/2's preface, and empty settings.
const HELLO: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

fn shown(stream: &TlsStream<TcpStream>) -> CertificateDer<'static> {
    stream.get_ref().1.peer_certificates().unwrap()[0].clone().into_owned()
}

async fn until<T>(mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let wait = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), wait).await.unwrap()
}

/// A channel of tonic, as callers have it.
async fn channel(
    port: u16,
    authorities: &str,
    issued: &Issued,
) -> Result<Channel, tonic::transport::Error> {
    let tls = ClientTlsConfig::new()
        .ca_certificates([Certificate::from_pem(authorities)])
        .identity(issued.identity());
    Endpoint::from_shared(format!("https://localhost:{port}"))?.tls_config(tls)?.connect().await
}

/// A call that the broker itself answers.
async fn call(channel: Channel) -> Result<(), tonic::Status> {
    let request = proto::GetConnectionRequest { account: "a".into() };
    match ConnectionAdminClient::new(channel).get_connection(request).await {
        // Let in: the account is just not connected.
        Err(status) if status.code() == Code::NotFound => Ok(()),
        answer => answer.map(drop),
    }
}

#[tokio::test]
async fn who_shows_a_certificate_must_show_a_good_one() {
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    let mount = Mount::new();
    mount.publish(&ours.server(), &ours.pem());
    let broker = Broker::start(mount.config(true)).await;
    let refused = |issued: &Issued| {
        let broker = &broker;
        let clients = [&TLS12, &TLS13].map(|v| Arc::new(client_config(&[&ours], Some(issued), v)));
        async move {
            let mut refused = 0;
            for client in clients {
                refused += usize::from(broker.knock(&client).await.is_err());
            }
            refused
        }
    };
    let valid = |from: OffsetDateTime, to: OffsetDateTime| {
        let mut params = pki::client(&[WEB]);
        (params.not_before, params.not_after) = (from, to);
        ours.issue(params)
    };
    let second = time::Duration::SECOND;
    assert_eq!(refused(&ours.client(WEB)).await, 0);
    assert_eq!(refused(&valid(START, START)).await, 0);
    assert_eq!(refused(&valid(START - 2 * second, START - second)).await, 2, "expired");
    assert_eq!(refused(&valid(START + second, START + 2 * second)).await, 2, "not yet valid");
    assert_eq!(refused(&theirs.client(WEB)).await, 2, "of another authority");
    let mut server = pki::client(&[WEB]);
    server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    assert_eq!(refused(&ours.issue(server)).await, 2, "of a server");
    broker.finish().await;
}

#[tokio::test]
async fn handshakes_that_fail_fill_no_disk_with_lines_about_them() {
    let mount = Mount::new();
    let ours = Authority::new("ours");
    mount.publish(&ours.server(), &ours.pem());
    let broker = Broker::start(mount.config(true)).await;
    let (lines, _guard) = Lines::watch();
    let said = || lines.all("TLS handshake failed");
    let scan = async || {
        let mut stream = broker.connect().await;
        stream.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        drop(stream.read_to_end(&mut Vec::new()).await);
    };
    for _ in 0..130 {
        scan().await;
    }
    assert_eq!(said().len(), 100);
    broker.clock.advance(Duration::from_secs(1));
    scan().await;
    let last = said().pop().unwrap();
    assert!(said().len() == 101 && last.contains("\"untold\":30"), "{last}");
    broker.finish().await;
}

#[tokio::test]
async fn who_shows_no_certificate_gets_a_connection_to_be_told_on() {
    let ours = Authority::new("ours");
    let mount = Mount::new();
    mount.publish(&ours.server(), &ours.pem());
    let nobody = Arc::new(client_config(&[&ours], None, &TLS13));
    let somebody = Arc::new(client_config(&[&ours], Some(&ours.client(WEB)), &TLS13));
    for client_ca in [true, false] {
        let broker = Broker::start(mount.config(client_ca)).await;
        for client in [&nobody, &somebody] {
            let stream = broker.knock(client).await.unwrap();
            assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
        }
        broker.finish().await;
    }
}

#[tokio::test]
async fn health_has_a_port_in_plaintext_that_serves_nothing_else() {
    let ours = Authority::new("ours");
    let mount = Mount::new();
    mount.publish(&ours.server(), &ours.pem());
    let broker = Broker::start(mount.config(true)).await;
    let called = channel(broker.port, &ours.pem(), &ours.client(WEB)).await.unwrap();
    call(called).await.unwrap();
    let plain = harness::connect(&broker.health).await;
    assert_eq!(health(plain.clone(), "").await, Ok(ServingStatus::Serving));
    assert_eq!(call(plain).await.unwrap_err().code(), Code::Unimplemented);
    broker.finish().await;
}
