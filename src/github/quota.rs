//! What is left of GitHub's quotas, as its answers tell: whoever has nothing left is not asked for.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use time::OffsetDateTime;

use super::{headers::RateLimit, payer::Payer};

/// Payers that are kept at most: 6 MB. Beyond them those go first that have something left.
const MAX_PAYERS: usize = 20_000;
/// GitHub has about ten: `core`, `graphql`, `search`, ...
const MAX_RESOURCES: usize = 16;
/// Longest name of one that is kept, in bytes; GitHub's longest has 27 (`actions_runner_registration`).
const MAX_RESOURCE_NAME: usize = 64;
/// Quotas start anew every hour at the latest. A later end is none of GitHub's, and would shut a payer out for as long.
const LONGEST_WINDOW: time::Duration = time::Duration::minutes(61);
/// Machines of GitHub can differ by a second about the end of one and the same window.
const SAME_WINDOW: time::Duration = time::Duration::seconds(5);
/// GitHub advises to wait at least a minute when it does not say how long, ...
const UNSAID: Duration = Duration::from_secs(60);
/// ... and longer each time that this was not enough: up to 16 minutes.
const MAX_STRIKES: u32 = 4;
/// No wait is longer, whoever says so: quotas start anew every hour, and one answer of a proxy must not keep out all tenants of
/// an App for a day.
const LONGEST_WAIT: Duration = Duration::from_secs(60 * 60);
/// Below this part of its quota, 1 in 10, a payer has nothing to spare for what can wait.
const SPARE_PART: u64 = 10;

/// What is left to each payer. All times are by GitHub's clock.
#[derive(Default)]
pub(super) struct Quotas {
    // A std mutex: held for a few instructions, never across an await.
    payers: Mutex<HashMap<Payer, Known>>,
}

#[derive(Default)]
struct Known {
    windows: Vec<Window>,
    /// GitHub wants to be left alone until then, whatever is left.
    alone_until: Option<OffsetDateTime>,
    /// How often in a row that was said without a time.
    strikes: u32,
}

struct Window {
    resource: String,
    limit: u64,
    remaining: u64,
    reset: OffsetDateTime,
}

/// Why GitHub is not asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Spent {
    /// The quota is used up for so long.
    Quota(Duration),
    /// GitHub wants to be left alone for so long.
    Alone(Duration),
}

impl Quotas {
    /// True if a request of `payer` that counts in `resource` can succeed.
    pub(super) fn may_ask(
        &self,
        payer: &Payer,
        resource: &str,
        now: OffsetDateTime,
    ) -> Result<(), Spent> {
        let payers = self.lock();
        let Some(known) = payers.get(payer) else { return Ok(()) };
        if let Some(wait) = known.alone(now) {
            return Err(Spent::Alone(wait));
        }
        let spent = known.windows.iter().find(|window| {
            window.resource == resource && window.remaining == 0 && window.reset > now
        });
        match spent {
            Some(window) => Err(Spent::Quota(until(window.reset, now))),
            None => Ok(()),
        }
    }

    /// Takes note of what an answer says is left of `resource`, or of another one that it names.
    pub(super) fn learn(
        &self,
        payer: &Payer,
        resource: &str,
        rate: RateLimit,
        now: OffsetDateTime,
    ) {
        let Some(reset) = rate.reset.filter(|end| *end > now && *end - now <= LONGEST_WINDOW)
        else {
            return;
        };
        let resource = rate.resource.unwrap_or_else(|| resource.to_owned());
        if resource.len() > MAX_RESOURCE_NAME {
            return;
        }
        let mut payers = self.lock();
        let Some(known) = room_for(payer, &mut payers, now) else { return };
        known.windows.retain(|window| window.reset > now);
        if known.alone(now).is_none() {
            (known.alone_until, known.strikes) = (None, 0);
        }
        let (limit, remaining) = (rate.limit, rate.remaining);
        let room = known.windows.len() < MAX_RESOURCES;
        match known.windows.iter_mut().find(|window| window.resource == resource) {
            // Answers overtake each other: within a window, what is left only becomes less.
            Some(window) if (window.reset - reset).abs() <= SAME_WINDOW => {
                window.remaining = window.remaining.min(remaining);
            }
            Some(window) if window.reset > reset => {}
            Some(window) => {
                (window.limit, window.remaining, window.reset) = (limit, remaining, reset)
            }
            None if room => {
                known.windows.push(Window { resource, limit, remaining, reset });
            }
            None => {}
        }
    }

