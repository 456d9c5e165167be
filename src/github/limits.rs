//! Limits on requests, GitHub's and our own: who may not ask now is told so here.

use std::time::Duration;

use reqwest::{StatusCode, header::HeaderMap};

use super::{
    GitHub,
    call::Call,
    error::{Error, Kind, Result},
    headers,
    payer::{For, Payer},
    quota::Spent,
};

impl GitHub {
    /// Refuses a request that GitHub would refuse: it shuts out who goes on all the same.
    pub(super) fn may_ask(&self, call: &Call, whose: &For) -> Result<()> {
        if !call.api {
            return Ok(());
        }
        let (quotas, now) = (&self.inner.quotas, self.inner.clock.now());
        let (what, wait) = match quotas.may_ask(&whose.payer, self.resource(call), now) {
            Ok(()) => return Ok(()),
            Err(Spent::Quota(wait)) => ("the quota of requests is used up", wait),
            Err(Spent::Alone(wait)) => ("GitHub wants to be left alone", wait),
        };
        let end = now.saturating_add(wait.try_into().unwrap_or_default());
        Err(not_now(format!("{what} until {end}; nothing was sent"), wait))
    }

    /// Waits until a token may be minted.
    pub(super) async fn take_mint(&self, whose: &For) -> Result<()> {
        let inner = &self.inner;
        // Nobody waits longer than for a repetition: callers have a deadline.
        let patience = inner.settings.limits.retry_cap;
        let turn = inner.mint_budget.take(&whose.tenant, self.background, patience, &inner.clock);
        turn.await.map_err(|wait| {
            let rate = inner.settings.limits.mints_per_minute;
            not_now(
                format!("more than {rate} tokens a minute are asked for; nothing was sent"),
                wait,
            )
        })
    }

    /// Takes note of what an answer says is left.
    pub(super) fn learn_quota(
        &self,
        call: &Call,
        whose: &For,
        status: StatusCode,
        headers: &HeaderMap,
    ) {
        // Whose credential is refused is nobody to GitHub, which counts that by address.
        if !call.api || status == StatusCode::UNAUTHORIZED {
            return;
        }
        if let Some(rate) = headers::rate(headers) {
            self.show_quota(&whose.payer, &rate);
            let now = self.inner.clock.now();
            self.inner.quotas.learn(&whose.payer, self.resource(call), rate, now);
        }
    }

    /// Leaves GitHub alone if this is an error of too many requests, as long as it says or is advised.
    pub(super) fn heed_limit(&self, payer: &Payer, error: Error) -> Error {
        let spent = error.rate.as_ref().is_some_and(|rate| rate.remaining == 0);
        if error.kind != Kind::RateLimited || (spent && error.retry_after.is_some()) {
            return error;
        }
        let now = self.inner.clock.now();
        let wait = self.inner.quotas.leave_alone(payer, error.retry_after, now);
        error.after(wait)
    }

    /// The quota that GitHub counts a call in, as far as a URL tells.
    fn resource(&self, call: &Call) -> &'static str {
        if call.url == self.inner.settings.graphql_url { "graphql" } else { "core" }
    }
}

fn not_now(message: String, wait: Duration) -> Error {
    Error::new(Kind::RateLimited, message).after(wait)
}
