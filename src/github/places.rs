//! Places for requests in flight: so many in all, at most half of them for one tenant, and what can wait gives way.

use std::{
    collections::HashMap,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::future::{Either, select};
use tokio::sync::{AcquireError, Notify, OwnedSemaphorePermit, Semaphore, SemaphorePermit};

use super::payer::Payer;
use crate::domain::Clock;

/// What can wait gives way for so long, and takes its turn like all others then: one tenant that always has its half would
/// keep everybody's tokens from being renewed, until they end.
const GIVES_WAY_FOR: Duration = Duration::from_secs(10);

/// All places. A tenant stands in the common queue with as many requests as it may hold places; the others wait behind
/// their own.
pub(super) struct Places {
    all: Semaphore,
    /// How many one tenant may have, and how many are left free by what can wait.
    half: usize,
    // A std mutex: held for a few instructions, never across an await.
    tenants: Mutex<HashMap<Payer, Arc<Tenant>>>,
    /// What can wait and stands in the common queue.
    waiting: Semaphore,
    /// A place is free again.
    freed: Notify,
    clock: Arc<dyn Clock>,
}

/// The share of one tenant; kept while somebody uses it.
struct Tenant {
    places: Arc<Semaphore>,
    /// Of what can wait: half of the common queue for that.
    waiting: Semaphore,
}

/// A place, given back when it is dropped.
pub(super) struct Place<'a> {
    permit: Option<SemaphorePermit<'a>>,
    share: Option<OwnedSemaphorePermit>,
    seat: Seat<'a>,
}

/// A tenant that somebody waits for, or has, a place as.
struct Seat<'a> {
    places: &'a Places,
    payer: &'a Payer,
    tenant: Option<Arc<Tenant>>,
}

impl Places {
    pub(super) fn new(count: usize, clock: Arc<dyn Clock>) -> Self {
        let half = (count / 2).max(1);
        Self {
            all: Semaphore::new(count),
            half,
            tenants: Mutex::default(),
            waiting: Semaphore::new(half),
            freed: Notify::new(),
            clock,
        }
    }

    /// Waits for a place of `tenant`; in the background until half of all are free besides, or
    /// it has given way for long.
    pub(super) async fn take<'a>(&'a self, tenant: &'a Payer, background: bool) -> Place<'a> {
        let seat = self.seat(tenant);
        // Semaphores that are never closed: an error cannot be, and would only give a place more.
        let taken = match (&seat.tenant, background) {
            (Some(tenant), true) => self.giving_way(tenant).await.ok(),
            (Some(tenant), false) => self.in_turn(tenant).await.ok(),
            (None, _) => None,
        };
        let (share, permit) = taken.unzip();
        Place { permit, share, seat }
    }

    async fn in_turn(
        &self,
        tenant: &Tenant,
    ) -> Result<(OwnedSemaphorePermit, SemaphorePermit<'_>), AcquireError> {
        let share = tenant.places.clone().acquire_owned().await?;
        Ok((share, self.all.acquire().await?))
    }

    async fn giving_way(
        &self,
        tenant: &Tenant,
    ) -> Result<(OwnedSemaphorePermit, SemaphorePermit<'_>), AcquireError> {
        {
            let patience = self.clock.sleep(GIVES_WAY_FOR);
            if let Either::Left((taken, _)) = select(pin!(self.when_free(tenant)), patience).await {
                return taken;
            }
        }
        self.in_turn(tenant).await
    }

    /// Holds nothing that others wait for while it waits.
    async fn when_free(
        &self,
        tenant: &Tenant,
    ) -> Result<(OwnedSemaphorePermit, SemaphorePermit<'_>), AcquireError> {
        let _own = tenant.waiting.acquire().await?;
        let _common = self.waiting.acquire().await?;
        loop {
            let mut freed = std::pin::pin!(self.freed.notified());
            // From here on, so that what is freed while it looks is not missed.
            freed.as_mut().enable();
            if let Some(share) = self.share_with_half_left(tenant)
                && let Some(permit) = self.with_half_left()
            {
                return Ok((share, permit));
            }
            freed.await;
        }
    }

