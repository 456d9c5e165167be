//! Faults on demand: which requests they meet, and what happens to those.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use crate::seen::matches;

/// A fault that waits for requests of one route.
#[derive(Clone, Debug)]
pub struct Fault {
    /// The route as [`Seen::is_of`](crate::Seen::is_of) takes it, or `*` for every one.
    pub route: String,
    /// How many requests of the route pass before it meets one.
    pub spared: u32,
    /// How many requests it meets; every one until it is cleared when there is no number.
    pub times: Option<u32>,
    /// What happens to them.
    pub effect: Effect,
}

impl Fault {
    /// A fault that meets the next request of the route.
    pub fn once(route: &str, effect: Effect) -> Self {
        Self::times(route, 1, effect)
    }

    /// A fault that meets the next `times` requests of the route.
    pub fn times(route: &str, times: u32, effect: Effect) -> Self {
        Self { route: route.to_owned(), spared: 0, times: Some(times), effect }
    }

    /// A fault that meets every request of the route until faults are cleared.
    pub fn always(route: &str, effect: Effect) -> Self {
        Self { route: route.to_owned(), spared: 0, times: None, effect }
    }

    /// A fault that meets one request of the route: the `number`-th from now on, where the next one is the first.
    pub fn nth(route: &str, number: u32, effect: Effect) -> Self {
        Self { spared: number.saturating_sub(1), ..Self::once(route, effect) }
    }
}

/// What happens to a request.
#[derive(Clone, Debug)]
pub enum Effect {
    /// It is delayed, in real time, and then served.
    Latency(Duration),
    /// It waits until the gate is opened, and is then served.
    Hold(Gate),
    /// It takes effect, and its answer waits until the gate is opened.
    HoldAfter(Gate),
    /// It is answered with this status and an HTML (or else JSON) page, without effect.
    Status {
        /// The status, such as 502.
        status: u16,
        /// Whether the page is HTML, as a proxy before GitHub writes it.
        html: bool,
    },
    /// It is answered 200 with this JSON, without effect: as a host that is not quite GitHub may.
    Says(&'static str),
    /// The primary rate limit: 403 (for GraphQL 200 with `RATE_LIMITED`), nothing remaining.
    PrimaryRateLimit {
        /// When the limit is refilled, in seconds after the simulator's now.
        reset_after: Duration,
    },
    /// A secondary limit: 403 (or 429) with `retry-after`.
    SecondaryRateLimit {
        /// The seconds of `retry-after`; the header is left out when there are none.
        retry_after: Option<u64>,
        /// 403 or 429; GitHub uses both.
        status: u16,
    },
    /// The connection is closed before anything happens.
    DropBefore,
    /// The request takes effect, and the connection is closed without an answer.
    DropAfter,
    /// The request takes effect, and the body of the answer does not parse.
    Garbage,
    /// The request takes effect, and the answer is one JSON string of that many bytes.
    Huge(usize),
}

/// Holds requests back until a test lets them go.
#[derive(Clone, Debug)]
pub struct Gate {
    open: Arc<watch::Sender<bool>>,
    arrived: Arc<watch::Sender<usize>>,
}

impl Default for Gate {
    fn default() -> Self {
        Self::new()
    }
}

impl Gate {
    /// A closed gate.
    pub fn new() -> Self {
        Self { open: Arc::new(watch::Sender::new(false)), arrived: Arc::new(watch::Sender::new(0)) }
    }

    /// Lets the waiting requests go, and every later one.
    pub fn open(&self) {
        self.open.send_replace(true);
    }

    /// Returns when at least `count` requests have come to the gate.
    pub async fn arrived(&self, count: usize) {
        // The sender lives in this gate, so the wait cannot fail.
        let _ = self.arrived.subscribe().wait_for(|arrived| *arrived >= count).await;
    }

    pub(crate) async fn pass(&self) {
        self.arrived.send_modify(|arrived| *arrived += 1);
        let _ = self.open.subscribe().wait_for(|open| *open).await;
    }
}

/// The faults that wait.
#[derive(Debug, Default)]
pub(crate) struct Faults(Mutex<Vec<Fault>>);

impl Faults {
    pub fn add(&self, fault: Fault) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(fault);
    }

    pub fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Takes what the request of a route meets: the first fault for it that spares it no more and is not used up.
    pub fn take(&self, route: &str, field: Option<&str>) -> Option<Effect> {
        let mut faults = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut met = None;
        for (place, fault) in faults.iter_mut().enumerate() {
            if fault.route != "*" && !matches(&fault.route, route, field) {
                continue;
            }
            // Every fault of the route counts the request, whichever meets it.
            match fault.spared.checked_sub(1) {
                Some(left) => fault.spared = left,
                None => met = met.or(Some(place)),
            }
        }
        let place = met?;
        let fault = faults.get_mut(place)?;
        let effect = fault.effect.clone();
        if let Some(times) = &mut fault.times {
            *times = times.saturating_sub(1);
            if *times == 0 {
                faults.remove(place);
            }
        }
        Some(effect)
    }
}
