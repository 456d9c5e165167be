//! What differs between a branch and a change set.

use std::collections::BTreeSet;

use bytes::Bytes;

use super::Counts;
use crate::{
    broker::error::{Error, Reason},
    domain::{ChangeSet, Edit, Entries, Entry, EntryMode, FileMode, ObjectId, RepoPath},
};

/// One file as it has to become.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Write {
    pub path: RepoPath,
    pub mode: FileMode,
    pub body: Body,
}

/// Where a file's content comes from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Body {
    /// To be sent.
    New(Bytes),
    /// In the repository already, as this blob: only the mode differs.
    Kept(ObjectId),
}

/// Only what differs.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Plan {
    pub writes: Vec<Write>,
    pub deletions: Vec<RepoPath>,
    pub counts: Counts,
    /// True if a mode has to be set or kept, or another thing than a plain file is touched, which only git's own
    /// objects can say.
    pub needs_modes: bool,
}

impl Plan {
    pub fn is_empty(&self) -> bool {
        self.writes.is_empty() && self.deletions.is_empty()
    }
}

/// Compares what is asked for with what is there.
pub(super) fn plan(changes: &ChangeSet, entries: &Entries) -> Result<Plan, Error> {
    let mut plan = Plan::default();
    let mut replaced = BTreeSet::new();
    for (path, edit) in changes.iter() {
        let present = entries.get(path.as_str());
        match edit {
            Edit::Delete => plan.delete(path, present)?,
            Edit::Chmod(mode) => plan.chmod(path, *mode, present)?,
            Edit::Write { content, mode } => {
                room_for(path, changes, entries)?;
                if goes(path, changes, entries) {
                    replaced.insert(path.as_str());
                    plan.write(path, content, *mode, None)?;
                } else {
                    plan.write(path, content, *mode, present)?;
                }
            }
        }
    }
    // A file in the place of a directory takes all of it away, in git's own objects.
    plan.needs_modes |= !replaced.is_empty();
    plan.deletions.retain(|path| !path.ancestors().any(|above| replaced.contains(above)));
    Ok(plan)
}

impl Plan {
    fn delete(&mut self, path: &RepoPath, present: Option<&Entry>) -> Result<(), Error> {
        match present {
            None => self.counts.unchanged += 1,
            Some(Entry { mode: EntryMode::Directory, .. }) => {
                return Err(is_a("directory", path));
            }
            Some(entry) => {
                self.needs_modes |= !matches!(entry.mode, EntryMode::File(_));
                self.counts.deleted += 1;
                self.deletions.push(path.clone());
            }
        }
        Ok(())
    }

    fn chmod(
        &mut self,
        path: &RepoPath,
        mode: FileMode,
        present: Option<&Entry>,
    ) -> Result<(), Error> {
        let entry = present.ok_or_else(|| {
            Error::new(
                Reason::FileMissing,
                format!("{path} does not exist, so that its mode cannot be changed"),
            )
            .with("path", path)
        })?;
        if file_mode(path, entry)? == mode {
            self.counts.unchanged += 1;
        } else {
            self.counts.changed += 1;
            self.needs_modes = true;
            self.writes.push(Write { path: path.clone(), mode, body: Body::Kept(entry.id) });
        }
        Ok(())
    }

    fn write(
        &mut self,
        path: &RepoPath,
        content: &Bytes,
        mode: Option<FileMode>,
        present: Option<&Entry>,
    ) -> Result<(), Error> {
        let before = present.map(|entry| file_mode(path, entry)).transpose()?;
        let mode = mode.or(before).unwrap_or(FileMode::Regular);
        let same_content = present.is_some_and(|entry| entry.id == ObjectId::of_blob(content));
        if same_content && before == Some(mode) {
            self.counts.unchanged += 1;
            return Ok(());
        }
        match before {
            None => self.counts.added += 1,
            Some(_) => self.counts.changed += 1,
        }
        // The GraphQL mutation writes 100644 and nothing else, and would take an executable bit away.
        self.needs_modes |= mode == FileMode::Executable || before == Some(FileMode::Executable);
        let body = match present {
            Some(entry) if same_content => Body::Kept(entry.id),
            _ => Body::New(content.clone()),
        };
        self.writes.push(Write { path: path.clone(), mode, body });
        Ok(())
    }
}

/// The mode of a plain file. Symbolic links and submodules are never written through.
fn file_mode(path: &RepoPath, entry: &Entry) -> Result<FileMode, Error> {
    match entry.mode {
        EntryMode::File(mode) => Ok(mode),
        EntryMode::Directory => Err(is_a("directory", path)),
        EntryMode::Submodule => Err(is_a("submodule", path)),
        EntryMode::Symlink => Err(is_a("symbolic link", path)),
    }
}

/// A directory can become a file if the same request takes all of its files away. One of which no file is named was not read.
fn goes(directory: &RepoPath, changes: &ChangeSet, entries: &Entries) -> bool {
    let files = entries.all_below(directory.as_str());
    files.is_some_and(|files| {
        let mut files = files.peekable();
        files.peek().is_some() && files.all(|file| changes.deletes(file))
    })
}

/// A file cannot be put below another file, unless the same request takes that one away.
fn room_for(path: &RepoPath, changes: &ChangeSet, entries: &Entries) -> Result<(), Error> {
    let in_the_way = path.ancestors().find(|above| {
        entries.get(above).is_some_and(|entry| entry.mode != EntryMode::Directory)
            && !changes.deletes(above)
    });
    match in_the_way {
        Some(file) => Err(Error::new(
            Reason::PathNotAllowed,
            format!("{path} cannot be written: {file} is not a directory in the branch"),
        )
        .with("paths", path)),
        None => Ok(()),
    }
}

