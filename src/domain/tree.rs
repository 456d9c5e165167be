//! What a commit holds at some paths.

use std::collections::{BTreeMap, BTreeSet};

use super::{FileMode, ObjectId};

/// What an entry of a git tree is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EntryMode {
    /// A plain file.
    File(FileMode),
    /// 120000
    Symlink,
    /// 040000
    Directory,
    /// 160000
    Submodule,
}

/// What of a mode says what kind of entry it is.
const KIND: u32 = 0o170_000;
/// The permission that makes a file executable.
const OWNER_RUNS: u32 = 0o100;

impl EntryMode {
    /// The mode of git's number for it; none if git has no such mode.
    pub fn of(number: u32) -> Option<Self> {
        match number & KIND {
            // Trees can have any permissions, of which git heeds this one alone.
            0o100_000 if number & OWNER_RUNS == 0 => Some(Self::File(FileMode::Regular)),
            0o100_000 => Some(Self::File(FileMode::Executable)),
            0o120_000 => Some(Self::Symlink),
            0o040_000 => Some(Self::Directory),
            0o160_000 => Some(Self::Submodule),
            _ => None,
        }
    }
}

/// An entry of a git tree.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Entry {
    /// What it is.
    pub mode: EntryMode,
    /// Its object.
    pub id: ObjectId,
}

/// Some entries of a commit: those at the paths that somebody asked for, and the directories above them.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Entries {
    by_path: BTreeMap<String, Entry>,
    /// Directories in which there is more than what was asked for.
    shared: BTreeSet<String>,
}

impl Entries {
    /// The entry at a path.
    pub fn get(&self, path: &str) -> Option<&Entry> {
        self.by_path.get(path)
    }

    /// Adds an entry that was asked for.
    pub fn insert(&mut self, path: String, entry: Entry) {
        self.by_path.insert(path, entry);
    }

    /// Notes that a directory holds something that was not asked for; so do then all directories above it.
    pub fn share(&mut self, directory: &str) {
        self.shared.insert(directory.to_owned());
    }

    /// All entries, in the order of their paths.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.by_path.iter().map(|(path, entry)| (path.as_str(), entry))
    }

    /// The files below a directory if all of them are here; none if there are others. Of a directory below which nothing was
    /// asked for, no file is known.
    pub fn all_below(&self, directory: &str) -> Option<impl Iterator<Item = &str>> {
        let inside = format!("{directory}/");
        // A range, for this is asked of every file that is written.
        let first_shared = self.shared.range(inside.clone()..).next();
        if self.shared.contains(directory)
            || first_shared.is_some_and(|shared| shared.starts_with(&inside))
        {
            return None;
        }
        let below = self.by_path.range(inside.clone()..);
        let below = below.take_while(move |(path, _)| path.starts_with(&inside));
        let files = below.filter(|(_, entry)| entry.mode != EntryMode::Directory);
        Some(files.map(|(path, _)| path.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_only_begin_alike_are_not_below() {
        let mut entries = Entries::default();
        let file = Entry { mode: EntryMode::File(FileMode::Regular), id: ObjectId::of_blob(b"") };
        for path in ["a-b/x", "a.sql", "a/b", "a/c/d", "a0/x"] {
            entries.insert(path.to_owned(), file);
        }
        entries.insert("a/c".to_owned(), Entry { mode: EntryMode::Directory, ..file });
        let below = |entries: &Entries| -> Option<Vec<String>> {
            entries.all_below("a").map(|files| files.map(str::to_owned).collect())
        };
        let both = Some(vec!["a/b".to_owned(), "a/c/d".to_owned()]);
        assert_eq!(below(&entries), both);
        for other in ["a-b", "a0", ""] {
            entries.share(other);
        }
        assert_eq!(below(&entries), both);
        entries.share("a/c");
        assert_eq!(below(&entries), None);
    }
}
