//! The map of what one site knows of accounts.
//!
//! An account's place in it is empty, or being read, or known. Whoever changes an account empties its place when that is
//! done, and a read fills only the place that it began in: what was read before a change is not kept after it.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use dashmap::{DashMap, Entry};
use futures_util::future::{FutureExt, Shared};
use time::OffsetDateTime;

use super::{Error, view::AccountView};
use crate::domain::AccountId;

/// What is known is used for so long after it was last heard what others have changed: two questions may fail.
const TRUST: Duration = Duration::from_secs(15);

/// Most bindings that are kept, an account without any counted as one: below 1 GiB.
const MOST: usize = 2_000_000;

/// Accounts by id.
pub(super) struct Views {
    places: DashMap<AccountId, Place>,
    /// Tells reads apart.
    reads: AtomicU64,
    /// Bindings in all places, an account without any counted as one.
    kept: AtomicUsize,
    most: usize,
    /// When it was last heard what others have changed: seconds since 1970.
    heard: AtomicI64,
}

enum Place {
    Known(Arc<AccountView>),
    Being(Box<Read>),
}

/// One question to the database for all who wait: a task of its own, so that none of them can break it off.
struct Read {
    number: u64,
    answer: Answer,
}

pub(super) type Answer =
    Shared<Pin<Box<dyn Future<Output = Result<Arc<AccountView>, Error>> + Send>>>;

impl Views {
    /// None known, and none kept until the first [`Views::heard`].
    pub fn new() -> Self {
        Self::of_at_most(MOST)
    }

    fn of_at_most(most: usize) -> Self {
        Self {
            places: DashMap::new(),
            reads: AtomicU64::new(0),
            kept: AtomicUsize::new(0),
            most,
            heard: AtomicI64::new(i64::MIN),
        }
    }

    /// Whether what is known may be used.
    pub fn are_trusted(&self, now: OffsetDateTime) -> bool {
        let heard = self.heard.load(Ordering::Acquire);
        // A clock that was set back knows nothing of the time that went by.
        now.unix_timestamp()
            .checked_sub(heard)
            .is_some_and(|age| u64::try_from(age).is_ok_and(|age| age < TRUST.as_secs()))
    }

    /// What was changed before `since` has been forgotten.
    pub fn heard(&self, since: OffsetDateTime) {
        if !self.are_trusted(since) {
            self.forget_all();
        }
        self.heard.store(since.unix_timestamp(), Ordering::Release);
    }

    /// What is known of an account.
    pub fn known(&self, account: &AccountId) -> Option<Arc<AccountView>> {
        match self.places.get(account)?.value() {
            Place::Known(view) => Some(view.clone()),
            Place::Being(_) => None,
        }
    }

    /// Whether what is known of an account `is` so.
    pub fn know(&self, account: &AccountId, is: impl FnOnce(&AccountView) -> bool) -> bool {
        let place = self.places.get(account);
        place.is_some_and(|place| matches!(place.value(), Place::Known(view) if is(view)))
    }

    /// What is known of an account, or will be when it is read: by `read`, or by a read that is under way.
    pub fn read<F>(self: &Arc<Self>, account: &AccountId, read: impl FnOnce() -> F) -> Answer
    where
        F: Future<Output = Result<AccountView, Error>> + Send + 'static,
    {
        match self.places.entry(account.clone()) {
            Entry::Occupied(place) => match place.get() {
                Place::Known(view) => std::future::ready(Ok(view.clone())).boxed().shared(),
                Place::Being(read) => read.answer.clone(),
            },
            Entry::Vacant(place) => {
                let number = self.reads.fetch_add(1, Ordering::Relaxed);
                let answer = self.begin(account.clone(), number, read());
                place.insert(Place::Being(Box::new(Read { number, answer: answer.clone() })));
                answer
            }
        }
    }

    fn begin(
        self: &Arc<Self>,
        account: AccountId,
        number: u64,
        read: impl Future<Output = Result<AccountView, Error>> + Send + 'static,
    ) -> Answer {
        let views = self.clone();
        let task = tokio::spawn(async move {
            // Whatever becomes of it, the place does not wait for it for ever.
            let mut end = End { views: &views, account, number, view: None };
            let view = Arc::new(read.await?);
            end.view = Some(view.clone());
            Ok(view)
        });
        let lost = |_| Err(Error::Unavailable("reading an account was broken off".to_owned()));
        task.map(move |read| read.unwrap_or_else(lost)).boxed().shared()
    }

