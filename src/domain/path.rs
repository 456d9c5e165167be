//! Paths of files inside a repository.

use std::{borrow::Borrow, fmt, str::FromStr, sync::Arc};

use super::Invalid;

/// Path of a file relative to the top of a repository: `/` between parts, nothing that a checkout on any
/// platform could read as being outside of the work tree or inside `.git`. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RepoPath(Arc<str>);

/// Longest path that Linux can check out.
const MAX_PATH: usize = 4096;
/// Most parts. Every directory above every file is looked up, so that depth is work. GitHub advises no more than 50.
const MAX_PARTS: usize = 100;
/// Longest file name of the usual file systems.
const MAX_PART: usize = 255;

impl RepoPath {
    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Every directory above it, nearest last, without the top.
    pub fn ancestors(&self) -> impl Iterator<Item = &str> {
        self.0.match_indices('/').filter_map(|(at, _)| self.0.get(..at))
    }
}

/// Lets maps by path be searched with a text.
impl Borrow<str> for RepoPath {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl FromStr for RepoPath {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        check(text).map_err(Invalid::new)?;
        Ok(Self(text.into()))
    }
}

impl fmt::Display for RepoPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for RepoPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

/// Directory of a repository that all paths of a binding are relative to; the top by default.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Subdirectory(Option<RepoPath>);

impl Subdirectory {
    /// The directory; empty for the top.
    pub fn as_str(&self) -> &str {
        self.0.as_ref().map_or("", RepoPath::as_str)
    }

    /// `path` below this directory.
    pub fn join(&self, path: &RepoPath) -> Result<RepoPath, Invalid> {
        match &self.0 {
            None => Ok(path.clone()),
            Some(directory) => format!("{directory}/{path}").parse(),
        }
    }
}

impl FromStr for Subdirectory {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        if text.is_empty() { Ok(Self(None)) } else { Ok(Self(Some(text.parse()?))) }
    }
}

fn check(text: &str) -> Result<(), &'static str> {
    if text.is_empty() || text.len() > MAX_PATH {
        return Err("must be 1 to 4096 bytes long");
    }
    if text.starts_with('/') || text.ends_with('/') {
        return Err("must be relative and name a file: no / at its begin or end");
    }
    if text.chars().any(|c| c.is_control() || c == '\\') {
        return Err(r"must not contain control characters or \");
    }
    // Whatever stands before the colon: `subst` makes drives of any character.
    if text.chars().nth(1) == Some(':') {
        return Err("must not begin with what Windows takes for a drive, as C:");
    }
    if text.split('/').count() > MAX_PARTS {
        return Err("must not have more than 100 parts between slashes");
    }
    text.split('/').try_for_each(check_part)
}

fn check_part(part: &str) -> Result<(), &'static str> {
    if part.is_empty() || part == "." || part == ".." {
        Err("must not have an empty part, . or ..")
    } else if part.len() > MAX_PART {
        Err("must not have a part of more than 255 bytes")
    } else if is_dot_git(part) {
        Err("must not have a part that some file system reads as .git")
    } else {
        Ok(())
    }
}

/// True if a file system would open the repository's own directory under this name. As git's `verify_path`.
fn is_dot_git(part: &str) -> bool {
    let name = folded(part);
    name == ".git" || is_short_name(&name, "git")
}

/// A name as file systems that do not keep every difference compare it: any case (by way of upper case, in which a long s
/// is an S and a ligature two letters), HFS+ (which skips some invisible characters), NTFS (dots and spaces at the end,
/// streams).
pub(super) fn folded(part: &str) -> String {
    let visible: String = part.chars().filter(|c| !ignored_by_hfs(*c)).collect();
    let lower = visible.to_uppercase().to_lowercase();
    let before_stream = lower.split(':').next().unwrap_or_default();
    before_stream.trim_end_matches(['.', ' ']).to_owned()
}

/// True for the short names that NTFS makes up, as `github~1` for `.github`.
pub(super) fn is_short_name(folded: &str, begin: &str) -> bool {
    let number = folded.strip_prefix(begin).and_then(|rest| rest.strip_prefix('~'));
    number.is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
}

