//! A clock that stands still until a test moves it.

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use ghbroker::domain::Clock;
use time::OffsetDateTime;
use tokio::sync::watch;

#[derive(Clone)]
pub struct TestClock {
    now: Arc<watch::Sender<OffsetDateTime>>,
}

impl TestClock {
    pub fn starting_at(now: OffsetDateTime) -> Self {
        Self { now: Arc::new(watch::Sender::new(now)) }
    }

    /// Moves the time; whoever sleeps until then wakes up.
    pub fn advance(&self, by: Duration) {
        self.now.send_modify(|now| *now += by);
    }
}

impl Clock for TestClock {
    fn now(&self) -> OffsetDateTime {
        *self.now.borrow()
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let (until, mut now) = (self.now() + duration, self.now.subscribe());
        Box::pin(async move {
            // The sender lives as long as the clock that somebody sleeps by.
            drop(now.wait_for(|now| *now >= until).await);
        })
    }
}
