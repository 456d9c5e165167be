//! How long to wait before a request is sent again.

use std::time::Duration;

use super::{
    error::{Error, Kind},
    settings::Limits,
};

/// The wait before attempt `attempt + 1`, or none if that one is not worth making. `random` is in 0..1.
///
/// Full jitter: callers that failed together do not come back together.
pub(super) fn delay(limits: &Limits, attempt: u32, error: &Error, random: f64) -> Option<Duration> {
    if attempt >= limits.attempts {
        return None;
    }
    let base = match error.kind {
        // Refused here, where whoever could wait has waited already.
        Kind::RateLimited if error.status.is_none() => return None,
        Kind::RateLimited => limits.throttled_base,
        Kind::Server | Kind::Unreachable | Kind::Interrupted => limits.retry_base,
        _ => return None,
    };
    let doubled = base.saturating_mul(1 << (attempt - 1).min(16)).min(limits.retry_cap);
    let jitter = doubled.mul_f64(random.clamp(0.0, 1.0));
    // What GitHub asks for is the least; the jitter comes on top.
    let wait = error.retry_after.unwrap_or_default().saturating_add(jitter);
    (wait <= limits.retry_cap).then_some(wait)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> Limits {
        Limits { attempts: 10, ..Limits::default() }
    }

    fn throttled() -> Error {
        let mut error = Error::new(Kind::RateLimited, "");
        error.status = Some(429);
        error
    }

    fn seconds(attempt: u32, error: &Error, random: f64) -> Option<f64> {
        delay(&limits(), attempt, error, random).map(|wait| wait.as_secs_f64())
    }

    #[test]
    fn doubles_up_to_the_cap() {
        let failed = Error::new(Kind::Server, "");
        let throttled = throttled();
        let cases =
            [(1, 0.05, 1.0), (2, 0.1, 2.0), (5, 0.8, 16.0), (6, 1.6, 20.0), (9, 12.8, 20.0)];
        for (attempt, plain, slow) in cases {
            assert_eq!(seconds(attempt, &failed, 1.0), Some(plain));
            assert_eq!(seconds(attempt, &throttled, 1.0), Some(slow));
            assert_eq!(seconds(attempt, &failed, 0.0), Some(0.0));
            assert_eq!(seconds(attempt, &throttled, 0.5), Some(slow / 2.0));
        }
    }

    #[test]
    fn waits_as_long_as_github_asks_for_and_gives_up_if_that_is_too_long() {
        let throttled = |wait| throttled().after(Duration::from_secs(wait));
        assert_eq!(seconds(1, &throttled(3), 0.5), Some(3.5));
        assert_eq!(seconds(1, &throttled(60), 0.0), None);
    }

    #[test]
    fn ends_with_the_last_attempt_and_leaves_refusals_alone() {
        let limits = Limits::default();
        let failed = Error::new(Kind::Interrupted, "");
        assert!(delay(&limits, 2, &failed, 1.0).is_some());
        assert!(delay(&limits, 3, &failed, 1.0).is_none());
        for kind in [
            Kind::Unauthorized,
            Kind::NotFound,
            Kind::BreakerOpen,
            Kind::Malformed,
            Kind::RateLimited,
        ] {
            assert!(delay(&limits, 1, &Error::new(kind, ""), 1.0).is_none());
        }
    }
}
