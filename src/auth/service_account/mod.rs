//! Callers that are known by a Kubernetes ServiceAccount token.

mod seen;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod verify;

use std::sync::Arc;

use seen::Seen;
use verify::prove;
pub use verify::{Expected, verify};

use super::{
    Refused,
    jwks::{Algorithm, BuildError, Cache, KeySource, Source},
};
use crate::domain::{Clock, ServiceAccount};

/// Which tokens are believed.
#[derive(Clone, Debug)]
pub struct ServiceAccountSettings {
    /// What a token must be, apart from its signature.
    pub expected: Expected,
    /// Where the issuer's keys are.
    pub keys: KeySource,
}

impl ServiceAccountSettings {
    /// Settings with the algorithm that Kubernetes uses unless told otherwise: RS256.
    pub fn new(issuer: String, audience: String, keys: KeySource) -> Self {
        Self { expected: Expected { issuer, audience, algorithms: vec![Algorithm::Rs256] }, keys }
    }
}

/// Checks ServiceAccount tokens. Cheap to clone; every clone shares the issuer's keys.
///
/// The keys are read when the first token comes; when a token names one that is not known, at most once in 10 s; and,
/// beside the calls, with the first token after 10 minutes. So a new key works within 10 s. One that the issuer took back
/// is refused after 10 minutes of use, or with the second token after a rest. While the keys cannot be read, the last
/// ones stay in use until they are an hour old; then every token is refused, in a way that says that it may pass.
#[derive(Clone)]
pub struct ServiceAccounts {
    inner: Arc<Inner>,
}

struct Inner {
    expected: Expected,
    keys: Cache,
    seen: Seen,
    clock: Arc<dyn Clock>,
}

impl ServiceAccounts {
    /// Checks the settings. No key is read yet: see [`load`](Self::load).
    pub fn new(
        settings: ServiceAccountSettings,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, BuildError> {
        let ServiceAccountSettings { expected, keys } = settings;
        let parts = [
            ("the issuer of ServiceAccount tokens", expected.issuer.is_empty()),
            ("the audience of ServiceAccount tokens", expected.audience.is_empty()),
            ("the list of their algorithms", expected.algorithms.is_empty()),
        ];
        if let Some((part, _)) = parts.into_iter().find(|(_, empty)| *empty) {
            return Err(BuildError::Empty(part));
        }
        let keys = Cache::new(Source::new(keys)?, clock.clone());
        Ok(Self { inner: Arc::new(Inner { expected, keys, seen: Seen::default(), clock }) })
    }

    /// Reads the keys if there are none yet, so that no caller has to wait. If that fails the log says why, and the
    /// next token tries again.
    pub async fn load(&self) -> Result<(), Refused> {
        self.inner.keys.keys().await.map(drop)
    }

    /// Whose token the value of an `authorization` header holds. Waits for the source of the keys (5 s at most) only if
    /// none are known that may be used, or not the token's.
    pub async fn authenticate(
        &self,
        authorization: Option<&[u8]>,
    ) -> Result<ServiceAccount, Refused> {
        let token = bearer(authorization.ok_or(Refused::NoToken)?)?;
        let Inner { expected, keys: cache, seen, clock } = &*self.inner;
        let mut keys = cache.keys().await?;
        let now = clock.now();
        if let Some(known) = seen.account(token, &keys, now) {
            return known;
        }
        let mut proven = prove(token, &keys, expected, now);
        if matches!(proven, Err(Refused::UnknownKey)) {
            keys = cache.newest().await?;
            proven = prove(token, &keys, expected, clock.now());
        }
        let proven = proven?;
        let account = proven.account_at(clock.now());
        seen.keep(token, &keys, proven, clock.now());
        account
    }
}

/// The one token after `Bearer`.
fn bearer(authorization: &[u8]) -> Result<&str, Refused> {
    let text = std::str::from_utf8(authorization).map_err(|_| Refused::MalformedToken)?;
    let (scheme, token) = text.split_once(' ').ok_or(Refused::MalformedToken)?;
    let token = token.trim_matches(' ');
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    let good =
        scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() && token.bytes().all(plain);
    if good { Ok(token) } else { Err(Refused::MalformedToken) }
}