fn is_a(what: &str, path: &RepoPath) -> Error {
    Error::new(
        Reason::PathNotAllowed,
        format!("{path} is a {what} in the branch, and only plain files are written"),
    )
    .with("paths", path)
}

#[cfg(test)]
mod tests {
    use super::*;

    const REGULAR: EntryMode = EntryMode::File(FileMode::Regular);
    const EXECUTABLE: EntryMode = EntryMode::File(FileMode::Executable);

    fn entries(list: &[(&str, EntryMode, &[u8])]) -> Entries {
        let mut entries = Entries::default();
        for (path, mode, content) in list {
            let entry = Entry { mode: *mode, id: ObjectId::of_blob(content) };
            entries.insert((*path).to_owned(), entry);
        }
        entries
    }

    fn changes(list: Vec<(&str, Edit)>) -> ChangeSet {
        ChangeSet::new(list.into_iter().map(|(path, edit)| (path.parse().unwrap(), edit)).collect())
            .unwrap()
    }

    fn write(content: &'static [u8], mode: Option<FileMode>) -> Edit {
        Edit::Write { content: Bytes::from_static(content), mode }
    }

    #[test]
    fn leaves_out_what_is_as_asked() {
        let there = entries(&[("a", REGULAR, b"1"), ("x", EXECUTABLE, b"2")]);
        let asked = changes(vec![
            ("a", write(b"1", None)),
            ("x", write(b"2", None)),
            ("gone", Edit::Delete),
        ]);
        let plan = plan(&asked, &there).unwrap();
        assert!(plan.is_empty());
        assert_eq!(plan.counts.unchanged, 3);
    }

    #[test]
    fn counts_what_differs() {
        let there = entries(&[("a", REGULAR, b"1"), ("b", REGULAR, b"2")]);
        let asked = changes(vec![
            ("a", write(b"one", None)),
            ("b", Edit::Delete),
            ("c", write(b"new", None)),
        ]);
        let plan = plan(&asked, &there).unwrap();
        assert_eq!(plan.counts, Counts { added: 1, changed: 1, deleted: 1, unchanged: 0 });
        assert!(!plan.needs_modes);
    }

    #[test]
    fn an_executable_file_that_is_only_changed_keeps_its_bit() {
        let there = entries(&[("run.sh", EXECUTABLE, b"1")]);
        let plan = plan(&changes(vec![("run.sh", write(b"2", None))]), &there).unwrap();
        assert!(plan.needs_modes);
        assert_eq!(plan.writes[0].mode, FileMode::Executable);
    }

    #[test]
    fn a_change_of_mode_sends_no_content() {
        let there = entries(&[("run.sh", REGULAR, b"1")]);
        for edit in [Edit::Chmod(FileMode::Executable), write(b"1", Some(FileMode::Executable))] {
            let plan = plan(&changes(vec![("run.sh", edit)]), &there).unwrap();
            assert_eq!(plan.writes[0].body, Body::Kept(ObjectId::of_blob(b"1")));
            assert_eq!(plan.counts.changed, 1);
        }
        let missing =
            plan(&changes(vec![("nope", Edit::Chmod(FileMode::Regular))]), &there).unwrap_err();
        assert_eq!(missing.reason, Reason::FileMissing);
    }

    #[test]
    fn writes_only_plain_files_into_real_directories() {
        let there = entries(&[
            ("link", EntryMode::Symlink, b"1"),
            ("sub", EntryMode::Submodule, b"1"),
            ("dir", EntryMode::Directory, b"1"),
            ("file", REGULAR, b"1"),
        ]);
        for path in ["link", "sub", "dir", "link/x", "sub/x", "file/x"] {
            let error = plan(&changes(vec![(path, write(b"x", None))]), &there).unwrap_err();
            assert_eq!(error.reason, Reason::PathNotAllowed, "{path}");
        }
        let replaced = changes(vec![("file", Edit::Delete), ("file/x", write(b"x", None))]);
        assert_eq!(
            plan(&replaced, &there).unwrap().counts,
            Counts { added: 1, deleted: 1, ..Counts::default() }
        );
    }

    #[test]
    fn a_directory_becomes_a_file_only_if_all_of_it_goes() {
        let mut there = entries(&[("a", EntryMode::Directory, b""), ("a/b", REGULAR, b"1")]);
        let all = || changes(vec![("a", write(b"2", None)), ("a/b", Edit::Delete)]);
        let counts = plan(&all(), &there).unwrap().counts;
        assert_eq!(counts, Counts { added: 1, deleted: 1, ..Counts::default() });
        assert!(plan(&all(), &there).unwrap().deletions.is_empty(), "the file takes its place");
        for some in
            [vec![("a", write(b"2", None)), ("a/c", Edit::Delete)], vec![("a", write(b"2", None))]]
        {
            let refused = plan(&changes(some), &there).unwrap_err();
            assert_eq!(refused.reason, Reason::PathNotAllowed);
        }
        let unread = entries(&[("a", EntryMode::Directory, b"")]);
        let alone = changes(vec![("a", write(b"2", None))]);
        assert_eq!(plan(&alone, &unread).unwrap_err().reason, Reason::PathNotAllowed);
        there.share("a");
        assert_eq!(plan(&all(), &there).unwrap_err().reason, Reason::PathNotAllowed);
    }
}
