//! The public keys of an issuer.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::{DecodingKey, crypto};
use serde::Deserialize;
use serde_json::Value;

use super::algorithm::{Algorithm, Family};
use crate::{auth::Refused, domain::Invalid};

/// An API server has two or three during a rotation. A list that is longer is not one of keys to sign with.
const MAX_KEYS: usize = 64;
/// An RSA key of fewer bytes (2048 bits) can be broken; ...
const MIN_MODULUS: usize = 256;
/// ... one of more (8192 bits) costs every call too much.
const MAX_MODULUS: usize = 1024;

/// The keys that an issuer signs with, as its JWKS lists them (RFC 7517). Only those are kept that can verify a
/// signature of an [`Algorithm`].
#[derive(Clone, Debug, Default)]
pub struct Keys {
    keys: Vec<Key>,
    unusable: usize,
}

#[derive(Clone, Debug)]
struct Key {
    kid: String,
    family: Family,
    /// The only algorithm that it is for, if the issuer says so.
    only: Option<Algorithm>,
    key: DecodingKey,
}

#[derive(Deserialize)]
struct SetJson {
    keys: Vec<Value>,
}

#[derive(Deserialize)]
struct KeyJson {
    kid: String,
    kty: String,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl Keys {
    /// Reads a JWKS. A key that is for something else, or of a kind that is not known here, is left out.
    pub fn parse(json: &[u8]) -> Result<Self, Invalid> {
        let set: SetJson = serde_json::from_slice(json)
            .map_err(|_| Invalid::new(r#"must be a JWKS: a JSON object with a list "keys""#))?;
        if set.keys.len() > MAX_KEYS {
            return Err(Invalid::new(format!("must not list more than {MAX_KEYS} keys")));
        }
        let listed = set.keys.len();
        let keys: Vec<Key> = set.keys.into_iter().filter_map(Key::parse).collect();
        Ok(Self { unusable: listed - keys.len(), keys })
    }

    /// How many keys can verify signatures.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// True if there is no such key.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// How many keys the issuer lists besides.
    pub fn unusable(&self) -> usize {
        self.unusable
    }

    /// Checks `signature` (base64) of `message` with the key that `kid` names.
    pub(in crate::auth) fn check(
        &self,
        kid: &str,
        algorithm: Algorithm,
        message: &str,
        signature: &str,
    ) -> Result<(), Refused> {
        // Keys of different kinds may share a kid.
        let mut refused = Refused::UnknownKey;
        for key in self.keys.iter().filter(|key| key.kid == kid) {
            if !key.fits(algorithm) {
                refused = Refused::AlgorithmNotAllowed;
                continue;
            }
            let good = crypto::verify(signature, message.as_bytes(), &key.key, algorithm.jwa());
            if good.unwrap_or(false) {
                return Ok(());
            }
            refused = Refused::BadSignature;
        }
        Err(refused)
    }
}

impl Key {
    fn parse(json: Value) -> Option<Self> {
        let json: KeyJson = serde_json::from_value(json).ok()?;
        let signs = json.usage.as_deref().is_none_or(|usage| usage == "sig")
            && json.key_ops.as_ref().is_none_or(|ops| ops.iter().any(|op| op == "verify"));
        if !signs {
            return None;
        }
        let (family, key) = match (json.kty.as_str(), json.crv.as_deref()) {
            ("RSA", _) => (Family::Rsa, rsa(json.n.as_deref()?, json.e.as_deref()?)?),
            ("EC", Some("P-256")) => {
                (Family::P256, point(json.x.as_deref()?, json.y.as_deref()?, 32)?)
            }
            ("EC", Some("P-384")) => {
                (Family::P384, point(json.x.as_deref()?, json.y.as_deref()?, 48)?)
            }
            _ => return None,
        };
        let only = match json.alg {
            Some(name) => Some(name.parse::<Algorithm>().ok()?),
            None => None,
        };
        Some(Self { kid: json.kid, family, only, key })
    }

    fn fits(&self, algorithm: Algorithm) -> bool {
        self.family == algorithm.family() && self.only.is_none_or(|only| only == algorithm)
    }
}

fn rsa(n: &str, e: &str) -> Option<DecodingKey> {
    let (n, e) = (bytes(n)?, bytes(e)?);
    (MIN_MODULUS..=MAX_MODULUS)
        .contains(&n.len())
        .then(|| DecodingKey::from_rsa_raw_components(&n, &e))
}

fn point(x: &str, y: &str, length: usize) -> Option<DecodingKey> {
    let good = bytes(x)?.len() == length && bytes(y)?.len() == length;
    if good { DecodingKey::from_ec_components(x, y).ok() } else { None }
}

fn bytes(base64: &str) -> Option<Vec<u8>> {
    BASE64_URL_SAFE_NO_PAD.decode(base64).ok()
}
