//! How many tokens are minted in a minute: GitHub counts writes, and who writes too much is shut out altogether.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use time::OffsetDateTime;

use super::{clock::GitHubClock, payer::Payer};

/// A look at the queue costs little, and none is made more often: times are not exact.
const SHORTEST_WAIT: Duration = Duration::from_millis(5);

/// The App's budget: so many mints a minute, and a minute's at once after a pause.
///
/// Who has had least comes first, and among equals who came first. A tenant has at most as much as it leaves, so that it
/// never drains the budget, and half of it is left to those who cannot wait.
pub(super) struct MintBudget {
    per_minute: f64,
    // A std mutex: held for a short calculation, never across an await.
    state: Mutex<State>,
}

struct State {
    /// What is left, as of `at`.
    left: f64,
    at: OffsetDateTime,
    /// What each tenant has had; it is forgotten half as fast as the budget grows.
    had: HashMap<Payer, f64>,
    /// Who waits, in the order of coming. Few: nobody waits for longer than `patience`.
    waiting: BTreeMap<u64, Waiter>,
    next: u64,
}

struct Waiter {
    tenant: Payer,
    background: bool,
}

impl MintBudget {
    /// A budget of so many mints a minute, all of which is there.
    pub(super) fn new(per_minute: u32, now: OffsetDateTime) -> Self {
        let per_minute = f64::from(per_minute.max(1));
        let state = State {
            left: per_minute,
            at: now,
            had: HashMap::new(),
            waiting: BTreeMap::new(),
            next: 0,
        };
        Self { per_minute, state: Mutex::new(state) }
    }

    /// Waits for `tenant`'s turn to mint once. The error is how long that would take, if it is longer than `patience`.
    pub(super) async fn take(
        &self,
        tenant: &Payer,
        background: bool,
        patience: Duration,
        clock: &GitHubClock,
    ) -> Result<(), Duration> {
        let begun = clock.ours();
        let turn = self.line_up(tenant, background);
        loop {
            let now = clock.ours();
            let Some(wait) = self.try_take(&turn, now) else { return Ok(()) };
            let waited = Duration::try_from(now - begun).unwrap_or_default();
            if waited.saturating_add(wait) > patience {
                return Err(wait);
            }
            clock.sleep(wait).await;
        }
    }

    fn line_up(&self, tenant: &Payer, background: bool) -> Turn<'_> {
        let mut state = self.lock();
        let number = state.next;
        state.next += 1;
        state.waiting.insert(number, Waiter { tenant: tenant.clone(), background });
        Turn { budget: self, number }
    }

    /// Takes one, or says how long to wait before the next look.
    fn try_take(&self, turn: &Turn<'_>, now: OffsetDateTime) -> Option<Duration> {
        let mut state = self.lock();
        state.grow(self.per_minute, now);
        let tenant = state.waiting.get(&turn.number)?.tenant.clone();
        let Queued { background, standing, before } = state.look(turn.number)?;
        let floor = if background { self.per_minute / 2.0 } else { 0.0 };
        let per_second = self.per_minute / 60.0;
        let lacking = floor + before + 1.0 - state.left;
        // What is left grows while what the tenant had is forgotten.
        let over = (standing + 1.0 - state.left) / 1.5;
        let seconds = lacking.max(over) / per_second;
        if seconds > 0.0 {
            return Some(Duration::from_secs_f64(seconds).max(SHORTEST_WAIT));
        }
        state.left -= 1.0;
        *state.had.entry(tenant).or_default() += 1.0;
        None
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Numbers, each of which is right by itself.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn grow(&mut self, per_minute: f64, now: OffsetDateTime) {
        // A clock that goes back takes nothing away.
        let minutes = (now - self.at).as_seconds_f64().max(0.0) / 60.0;
        self.at = now;
        self.left = (self.left + minutes * per_minute).min(per_minute);
        let forgotten = minutes * per_minute / 2.0;
        self.had.retain(|_, had| {
            *had -= forgotten;
            *had > 0.0
        });
    }

    /// Where a waiter stands.
    fn look(&self, number: u64) -> Option<Queued> {
        let mut ahead: HashMap<&Payer, (f64, f64)> = HashMap::new();
        let standings: Vec<(u64, bool, f64)> = (self.waiting.iter())
            .map(|(number, waiter)| {
                let (foreground, background) = ahead.entry(&waiter.tenant).or_default();
                let had = self.had.get(&waiter.tenant).copied().unwrap_or_default();
                let standing =
                    had + *foreground + if waiter.background { *background } else { 0.0 };
                *(if waiter.background { background } else { foreground }) += 1.0;
                (*number, waiter.background, standing)
            })
            .collect();
        let me = standings.iter().find(|(other, ..)| *other == number);
        let (_, background, standing) = *me?;
        let earlier =
            standings.iter().filter(|(other, theirs, standings)| match (*theirs, background) {
                (true, false) => false,
                (false, true) => true,
                _ => *standings < standing || (*standings <= standing && *other < number),
            });
        let before = earlier.fold(0.0, |sum, _| sum + 1.0);
        Some(Queued { background, standing, before })
    }
}

