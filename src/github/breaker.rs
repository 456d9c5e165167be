//! Leaving a host alone that keeps failing, for everybody or for the tenant for whom alone it fails.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use time::OffsetDateTime;

use super::payer::Payer;

/// Tenants that are kept at most, of those for whom the host failed last. Beyond them those go for whom it is not left
/// alone now.
const MAX_TENANTS: usize = 10_000;

/// One host's breaker. Every call enters, and reports how it went; after enough failures in a row nobody enters for a
/// while, then a single call does, to see whether the host is back. Failures of one tenant alone keep out only that one.
pub(super) struct Breaker {
    // A std mutex: held for a few instructions, never across an await.
    state: Mutex<State>,
    failures: u32,
    open: Duration,
}

struct State {
    host: Circuit,
    /// Whose the failures in a row are.
    by: By,
    tenants: HashMap<Payer, Circuit>,
}

/// Whose failures in a row are.
#[derive(PartialEq, Eq)]
enum By {
    Nobody,
    One(Payer),
    /// Of two tenants or more; or there was no connection, which has nothing to do with who asks.
    Several,
}

#[derive(Clone, Copy)]
enum Circuit {
    /// Calls pass; so many of the last ones failed in a row.
    Closed(u32),
    /// No call passes before this time; then one does.
    Open(OffsetDateTime),
    /// That one is under way.
    Probing,
}

/// How a call went.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Went {
    /// The host did its work; a refusal is work done.
    Well,
    /// It failed at this call.
    Failed,
    /// There was no connection to it.
    Unreachable,
}

impl Breaker {
    /// A breaker that opens after `failures` in a row, for `open`.
    pub(super) fn new(failures: u32, open: Duration) -> Self {
        let state = State { host: Circuit::Closed(0), by: By::Nobody, tenants: HashMap::new() };
        Self { state: Mutex::new(state), failures, open }
    }

    /// Lets a call of `tenant` pass, or says how long it has to wait.
    pub(super) fn enter<'a>(
        &'a self,
        tenant: &'a Payer,
        now: OffsetDateTime,
    ) -> Result<Pass<'a>, Duration> {
        let mut state = self.lock();
        let own = state.tenants.get(tenant).copied().unwrap_or(Circuit::Closed(0));
        // Both are asked before one of them is told that its probe is under way.
        let (own, host) = (own.look(now, self.open)?, state.host.look(now, self.open)?);
        if own {
            state.tenants.insert(tenant.clone(), Circuit::Probing);
        }
        if host {
            state.host = Circuit::Probing;
        }
        Ok(Pass { breaker: self, tenant, entered: now, own, host, reported: false })
    }

    /// True if it keeps everybody out, or all but one.
    pub(super) fn is_open(&self) -> bool {
        !matches!(self.lock().host, Circuit::Closed(_))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Whatever a panic leaves, the next success or the end of `open` puts right.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Circuit {
    /// Whether a call that passes is the probe; or how long none passes.
    fn look(self, now: OffsetDateTime, open: Duration) -> Result<bool, Duration> {
        match self {
            Self::Closed(_) => Ok(false),
            Self::Open(until) => match Duration::try_from(until - now) {
                // By a clock that was set back, it is longer.
                Ok(wait) if !wait.is_zero() && wait <= open => Err(wait),
                _ => Ok(true),
            },
            Self::Probing => Err(open),
        }
    }

    fn after(
        self,
        probe: bool,
        well: bool,
        opens: impl Fn(u32) -> bool,
        until: OffsetDateTime,
    ) -> Self {
        match self {
            // A call from before the opening says nothing about now.
            Self::Open(_) | Self::Probing if !probe => self,
            _ if well => Self::Closed(0),
            Self::Closed(failures) if !opens(failures + 1) => Self::Closed(failures + 1),
            _ => Self::Open(until),
        }
    }
}

impl State {
    /// Puts down how a call of `tenant` went with the tenant; true if it opened.
    fn of_tenant(&mut self, pass: &Pass<'_>, went: Went, until: OffsetDateTime) -> bool {
        let before = self.tenants.get(pass.tenant).copied().unwrap_or(Circuit::Closed(0));
        let limit = pass.breaker.failures;
        let after = before.after(pass.own, went == Went::Well, |count| count >= limit, until);
        match after {
            Circuit::Closed(0) => drop(self.tenants.remove(pass.tenant)),
            _ => {
                if self.tenants.len() >= MAX_TENANTS {
                    // Whoever failed once and was never heard of again would take a place for ever.
                    self.tenants.retain(|_, circuit| {
                        circuit.look(pass.entered, pass.breaker.open).is_err()
                    });
                }
                if self.tenants.len() < MAX_TENANTS || self.tenants.contains_key(pass.tenant) {
                    self.tenants.insert(pass.tenant.clone(), after);
                }
            }
        }
        matches!((before, after), (Circuit::Closed(_), Circuit::Open(_)))
    }

    fn of_host(&mut self, pass: &Pass<'_>, went: Went, until: OffsetDateTime) {
        match (went, &self.by) {
            (Went::Well, _) => self.by = By::Nobody,
            (Went::Failed, By::Nobody) => self.by = By::One(pass.tenant.clone()),
            (Went::Failed, By::One(tenant)) if tenant == pass.tenant => {}
            _ => self.by = By::Several,
        }
        let (several, limit) = (self.by == By::Several, pass.breaker.failures);
        let opens = |count| several && count >= limit;
        self.host = self.host.after(pass.host, went == Went::Well, opens, until);
    }
}

/// Leave to call the host once. Dropped without a report (the caller gave up) it counts as nothing.
pub(super) struct Pass<'a> {
    breaker: &'a Breaker,
    tenant: &'a Payer,
    entered: OffsetDateTime,
    /// It is the probe of the tenant.
    own: bool,
    /// It is the probe of the host.
    host: bool,
    reported: bool,
}

