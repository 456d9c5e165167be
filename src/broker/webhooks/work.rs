//! Takes stored deliveries, one replica each, until they are done.

use std::time::Duration;

use tokio::task::JoinSet;
use tracing::{Instrument, error, info, info_span, warn};

use crate::{
    broker::{
        Broker,
        error::{Error, Reason},
    },
    metrics::Work,
    store::Claimed,
};

/// How often the database is asked for what another replica took in, or what is due again.
const POLL_EVERY: Duration = Duration::from_secs(5);
/// Deliveries at once in this process: one that waits for GitHub does not keep the next from being done.
const AT_ONCE: usize = 8;
/// The first try after a failure is after this time, each later one after twice the time before.
const FIRST_DELAY: Duration = Duration::from_secs(5);
/// GitHub's outages last minutes or hours; more rarely than this need not be asked.
const LONGEST_DELAY: Duration = Duration::from_secs(10 * 60);
/// Tries until a delivery is given up, over more than two hours.
const ATTEMPTS: u32 = 20;

impl Broker {
    /// Works on stored deliveries for as long as it is polled. What is cut off is taken up again, here or by another replica,
    /// when its claim is over.
    pub async fn follow_webhooks(self) {
        let mut under_way = JoinSet::new();
        loop {
            // Begun before the database is asked: what becomes due while it is asked is not waited for twice.
            let polled = self.inner.parts.clock.sleep(POLL_EVERY);
            self.begin_due(&mut under_way).await;
            tokio::select! {
                () = self.inner.delivered.notified() => {}
                () = polled => {}
                // There is room for one more.
                Some(_) = under_way.join_next() => {}
            }
        }
    }

    /// Begins with what is due, as far as there is room.
    async fn begin_due(&self, under_way: &mut JoinSet<()>) {
        while under_way.len() < AT_ONCE {
            match self.store().claim_delivery(self.now()).await {
                Ok(Some(delivery)) => {
                    let span =
                        info_span!("webhook", delivery = delivery.id, event = %delivery.event);
                    under_way.spawn(self.clone().follow_delivery(delivery).instrument(span));
                }
                Ok(None) => return,
                Err(error) => {
                    warn!(%error, "no webhook deliveries could be read; tried again in {} s", POLL_EVERY.as_secs());
                    return;
                }
            }
        }
    }

    async fn follow_delivery(self, delivery: Claimed) {
        let event = delivery.event.name.as_str();
        let applied = if delivery.attempt > ATTEMPTS {
            // The last try ended without a word: it must not take every process with it.
            Err(Error::new(Reason::Internal, "the tries before did not come to an end"))
        } else {
            self.apply(&delivery.event).await
        };
        let (outcome, noted) = match applied {
            Ok(accounts) => {
                info!(accounts = accounts.len(), "webhook followed");
                (Work::Done, self.store().finish_delivery(&delivery, &accounts, self.now()).await)
            }
            Err(failed) if delivery.attempt >= ATTEMPTS => {
                error!(error = %failed, attempt = delivery.attempt, "webhook given up: the account may not be as GitHub has it until its next token");
                (Work::GivenUp, self.store().give_delivery_up(&delivery, self.now()).await)
            }
            Err(failed) => {
                let delay = delay_after(delivery.attempt);
                warn!(error = %failed, attempt = delivery.attempt, "webhook not followed yet; tried again in {} s", delay.as_secs());
                let due_at = self.now() + delay;
                (Work::Retried, self.store().postpone_delivery(&delivery, due_at).await)
            }
        };
        self.inner.parts.metrics.event(event, outcome);
        if let Err(error) = noted {
            warn!(%error, "what became of a webhook could not be stored: it is worked on once more");
        }
    }
}

fn delay_after(attempt: u32) -> Duration {
    let doubled = 2u32.saturating_pow(attempt.saturating_sub(1));
    FIRST_DELAY.saturating_mul(doubled).min(LONGEST_DELAY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_to_a_bound_and_last_longer_than_an_outage() {
        let delays: Vec<u64> =
            (1..ATTEMPTS).map(|attempt| delay_after(attempt).as_secs()).collect();
        assert_eq!(delays[..9], [5, 10, 20, 40, 80, 160, 320, 600, 600]);
        assert!(delays.iter().sum::<u64>() > 2 * 60 * 60);
        assert_eq!(delay_after(u32::MAX), LONGEST_DELAY);
    }
}
