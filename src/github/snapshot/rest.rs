//! The same by git's objects over REST: a request for each of repository, branch, commit and tree.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    At, Head, Look, RepositoryState, Snapshot, directories,
    listing::{Directory, assemble},
};
use crate::{
    domain::{Entries, Entry, EntryMode, ObjectId, RepoPath, Token},
    github::{
        GitHub,
        error::{Error, Kind, Result},
        git_data::{Tree, TreeEntry},
    },
};

impl GitHub {
    pub(super) async fn rest_snapshot(&self, token: &Token, look: &Look<'_>) -> Result<Snapshot> {
        let found = self.repository(token, look.repository).await?;
        let mut state = RepositoryState {
            id: found.id,
            node_id: found.node_id,
            archived: found.archived,
            disabled: found.disabled,
            empty: false,
            name: found.name,
        };
        if found.moved {
            // Whoever asked has to know first: what is below is under the old name.
            return Ok(Snapshot { repository: state, head: None, beside: None });
        }
        let id = match look.at {
            At::Commit(id) => Some(id),
            At::Branch(branch) => match self.branch_head(token, look.repository, branch).await {
                Err(error) if error.kind == Kind::EmptyRepository => {
                    state.empty = true;
                    return Ok(Snapshot { repository: state, head: None, beside: None });
                }
                head => head?,
            },
        };
        let head = match id {
            Some(id) => self.rest_head(token, look, id).await?,
            None => None,
        };
        let beside = match &head {
            Some(_) => None,
            None => self.branch_head(token, look.repository, look.beside).await?,
        };
        Ok(Snapshot { repository: state, head, beside })
    }

    async fn rest_head(
        &self,
        token: &Token,
        look: &Look<'_>,
        id: ObjectId,
    ) -> Result<Option<Head>> {
        let commit = match self.commit(token, look.repository, id).await {
            Ok(commit) => commit,
            Err(error) if error.kind == Kind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        Ok(Some(Head {
            id,
            tree: commit.tree,
            parents: commit.parents,
            message: commit.message,
            url: commit.html_url,
            entries: self.rest_entries(token, look, commit.tree).await?,
        }))
    }

    /// One request for most repositories; GitHub cuts very large trees short, and then just the directories on the way
    /// are read.
    async fn rest_entries(&self, token: &Token, look: &Look<'_>, top: ObjectId) -> Result<Entries> {
        let whole = self.tree(token, look.repository, top, true).await?;
        if !whole.truncated {
            return Ok(kept(whole, look.paths));
        }
        let read = async |id| -> Result<Directory> {
            Ok(directory(id, self.tree(token, look.repository, id, false).await?))
        };
        let top = read(top).await?;
        let mut below: BTreeMap<&str, Option<Directory>> = BTreeMap::new();
        for path in directories(look.paths) {
            let (above, name) = path.rsplit_once('/').unwrap_or(("", path));
            let above = if above.is_empty() {
                Some(&top)
            } else {
                below.get(above).and_then(Option::as_ref)
            };
            let entry = above.and_then(|above| above.entries.iter().find(|(n, _)| n == name));
            let found = match entry {
                Some((_, Entry { mode: EntryMode::Directory, id })) => Some(read(*id).await?),
                _ => None,
            };
            below.insert(path, found);
        }
        assemble(&top, &below, look.paths).ok_or_else(|| {
            Error::new(Kind::Malformed, "git's objects over REST contradict each other")
        })
    }
}

/// The entries of a whole tree that matter.
fn kept(tree: Tree, paths: &BTreeSet<RepoPath>) -> Entries {
    let above = directories(paths);
    let mut entries = Entries::default();
    for TreeEntry { path, mode, id } in tree.entries {
        if paths.contains(path.as_str()) || above.contains(path.as_str()) {
            entries.insert(path, Entry { mode, id });
        } else if let Some((directory, _)) = path.rsplit_once('/') {
            entries.share(directory);
        }
    }
    entries
}

fn directory(id: ObjectId, tree: Tree) -> Directory {
    let entry = |entry: TreeEntry| (entry.path, Entry { mode: entry.mode, id: entry.id });
    Directory { id, entries: tree.entries.into_iter().map(entry).collect() }
}
