//! Leaving a host alone that keeps failing.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use time::OffsetDateTime;

/// One host's breaker. Every call enters, and reports how it went; after enough failures in a row nobody enters for a
/// while, then a single call does, to see whether the host is back.
pub(super) struct Breaker {
    // A std mutex: held for a few instructions, never across an await.
    state: Mutex<State>,
    failures: u32,
    open: Duration,
}

enum State {
    /// Calls pass; so many of the last ones failed in a row.
    Closed(u32),
    /// No call passes before this time; then one does.
    Open(OffsetDateTime),
    /// That one is under way.
    Probing,
}

impl Breaker {
    /// A breaker that opens after `failures` in a row, for `open`.
    pub(super) fn new(failures: u32, open: Duration) -> Self {
        Self { state: Mutex::new(State::Closed(0)), failures, open }
    }

    /// Lets a call pass, or says how long it has to wait.
    pub(super) fn enter(&self, now: OffsetDateTime) -> Result<Pass<'_>, Duration> {
        let mut state = self.lock();
        let probe = match *state {
            State::Closed(_) => false,
            State::Open(until) if now < until => {
                return Err(Duration::try_from(until - now).unwrap_or(self.open));
            }
            State::Open(_) => {
                *state = State::Probing;
                true
            }
            State::Probing => return Err(self.open),
        };
        Ok(Pass { breaker: self, entered: now, probe, reported: false })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // The state is one word, which a panic cannot leave half written.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Leave to call the host once. Dropped without a report (the caller gave up) it counts as nothing.
pub(super) struct Pass<'a> {
    breaker: &'a Breaker,
    entered: OffsetDateTime,
    probe: bool,
    reported: bool,
}

impl Pass<'_> {
    /// Says whether the host did its work; a refusal is work done.
    pub(super) fn report(mut self, well: bool, now: OffsetDateTime) {
        self.reported = true;
        let mut state = self.breaker.lock();
        *state = match *state {
            // A call from before the opening says nothing about now.
            State::Open(until) if !self.probe => State::Open(until),
            State::Probing if !self.probe => State::Probing,
            _ if well => State::Closed(0),
            State::Closed(failures) if failures + 1 < self.breaker.failures => {
                State::Closed(failures + 1)
            }
            _ => State::Open(now + self.breaker.open),
        };
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        if self.probe && !self.reported {
            *self.breaker.lock() = State::Open(self.entered);
        }
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-20 12:00:00 UTC);
    const OPEN: Duration = Duration::from_secs(30);

    fn fail(breaker: &Breaker, times: u32) {
        for _ in 0..times {
            breaker.enter(NOW).ok().unwrap().report(false, NOW);
        }
    }

    #[test]
    fn opens_after_failures_in_a_row_only() {
        let breaker = Breaker::new(5, OPEN);
        fail(&breaker, 4);
        breaker.enter(NOW).ok().unwrap().report(true, NOW);
        fail(&breaker, 4);
        assert!(breaker.enter(NOW).is_ok());
        fail(&breaker, 1);
        assert_eq!(breaker.enter(NOW + OPEN / 3).err(), Some(OPEN / 3 * 2));
    }

    #[test]
    fn lets_one_call_try_and_follows_its_result() {
        let breaker = Breaker::new(1, OPEN);
        fail(&breaker, 1);
        let later = NOW + OPEN;
        let probe = breaker.enter(later).ok().unwrap();
        assert!(breaker.enter(later).is_err());
        probe.report(false, later);
        assert!(breaker.enter(later + OPEN / 2).is_err());
        breaker.enter(later + OPEN).ok().unwrap().report(true, later + OPEN);
        assert!(breaker.enter(later + OPEN).is_ok());
    }

    #[test]
    fn a_probe_that_is_given_up_makes_room_for_the_next() {
        let breaker = Breaker::new(1, OPEN);
        fail(&breaker, 1);
        drop(breaker.enter(NOW + OPEN));
        assert!(breaker.enter(NOW + OPEN).is_ok());
    }

    #[test]
    fn a_late_success_does_not_close_it() {
        let breaker = Breaker::new(1, OPEN);
        let slow = breaker.enter(NOW).ok().unwrap();
        fail(&breaker, 1);
        slow.report(true, NOW);
        assert!(breaker.enter(NOW).is_err());
    }
}