struct Queued {
    background: bool,
    /// What its tenant will have had when it is its turn.
    standing: f64,
    /// How many come before: those whose tenants will have had less, or as much but who came earlier.
    before: f64,
}

/// A place in the queue, left when it is dropped.
struct Turn<'a> {
    budget: &'a MintBudget,
    number: u64,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.budget.lock().waiting.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures_util::FutureExt;
    use time::macros::datetime;

    use super::*;
    use crate::{domain::InstallationId, github::testing::Manual};

    const PATIENCE: Duration = Duration::from_secs(20);

    fn tenant(id: i64) -> Payer {
        Payer::Installation(InstallationId(id))
    }

    /// A budget of 60 a minute, one a second.
    fn budget() -> (MintBudget, Arc<Manual>, GitHubClock) {
        let ours = Manual::at(datetime!(2026-11-20 12:00 UTC));
        let clock = GitHubClock::new(ours.clone());
        (MintBudget::new(60, clock.ours()), ours, clock)
    }

    /// How many mints a tenant gets at once, and what it is told then.
    fn drain(budget: &MintBudget, clock: &GitHubClock, id: i64, background: bool) -> u32 {
        let take = || budget.take(&tenant(id), background, Duration::ZERO, clock).now_or_never();
        (0..).take_while(|_| take().unwrap().is_ok()).count().try_into().unwrap()
    }

    #[test]
    fn a_tenant_has_at_most_as_much_as_it_leaves() {
        let (budget, ours, clock) = budget();
        assert_eq!(drain(&budget, &clock, 1, false), 30);
        assert_eq!(drain(&budget, &clock, 2, false), 15);
        assert_eq!(drain(&budget, &clock, 3, false), 8);
        ours.advance(60);
        assert!(drain(&budget, &clock, 4, false) >= 29);
    }

    #[test]
    fn a_minute_has_no_more_than_its_budget() {
        let (budget, ours, clock) = budget();
        let all = |from: i64| (from..from + 500).map(|id| drain(&budget, &clock, id, false)).sum();
        let mut total: u32 = all(0);
        assert_eq!(total, 60);
        for second in 1..=60 {
            ours.advance(1);
            total += all(1000 * second);
        }
        assert_eq!(total, 120);
    }

    #[test]
    fn what_can_wait_leaves_half() {
        let (budget, _, clock) = budget();
        let all: u32 = (0..100).map(|id| drain(&budget, &clock, id, true)).sum();
        assert_eq!(all, 30);
        assert_eq!(drain(&budget, &clock, 200, false), 15);
    }

    #[tokio::test]
    async fn who_has_had_least_comes_first_and_nobody_waits_for_too_long() {
        let (budget, ours, clock) = budget();
        for id in 100..200 {
            drain(&budget, &clock, id, false);
        }
        let (loud, quiet) = (tenant(1), tenant(2));
        let mut flood: Vec<_> =
            (0..50).map(|_| Box::pin(budget.take(&loud, false, PATIENCE, &clock))).collect();
        let mut refused = 0;
        for call in &mut flood {
            if let Some(Err(wait)) = call.as_mut().now_or_never() {
                assert!(wait > PATIENCE);
                refused += 1;
            }
        }
        assert!((20..40).contains(&refused), "{refused}");
        let mut calls: Vec<_> =
            [&quiet, &quiet].map(|one| Box::pin(budget.take(one, false, PATIENCE, &clock))).into();
        assert_eq!(calls[0].as_mut().now_or_never(), None);
        ours.advance(2);
        assert_eq!(calls[0].as_mut().now_or_never(), Some(Ok(())));
        assert_eq!(calls[1].as_mut().now_or_never(), None, "the other one has had none yet");
        assert_eq!(flood[0].as_mut().now_or_never(), Some(Ok(())));
        assert_eq!(flood[1].as_mut().now_or_never(), None);
        drop((flood, calls));
        assert!(budget.lock().waiting.is_empty());
    }
}
