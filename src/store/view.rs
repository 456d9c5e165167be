//! What of an account is needed for each of its calls: kept in memory, and read again when it was changed.
//!
//! Tokens of users are no part of it: they are sealed, and read for each call.

use std::{cmp::Reverse, sync::Arc};

use time::OffsetDateTime;

use super::{Error, Store};
use crate::domain::{AccountId, Binding, ConnectionStatus, Installation, InstallationId, RepoName};

/// An account with more bindings is asked about in the database: nobody should pay for its memory.
const MOST_BINDINGS: usize = 100;

/// An account as it was when it was last read.
#[derive(Debug)]
pub struct AccountView {
    /// True if it is at home at the store's site.
    is_home: bool,
    /// Its installation on the store's host, if that has an id and is switched on; and its state as last seen.
    pub installation: Option<(InstallationId, ConnectionStatus)>,
    /// None if there are too many.
    bindings: Option<Bindings>,
}

/// By name in lower case, of the same name the newest first.
#[derive(Debug)]
struct Bindings {
    all: Box<[Arc<Binding>]>,
    /// Which of them is the active one.
    active: Option<usize>,
}

impl AccountView {
    fn new(
        is_home: bool,
        installation: Option<Installation>,
        bindings: Option<Vec<Binding>>,
    ) -> Self {
        let installation = installation.filter(|installation| installation.enabled);
        let usable = |installation: Installation| Some((installation.id?, installation.status));
        let installation = installation.and_then(usable);
        Self { is_home, installation, bindings: bindings.map(Bindings::new) }
    }

    /// True if there is nothing in it.
    pub(super) fn is_empty(&self) -> bool {
        let none = self.bindings.as_ref().is_some_and(|bindings| bindings.all.is_empty());
        !self.is_home && self.installation.is_none() && none
    }

    /// How many bindings it counts for.
    pub(super) fn weight(&self) -> usize {
        self.bindings.as_ref().map_or(1, |bindings| bindings.all.len().max(1))
    }
}

impl Bindings {
    fn new(mut all: Vec<Binding>) -> Self {
        all.sort_by_cached_key(|binding| {
            let name = binding.repository.as_str().to_ascii_lowercase();
            // A name that a deleted repository had belongs to the newer one: GitHub's ids grow.
            (name, Reverse(binding.repository_id))
        });
        let active = all.iter().position(|binding| binding.active);
        Self { all: all.into_iter().map(Arc::new).collect(), active }
    }

    fn find(&self, repository: Option<&RepoName>) -> Option<&Arc<Binding>> {
        let Some(name) = repository else { return self.all.get(self.active?) };
        let first = self.all.partition_point(|binding| lower(&binding.repository).lt(lower(name)));
        self.all.get(first).filter(|binding| binding.repository == *name)
    }
}

fn lower(name: &RepoName) -> impl Iterator<Item = u8> {
    name.as_str().bytes().map(|byte| byte.to_ascii_lowercase())
}

impl Store {
    /// What is known of an account: from memory where that is as the database has it, but for what others have changed
    /// within seconds (see [`Store::heed_changes`]).
    pub async fn view(
        &self,
        account: &AccountId,
        now: OffsetDateTime,
    ) -> Result<Arc<AccountView>, Error> {
        if !self.views.are_trusted(now) {
            return Box::pin(self.read_view(account)).await.map(Arc::new);
        }
        if let Some(view) = self.views.known(account) {
            return Ok(view);
        }
        let read = || {
            let (store, account) = (self.clone(), account.clone());
            async move { store.read_view(&account).await }
        };
        self.views.read(account, read).await
    }

    /// True if it is in memory that an account is at home at this site.
    pub fn is_known_home(&self, account: &AccountId, now: OffsetDateTime) -> bool {
        self.views.are_trusted(now) && self.views.know(account, |view| view.is_home)
    }

    async fn read_view(&self, account: &AccountId) -> Result<AccountView, Error> {
        let home = self.home(account).await?;
        let is_home = home.is_some_and(|home| self.is_at(&home));
        let installation = self.installation(account).await?;
        let mut bindings = self.some_bindings(account, MOST_BINDINGS + 1).await?;
        let few = bindings.len() <= MOST_BINDINGS;
        // One text for all of them.
        bindings.iter_mut().for_each(|binding| binding.account = account.clone());
        Ok(AccountView::new(is_home, installation, few.then_some(bindings)))
    }

    /// The account's binding of a repository by its name as last seen, or its active one, as `view` shows them.
    pub async fn viewed_binding(
        &self,
        account: &AccountId,
        view: &AccountView,
        repository: Option<&RepoName>,
    ) -> Result<Option<Arc<Binding>>, Error> {
        match &view.bindings {
            Some(bindings) => Ok(bindings.find(repository).cloned()),
            None => Ok(Box::pin(self.binding(account, repository)).await?.map(Arc::new)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{RepoId, RepositoryState};

    impl AccountView {
        /// Of an account that is connected nowhere.
        pub(in crate::store) fn of_nobody() -> Self {
            Self::new(false, None, Some(Vec::new()))
        }

        /// Of an account without bindings.
        pub(in crate::store) fn of_installation(
            id: InstallationId,
            status: ConnectionStatus,
        ) -> Self {
            let (installation, bindings) = (Some((id, status)), Some(Bindings::new(Vec::new())));
            Self { is_home: true, installation, bindings }
        }
    }

    fn binding(id: i64, name: &str, active: bool) -> Binding {
        Binding {
            account: "a".parse().unwrap(),
            repository_id: RepoId(id),
            repository: name.parse().unwrap(),
            staging: "staging".parse().unwrap(),
            staging_base: None,
            staging_must_exist: false,
            production: "main".parse().unwrap(),
            work_branches: Vec::new(),
            subdirectory: "".parse().unwrap(),
            active,
            state: RepositoryState::Available,
            seen_at: None,
        }
    }

    #[test]
    fn a_binding_is_found_by_its_name_in_any_case_the_newest_first_or_because_it_is_active() {
        let all = [
            binding(5, "acme/Sales", false),
            binding(1, "acme/a", false),
            binding(9, "acme/sales", false),
            binding(7, "acme/SALES", true),
            binding(3, "acme/z_1", false),
            binding(4, "acme/z-1", false),
        ];
        let bindings = Bindings::new(all.into());
        let id = |name: Option<&str>| {
            let name = name.map(|name| name.parse().unwrap());
            bindings.find(name.as_ref()).map(|binding| binding.repository_id.0)
        };
        assert_eq!(id(Some("Acme/sAles")), Some(9));
        assert_eq!(
            [id(Some("acme/A")), id(Some("acme/Z_1")), id(Some("acme/z-1"))],
            [Some(1), Some(3), Some(4)]
        );
        assert_eq!([id(Some("acme/b")), id(Some("acme/zz")), id(Some("acma/a"))], [None; 3]);
        assert_eq!(id(None), Some(7));
        let none = Bindings::new(vec![binding(1, "acme/a", false)]);
        assert!(none.find(None).is_none());
    }

    /// A million accounts with a binding each have to fit into half a gigabyte, their texts included.
    #[test]
    fn an_account_takes_a_few_hundred_bytes() {
        assert!(size_of::<AccountView>() <= 64, "{}", size_of::<AccountView>());
        assert!(size_of::<Binding>() <= 256, "{}", size_of::<Binding>());
    }
}