    /// Takes note that GitHub wants to be left alone, and says for how long: as `asked`, or at least a minute.
    pub(super) fn leave_alone(
        &self,
        payer: &Payer,
        asked: Option<Duration>,
        now: OffsetDateTime,
    ) -> Duration {
        let mut payers = self.lock();
        let Some(known) = room_for(payer, &mut payers, now) else {
            return asked.unwrap_or(UNSAID);
        };
        // Those who were under way together are one strike.
        let already = known.alone(now);
        let wait = asked.unwrap_or_else(|| match already {
            Some(wait) => wait,
            None => {
                let wait = UNSAID * 2u32.pow(known.strikes);
                known.strikes = (known.strikes + 1).min(MAX_STRIKES);
                wait
            }
        });
        let wait = wait.min(LONGEST_WAIT).max(already.unwrap_or_default());
        known.alone_until = Some(now.saturating_add(wait.try_into().unwrap_or_default()));
        wait
    }

    /// True if a payer has so much left that some may be used for what can wait.
    pub(super) fn spare(&self, payer: &Payer, now: OffsetDateTime) -> bool {
        let payers = self.lock();
        payers.get(payer).is_none_or(|known| {
            known.alone(now).is_none()
                && known.windows.iter().filter(|window| window.reset > now).all(Window::has_spare)
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Payer, Known>> {
        // A payer half written is only one that is asked for once too often.
        self.payers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// How long GitHub wants to be left alone from now on.
    fn alone(&self, now: OffsetDateTime) -> Option<Duration> {
        self.alone_until.filter(|end| *end > now).map(|end| until(end, now))
    }

    /// True if it stands in the way of a request.
    fn shuts_out(&self, now: OffsetDateTime) -> bool {
        let spent = |window: &Window| window.remaining == 0 && window.reset > now;
        self.alone(now).is_some() || self.windows.iter().any(spent)
    }
}

impl Window {
    fn has_spare(&self) -> bool {
        self.remaining > 0 && self.remaining.saturating_mul(SPARE_PART) >= self.limit
    }
}

/// What is known of a payer, if there is room for it.
fn room_for<'a>(
    payer: &Payer,
    payers: &'a mut HashMap<Payer, Known>,
    now: OffsetDateTime,
) -> Option<&'a mut Known> {
    if payers.len() >= MAX_PAYERS && !payers.contains_key(payer) {
        payers.retain(|_, known| known.shuts_out(now));
        if payers.len() >= MAX_PAYERS {
            return None;
        }
    }
    Some(payers.entry(payer.clone()).or_default())
}

fn until(end: OffsetDateTime, now: OffsetDateTime) -> Duration {
    Duration::try_from(end - now).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::domain::InstallationId;

    const NOW: OffsetDateTime = datetime!(2026-11-20 12:00 UTC);
    const ONE: Payer = Payer::Installation(InstallationId(1));

    fn rate(remaining: u64, minutes: i64) -> RateLimit {
        RateLimit {
            limit: 5000,
            remaining,
            reset: Some(NOW + time::Duration::minutes(minutes)),
            resource: Some("core".to_owned()),
        }
    }

    #[test]
    fn a_quota_that_is_used_up_shuts_its_payer_out_of_that_resource_until_its_end() {
        let quotas = Quotas::default();
        quotas.learn(&ONE, "core", rate(0, 10), NOW);
        let wait = Duration::from_secs(600);
        assert_eq!(quotas.may_ask(&ONE, "core", NOW), Err(Spent::Quota(wait)));
        assert_eq!(quotas.may_ask(&ONE, "graphql", NOW), Ok(()));
        assert_eq!(quotas.may_ask(&Payer::App, "core", NOW), Ok(()));
        assert_eq!(quotas.may_ask(&ONE, "core", NOW + wait), Ok(()));
    }

    #[test]
    fn an_answer_that_comes_late_gives_nothing_back() {
        let quotas = Quotas::default();
        let core = |now| quotas.may_ask(&ONE, "core", now).is_ok();
        quotas.learn(&ONE, "core", rate(0, 10), NOW);
        quotas.learn(&ONE, "core", rate(7, 10), NOW);
        // Of the window before.
        quotas.learn(&ONE, "core", rate(7, 5), NOW);
        assert!(!core(NOW));
        // Of the next one.
        quotas.learn(&ONE, "core", rate(4999, 60), NOW);
        assert!(core(NOW));
    }

    #[test]
    fn a_window_without_end_is_not_believed() {
        let quotas = Quotas::default();
        quotas.learn(&ONE, "core", rate(0, 60 * 24), NOW);
        quotas.learn(&ONE, "core", rate(0, -1), NOW);
        quotas.learn(&ONE, "core", RateLimit { reset: None, ..rate(0, 10) }, NOW);
        assert_eq!(quotas.may_ask(&ONE, "core", NOW), Ok(()));
    }

    #[test]
    fn a_name_of_any_length_is_not_kept() {
        let quotas = Quotas::default();
        let long = RateLimit { resource: Some("x".repeat(10_000)), ..rate(0, 10) };
        quotas.learn(&ONE, "core", long, NOW);
        assert!(quotas.lock().is_empty());
    }

    #[test]
    fn nobody_is_kept_out_for_longer_than_an_hour_at_once() {
        let quotas = Quotas::default();
        let (day, hour) = (Duration::from_secs(86_400), Duration::from_secs(3600));
        assert_eq!(quotas.leave_alone(&Payer::App, Some(day), NOW), hour);
        assert_eq!(quotas.may_ask(&Payer::App, "core", NOW), Err(Spent::Alone(hour)));
        assert_eq!(quotas.may_ask(&Payer::App, "core", NOW + hour), Ok(()));
    }

    #[test]
    fn below_a_tenth_there_is_nothing_to_spare() {
        let quotas = Quotas::default();
        assert!(quotas.spare(&ONE, NOW));
        quotas.learn(&ONE, "core", rate(500, 10), NOW);
        assert!(quotas.spare(&ONE, NOW));
        let graphql = RateLimit { resource: None, ..rate(499, 10) };
        quotas.learn(&ONE, "graphql", graphql, NOW);
        assert!(!quotas.spare(&ONE, NOW));
        assert!(quotas.spare(&ONE, NOW + time::Duration::minutes(10)));
    }

    #[test]
    fn who_is_to_be_left_alone_is_so_for_longer_each_time() {
        let quotas = Quotas::default();
        let mut now = NOW;
        for seconds in [60, 120, 240, 480, 960, 960] {
            let wait = Duration::from_secs(seconds);
            assert_eq!(quotas.leave_alone(&ONE, None, now), wait);
            // Another one that was under way.
            assert_eq!(quotas.leave_alone(&ONE, None, now), wait);
            assert_eq!(quotas.leave_alone(&ONE, Some(Duration::from_secs(1)), now), wait);
            assert_eq!(quotas.may_ask(&ONE, "core", now), Err(Spent::Alone(wait)));
            assert!(!quotas.spare(&ONE, now));
            now += wait;
            assert_eq!(quotas.may_ask(&ONE, "core", now), Ok(()));
        }
        quotas.learn(
            &ONE,
            "core",
            RateLimit { reset: Some(now + time::Duration::HOUR), ..rate(9, 0) },
            now,
        );
        assert_eq!(quotas.leave_alone(&ONE, None, now), Duration::from_secs(60));
    }

    #[test]
    fn so_many_payers_are_kept_and_those_shut_out_longest() {
        let quotas = Quotas::default();
        quotas.learn(&Payer::App, "core", rate(0, 10), NOW);
        for id in 0..=MAX_PAYERS as i64 {
            quotas.learn(&Payer::Installation(InstallationId(id)), "core", rate(1, 10), NOW);
            assert!(quotas.lock().len() <= MAX_PAYERS);
        }
        assert!(quotas.may_ask(&Payer::App, "core", NOW).is_err());
    }
}
