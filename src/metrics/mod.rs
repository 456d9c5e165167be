//! What is counted, for Prometheus. Labels have few values, none of which an attacker chooses.
//!
//! * [`tokens`]: the tokens of one site. [`requests`]: its requests to GitHub.

mod requests;
mod tokens;

use std::sync::Arc;

use prometheus_client::{
    encoding::text::encode,
    metrics::{counter::Counter, family::Family},
    registry::Registry,
};

pub use requests::{Request, Requests};
pub use tokens::{Found, Mint, Renewal, Tokens};

/// Media type of [`Metrics::text`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The counters of one broker. Cheap to clone; clones count together.
#[derive(Clone, Debug)]
pub struct Metrics {
    registry: Arc<Registry>,
    deliveries: Family<Labels<1>, Counter>,
    events: Family<Labels<2>, Counter>,
    callbacks: Family<Labels<1>, Counter>,
    tokens: tokens::Families,
    requests: requests::Families,
}

type Labels<const N: usize> = [(&'static str, &'static str); N];
/// The same with names of sites, which the configuration has.
type SiteLabels<const N: usize> = [(&'static str, String); N];

/// What became of a delivery of GitHub's webhook when it came in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Delivery {
    /// Stored, to be worked on.
    Accepted,
    /// Signed, and about nothing that the broker follows.
    Ignored,
    /// Not signed with a secret of this broker.
    Forged,
    /// It was here before.
    Replayed,
    /// Larger than is read.
    Oversized,
    /// Not what GitHub sends, or not all of it in time.
    Malformed,
    /// Too much came in at once.
    Busy,
    /// The database could not be reached.
    Unavailable,
}

impl Delivery {
    /// Every outcome.
    pub const ALL: [Self; 8] = [
        Self::Accepted,
        Self::Ignored,
        Self::Forged,
        Self::Replayed,
        Self::Oversized,
        Self::Malformed,
        Self::Busy,
        Self::Unavailable,
    ];

    /// Name in the label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Ignored => "ignored",
            Self::Forged => "forged",
            Self::Replayed => "replayed",
            Self::Oversized => "oversized",
            Self::Malformed => "malformed",
            Self::Busy => "busy",
            Self::Unavailable => "unavailable",
        }
    }
}

/// What became of the work on an accepted delivery.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Work {
    /// The account's state follows it.
    Done,
    /// It failed, and is tried again later.
    Retried,
    /// It failed so often that it is not tried again.
    GivenUp,
}

impl Work {
    /// Name in the label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Retried => "retried",
            Self::GivenUp => "given_up",
        }
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Counters at 0, in a registry of their own: one process may run several brokers.
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("ghbroker");
        let (deliveries, events, callbacks) =
            (Family::default(), Family::default(), Family::default());
        registry.register(
            "webhook_deliveries",
            "Deliveries of GitHub's webhook, by what became of them when they came in",
            deliveries.clone(),
        );
        registry.register(
            "webhook_events",
            "Work on accepted deliveries, by event and by what came of it",
            events.clone(),
        );
        registry.register(
            "callbacks",
            "Browsers that GitHub sent back, by what came of it",
            callbacks.clone(),
        );
        let tokens = tokens::Families::register(&mut registry);
        let requests = requests::Families::register(&mut registry);
        let registry = Arc::new(registry);
        let metrics = Self { registry, deliveries, events, callbacks, tokens, requests };
        // A rate can only be seen of what was there before it was counted.
        for outcome in Delivery::ALL {
            drop(metrics.deliveries.get_or_create(&[("outcome", outcome.as_str())]));
        }
        metrics
    }

    /// Counts a delivery of GitHub's webhook.
    pub fn delivery(&self, outcome: Delivery) {
        self.deliveries.get_or_create(&[("outcome", outcome.as_str())]).inc();
    }

    /// Counts a try at an accepted delivery. `event` is one of the broker's own names.
    pub fn event(&self, event: &'static str, outcome: Work) {
        self.events.get_or_create(&[("event", event), ("outcome", outcome.as_str())]).inc();
    }

    /// Counts a browser that GitHub sent back. `outcome` is one of the broker's own names.
    pub fn callback(&self, outcome: &'static str) {
        self.callbacks.get_or_create(&[("outcome", outcome)]).inc();
    }

    /// The counters of the tokens of one site.
    pub fn tokens(&self, site: &str) -> Tokens {
        self.tokens.of(site)
    }

    /// The counters of one site's requests to GitHub.
    pub fn requests(&self, site: &str) -> Requests {
        self.requests.of(site)
    }

    /// All counters as Prometheus reads them.
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Fails only if the text cannot be written to, which a String can.
        let _always_ok = encode(&mut text, &self.registry);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_broker_counts_for_itself() {
        let (one, other) = (Metrics::new(), Metrics::new());
        one.clone().delivery(Delivery::Forged);
        one.event("installation", Work::GivenUp);
        one.callback("connected");
        let text = one.text();
        for line in [
            "# TYPE ghbroker_webhook_deliveries counter\n",
            "ghbroker_webhook_deliveries_total{outcome=\"forged\"} 1\n",
            "ghbroker_webhook_deliveries_total{outcome=\"accepted\"} 0\n",
            "ghbroker_webhook_events_total{event=\"installation\",outcome=\"given_up\"} 1\n",
            "ghbroker_callbacks_total{outcome=\"connected\"} 1\n",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
        assert!(other.text().contains("ghbroker_webhook_deliveries_total{outcome=\"forged\"} 0\n"));
    }
}
