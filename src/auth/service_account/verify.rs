//! What makes a token a good one. Pure: keys and time are given.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, IgnoredAny},
};
use time::OffsetDateTime;

use crate::{
    auth::{Algorithm, Keys, Refused},
    domain::ServiceAccount,
};

/// Kubernetes' tokens have 1 to 2 KiB; what is longer is not worth any work.
const MAX_TOKEN: usize = 8 << 10;
/// How far the issuer's clock and ours may be apart. Machines of a cluster keep the same time to a second or so, and a
/// longer one would be a longer life for every stolen token.
const LEEWAY_S: f64 = 10.0;

/// What a token must be, apart from its signature.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Expected {
    /// Its `iss`, to the letter: what the API server's `--service-account-issuer` is.
    pub issuer: String,
    /// What its `aud` must name. It should be this broker's own: a token that is for several could be used here by
    /// any of the others.
    pub audience: String,
    /// How it may be signed.
    pub algorithms: Vec<Algorithm>,
}

/// `kid`, `alg` and `crit` of a token: what is looked at before its signature.
#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    /// Names extensions that must be understood; none is here.
    #[serde(default, deserialize_with = "present")]
    crit: bool,
}

#[derive(Deserialize)]
struct Claims {
    iss: Option<String>,
    aud: Option<Audience>,
    exp: Option<f64>,
    nbf: Option<f64>,
    sub: Option<String>,
    #[serde(rename = "kubernetes.io")]
    kubernetes: Option<Kubernetes>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

/// The claim `kubernetes.io`.
#[derive(Deserialize)]
struct Kubernetes {
    namespace: Option<String>,
    serviceaccount: Option<Named>,
}

#[derive(Deserialize)]
struct Named {
    name: Option<String>,
}

/// What a token with a good signature proves.
pub(super) struct Proven {
    account: ServiceAccount,
    life: Life,
}

impl Proven {
    /// Whose token it is, if its time has come and is not over.
    pub(super) fn account_at(&self, now: OffsetDateTime) -> Result<ServiceAccount, Refused> {
        self.life.check(now).map(|()| self.account.clone())
    }
}

/// When a token is good.
struct Life {
    begin: Option<f64>,
    end: f64,
}

impl Life {
    fn check(&self, now: OffsetDateTime) -> Result<(), Refused> {
        let now = now.unix_timestamp() as f64;
        if now >= self.end + LEEWAY_S {
            return Err(Refused::TokenExpired);
        }
        if self.begin.is_some_and(|begin| now < begin - LEEWAY_S) {
            return Err(Refused::TokenNotYetValid);
        }
        Ok(())
    }
}

/// The ServiceAccount that `token` proves, if `keys` hold the one that it is signed with, and it is as `expected` at
/// the time `now`.
pub fn verify(
    token: &str,
    keys: &Keys,
    expected: &Expected,
    now: OffsetDateTime,
) -> Result<ServiceAccount, Refused> {
    prove(token, keys, expected, now).map(|proven| proven.account)
}

/// What `token` proves, for as long as `keys` are those to believe.
pub(super) fn prove(
    token: &str,
    keys: &Keys,
    expected: &Expected,
    now: OffsetDateTime,
) -> Result<Proven, Refused> {
    if token.len() > MAX_TOKEN {
        return Err(Refused::MalformedToken);
    }
    let (message, signature) = token.rsplit_once('.').ok_or(Refused::MalformedToken)?;
    let (header, claims) = message.split_once('.').ok_or(Refused::MalformedToken)?;
    let header: Header = decode(header)?;
    let (Some(kid), false) = (header.kid, header.crit) else {
        return Err(Refused::MalformedToken);
    };
    let algorithm = header.alg.parse().map_err(|_| Refused::AlgorithmNotAllowed)?;
    if !expected.algorithms.contains(&algorithm) {
        return Err(Refused::AlgorithmNotAllowed);
    }
    keys.check(&kid, algorithm, message, signature)?;
    decode::<Claims>(claims)?.check(expected, now)
}

impl Claims {
    fn check(&self, expected: &Expected, now: OffsetDateTime) -> Result<Proven, Refused> {
        if self.iss.as_ref() != Some(&expected.issuer) {
            return Err(Refused::WrongIssuer);
        }
        if !self.aud.as_ref().is_some_and(|audience| audience.names(&expected.audience)) {
            return Err(Refused::WrongAudience);
        }
        let life = Life { begin: self.nbf, end: self.exp.ok_or(Refused::MalformedToken)? };
        life.check(now)?;
        let account = self.sub.as_ref().ok_or(Refused::MalformedToken)?;
        let account = account.parse().map_err(|_| Refused::NotServiceAccount)?;
        if self.kubernetes.as_ref().is_some_and(|claim| !claim.is(&account)) {
            return Err(Refused::NotServiceAccount);
        }
        Ok(Proven { account, life })
    }
}

impl Audience {
    fn names(&self, audience: &str) -> bool {
        match self {
            Self::One(name) => name == audience,
            Self::Several(names) => names.iter().any(|name| name == audience),
        }
    }
}

impl Kubernetes {
    fn is(&self, account: &ServiceAccount) -> bool {
        let name = self.serviceaccount.as_ref().and_then(|named| named.name.as_deref());
        self.namespace.as_deref().zip(name) == Some(account.parts())
    }
}

/// A part of a token: JSON in base64.
fn decode<T: DeserializeOwned>(part: &str) -> Result<T, Refused> {
    let json = BASE64_URL_SAFE_NO_PAD.decode(part).map_err(|_| Refused::MalformedToken)?;
    serde_json::from_slice(&json).map_err(|_| Refused::MalformedToken)
}

/// True for a field that is there, whatever it holds.
fn present<'de, D: Deserializer<'de>>(field: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(field).map(|_| true)
}
