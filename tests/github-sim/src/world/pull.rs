//! Issues, pull requests and what hangs on them. A pull request shares its number with its issue.

use std::collections::BTreeSet;

/// A label of a repository.
#[derive(Clone, Debug)]
pub(crate) struct Label {
    pub id: u64,
    pub name: String,
    pub color: String,
    pub description: Option<String>,
}

/// A comment on an issue or a pull request.
#[derive(Clone, Debug)]
pub(crate) struct Comment {
    pub id: u64,
    pub user_id: u64,
    pub body: String,
    pub created_at: i64,
}

/// A review of a pull request.
#[derive(Clone, Debug)]
pub(crate) struct Review {
    pub id: u64,
    pub user_id: u64,
    pub state: String,
    pub body: String,
    pub commit: String,
    pub submitted_at: i64,
}

/// An issue, or the part of a pull request that is one.
#[derive(Clone, Debug)]
pub(crate) struct Issue {
    pub id: u64,
    pub number: u64,
    pub title: String,
    pub body: Option<String>,
    pub user_id: u64,
    pub open: bool,
    pub labels: Vec<String>,
    pub assignees: Vec<u64>,
    pub comments: Vec<Comment>,
    pub created_at: i64,
    pub updated_at: i64,
    pub closed_at: Option<i64>,
    pub pull: Option<Pull>,
}

/// What a pull request has beside its issue.
#[derive(Clone, Debug)]
pub(crate) struct Pull {
    pub id: u64,
    pub head: String,
    pub base: String,
    /// The commits as last seen: they stay when the branch goes, and stand still after a merge.
    pub head_sha: String,
    pub base_sha: String,
    pub draft: bool,
    pub maintainer_can_modify: bool,
    pub reviewers: BTreeSet<u64>,
    pub reviews: Vec<Review>,
    pub merged_at: Option<i64>,
    pub merged_by: Option<u64>,
    pub merge_commit: Option<String>,
    /// The merge method, when auto-merge is on, and who turned it on.
    pub auto_merge: Option<(String, u64)>,
}