/// Characters that HFS+ leaves out when it compares names (git's `next_hfs_char`).
fn ignored_by_hfs(c: char) -> bool {
    matches!(c, '\u{200c}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{206a}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn takes_ordinary_paths() {
        for good in [
            "a",
            "models/staging/stg_orders.sql",
            ".gitignore",
            ".github/x",
            "a b/ü/日本.md",
            "...",
            "a..b",
            "git~x",
            ".gitx",
            "x.git",
        ] {
            assert_eq!(good.parse::<RepoPath>().unwrap().as_str(), good);
        }
    }

    #[test]
    fn refuses_escapes_and_every_alias_of_dot_git() {
        let bad = [
            "",
            "/a",
            "a/",
            "a//b",
            ".",
            "..",
            "a/../b",
            "./a",
            "a/.",
            "a\0b",
            "a\nb",
            "a\u{7f}",
            "a\u{85}b",
            "a\\b",
            "..\\a",
            ".git",
            ".GIT/config",
            "a/.Git/hooks/x",
            ".git.",
            ".git ",
            ".git. .",
            "git~1",
            "GIT~2/x",
            ".git::$INDEX_ALLOCATION/x",
            ".git:x",
            ".g\u{200c}it/x",
            "\u{feff}.git",
            ".gi\u{202e}t",
            "C:/Windows/x",
            "c:x",
            "ä:x",
        ];
        for text in bad {
            assert!(text.parse::<RepoPath>().is_err(), "{text:?}");
        }
        assert!("a/".repeat(3000).trim_end_matches('/').parse::<RepoPath>().is_err());
        assert!("x".repeat(256).parse::<RepoPath>().is_err());
    }

    #[test]
    fn subdirectory_prefixes_every_path() {
        let analytics: Subdirectory = "analytics/dbt".parse().unwrap();
        let path: RepoPath = "models/a.sql".parse().unwrap();
        assert_eq!(analytics.join(&path).unwrap().as_str(), "analytics/dbt/models/a.sql");
        assert_eq!(Subdirectory::default().join(&path).unwrap(), path);
        assert!("../x".parse::<Subdirectory>().is_err());
    }

    #[test]
    fn ancestors_are_the_directories_above() {
        let path: RepoPath = "a/b/c.sql".parse().unwrap();
        assert_eq!(path.ancestors().collect::<Vec<_>>(), ["a", "a/b"]);
    }

    proptest! {
        #[test]
        fn whatever_is_taken_stays_inside_the_work_tree(text in r"[\PC./\\]{0,40}") {
            if let Ok(path) = text.parse::<RepoPath>() {
                let joined = std::path::Path::new("/top").join(path.as_str());
                prop_assert!(joined.starts_with("/top"));
                prop_assert!(joined.components().all(|c| c != std::path::Component::ParentDir));
                prop_assert!(!path.as_str().to_lowercase().split('/').any(|part| part == ".git"));
                prop_assert_eq!(path.to_string().parse(), Ok(path));
            }
        }

        #[test]
        fn whatever_is_joined_stays_below_its_directory(
            directory in r"[a-z.:/]{0,12}",
            text in r"[a-z.:/]{1,12}",
        ) {
            let parsed = (directory.parse::<Subdirectory>(), text.parse::<RepoPath>());
            if let (Ok(directory), Ok(path)) = parsed
                && let Ok(joined) = directory.join(&path)
            {
                let below = std::path::Path::new(joined.as_str()).strip_prefix(directory.as_str());
                prop_assert_eq!(below, Ok(std::path::Path::new(path.as_str())));
            }
        }

        #[test]
        fn no_spelling_of_dot_git_is_taken(
            name in r"\.[\u{200c}\u{feff}]{0,2}[gG][\u{202e}]?[iI][tT]|[gG][iI][tT]~[0-9]{1,3}",
            end in r"[. ]{0,3}(:[a-z$]{0,5})?",
            above in r"([a-z]{1,3}/){0,2}",
            below in r"(/[a-z]{1,3}){0,2}",
        ) {
            let path = format!("{above}{name}{end}{below}");
            prop_assert!(path.parse::<RepoPath>().is_err());
        }
    }
}
