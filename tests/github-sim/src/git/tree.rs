//! Trees: listing, and building one from edits by a handful of processes, whatever the number of files.

use std::collections::BTreeSet;

use super::{Git, GitError, Result};

/// An entry of a tree.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// Six octal digits.
    pub mode: String,
    /// `blob`, `tree` or `commit`
    pub kind: String,
    pub oid: String,
    /// The size of a blob in bytes.
    pub size: Option<u64>,
    /// From the root of the listing.
    pub path: String,
}

/// What a file holds.
#[derive(Clone, Debug)]
pub(crate) enum Content {
    Bytes(Vec<u8>),
    /// An object that exists, or the commit of a submodule.
    Oid(String),
}

/// A change to a tree.
#[derive(Clone, Debug)]
pub(crate) enum Edit {
    Put {
        path: String,
        mode: String,
        content: Content,
    },
    /// A whole tree put at a path.
    Graft {
        path: String,
        oid: String,
    },
    /// A file, or everything below a directory.
    Delete {
        path: String,
    },
}

/// Why a tree could not be built.
#[derive(Debug)]
pub(crate) enum TreeError {
    /// A path to be deleted is not there.
    Missing(String),
    Git(GitError),
}

impl From<GitError> for TreeError {
    fn from(error: GitError) -> Self {
        Self::Git(error)
    }
}

impl Git {
    /// The entries of a tree, by one process.
    pub fn tree(&self, tree: &str, recursive: bool) -> Result<Vec<Entry>> {
        let mut args = vec!["ls-tree", "-z", "-l", "--full-tree"];
        if recursive {
            args.extend(["-r", "-t"]);
        }
        args.push(tree);
        let listing = String::from_utf8_lossy(&self.run(&args)?).into_owned();
        Ok(listing
            .split_terminator('\0')
            .filter_map(|record| {
                let (head, path) = record.split_once('\t')?;
                let mut words = head.split_whitespace();
                Some(Entry {
                    mode: words.next()?.to_owned(),
                    kind: words.next()?.to_owned(),
                    oid: words.next()?.to_owned(),
                    size: words.next()?.parse().ok(),
                    path: path.to_owned(),
                })
            })
            .collect())
    }

    /// Applies edits to a tree (or to nothing) in a private index and returns the new tree.
    pub fn edit_tree(
        &self,
        base: Option<&str>,
        edits: &[Edit],
    ) -> std::result::Result<String, TreeError> {
        let failed = |e: std::io::Error| GitError {
            command: "(a temporary index)".to_owned(),
            text: e.to_string(),
        };
        let scratch = tempfile::tempdir().map_err(failed)?;
        let index = Index { git: self, file: scratch.path().join("index") };
        if let Some(base) = base {
            index.run(&["read-tree", base], None)?;
        }
        index.delete(edits)?;
        for edit in edits {
            if let Edit::Graft { path, oid } = edit {
                index.run(&["read-tree", &format!("--prefix={path}/"), oid], None)?;
            }
        }
        index.put(self, edits)?;
        let tree = index.run(&["write-tree"], None)?;
        Ok(String::from_utf8_lossy(&tree).trim().to_owned())
    }
}

/// An index file of its own, so that edits of one repository do not meet.
struct Index<'a> {
    git: &'a Git,
    file: std::path::PathBuf,
}

impl Index<'_> {
    fn run(&self, args: &[&str], input: Option<&[u8]>) -> Result<Vec<u8>> {
        let mut command = self.git.command(args);
        command.env("GIT_INDEX_FILE", &self.file);
        super::finish(command, input)
    }

    fn delete(&self, edits: &[Edit]) -> std::result::Result<(), TreeError> {
        let paths: Vec<&str> = edits
            .iter()
            .filter_map(|edit| match edit {
                Edit::Delete { path } | Edit::Graft { path, .. } => Some(path.as_str()),
                Edit::Put { .. } => None,
            })
            .collect();
        if paths.is_empty() {
            return Ok(());
        }
        let listing = self.run(&["ls-files", "-z"], None)?;
        let listing = String::from_utf8_lossy(&listing).into_owned();
        let present: BTreeSet<&str> = listing.split_terminator('\0').collect();
        let mut input = String::new();
        for edit in edits {
            let (path, needed) = match edit {
                Edit::Delete { path } => (path, true),
                Edit::Graft { path, .. } => (path, false),
                Edit::Put { .. } => continue,
            };
            let below = format!("{path}/");
            let mut doomed: Vec<&str> = present
                .range(below.as_str()..)
                .take_while(|p| p.starts_with(&below))
                .copied()
                .collect();
            doomed.extend(present.get(path.as_str()).copied());
            if doomed.is_empty() && needed {
                return Err(TreeError::Missing(path.clone()));
            }
            for path in doomed {
                input.push_str(&format!("0 {}\t{path}\0", super::ZERO));
            }
        }
        self.run(&["update-index", "-z", "--index-info"], Some(input.as_bytes()))?;
        Ok(())
    }

    fn put(&self, git: &Git, edits: &[Edit]) -> std::result::Result<(), TreeError> {
        let puts = || {
            edits.iter().filter_map(|edit| match edit {
                Edit::Put { path, mode, content } => Some((path, mode, content)),
                Edit::Graft { .. } | Edit::Delete { .. } => None,
            })
        };
        let written = git.write_blobs(puts().filter_map(|(_, _, content)| match content {
            Content::Bytes(data) => Some(data.as_slice()),
            Content::Oid(_) => None,
        }))?;
        let mut written = written.into_iter();
        let mut input = String::new();
        for (path, mode, content) in puts() {
            let oid = match content {
                Content::Oid(oid) => oid.clone(),
                Content::Bytes(_) => written.next().unwrap_or_default(),
            };
            input.push_str(&format!("{mode} {oid}\t{path}\0"));
        }
        if !input.is_empty() {
            self.run(&["update-index", "-z", "--replace", "--index-info"], Some(input.as_bytes()))?;
        }
        Ok(())
    }
}
