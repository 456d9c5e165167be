//! Renewal ahead of time.

use std::{sync::atomic::Ordering, time::Duration};

use super::{cache::TokenCache, slot::Slot};

/// How often the map is looked through: small against the 15 minutes that are left when a renewal is due.
const SWEEP_EVERY: Duration = Duration::from_secs(15);
/// A key that nobody used for this long is not renewed.
const IN_USE_SECONDS: i64 = 30 * 60;

/// Renews what is due and in use and forgets what has ended, for as long as it is polled.
pub async fn keep_fresh(cache: TokenCache) {
    loop {
        cache.inner.clock.sleep(SWEEP_EVERY).await;
        cache.sweep();
    }
}

impl TokenCache {
    fn sweep(&self) {
        let now = self.inner.clock.now();
        let mut due = Vec::new();
        self.inner.slots.retain(|key, slot| {
            slot.token.take_if(|token| token.ends_at <= now);
            slot.replaced.take_if(|token| token.ends_at <= now);
            slot.failed.take_if(|(until, _)| *until <= now);
            let in_use = now.unix_timestamp() - slot.used.load(Ordering::Relaxed) <= IN_USE_SECONDS;
            let renew = slot.token.as_ref().is_some_and(|token| token.renew_at <= now);
            if renew && in_use && slot.failed.is_none() {
                due.push(key.clone());
            }
            !is_empty(slot)
        });
        for key in due {
            if let Some(mut slot) = self.inner.slots.get_mut(&key) {
                self.fly(&key, &mut slot);
            }
        }
    }
}

fn is_empty(slot: &Slot) -> bool {
    slot.token.is_none()
        && slot.replaced.is_none()
        && slot.failed.is_none()
        && slot.in_flight().is_none()
}
