//! The repositories that an account works with.

use time::OffsetDateTime;

use super::{
    AccountId, Base, BranchName, BranchPattern, RepoId, RepoName, RepositoryState, Subdirectory,
};

/// Most patterns in [`Binding::work_branches`]: what is more has a common prefix, or should.
pub const MAX_WORK_BRANCHES: usize = 20;

/// A repository that an account works with, and the branches that the broker touches there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Binding {
    /// Owner of this record.
    pub account: AccountId,
    /// GitHub's id of the repository.
    pub repository_id: RepoId,
    /// Its name, as last seen.
    pub repository: RepoName,
    /// The branch that commits go to.
    pub staging: BranchName,
    /// Where the staging branch begins when it does not exist yet; production, if none is named.
    pub staging_base: Option<Base>,
    /// True if the broker does not make the staging branch.
    pub staging_must_exist: bool,
    /// The branch that promotion goes to.
    pub production: BranchName,
    /// Branches beside staging that callers may work on, as far as the policy lets them: at most [`MAX_WORK_BRANCHES`]
    /// patterns. Production is none of them, whatever they match.
    pub work_branches: Vec<BranchPattern>,
    /// Directory that all paths are relative to.
    pub subdirectory: Subdirectory,
    /// True for the one that is used when none is named.
    pub active: bool,
    /// State of the repository, as last seen.
    pub state: RepositoryState,
    /// When the repository had been changed last, by GitHub's clock, as name and state were seen; what is told of an
    /// earlier time changes neither.
    pub seen_at: Option<OffsetDateTime>,
}
