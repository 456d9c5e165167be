//! An issuer of tokens, and a server of its keys.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, LazyLock, Mutex},
    time::Duration,
};

use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der},
    rsa::{KeyPair, KeySize},
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use base64::{
    Engine,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use jsonwebtoken::{Algorithm as Jwa, EncodingKey, crypto, jwk::Jwk};
use serde_json::{Value, json};
use time::{OffsetDateTime, macros::datetime};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpListener,
    sync::watch,
};
use tokio_rustls::TlsAcceptor;
use url::Url;

use super::{Expected, ServiceAccountSettings, ServiceAccounts};
use crate::{
    auth::{Algorithm, KeySource, Refused},
    domain::{Clock, ServiceAccount},
};

pub(super) const NOW: OffsetDateTime = datetime!(2026-11-20 12:00:00 UTC);
pub(super) const ISSUER: &str = "https://kubernetes.default.svc.cluster.local";
pub(super) const AUDIENCE: &str = "ghbroker";
pub(super) const SUBJECT: &str = "system:serviceaccount:build:generator";

/// A clock that stands still until it is moved.
pub(super) struct Manual(watch::Sender<OffsetDateTime>);

impl Manual {
    pub(super) fn advance(&self, seconds: i64) {
        self.0.send_modify(|now| *now += time::Duration::seconds(seconds));
    }
}

impl Clock for Manual {
    fn now(&self) -> OffsetDateTime {
        *self.0.borrow()
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let (end, mut now) = (self.now() + duration, self.0.subscribe());
        Box::pin(async move {
            // Without a clock there is no end.
            if now.wait_for(|now| *now >= end).await.is_err() {
                std::future::pending().await
            }
        })
    }
}

/// A key of the issuer.
pub(super) struct SigningKey {
    pub(super) kid: &'static str,
    pub(super) alg: Jwa,
    pub(super) private: EncodingKey,
    /// The public key in DER, as a file of it would hold.
    pub(super) public: Vec<u8>,
}

/// The key that the issuer signs with when a test begins. It takes a second to make, as the next one.
pub(super) static OLD: LazyLock<SigningKey> = LazyLock::new(|| rsa("old"));
/// The key that it rotates to.
pub(super) static NEW: LazyLock<SigningKey> = LazyLock::new(|| rsa("new"));
/// One on a curve.
pub(super) static CURVE: LazyLock<SigningKey> = LazyLock::new(|| {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let private = EncodingKey::from_ec_der(pair.to_pkcs8v1().unwrap().as_ref());
    SigningKey { kid: "curve", alg: Jwa::ES256, private, public: Vec::new() }
});

fn rsa(kid: &'static str) -> SigningKey {
    let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
    let der = AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).unwrap();
    let private = EncodingKey::from_rsa_pem(pem("PRIVATE KEY", der.as_ref()).as_bytes()).unwrap();
    SigningKey { kid, alg: Jwa::RS256, private, public: pair.public_key().as_ref().to_vec() }
}

/// PEM of `der` with this label.
pub(super) fn pem(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", BASE64_STANDARD.encode(der))
}

impl SigningKey {
    /// The public key as a JWKS lists it.
    pub(super) fn jwk(&self) -> Value {
        let mut jwk =
            serde_json::to_value(Jwk::from_encoding_key(&self.private, self.alg).unwrap());
        let jwk = jwk.as_mut().unwrap();
        jwk["kid"] = json!(self.kid);
        jwk["use"] = json!("sig");
        jwk.take()
    }

    /// The header of its tokens.
    pub(super) fn header(&self) -> Value {
        json!({ "alg": format!("{:?}", self.alg), "kid": self.kid })
    }

    /// A token with these claims.
    pub(super) fn token(&self, claims: &Value) -> String {
        signed(&self.header(), claims, &self.private, self.alg)
    }
}

/// A token whose header need not fit what signs it.
pub(super) fn signed(header: &Value, claims: &Value, key: &EncodingKey, alg: Jwa) -> String {
    let message = message(header, claims);
    let signature = crypto::sign(message.as_bytes(), key, alg).unwrap();
    format!("{message}.{signature}")
}

/// What of a token is signed.
pub(super) fn message(header: &Value, claims: &Value) -> String {
    let part = |json: &Value| BASE64_URL_SAFE_NO_PAD.encode(json.to_string());
    format!("{}.{}", part(header), part(claims))
}

/// The claims of a good token, as an API server writes them.
pub(super) fn claims() -> Value {
    let now = NOW.unix_timestamp();
    json!({
        "iss": ISSUER, "aud": [AUDIENCE], "sub": SUBJECT,
        "iat": now, "nbf": now, "exp": now + 7 * 24 * 3600, "jti": "c0de",
        "kubernetes.io": {
            "namespace": "build",
            "node": { "name": "n1", "uid": "1" },
            "pod": { "name": "generator-0", "uid": "2" },
            "serviceaccount": { "name": "generator", "uid": "3" },
        },
    })
}

