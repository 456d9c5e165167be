//! What several tests of this module need.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, LazyLock, Mutex},
    time::Duration,
};

use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der},
    rsa::{KeyPair, KeySize},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use time::OffsetDateTime;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
};
use url::Url;

use super::{AppIdentity, AppKeys, GitHub, Limits, OAuthClient, Settings, SigningKey};
use crate::domain::{Clock, Token};

/// A clock that stands still until it is moved.
pub(super) struct Manual(watch::Sender<OffsetDateTime>);

impl Manual {
    pub(super) fn at(now: OffsetDateTime) -> Arc<Self> {
        Arc::new(Self(watch::Sender::new(now)))
    }

    pub(super) fn advance(&self, seconds: i64) {
        self.0.send_modify(|now| *now += time::Duration::seconds(seconds));
    }
}

impl Clock for Manual {
    fn now(&self) -> OffsetDateTime {
        *self.0.borrow()
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let (until, mut now) = (self.now() + duration, self.0.subscribe());
        Box::pin(async move {
            // The sender lives as long as the clock that somebody sleeps by.
            drop(now.wait_for(|now| *now >= until).await);
        })
    }
}

/// An RSA key in PKCS#8, DER. One for all tests: it takes a second to make.
pub(super) static RSA_PKCS8: LazyLock<Vec<u8>> = LazyLock::new(rsa_pkcs8);

/// Another one.
pub(super) static OTHER_PKCS8: LazyLock<Vec<u8>> = LazyLock::new(rsa_pkcs8);

fn rsa_pkcs8() -> Vec<u8> {
    let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
    AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).unwrap().as_ref().to_vec()
}

/// The first one, the other one, or both of them in this order.
pub(super) fn app_keys(ders: &[&[u8]]) -> AppKeys {
    let text: String = ders.iter().map(|der| pem("PRIVATE KEY", der)).collect();
    AppKeys::from_pem(text.as_bytes()).unwrap()
}

/// The same key, to sign with.
pub(super) fn signing_key() -> SigningKey {
    SigningKey::from_pem(pem("PRIVATE KEY", &RSA_PKCS8).as_bytes()).unwrap()
}

/// PEM of `der` with this label.
pub(super) fn pem(label: &str, der: &[u8]) -> String {
    let body = BASE64_STANDARD.encode(der);
    let lines: Vec<&str> =
        body.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

/// A server that plays back answers in their order, one for each connection, and keeps what it was asked.
pub(super) struct Script {
    pub(super) url: Url,
    requests: Arc<Mutex<Vec<String>>>,
}

/// An answer with this status, headers (each ended by `\r\n`) and body.
pub(super) fn answer(status: u16, headers: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n{body}",
        body.len()
    )
}

/// Instead of an answer, the connection ends once the request has been read.
pub(super) const LOST: &str = "";

impl Script {
    /// Starts the server; after its last answer it only loses connections.
    pub(super) async fn play<const N: usize>(answers: [String; N]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = requests.clone();
        tokio::spawn(async move {
            let mut answers = answers.into_iter();
            while let Ok((mut stream, _)) = listener.accept().await {
                let request = receive(&mut stream).await;
                seen.lock().unwrap().push(request);
                let answer = answers.next().unwrap_or_default();
                // The client may be gone.
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        Self { url, requests }
    }

    /// Every request so far, headers and body as text.
    pub(super) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    /// The request lines so far, without the version.
    pub(super) fn lines(&self) -> Vec<String> {
        let line = |request: String| request.split(" HTTP/").next().unwrap().to_owned();
        self.requests().into_iter().map(line).collect()
    }

    /// A client of this server.
    pub(super) fn client(&self) -> GitHub {
        self.client_with(Limits::default(), Manual::at(OffsetDateTime::UNIX_EPOCH))
    }

    /// A client of this server that does not wait between attempts, with other limits and a clock.
    pub(super) fn client_with(&self, limits: Limits, clock: Arc<Manual>) -> GitHub {
        self.client_of(&[&RSA_PKCS8], limits, clock)
    }

    /// The same of an App with these keys.
    pub(super) fn client_of(&self, keys: &[&[u8]], limits: Limits, clock: Arc<Manual>) -> GitHub {
        let limits =
            Limits { retry_base: Duration::ZERO, throttled_base: Duration::ZERO, ..limits };
        let settings = Settings {
            api_url: self.url.clone(),
            graphql_url: self.url.join("/graphql").unwrap(),
            web_url: self.url.clone(),
            app: Some(AppIdentity {
                issuer: "Iv1.abc".to_owned(),
                private_keys: app_keys(keys),
                key_file: None,
            }),
            oauth: Some(OAuthClient {
                client_id: "Iv1.abc".to_owned(),
                client_secret: Token::new("s&cret".to_owned()),
                scopes: Vec::new(),
            }),
            limits,
        };
        GitHub::new(settings, clock).unwrap()
    }
}

/// Everything that is logged on this thread while the guard lives, down to TRACE.
pub(super) fn logs() -> (Logs, tracing::subscriber::DefaultGuard) {
    let logs = Logs::default();
    let writer = logs.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    (logs, tracing::subscriber::set_default(subscriber))
}

/// Logs in memory.
#[derive(Clone, Default)]
pub(super) struct Logs(Arc<Mutex<Vec<u8>>>);

impl Logs {
    pub(super) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl std::io::Write for Logs {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// One request: head, and as much body as it announces.
pub(super) async fn receive(stream: &mut TcpStream) -> String {
    let mut request = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&request).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.to_lowercase();
            let length = length.split("content-length: ").nth(1).unwrap_or("0");
            let length: usize = length.split("\r\n").next().unwrap().parse().unwrap();
            if body.len() >= length {
                return text;
            }
        }
        let mut chunk = [0; 4096];
        match stream.read(&mut chunk).await {
            Ok(0) | Err(_) => return text,
            Ok(count) => request.extend_from_slice(&chunk[..count]),
        }
    }
}
