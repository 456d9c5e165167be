//! A cluster that signs ServiceAccount tokens, and lists its keys.

use std::{
    sync::{Arc, LazyLock, Mutex},
    time::Duration,
};

use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der},
    rsa::{KeyPair, KeySize},
    signature::KeyPair as _,
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, crypto, jwk::Jwk};
use serde_json::{Value, json};
use time::OffsetDateTime;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::pem;

pub const ISSUER: &str = "https://kubernetes.default.svc.cluster.local";
/// What a token has to be for.
pub const AUDIENCE: &str = "ghbroker";
/// How long one is good, with the leeway of the broker.
pub const LIFE: Duration = Duration::from_secs(7 * 24 * 3600);

/// A key of the cluster.
pub struct SigningKey {
    kid: &'static str,
    private: EncodingKey,
    /// The public key as everybody can have it.
    pub public_pem: String,
}

/// What the cluster signs with. Making a key takes a while: all tests of the process share them.
pub static KEY: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::new("one"));
/// What it rotates to.
pub static NEXT: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::new("two"));

impl SigningKey {
    fn new(kid: &'static str) -> Self {
        let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
        let der = AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).unwrap();
        let private = EncodingKey::from_rsa_pem(pem("PRIVATE KEY", der.as_ref()).as_bytes());
        let public_pem = pem("RSA PUBLIC KEY", pair.public_key().as_ref());
        Self { kid, private: private.unwrap(), public_pem }
    }

    /// A token with these claims.
    pub fn token(&self, claims: &Value) -> String {
        let header = json!({ "alg": "RS256", "kid": self.kid });
        signed(&header, claims, &self.private, Algorithm::RS256)
    }

    fn jwk(&self) -> Value {
        let jwk = Jwk::from_encoding_key(&self.private, Algorithm::RS256).unwrap();
        let mut jwk = serde_json::to_value(jwk).unwrap();
        jwk["kid"] = json!(self.kid);
        jwk["use"] = json!("sig");
        jwk
    }
}

/// A token whose header need not fit what signs it.
pub fn signed(header: &Value, claims: &Value, key: &EncodingKey, algorithm: Algorithm) -> String {
    let message = message(header, claims);
    let signature = crypto::sign(message.as_bytes(), key, algorithm).unwrap();
    format!("{message}.{signature}")
}

/// What of a token is signed.
pub fn message(header: &Value, claims: &Value) -> String {
    let part = |json: &Value| BASE64_URL_SAFE_NO_PAD.encode(json.to_string());
    format!("{}.{}", part(header), part(claims))
}

/// The claims of a good token of `example/NAME`, as an API server writes them.
pub fn claims(name: &str, now: OffsetDateTime) -> Value {
    let now = now.unix_timestamp();
    json!({
        "iss": ISSUER, "aud": [AUDIENCE], "sub": format!("system:serviceaccount:example:{name}"),
        "iat": now, "nbf": now, "exp": now + i64::try_from(LIFE.as_secs()).unwrap(),
        "kubernetes.io": { "namespace": "example", "serviceaccount": { "name": name, "uid": "1" } },
    })
}

/// What lists the public keys.
pub fn jwks(keys: &[&SigningKey]) -> String {
    json!({ "keys": keys.iter().map(|key| key.jwk()).collect::<Vec<_>>() }).to_string()
}

/// The cluster's own server of its keys.
pub struct KeyServer {
    pub url: String,
    answer: Arc<Mutex<String>>,
}

impl KeyServer {
    pub async fn start(keys: &[&SigningKey]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/openid/v1/jwks", listener.local_addr().unwrap());
        let server = Self { url, answer: Arc::default() };
        server.list(keys);
        let answer = server.answer.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    request.push(stream.read_u8().await.unwrap_or(b'\n'));
                }
                let answer = answer.lock().unwrap().clone();
                drop(stream.write_all(answer.as_bytes()).await);
            }
        });
        server
    }

    pub fn list(&self, keys: &[&SigningKey]) {
        self.say(200, &jwks(keys));
    }

    /// From now on it only fails.
    pub fn fail(&self) {
        self.say(503, "");
    }

    fn say(&self, status: u16, body: &str) {
        let length = body.len();
        *self.answer.lock().unwrap() = format!(
            "HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
        );
    }
}
