//! What a caller wants changed in a branch.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use super::RepoPath;

/// Most files in one commit. GitHub's own limits are on bytes; this one keeps a single call's work bounded.
pub const MAX_FILES: usize = 10_000;

/// Most directories that they are in, those above counted. Each one is looked up, and a file alone can be in a hundred.
pub const MAX_DIRECTORIES: usize = 20_000;

/// Mode of a regular file in git.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FileMode {
    /// 100644
    Regular,
    /// 100755
    Executable,
}

impl FileMode {
    /// The mode as git and GitHub's API write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Regular => "100644",
            Self::Executable => "100755",
        }
    }
}

/// What to do with one file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Edit {
    /// Make the file this, whether it exists or not. Without a mode an existing file keeps its own.
    Write {
        /// The whole content.
        content: Bytes,
        /// The mode, if it matters.
        mode: Option<FileMode>,
    },
    /// Change only the mode of a file that exists.
    Chmod(FileMode),
    /// Remove the file if it exists.
    Delete,
}

/// Edits by path: no path twice, no path that would be a file and a directory at once, and at most [`MAX_DIRECTORIES`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChangeSet(BTreeMap<RepoPath, Edit>);

/// Why edits do not form a change set, and the place of the edit in the caller's list.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{reason}")]
pub struct InvalidChanges {
    /// Index of the edit.
    pub index: usize,
    /// What is wrong with it.
    pub reason: String,
}

impl ChangeSet {
    /// Builds the set, or names every edit that clashes with another one, or that is in one directory too many.
    pub fn new(edits: Vec<(RepoPath, Edit)>) -> Result<Self, Vec<InvalidChanges>> {
        let kept: BTreeSet<RepoPath> = edits
            .iter()
            .filter(|(_, edit)| *edit != Edit::Delete)
            .map(|(path, _)| path.clone())
            .collect();
        let kept: BTreeSet<&str> = kept.iter().map(RepoPath::as_str).collect();
        let mut set = BTreeMap::new();
        let mut wrong = Vec::new();
        let mut directories = BTreeSet::new();
        for (index, (path, edit)) in edits.iter().enumerate() {
            directories.extend(path.ancestors());
            if directories.len() > MAX_DIRECTORIES {
                let reason = format!(
                    "is, with those before it, in more than {MAX_DIRECTORIES} directories; make it several commits"
                );
                wrong.push(InvalidChanges { index, reason });
                break;
            }
            let clash = path.ancestors().find(|directory| kept.contains(directory));
            if let (Some(file), true) = (clash, *edit != Edit::Delete) {
                wrong.push(InvalidChanges {
                    index,
                    reason: format!("is inside of {file}, which the same request writes as a file"),
                });
            }
            if set.insert(path.clone(), edit.clone()).is_some() {
                wrong.push(InvalidChanges {
                    index,
                    reason: "names a file that the same request names before".to_owned(),
                });
            }
        }
        if wrong.is_empty() { Ok(Self(set)) } else { Err(wrong) }
    }

    /// All edits, by path.
    pub fn iter(&self) -> impl Iterator<Item = (&RepoPath, &Edit)> {
        self.0.iter()
    }

    /// All paths.
    pub fn paths(&self) -> BTreeSet<RepoPath> {
        self.0.keys().cloned().collect()
    }

    /// True if the set deletes the file at `path`.
    pub fn deletes(&self, path: &str) -> bool {
        self.0.get(path) == Some(&Edit::Delete)
    }

    /// Number of edits.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True if there is no edit.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(path: &str) -> (RepoPath, Edit) {
        (path.parse().unwrap(), Edit::Write { content: Bytes::from_static(b"x"), mode: None })
    }

    fn delete(path: &str) -> (RepoPath, Edit) {
        (path.parse().unwrap(), Edit::Delete)
    }

    #[test]
    fn names_every_clash() {
        let wrong =
            ChangeSet::new(vec![write("a"), write("b/c"), write("a/d"), write("b/c")]).unwrap_err();
        let places: Vec<usize> = wrong.iter().map(|w| w.index).collect();
        assert_eq!(places, [2, 3]);
    }

    #[test]
    fn a_file_may_become_a_directory() {
        let set = ChangeSet::new(vec![delete("a"), write("a/b")]).unwrap();
        assert_eq!(set.len(), 2);
    }

    #[test]
    fn names_that_only_begin_alike_do_not_clash() {
        assert!(ChangeSet::new(vec![write("a"), write("ab"), write("a.b/c")]).is_ok());
    }
}
