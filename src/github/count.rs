//! What operators see of requests.

use super::{
    GitHub,
    breaker::Breaker,
    call::Answer,
    error::{Error, Kind, Result},
    headers::RateLimit,
    payer::Payer,
};
use crate::metrics::{Request, Requests};

impl GitHub {
    /// The same client, which counts by `counted`.
    #[must_use]
    pub fn counting(self, counted: Requests) -> Self {
        Self { counted: counted.into(), ..self }
    }

    /// Counts a request, sent or not.
    pub(super) fn count(&self, result: &Result<Answer>) {
        self.counted.request(match result {
            Ok(_) => Request::Done,
            Err(error) => outcome(error),
        });
        let is_open = self.inner.breakers.iter().any(|(_, breaker)| Breaker::is_open(breaker));
        self.counted.left_alone(is_open);
    }

    /// Shows what is left of the App's own quota.
    pub(super) fn show_quota(&self, payer: &Payer, rate: &RateLimit) {
        let core = rate.resource.as_deref().is_none_or(|resource| resource == "core");
        if *payer == Payer::App && core {
            self.counted.app_quota(rate.remaining);
        }
    }
}

fn outcome(error: &Error) -> Request {
    match error.kind {
        Kind::BreakerOpen => Request::NotSent,
        // Refused here, before GitHub would.
        Kind::RateLimited if error.status.is_none() => Request::NotSent,
        Kind::RateLimited => Request::Limited,
        Kind::Server => Request::Failed,
        Kind::Unreachable | Kind::Interrupted => Request::Lost,
        _ => Request::Refused,
    }
}