    /// A place, if half of all are free besides. Nobody waits for one then: whoever does takes each one that is freed.
    fn with_half_left(&self) -> Option<SemaphorePermit<'_>> {
        let wanted = u32::try_from(self.half).ok()?.checked_add(1)?;
        let mut permits = self.all.try_acquire_many(wanted).ok()?;
        permits.split(1)
    }

    /// A place of the tenant's share, if half of that is free besides: its callers do not wait behind what can.
    fn share_with_half_left(&self, tenant: &Tenant) -> Option<OwnedSemaphorePermit> {
        let wanted = u32::try_from(self.half / 2).ok()?.checked_add(1)?;
        tenant.places.clone().try_acquire_many_owned(wanted).ok()?.split(1)
    }

    fn seat<'a>(&'a self, payer: &'a Payer) -> Seat<'a> {
        let new = || {
            Arc::new(Tenant {
                places: Arc::new(Semaphore::new(self.half)),
                waiting: Semaphore::new((self.half / 2).max(1)),
            })
        };
        let tenant = self.lock().entry(payer.clone()).or_insert_with(new).clone();
        Seat { places: self, payer, tenant: Some(tenant) }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Payer, Arc<Tenant>>> {
        // Each change is one insertion or removal, which a panic cannot leave half done.
        self.tenants.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        drop(self.permit.take());
        drop(self.share.take());
        self.seat.places.freed.notify_waiters();
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        let mut tenants = self.places.lock();
        drop(self.tenant.take());
        // Only the map has it still, and nobody can take it from there meanwhile.
        if tenants.get(self.payer).is_some_and(|tenant| Arc::strong_count(tenant) == 1) {
            tenants.remove(self.payer);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt, future::join_all};

    use time::OffsetDateTime;

    use super::*;
    use crate::{domain::InstallationId, github::testing::Manual};

    fn tenant(id: i64) -> Payer {
        Payer::Installation(InstallationId(id))
    }

    /// Four, by a clock that stands still.
    fn places() -> Places {
        Places::new(4, Manual::at(OffsetDateTime::UNIX_EPOCH))
    }

    #[tokio::test]
    async fn one_tenant_has_half_and_stands_nobody_in_the_way() {
        let places = places();
        let (flood, quiet, third) = (tenant(1), tenant(2), tenant(3));
        let mut flooding: Vec<_> = (0..100).map(|_| Box::pin(places.take(&flood, false))).collect();
        let mut held: Vec<_> = flooding.iter_mut().filter_map(|one| one.now_or_never()).collect();
        assert_eq!(held.len(), 2);
        let first = places.take(&quiet, false).now_or_never().unwrap();
        let second = places.take(&quiet, false).now_or_never().unwrap();
        // All are taken: the next two that are freed are those of who waits for the common ones.
        let mut waits = Box::pin(places.take(&third, false));
        assert!(waits.as_mut().now_or_never().is_none());
        drop(held.pop());
        let third_has = waits.as_mut().now_or_never();
        assert!(third_has.is_some());
        drop((first, second, third_has, held));
        drop((flooding, waits));
        assert!(places.lock().is_empty());
    }

    #[tokio::test]
    async fn the_background_leaves_half_free_and_gives_way() {
        let places = Places::new(8, Manual::at(OffsetDateTime::UNIX_EPOCH));
        let (one, two) = (tenant(1), tenant(2));
        let mut background: Vec<_> = (0..9).map(|_| Box::pin(places.take(&one, true))).collect();
        let mut look = || background.iter_mut().filter_map(|call| call.now_or_never()).collect();
        let mut held: Vec<Place<'_>> = look();
        // One at a time of one tenant waits in the common queue; it has its place, so the next one comes.
        assert_eq!(held.len(), 2);
        // The tenant's own callers find the other half of its share.
        let own = [places.take(&one, false), places.take(&one, false)];
        drop(own.map(|place| place.now_or_never().unwrap()));
        let foreground = join_all([(); 3].map(|()| places.take(&two, false))).await;
        held.truncate(1);
        // Four are taken, then one: now one may.
        assert!(places.take(&two, true).now_or_never().is_none());
        drop(foreground);
        assert!(places.take(&two, true).now_or_never().is_some());
    }

    #[tokio::test]
    async fn what_can_wait_and_does_takes_no_share_of_its_tenant() {
        let places = places();
        let (one, two) = (tenant(1), tenant(2));
        let others = join_all([places.take(&two, false), places.take(&two, false)]).await;
        let mut waiting: Vec<_> = (0..9).map(|_| Box::pin(places.take(&one, true))).collect();
        assert!(waiting.iter_mut().all(|call| call.now_or_never().is_none()));
        let first = places.take(&one, false).now_or_never();
        let second = places.take(&one, false).now_or_never();
        assert!(first.is_some() && second.is_some());
        drop((first, second, others));
        assert!(waiting.first_mut().unwrap().now_or_never().is_some());
    }

    #[tokio::test]
    async fn one_tenant_that_always_has_its_half_does_not_keep_the_background_out() {
        let clock = Manual::at(OffsetDateTime::UNIX_EPOCH);
        let places = Places::new(4, clock.clone());
        let (flood, quiet) = (tenant(1), tenant(2));
        let _always = join_all([places.take(&flood, false), places.take(&flood, false)]).await;
        let mut waits = Box::pin(places.take(&quiet, true));
        assert!(waits.as_mut().now_or_never().is_none());
        clock.advance(10);
        assert!(waits.now_or_never().is_some());
    }
}
