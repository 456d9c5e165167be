//! What is counted of one site's requests to GitHub.

use std::time::Duration;

use prometheus_client::{
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

use super::SiteLabels;

/// Seconds: GitHub answers in a few tenths, and an answer that is waited for takes 10 at the most; uploads more.
const SECONDS: [f64; 8] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

type MakeHistogram = fn() -> Histogram;

/// All sites together: [`Families::of`] has those of one.
#[derive(Clone, Debug)]
pub(super) struct Families {
    requests: Family<SiteLabels<2>, Counter>,
    seconds: Family<SiteLabels<1>, Histogram, MakeHistogram>,
    left_alone: Family<SiteLabels<1>, Gauge>,
    app_quota: Family<SiteLabels<1>, Gauge>,
}

/// The counters of one site. The default ones are shown to nobody.
#[derive(Clone, Debug)]
pub struct Requests {
    outcomes: [Counter; Request::ALL.len()],
    seconds: Histogram,
    left_alone: Gauge,
    site: String,
    /// Shown only once it is known.
    app_quota: Family<SiteLabels<1>, Gauge>,
}

/// What came of a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Request {
    /// GitHub did it.
    Done,
    /// GitHub refused.
    Refused,
    /// GitHub had too many of them.
    Limited,
    /// GitHub failed.
    Failed,
    /// There was no answer, or no connection.
    Lost,
    /// It was not sent: GitHub is left alone, or a quota or a budget is used up.
    NotSent,
}

impl Request {
    const ALL: [Self; 6] =
        [Self::Done, Self::Refused, Self::Limited, Self::Failed, Self::Lost, Self::NotSent];

    fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Limited => "limited",
            Self::Failed => "failed",
            Self::Lost => "lost",
            Self::NotSent => "not_sent",
        }
    }
}

impl Families {
    fn new() -> Self {
        let histogram: MakeHistogram = || Histogram::new(SECONDS);
        Self {
            requests: Family::default(),
            seconds: Family::new_with_constructor(histogram),
            left_alone: Family::default(),
            app_quota: Family::default(),
        }
    }

    pub fn register(registry: &mut Registry) -> Self {
        let families = Self::new();
        registry.register(
            "github_requests",
            "Requests to GitHub, each repetition counted, by what came of them",
            families.requests.clone(),
        );
        registry.register_with_unit(
            "github_request",
            "Time that requests to GitHub took which were sent",
            Unit::Seconds,
            families.seconds.clone(),
        );
        registry.register(
            "github_left_alone",
            "1 after several failures in a row, until a request works again",
            families.left_alone.clone(),
        );
        registry.register(
            "github_app_quota_remaining",
            "Requests that GitHub has left for the App itself, not for its installations, as last heard",
            families.app_quota.clone(),
        );
        families
    }

    /// The counters of one site.
    pub fn of(&self, site: &str) -> Requests {
        let label = || ("site", site.to_owned());
        let outcome = |outcome: Request| {
            let labels = [label(), ("outcome", outcome.as_str().to_owned())];
            self.requests.get_or_create_owned(&labels)
        };
        Requests {
            outcomes: Request::ALL.map(outcome),
            seconds: self.seconds.get_or_create_owned(&[label()]),
            left_alone: self.left_alone.get_or_create_owned(&[label()]),
            site: site.to_owned(),
            app_quota: self.app_quota.clone(),
        }
    }
}

impl Default for Requests {
    fn default() -> Self {
        Families::new().of("")
    }
}

impl Requests {
    /// Counts a request.
    pub fn request(&self, outcome: Request) {
        if let Some(counter) = self.outcomes.get(outcome as usize) {
            counter.inc();
        }
    }

    /// Counts the time of a request that was sent.
    pub fn took(&self, time: Duration) {
        self.seconds.observe(time.as_secs_f64());
    }

    /// Says whether GitHub is left alone.
    pub fn left_alone(&self, is: bool) {
        self.left_alone.set(i64::from(is));
    }

    /// Says what is left of the App's own quota.
    pub fn app_quota(&self, remaining: u64) {
        let gauge = self.app_quota.get_or_create_owned(&[("site", self.site.clone())]);
        gauge.set(i64::try_from(remaining).unwrap_or(i64::MAX));
    }
}

#[cfg(test)]
mod tests {
    use crate::metrics::Metrics;

    use super::*;

    #[test]
    fn a_site_shows_what_it_knows_and_a_quota_only_once_it_is_known() {
        let metrics = Metrics::new();
        let one = metrics.requests("one");
        let _other = metrics.requests("other");
        Request::ALL.into_iter().for_each(|outcome| one.request(outcome));
        one.took(Duration::from_millis(300));
        one.left_alone(true);
        one.app_quota(4999);
        let text = metrics.text();
        for outcome in Request::ALL.map(Request::as_str) {
            let of = |site: &str, count| {
                format!(
                    "ghbroker_github_requests_total{{site=\"{site}\",outcome=\"{outcome}\"}} {count}\n"
                )
            };
            assert!(text.contains(&of("one", 1)) && text.contains(&of("other", 0)), "{text}");
        }
        for line in [
            "ghbroker_github_request_seconds_count{site=\"one\"} 1\n",
            "ghbroker_github_request_seconds_bucket{le=\"0.25\",site=\"one\"} 0\n",
            "ghbroker_github_request_seconds_bucket{le=\"0.5\",site=\"one\"} 1\n",
            "ghbroker_github_left_alone{site=\"one\"} 1\n",
            "ghbroker_github_left_alone{site=\"other\"} 0\n",
            "ghbroker_github_app_quota_remaining{site=\"one\"} 4999\n",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
        assert!(!text.contains("ghbroker_github_app_quota_remaining{site=\"other\"}"), "{text}");
    }
}
