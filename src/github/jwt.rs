//! The App's JWT.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use time::{Duration, OffsetDateTime};

use super::{
    clock::GitHubClock,
    error::{Error, Kind, Result},
    signing_key::SigningKey,
};
use crate::domain::Token;

/// GitHub advises to date a JWT back by a minute, against clocks that differ.
const BACKDATED: Duration = Duration::seconds(60);
/// GitHub takes at most 10 minutes, and refuses exactly 10 under skew.
const LIFE: Duration = Duration::seconds(540);
/// A JWT is not used in its last minute.
const MARGIN: Duration = Duration::seconds(60);
/// How much the offset may change before a refused JWT is worth signing anew.
const NOTABLE_SKEW: Duration = Duration::seconds(30);

/// Signs the App's JWT, and keeps it while it is good: a signature costs more than everything else in a call.
pub(super) struct Signer {
    issuer: String,
    key: SigningKey,
    signed: Mutex<Option<Signed>>,
    /// True once it was told that GitHub does not take the key.
    told: AtomicBool,
}

#[derive(Clone)]
pub(super) struct Signed {
    pub(super) jwt: Token,
    expires_at: OffsetDateTime,
    offset: Duration,
}

#[derive(serde::Serialize)]
struct Claims<'a> {
    iat: i64,
    exp: i64,
    iss: &'a str,
}

impl Signer {
    pub(super) fn new(issuer: &str, key: SigningKey) -> Self {
        let issuer = issuer.to_owned();
        Self { issuer, key, signed: Mutex::new(None), told: AtomicBool::new(false) }
    }

    /// The key, as the App's settings page shows it.
    pub(super) fn fingerprint(&self) -> &str {
        self.key.fingerprint()
    }

    /// True the first time.
    pub(super) fn is_told_once(&self) -> bool {
        !self.told.swap(true, Ordering::Relaxed)
    }

    /// A JWT that is good for another minute at least.
    pub(super) fn jwt(&self, clock: &GitHubClock) -> Result<Signed> {
        let now = clock.now();
        // A std mutex: no await while it is held. Signing under it lets concurrent callers share one signature.
        let mut kept = self.signed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(signed) = kept.as_ref().filter(|signed| signed.is_good(now)) {
            return Ok(signed.clone());
        }
        let expires_at = now.saturating_add(LIFE);
        let claims = Claims {
            iat: now.saturating_sub(BACKDATED).unix_timestamp(),
            exp: expires_at.unix_timestamp(),
            iss: &self.issuer,
        };
        let jwt = self.key.sign(&claims).map_err(|_| {
            Error::new(
                Kind::AppNotConfigured,
                "the App's private key cannot sign; check that it is an RSA key",
            )
        })?;
        let signed = Signed { jwt: Token::new(jwt), expires_at, offset: clock.offset() };
        *kept = Some(signed.clone());
        Ok(signed)
    }

    /// Forgets the kept JWT if `refused` was because of the clock, and says whether a new one is worth a try.
    pub(super) fn renew_after(&self, used: &Signed, refused: &Error, clock: &GitHubClock) -> bool {
        if refused.kind != Kind::Unauthorized {
            return false;
        }
        if blames_the_clock(&refused.message) {
            if let Some(offset) = refused.clock_offset {
                clock.believe(offset);
            }
        } else if (clock.offset() - used.offset).abs() < NOTABLE_SKEW {
            return false;
        }
        *self.signed.lock().unwrap_or_else(PoisonError::into_inner) = None;
        true
    }
}

impl Signed {
    /// Not near its end; nor further from it than it can be, as after a jump of the clock.
    fn is_good(&self, now: OffsetDateTime) -> bool {
        let left = self.expires_at - now;
        left > MARGIN && left <= LIFE
    }
}

/// True for GitHub's messages about `iat` and `exp`.
pub(super) fn blames_the_clock(message: &str) -> bool {
    ["'exp'", "'iat'", "Expiration time", "Issued at"].iter().any(|part| message.contains(part))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
    use time::macros::datetime;

    use super::*;
    use crate::github::testing::{Manual, signing_key};

    const NOW: OffsetDateTime = datetime!(2026-11-20 12:00:00 UTC);

    fn signer() -> (Signer, GitHubClock, Arc<Manual>) {
        let ours = Manual::at(NOW);
        (Signer::new("Iv1.abc", signing_key()), GitHubClock::new(ours.clone()), ours)
    }

    fn claims(signed: &Signed) -> serde_json::Value {
        let payload = signed.jwt.expose().split('.').nth(1).unwrap();
        serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
    }

    #[test]
    fn claims_are_whole_numbers_within_githubs_limits() {
        let (signer, clock, _) = signer();
        let now = NOW.unix_timestamp();
        let expected = serde_json::json!({ "iat": now - 60, "exp": now + 540, "iss": "Iv1.abc" });
        assert_eq!(claims(&signer.jwt(&clock).unwrap()), expected);
    }

    #[test]
    fn a_jwt_is_kept_until_a_minute_before_its_end() {
        let (signer, clock, ours) = signer();
        let jwt = || signer.jwt(&clock).unwrap().jwt.expose().to_owned();
        let first = jwt();
        ours.advance(479);
        assert_eq!(jwt(), first);
        ours.advance(1);
        assert_ne!(jwt(), first);
        ours.advance(-100);
        let now = clock.now().unix_timestamp();
        assert_eq!(claims(&signer.jwt(&clock).unwrap())["exp"], now + 540);
    }

    #[test]
    fn follows_githubs_clock() {
        let (signer, clock, _) = signer();
        clock.learn(-Duration::minutes(7));
        let expected = (NOW - Duration::minutes(7) + LIFE).unix_timestamp();
        assert_eq!(claims(&signer.jwt(&clock).unwrap())["exp"], expected);
    }

    #[test]
    fn survives_any_date() {
        let (signer, clock, _) = signer();
        for date in [datetime!(9999-12-31 23:59:59 UTC), datetime!(0000-01-01 00:00 UTC)] {
            clock.learn(clock.measure(date));
            assert!(signer.jwt(&clock).is_ok());
        }
    }

    #[test]
    fn signs_anew_only_if_the_clock_was_to_blame() {
        let (signer, clock, _) = signer();
        let used = signer.jwt(&clock).unwrap();
        let refused = |text: &str| Error::new(Kind::Unauthorized, text);
        let far = "'Expiration time' claim ('exp') is too far in the future";
        let undecodable = "A JSON web token could not be decoded";
        assert!(signer.renew_after(&used, &refused(far), &clock));
        let measured = refused(far).measured(Some(Duration::minutes(1)));
        (0..5).for_each(|_| clock.learn(Duration::ZERO));
        assert!(signer.renew_after(&used, &measured, &clock));
        assert_eq!(clock.offset(), Duration::minutes(1));
        clock.believe(Duration::ZERO);
        assert!(!signer.renew_after(&used, &refused(undecodable), &clock));
        assert!(!signer.renew_after(&used, &Error::new(Kind::NotFound, far), &clock));
        clock.believe(Duration::minutes(2));
        assert!(signer.renew_after(&used, &refused(undecodable), &clock));
    }
}
