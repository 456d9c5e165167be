//! Directories that were read side by side, put together.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{Entries, Entry, EntryMode, ObjectId, RepoPath};

/// A directory: its object, and what is in it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Directory {
    pub id: ObjectId,
    pub entries: Vec<(String, Entry)>,
}

/// The entries at `paths` and above them, from the top directory and those below it by their paths. None if these are not
/// the ones that the top directory leads to: the branch moved while they were read.
pub(super) fn assemble(
    top: &Directory,
    below: &BTreeMap<&str, Option<Directory>>,
    paths: &BTreeSet<RepoPath>,
) -> Option<Entries> {
    let mut entries = Entries::default();
    keep(&mut entries, "", top, below, paths);
    // Sorted by path, so that what is above a directory is known before it.
    for (path, directory) in below {
        let expected = entries.get(path).filter(|entry| entry.mode == EntryMode::Directory);
        match (expected, directory) {
            (Some(entry), Some(directory)) if entry.id == directory.id => {
                keep(&mut entries, path, directory, below, paths);
            }
            (None, None) => {}
            _ => return None,
        }
    }
    Some(entries)
}

/// Keeps those entries of a directory that are asked for, or on the way to one.
fn keep(
    entries: &mut Entries,
    directory_path: &str,
    directory: &Directory,
    below: &BTreeMap<&str, Option<Directory>>,
    paths: &BTreeSet<RepoPath>,
) {
    for (name, entry) in &directory.entries {
        let path = match directory_path {
            "" => name.clone(),
            above => format!("{above}/{name}"),
        };
        if below.contains_key(path.as_str()) || paths.contains(path.as_str()) {
            entries.insert(path, *entry);
        } else {
            entries.share(directory_path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::FileMode;

    fn id(text: &str) -> ObjectId {
        ObjectId::of_blob(text.as_bytes())
    }

    fn directory(name: &str, entries: &[(&str, EntryMode)]) -> Directory {
        let entry = |(name, mode): &(&str, EntryMode)| {
            ((*name).to_owned(), Entry { mode: *mode, id: id(name) })
        };
        Directory { id: id(name), entries: entries.iter().map(entry).collect() }
    }

    const FILE: EntryMode = EntryMode::File(FileMode::Regular);

    fn paths(list: &[&str]) -> BTreeSet<RepoPath> {
        list.iter().map(|path| path.parse().unwrap()).collect()
    }

    #[test]
    fn keeps_what_is_asked_for_and_what_leads_there() {
        let top = directory("", &[("a", EntryMode::Directory), ("x", FILE), ("y", FILE)]);
        let below = BTreeMap::from([
            ("a", Some(directory("a", &[("b", EntryMode::Directory), ("c", FILE)]))),
            ("a/b", Some(directory("b", &[("d", FILE)]))),
            ("new", None),
        ]);
        let asked = paths(&["a/b/d", "a/b/e", "x", "new/f"]);
        let entries = assemble(&top, &below, &asked).unwrap();
        let kept: Vec<&str> = entries.iter().map(|(path, _)| path).collect();
        assert_eq!(kept, ["a", "a/b", "a/b/d", "x"]);
        assert_eq!(entries.all_below("a/b").unwrap().collect::<Vec<_>>(), ["a/b/d"]);
        assert!(entries.all_below("a").is_none(), "there is a/c, too");
    }

    #[test]
    fn what_does_not_belong_together_is_told() {
        let top = directory("", &[("a", EntryMode::Directory)]);
        let asked = paths(&["a/b"]);
        let assembled = |listed| assemble(&top, &BTreeMap::from([("a", listed)]), &asked);
        assert_eq!(assembled(Some(directory("of another commit", &[("b", FILE)]))), None);
        assert_eq!(assembled(None), None, "gone since");
        assert!(assembled(Some(directory("a", &[("b", FILE)]))).is_some());
        let none = directory("", &[("a", FILE)]);
        let came = BTreeMap::from([("a", Some(directory("a", &[])))]);
        assert_eq!(assemble(&none, &came, &asked), None, "there since");
    }
}