impl Pass<'_> {
    /// Says how the call went.
    pub(super) fn report(mut self, went: Went, now: OffsetDateTime) {
        self.reported = true;
        let until = now + self.breaker.open;
        let mut state = self.breaker.lock();
        // A probe's tenant has to be let go, even if it could not connect.
        let opened = (went != Went::Unreachable || self.own) && state.of_tenant(&self, went, until);
        state.of_host(&self, went, until);
        if opened && state.by == By::One(self.tenant.clone()) {
            // Kept out by itself, a tenant is one witness against the host and no more.
            if let Circuit::Closed(failures) = &mut state.host {
                *failures = 1;
            }
        }
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        if self.reported {
            return;
        }
        let mut state = self.breaker.lock();
        if self.own {
            state.tenants.insert(self.tenant.clone(), Circuit::Open(self.entered));
        }
        if self.host {
            state.host = Circuit::Open(self.entered);
        }
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::domain::InstallationId;

    const NOW: OffsetDateTime = datetime!(2026-11-20 12:00:00 UTC);
    const OPEN: Duration = Duration::from_secs(30);
    const ONE: Payer = Payer::Installation(InstallationId(1));
    const TWO: Payer = Payer::Installation(InstallationId(2));

    fn went(breaker: &Breaker, tenant: &Payer, went: Went, times: u32) {
        for _ in 0..times {
            breaker.enter(tenant, NOW).ok().unwrap().report(went, NOW);
        }
    }

    fn fail(breaker: &Breaker, tenant: &Payer, times: u32) {
        went(breaker, tenant, Went::Failed, times);
    }

    #[test]
    fn opens_after_failures_in_a_row_only() {
        let breaker = Breaker::new(5, OPEN);
        fail(&breaker, &ONE, 4);
        went(&breaker, &ONE, Went::Well, 1);
        fail(&breaker, &ONE, 4);
        assert!(breaker.enter(&ONE, NOW).is_ok());
        fail(&breaker, &ONE, 1);
        assert_eq!(breaker.enter(&ONE, NOW + OPEN / 3).err(), Some(OPEN / 3 * 2));
    }

    #[test]
    fn failures_of_one_tenant_keep_out_that_one_alone() {
        let breaker = Breaker::new(5, OPEN);
        fail(&breaker, &ONE, 5);
        assert!(breaker.enter(&ONE, NOW).is_err());
        // Whether others succeed meanwhile, or fail now and then.
        went(&breaker, &TWO, Went::Well, 1);
        fail(&breaker, &TWO, 3);
        assert!(breaker.enter(&TWO, NOW).is_ok());
        went(&breaker, &TWO, Went::Well, 1);
        assert!(breaker.enter(&ONE, NOW).is_err());
        let probe = breaker.enter(&ONE, NOW + OPEN).ok().unwrap();
        assert!(breaker.enter(&ONE, NOW + OPEN).is_err());
        probe.report(Went::Well, NOW + OPEN);
        assert!(breaker.enter(&ONE, NOW + OPEN).is_ok());
        assert!(breaker.lock().tenants.is_empty());
    }

    #[test]
    fn failures_of_two_tenants_or_without_a_connection_keep_out_all() {
        let breaker = Breaker::new(5, OPEN);
        fail(&breaker, &ONE, 3);
        fail(&breaker, &TWO, 2);
        assert!(breaker.enter(&Payer::App, NOW).is_err());

        let breaker = Breaker::new(5, OPEN);
        fail(&breaker, &ONE, 5);
        fail(&breaker, &TWO, 3);
        assert!(breaker.enter(&Payer::App, NOW).is_ok());
        fail(&breaker, &TWO, 1);
        assert!(breaker.enter(&Payer::App, NOW).is_err());

        let breaker = Breaker::new(5, OPEN);
        went(&breaker, &ONE, Went::Unreachable, 5);
        assert!(breaker.enter(&TWO, NOW).is_err());
        let later = NOW + OPEN;
        breaker.enter(&TWO, later).ok().unwrap().report(Went::Well, later);
        assert!(breaker.enter(&ONE, later).is_ok());
    }

    #[test]
    fn lets_one_call_try_and_follows_its_result() {
        let breaker = Breaker::new(1, OPEN);
        went(&breaker, &ONE, Went::Unreachable, 1);
        let later = NOW + OPEN;
        let probe = breaker.enter(&ONE, later).ok().unwrap();
        assert!(breaker.enter(&TWO, later).is_err());
        probe.report(Went::Failed, later);
        assert!(breaker.enter(&TWO, later + OPEN / 2).is_err());
        let later = later + OPEN;
        breaker.enter(&TWO, later).ok().unwrap().report(Went::Well, later);
        assert!(breaker.enter(&TWO, later).is_ok());
    }

    #[test]
    fn a_probe_that_is_given_up_makes_room_for_the_next() {
        for first in [Went::Failed, Went::Unreachable] {
            let breaker = Breaker::new(1, OPEN);
            went(&breaker, &ONE, first, 1);
            drop(breaker.enter(&ONE, NOW + OPEN));
            assert!(breaker.enter(&ONE, NOW + OPEN).is_ok());
        }
    }

    #[test]
    fn those_who_failed_once_and_are_gone_make_room() {
        let breaker = Breaker::new(1, OPEN);
        for id in 0..MAX_TENANTS as i64 {
            let tenant = Payer::Installation(InstallationId(id));
            fail(&breaker, &tenant, 1);
            // Somebody else is well: it is not the host.
            went(&breaker, &Payer::App, Went::Well, 1);
        }
        assert_eq!(breaker.lock().tenants.len(), MAX_TENANTS);
        let (late, later) = (Payer::Installation(InstallationId(-1)), NOW + OPEN);
        breaker.enter(&late, later).ok().unwrap().report(Went::Failed, later);
        assert!(breaker.enter(&late, later).is_err());
    }

    #[test]
    fn a_clock_that_is_set_back_keeps_nobody_out() {
        for first in [Went::Failed, Went::Unreachable] {
            let breaker = Breaker::new(1, OPEN);
            went(&breaker, &ONE, first, 1);
            assert!(breaker.enter(&ONE, NOW).is_err());
            assert!(breaker.enter(&ONE, NOW - OPEN * 100).is_ok());
        }
    }

    #[test]
    fn a_late_success_does_not_close_it() {
        for first in [Went::Failed, Went::Unreachable] {
            let breaker = Breaker::new(1, OPEN);
            let slow = breaker.enter(&ONE, NOW).ok().unwrap();
            went(&breaker, &ONE, first, 1);
            slow.report(Went::Well, NOW);
            assert!(breaker.enter(&ONE, NOW).is_err());
        }
    }
}
