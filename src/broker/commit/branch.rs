//! What the branch has now, as far as a request touches it.

use std::collections::{BTreeMap, BTreeSet};

use super::work::Work;
use crate::{
    broker::{promote::branch_missing, refusal::Failed},
    domain::{ObjectId, RepoPath},
    github::{self, TreeEntry},
};

/// The commit that a branch is at, or would begin at.
#[derive(Clone)]
pub(super) struct Head {
    pub id: ObjectId,
    pub tree: ObjectId,
    pub parents: Vec<ObjectId>,
    pub message: String,
    pub url: String,
    /// False if the branch does not exist yet.
    pub on_branch: bool,
}

/// What a path of a tree is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Entry {
    pub mode: String,
    pub id: ObjectId,
}

/// Entries of a tree by path: those that a change set names, and the directories above them.
pub(super) type Entries = BTreeMap<String, Entry>;

impl Work<'_> {
    /// The head of the branch; of production if there is no such branch yet, since it will begin there.
    pub(super) async fn head(&self) -> Result<Head, Failed> {
        let (github, repository) = (self.github(), self.repository());
        if let Some(id) = github.branch_head(self.token, repository, self.branch).await? {
            return Ok(self.head_at(id).await?);
        }
        let production = &self.access.binding.production;
        match github.branch_head(self.token, repository, production).await? {
            Some(id) => Ok(Head { on_branch: false, ..self.head_at(id).await? }),
            None => Err(Failed::Known(branch_missing(production, repository))),
        }
    }

    pub(super) async fn head_at(&self, id: ObjectId) -> Result<Head, github::Error> {
        let commit = self.github().commit(self.token, self.repository(), id).await?;
        Ok(Head {
            id,
            tree: commit.tree,
            parents: commit.parents,
            message: commit.message,
            url: commit.html_url,
            on_branch: true,
        })
    }

    /// The entries that the change set touches. One request for most repositories; GitHub cuts very large trees
    /// short, and then just the directories on the way are read.
    pub(super) async fn entries(&self, head: &Head) -> Result<Entries, github::Error> {
        let touched = touched(self.changes.iter().map(|(path, _)| path));
        let whole = self.github().tree(self.token, self.repository(), head.tree, true).await?;
        if !whole.truncated {
            return Ok(keep(whole.entries, "", &touched));
        }
        let directories: BTreeSet<&str> =
            self.changes.iter().flat_map(|(path, _)| path.ancestors()).collect();
        let mut entries = self.directory("", head.tree, &touched).await?;
        for directory in directories {
            let Some(tree) = entries.get(directory).filter(|entry| entry.mode == TREE_MODE) else {
                continue;
            };
            let inside = self.directory(directory, tree.id, &touched).await?;
            entries.extend(inside);
        }
        Ok(entries)
    }

    async fn directory(
        &self,
        path: &str,
        id: ObjectId,
        touched: &BTreeSet<&str>,
    ) -> Result<Entries, github::Error> {
        let tree = self.github().tree(self.token, self.repository(), id, false).await?;
        Ok(keep(tree.entries, path, touched))
    }
}

/// Mode of a directory in GitHub's API.
const TREE_MODE: &str = "040000";

/// The paths themselves, and every directory above one.
fn touched<'a>(paths: impl Iterator<Item = &'a RepoPath>) -> BTreeSet<&'a str> {
    paths.flat_map(|path| path.ancestors().chain([path.as_str()])).collect()
}

fn keep(entries: Vec<TreeEntry>, directory: &str, touched: &BTreeSet<&str>) -> Entries {
    let place =
        |path: String| if directory.is_empty() { path } else { format!("{directory}/{path}") };
    entries
        .into_iter()
        .map(|entry| (place(entry.path), Entry { mode: entry.mode, id: entry.id }))
        .filter(|(path, _)| touched.contains(path.as_str()))
        .collect()
}