    /// Forgets what is known of an account, and what is being read of it.
    pub fn forget(&self, account: &AccountId) {
        if let Some((_, Place::Known(view))) = self.places.remove(account) {
            self.kept.fetch_sub(view.weight(), Ordering::Relaxed);
        }
    }

    /// Forgets everything.
    pub fn forget_all(&self) {
        self.places.retain(|_, place| {
            if let Place::Known(view) = place {
                self.kept.fetch_sub(view.weight(), Ordering::Relaxed);
            }
            false
        });
    }

    /// Makes room for so many; false if there is none.
    fn reserve(&self, weight: usize) -> bool {
        let more = |kept: usize| kept.checked_add(weight).filter(|kept| *kept <= self.most);
        self.kept.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
    }
}

/// The end of a read.
struct End<'a> {
    views: &'a Views,
    account: AccountId,
    number: u64,
    view: Option<Arc<AccountView>>,
}

impl Drop for End<'_> {
    fn drop(&mut self) {
        let Entry::Occupied(mut place) = self.views.places.entry(self.account.clone()) else {
            return;
        };
        // Emptied meanwhile, and maybe being read anew: what was read here may be of before.
        if !matches!(place.get(), Place::Being(read) if read.number == self.number) {
            return;
        }
        match self.view.take() {
            // Of who is connected nowhere nothing is kept: whoever may ask for any account could fill the map with names.
            Some(view) if !view.is_empty() && self.views.reserve(view.weight()) => {
                place.insert(Place::Known(view));
            }
            _ => {
                place.remove();
            }
        }
    }
}

impl fmt::Debug for Views {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Views({} kept)", self.kept.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;
    use tokio::sync::oneshot;

    use super::*;
    use crate::domain::{ConnectionStatus, InstallationId};

    const NOW: OffsetDateTime = datetime!(2026-11-20 12:00:00 UTC);

    fn account(id: &str) -> AccountId {
        id.parse().unwrap()
    }

    fn view(id: i64) -> AccountView {
        AccountView::of_installation(InstallationId(id), ConnectionStatus::Active)
    }

    fn id(view: Option<Arc<AccountView>>) -> Option<i64> {
        view.and_then(|view| view.installation).map(|(id, _)| id.0)
    }

    /// Begins a read that ends when told, with what it is told.
    fn begin(
        views: &Arc<Views>,
        account: &AccountId,
    ) -> (Answer, oneshot::Sender<Result<AccountView, Error>>) {
        let (end, ended) = oneshot::channel();
        (views.read(account, || async { ended.await.unwrap() }), end)
    }

    #[tokio::test]
    async fn what_was_read_before_a_change_is_not_kept_after_it() {
        let (views, a) = (Arc::new(Views::new()), account("a"));
        let (answer, end) = begin(&views, &a);
        views.forget(&a);
        assert!(end.send(Ok(view(1))).is_ok());
        assert_eq!(id(answer.await.ok()), Some(1), "who asked before has what was so before");
        assert_eq!(id(views.known(&a)), None);
    }

    #[tokio::test]
    async fn names_of_accounts_that_are_connected_nowhere_take_no_room() {
        let views = Arc::new(Views::of_at_most(2));
        for name in ["x", "y", "z"] {
            let (answer, end) = begin(&views, &account(name));
            assert!(end.send(Ok(AccountView::of_nobody())).is_ok());
            assert!(answer.await.is_ok());
        }
        let a = account("a");
        let (answer, end) = begin(&views, &a);
        assert!(end.send(Ok(view(1))).is_ok());
        assert_eq!(id(answer.await.ok()), Some(1));
        assert_eq!(id(views.known(&a)), Some(1));
    }

