//! Paths of files: whatever is taken stays inside the work tree and outside of `.git`, on every platform.
//! An input is a path, or a subdirectory, a line break and a path.
#![no_main]

use std::path::{Component, Path};

use ghbroker_fuzz::domain::{RepoPath, Subdirectory};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let (directory, file) = text.split_once('\n').unwrap_or(("", text));
    let Ok(path) = file.parse::<RepoPath>() else { return };
    assert_eq!(path.as_str(), file);
    assert_eq!(path.to_string().parse(), Ok(path.clone()));
    assert_stays_inside(file);

    let mut below = file;
    for ancestor in path.ancestors().collect::<Vec<_>>().into_iter().rev() {
        assert!(ancestor.parse::<RepoPath>().is_ok(), "a directory that is no path: {ancestor:?}");
        assert!(below.starts_with(ancestor) && below[ancestor.len()..].starts_with('/'));
        below = ancestor;
    }
    assert!(!below.contains('/'));

    let Ok(directory) = directory.parse::<Subdirectory>() else { return };
    let Ok(joined) = directory.join(&path) else { return };
    assert_stays_inside(joined.as_str());
    let top = Path::new("/top");
    assert_eq!(
        top.join(joined.as_str()),
        top.join(directory.as_str()).join(file),
        "a path that left its subdirectory"
    );
});

fn assert_stays_inside(path: &str) {
    assert!(
        Path::new(path).components().all(|part| matches!(part, Component::Normal(_))),
        "could leave the work tree: {path:?}"
    );
    // Windows: another separator, and the letter of a drive, which `subst` takes any character for.
    assert!(!path.contains('\\') && path.chars().nth(1) != Some(':'), "{path:?}");
    assert!(!path.contains(|c: char| c.is_control()), "{path:?}");
    for part in path.split('/') {
        assert!(!part.is_empty() && part != "." && part != ".." && part.len() <= 255, "{path:?}");
        assert!(!hfs_dot_git(part) && !ntfs_dot_git(part), "could be .git: {path:?}");
    }
}

/// git's `is_hfs_dotgit`.
fn hfs_dot_git(part: &str) -> bool {
    const IGNORED: [char; 16] = [
        '\u{200c}', '\u{200d}', '\u{200e}', '\u{200f}', '\u{202a}', '\u{202b}', '\u{202c}',
        '\u{202d}', '\u{202e}', '\u{206a}', '\u{206b}', '\u{206c}', '\u{206d}', '\u{206e}',
        '\u{206f}', '\u{feff}',
    ];
    part.replace(IGNORED, "").eq_ignore_ascii_case(".git")
}

/// git's `is_ntfs_dotgit`.
fn ntfs_dot_git(part: &str) -> bool {
    let part = part.to_ascii_lowercase();
    let rest = part.strip_prefix(".git").or_else(|| part.strip_prefix("git~1"));
    rest.is_some_and(|rest| {
        rest.split(':').next().is_some_and(|end| end.bytes().all(|b| b == b'.' || b == b' '))
    })
}
