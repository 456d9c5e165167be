//! The keys of a broker: accounts with an installation each, their repositories, and sets of permissions.

use std::ops::Range;

use ghbroker::proto::GetRepoTokenRequest;
use serde::{Deserialize, Serialize};

/// Repositories of an account.
pub const REPOSITORIES: usize = 10;
/// What is asked for in each repository: a key each.
const SETS: usize = 100;
/// Of each permission a set has nothing, `read` or `write`: enough for three times as many sets.
const PERMISSIONS: [&str; 5] = ["contents", "issues", "pull_requests", "checks", "deployments"];
const LEVELS: [Option<&str>; 3] = [None, Some("read"), Some("write")];

/// The keys of so many accounts, by number.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub struct Keys {
    pub accounts: usize,
}

impl Keys {
    pub fn of(accounts: usize) -> Self {
        Self { accounts }
    }

    pub fn count(self) -> usize {
        self.accounts * REPOSITORIES * SETS
    }

    /// All of them, in parts of at most so many.
    pub fn parts(self, most: usize) -> impl Iterator<Item = Range<usize>> {
        let count = self.count();
        (0..count).step_by(most).map(move |first| first..count.min(first + most))
    }

    /// What asks for one. Neighbours are of different accounts.
    pub fn request(self, number: usize) -> GetRepoTokenRequest {
        let (account, of_it) = (number % self.accounts, number / self.accounts);
        let (repository, set) = (of_it % REPOSITORIES, of_it / REPOSITORIES);
        GetRepoTokenRequest {
            account: account_id(account),
            repository: repository_name(account, repository),
            permissions: permissions(set),
            ..Default::default()
        }
    }
}

pub fn account_id(account: usize) -> String {
    format!("tenant-{account}")
}

pub fn organization(account: usize) -> String {
    format!("organization-{account}")
}

pub fn repository_name(account: usize, repository: usize) -> String {
    format!("{}/model-{repository}", organization(account))
}

/// One of [`SETS`], none of which is empty.
fn permissions<T: FromIterator<(String, String)>>(set: usize) -> T {
    let digits = (0..PERMISSIONS.len() as u32).map(|place| (set + 1) / LEVELS.len().pow(place));
    let levels = digits.map(|digit| LEVELS[digit % LEVELS.len()]);
    let named = PERMISSIONS.into_iter().zip(levels);
    named.filter_map(|(name, level)| Some((name.to_owned(), level?.to_owned()))).collect()
}
