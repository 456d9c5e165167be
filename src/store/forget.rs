//! Forgetting what is known of accounts, at all sites of the process: an account that moves from one to another was known at both.

use std::sync::{Arc, PoisonError, RwLock};

use super::views::Views;
use crate::domain::AccountId;

/// What each site of the process knows.
#[derive(Default)]
pub(super) struct Everywhere {
    /// As many as there are sites; none is ever taken away.
    sites: RwLock<Vec<Arc<Views>>>,
}

impl Everywhere {
    /// One more site, which knows nothing.
    pub fn add(&self) -> Arc<Views> {
        let views = Arc::new(Views::new());
        self.sites.write().unwrap_or_else(PoisonError::into_inner).push(views.clone());
        views
    }

    /// Forgets an account when the guard is dropped: a write is done then, has failed, or was broken off.
    pub fn forget_after<'a>(&'a self, account: &'a AccountId) -> Forget<'a> {
        Forget { everywhere: self, what: What::Account(account) }
    }

    /// The same for a write of which only its end tells the accounts: all, if there is no such end.
    pub fn forget_all_after(&self) -> Forget<'_> {
        Forget { everywhere: self, what: What::All }
    }

    fn each(&self, forget: impl Fn(&Views)) {
        let sites = self.sites.read().unwrap_or_else(PoisonError::into_inner);
        sites.iter().for_each(|views| forget(views));
    }
}

/// See [`Everywhere::forget_after`].
#[must_use = "it forgets when it is dropped, which must be after the write"]
pub(super) struct Forget<'a> {
    everywhere: &'a Everywhere,
    what: What<'a>,
}

enum What<'a> {
    Account(&'a AccountId),
    All,
    Nothing,
}

impl Forget<'_> {
    /// Forgets these now, and no others.
    pub fn only(mut self, accounts: &[AccountId]) {
        self.what = What::Nothing;
        self.everywhere.each(|views| accounts.iter().for_each(|account| views.forget(account)));
    }
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        match self.what {
            What::Account(account) => self.everywhere.each(|views| views.forget(account)),
            What::All => self.everywhere.each(Views::forget_all),
            What::Nothing => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;
    use crate::{
        domain::{ConnectionStatus, InstallationId},
        store::AccountView,
    };

    fn account(id: &str) -> AccountId {
        id.parse().unwrap()
    }

    async fn keep(sites: &[Arc<Views>], account: &AccountId) {
        for views in sites {
            let view = AccountView::of_installation(InstallationId(1), ConnectionStatus::Active);
            views.read(account, || async { Ok(view) }).await.unwrap();
        }
    }

    /// Whether each site knows each account.
    fn known(sites: &[Arc<Views>], accounts: [&AccountId; 2]) -> Vec<[bool; 2]> {
        sites.iter().map(|views| accounts.map(|account| views.know(account, |_| true))).collect()
    }

    #[tokio::test]
    async fn a_write_forgets_at_every_site_when_it_ends_and_when_it_is_broken_off() {
        let everywhere = Everywhere::default();
        let sites = [everywhere.add(), everywhere.add()];
        let (a, b) = (account("a"), account("b"));
        let never = async |forget: Forget<'_>| {
            let _forget = forget;
            std::future::pending::<()>().await;
        };
        for (forget, left) in [
            (everywhere.forget_after(&a), [false, true]),
            (everywhere.forget_all_after(), [false, false]),
        ] {
            keep(&sites, &a).await;
            keep(&sites, &b).await;
            let mut write = Box::pin(never(forget));
            assert!(write.as_mut().now_or_never().is_none());
            assert_eq!(known(&sites, [&a, &b]), [[true, true]; 2]);
            drop(write);
            assert_eq!(known(&sites, [&a, &b]), [left; 2]);
        }
        keep(&sites, &a).await;
        keep(&sites, &b).await;
        everywhere.forget_all_after().only(std::slice::from_ref(&b));
        assert_eq!(known(&sites, [&a, &b]), [[true, false]; 2]);
    }
}