/// The same with one claim changed, or taken away by null.
pub(super) fn claims_with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    match value {
        Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
        value => claims[name] = value,
    }
    claims
}

pub(super) fn expected() -> Expected {
    let (issuer, audience) = (ISSUER.to_owned(), AUDIENCE.to_owned());
    Expected { issuer, audience, algorithms: vec![Algorithm::Rs256] }
}

/// A JWKS of these keys.
pub(super) fn jwks(keys: &[&SigningKey]) -> String {
    let keys: Vec<Value> = keys.iter().map(|key| key.jwk()).collect();
    json!({ "keys": keys }).to_string()
}

/// What authenticates, with a clock that a test moves.
pub(super) struct Broker {
    pub(super) accounts: ServiceAccounts,
    pub(super) clock: Arc<Manual>,
}

impl Broker {
    pub(super) fn new(keys: KeySource) -> Self {
        let clock = Arc::new(Manual(watch::Sender::new(NOW)));
        let settings = ServiceAccountSettings { expected: expected(), keys };
        Self { accounts: ServiceAccounts::new(settings, clock.clone()).unwrap(), clock }
    }

    /// Shows a good token that is signed with `key`.
    pub(super) async fn call(&self, key: &SigningKey) -> Result<ServiceAccount, Refused> {
        let header = format!("Bearer {}", key.token(&claims()));
        self.accounts.authenticate(Some(header.as_bytes())).await
    }
}

/// A web server with a JWKS.
pub(super) struct Server {
    pub(super) url: Url,
    answer: Arc<Mutex<String>>,
    requests: watch::Receiver<Vec<String>>,
    open: watch::Sender<bool>,
}

/// An answer with this status and body.
pub(super) fn answer(status: u16, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
    )
}

impl Server {
    /// Starts one that lists these keys.
    pub(super) async fn with(keys: &[&SigningKey]) -> Self {
        Self::start(keys, None).await
    }

    /// The same with TLS, as `localhost`.
    pub(super) async fn start(keys: &[&SigningKey], tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let url = match &tls {
            Some(_) => format!("https://localhost:{}/openid/v1/jwks", address.port()),
            None => format!("http://{address}/openid/v1/jwks"),
        };
        let answer = Arc::new(Mutex::new(answer(200, "", &jwks(keys))));
        let (seen, requests) = watch::channel(Vec::new());
        let (open, opened) = watch::channel(true);
        let script = Script { answer: answer.clone(), seen, opened };
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                match &tls {
                    None => script.play(stream).await,
                    // Whoever does not like the certificate goes away.
                    Some(tls) => match tls.accept(stream).await {
                        Ok(stream) => script.play(stream).await,
                        Err(_) => continue,
                    },
                }
            }
        });
        Self { url: url.parse().unwrap(), answer, requests, open }
    }

    /// What authenticates by its keys.
    pub(super) fn broker(&self) -> Broker {
        Broker::new(KeySource::Url { url: self.url.clone(), ca: None, bearer_token_file: None })
    }

    /// Changes the keys.
    pub(super) fn list(&self, keys: &[&SigningKey]) {
        self.say(answer(200, "", &jwks(keys)));
    }

    /// Changes the whole answer.
    pub(super) fn say(&self, answer: String) {
        *self.answer.lock().unwrap() = answer;
    }

    /// Answers wait from now on, or do not any more.
    pub(super) fn hold(&self, hold: bool) {
        self.open.send_replace(!hold);
    }

    /// The heads of all requests so far.
    pub(super) fn requests(&self) -> Vec<String> {
        self.requests.borrow().clone()
    }

    /// Waits until there were so many requests.
    pub(super) async fn asked(&self, times: usize) {
        self.requests.clone().wait_for(|requests| requests.len() >= times).await.unwrap();
    }
}

/// What the server's task needs.
struct Script {
    answer: Arc<Mutex<String>>,
    seen: watch::Sender<Vec<String>>,
    opened: watch::Receiver<bool>,
}

impl Script {
    async fn play(&self, mut stream: impl AsyncRead + AsyncWrite + Unpin) {
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            match stream.read_u8().await {
                Ok(byte) => request.push(byte),
                Err(_) => return,
            }
        }
        self.seen.send_modify(|requests| requests.push(String::from_utf8(request).unwrap()));
        let _ = self.opened.clone().wait_for(|open| *open).await;
        let answer = self.answer.lock().unwrap().clone();
        // The client may have heard enough.
        let _ = stream.write_all(answer.as_bytes()).await;
        let _ = stream.shutdown().await;
    }
}