    #[tokio::test]
    async fn of_two_reads_the_one_after_the_change_is_kept_whichever_ends_last() {
        for old_ends_first in [true, false] {
            let (views, a) = (Arc::new(Views::new()), account("a"));
            let (old, end_old) = begin(&views, &a);
            views.forget(&a);
            let (new, end_new) = begin(&views, &a);
            if old_ends_first {
                assert!(end_old.send(Ok(view(1))).is_ok());
                assert_eq!(id(old.await.ok()), Some(1));
                assert!(end_new.send(Ok(view(2))).is_ok());
                assert_eq!(id(new.await.ok()), Some(2), "it did not join the old one");
            } else {
                assert!(end_new.send(Ok(view(2))).is_ok());
                assert_eq!(id(new.await.ok()), Some(2));
                assert!(end_old.send(Ok(view(1))).is_ok());
                assert_eq!(id(old.await.ok()), Some(1));
            }
            assert_eq!(id(views.known(&a)), Some(2), "{old_ends_first}");
        }
    }

    #[tokio::test]
    async fn all_who_wait_are_answered_by_one_read_which_none_of_them_can_break_off() {
        let (views, a) = (Arc::new(Views::new()), account("a"));
        let (first, end) = begin(&views, &a);
        let others = (0..10).map(|_| views.read(&a, || async { panic!("a second read") }));
        let mut others: Vec<_> = others.collect();
        drop(first);
        drop(others.pop());
        assert!(end.send(Ok(view(1))).is_ok());
        for other in others {
            assert_eq!(id(other.await.ok()), Some(1));
        }
        assert_eq!(id(views.known(&a)), Some(1));
        let again = views.read(&a, || async { panic!("a second read") }).await;
        assert_eq!(id(again.ok()), Some(1));
    }

    #[tokio::test]
    async fn after_a_read_that_failed_or_died_the_next_one_asks_again() {
        let (views, a) = (Arc::new(Views::new()), account("a"));
        let (answer, end) = begin(&views, &a);
        assert!(end.send(Err(Error::Unavailable("away".into()))).is_ok());
        assert!(answer.await.is_err());
        let (answer, end) = begin(&views, &a);
        drop(end);
        assert!(matches!(answer.await, Err(Error::Unavailable(_))));
        let (answer, end) = begin(&views, &a);
        assert!(end.send(Ok(view(1))).is_ok());
        assert_eq!(id(answer.await.ok()), Some(1));
    }

    async fn keep(views: &Arc<Views>, account: &AccountId) {
        let (answer, end) = begin(views, account);
        // Nobody listens where it is known already.
        drop(end.send(Ok(view(1))));
        answer.await.unwrap();
    }

    #[tokio::test]
    async fn no_more_is_kept_than_there_is_room_for_and_what_is_forgotten_makes_room() {
        let views = Arc::new(Views::of_at_most(2));
        let ids = ["a", "b", "c"].map(account);
        for a in &ids {
            keep(&views, a).await;
        }
        assert_eq!(ids.each_ref().map(|a| id(views.known(a))), [Some(1), Some(1), None]);
        assert_eq!(views.places.len(), 2);
        views.forget(&ids[0]);
        keep(&views, &ids[2]).await;
        assert_eq!(ids.each_ref().map(|a| id(views.known(a))), [None, Some(1), Some(1)]);
        views.forget_all();
        assert_eq!((views.places.len(), views.kept.load(Ordering::Relaxed)), (0, 0));
    }

    #[tokio::test]
    async fn what_is_known_is_trusted_for_as_long_as_changes_are_heard_of() {
        let (views, a) = (Arc::new(Views::new()), account("a"));
        assert!(!views.are_trusted(NOW), "not before the first time");
        views.heard(NOW);
        keep(&views, &a).await;
        let almost = NOW + Duration::from_secs(14);
        assert!(views.are_trusted(NOW) && views.are_trusted(almost));
        assert!(!views.are_trusted(NOW + TRUST));
        assert!(!views.are_trusted(NOW - Duration::from_secs(1)), "by a clock that was set back");
        views.heard(almost);
        assert_eq!(id(views.known(&a)), Some(1), "nothing was missed");
        views.heard(almost + TRUST);
        assert_eq!(id(views.known(&a)), None, "what was changed meanwhile is not known");
        assert!(views.are_trusted(almost + TRUST));
    }
}
