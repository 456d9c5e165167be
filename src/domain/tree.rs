//! What a commit holds at some paths.

use std::collections::BTreeMap;

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

impl EntryMode {
    /// The mode of git's number for it; none if git has no such mode.
    pub fn of(number: u32) -> Option<Self> {
        match number {
            // git wrote the second one long ago, and reads it as the first.
            0o100_644 | 0o100_664 => Some(Self::File(FileMode::Regular)),
            0o100_755 => Some(Self::File(FileMode::Executable)),
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

/// Entries of a commit by their whole path, directories among them.
pub type Entries = BTreeMap<String, Entry>;
