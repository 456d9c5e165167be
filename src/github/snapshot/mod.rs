//! What a repository holds at a branch or commit, as far as some files go.
//!
//! * [`query`]: one GraphQL query for the head and the directories that are touched.
//! * [`listing`]: directories read side by side, put together. Pure.
//! * [`rest`]: the same by git's objects over REST, for a host that has no such query.

mod listing;
mod query;
mod rest;

use std::collections::BTreeSet;

use super::{
    GitHub,
    error::{Error, Kind, Result},
};
use crate::domain::{BranchName, Entries, ObjectId, RepoId, RepoName, RepoPath, Token};

/// Where to look.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum At<'a> {
    /// At the head of a branch.
    Branch(&'a BranchName),
    /// At a commit.
    Commit(ObjectId),
}

/// What to read.
#[derive(Clone, Copy, Debug)]
pub struct Look<'a> {
    /// Which repository.
    pub repository: &'a RepoName,
    /// Where in its history.
    pub at: At<'a>,
    /// A branch of which the head is wanted, too.
    pub beside: &'a BranchName,
    /// The files that matter; what is said of them and of the directories above them, nothing else.
    pub paths: &'a BTreeSet<RepoPath>,
    /// True if the token was minted just now, so that not every machine of GitHub may know it.
    pub fresh: bool,
}

/// What was read, all of it of one moment but for `beside`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Snapshot {
    /// The repository.
    pub repository: RepositoryState,
    /// The commit; none if there is no such branch or commit.
    pub head: Option<Head>,
    /// The head of the other branch; none if there is no such branch. Where the host is asked over REST it is looked for
    /// only when there is no `head`.
    pub beside: Option<ObjectId>,
}

/// A repository, as far as it matters for writing to it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RepositoryState {
    /// Id, which survives renames.
    pub id: RepoId,
    /// Its id in GraphQL; none if the host did not say it.
    pub node_id: Option<String>,
    /// Its name now.
    pub name: RepoName,
    /// True if it is archived, and so read-only.
    pub archived: bool,
    /// True if GitHub has disabled it.
    pub disabled: bool,
    /// True if it has no commit yet.
    pub empty: bool,
}

/// A commit, and what it holds at the files that were asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Head {
    /// Its id.
    pub id: ObjectId,
    /// Its tree.
    pub tree: ObjectId,
    /// Its parents; of a merge at least two.
    pub parents: Vec<ObjectId>,
    /// Its whole message.
    pub message: String,
    /// Its page.
    pub url: String,
    /// The files that were asked for, as far as they exist, and the directories above them.
    pub entries: Entries,
}

/// How often the query is tried when its parts do not belong together, because the branch moved meanwhile.
const TORN_READS: usize = 2;

impl Snapshot {
    fn has_no_branch(&self) -> bool {
        self.head.is_none() && self.beside.is_none() && !self.repository.empty
    }
}

impl GitHub {
    /// Reads what a change of some files needs to know. `NotFound`: there is no such repository, or not for this token.
    pub async fn snapshot(&self, token: &Token, look: &Look<'_>) -> Result<Snapshot> {
        self.while_fresh(look.fresh, || self.snapshot_once(token, look)).await
    }

    async fn snapshot_once(&self, token: &Token, look: &Look<'_>) -> Result<Snapshot> {
        for _ in 0..TORN_READS {
            match self.query_snapshot(token, look).await {
                // Before neither of two branches is believed to be there, REST is asked, too: this ends a call.
                Ok(Some(snapshot)) if snapshot.has_no_branch() => break,
                Ok(Some(snapshot)) => return Ok(snapshot),
                Ok(None) => {}
                Err(error) if rest_may_know(&error) => break,
                Err(error) => return Err(error),
            }
        }
        self.rest_snapshot(token, look).await
    }
}

/// True if the host has no such query, or takes it for too much, or answers it in a way of its own: REST is asked then.
fn rest_may_know(error: &Error) -> bool {
    matches!(error.kind, Kind::Unsupported | Kind::Invalid | Kind::Malformed | Kind::Server)
}

/// The directories above some files, the top left out. Those above come before those below.
fn directories(paths: &BTreeSet<RepoPath>) -> BTreeSet<&str> {
    paths.iter().flat_map(RepoPath::ancestors).collect()
}
