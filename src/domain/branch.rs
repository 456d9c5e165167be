//! Branch names.

use std::{fmt, str::FromStr, sync::Arc};

use super::Invalid;

/// Short name of a branch (`staging`, `feature/x`), as `git check-ref-format --branch` allows it. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct BranchName(Arc<str>);

/// git keeps a ref in a file: `refs/heads/` and `.lock` have to fit into the 255 bytes of a file name too.
const MAX_LENGTH: usize = 239;

impl BranchName {
    /// The short name, without `refs/heads/`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The names that it is below: of `a/b/c` `a` and `a/b`.
    pub fn above(&self) -> impl Iterator<Item = Self> {
        self.0.match_indices('/').filter_map(|(at, _)| self.0.get(..at)?.parse().ok())
    }

    fn check(text: &str) -> Result<(), &'static str> {
        let forbidden = |c: char| c.is_control() || " ~^:?*[\\".contains(c);
        if text.is_empty() || text.len() > MAX_LENGTH {
            Err("must be 1 to 239 bytes long")
        } else if text.starts_with("refs/") {
            Err("must be the branch's short name, without refs/heads/")
        } else if text.chars().any(forbidden) {
            Err(r"must not contain spaces, control characters or any of ~ ^ : ? * [ \")
        } else if text.contains("..") || text.contains("@{") || text == "@" || text == "HEAD" {
            Err("must not be @ or HEAD, nor contain .. or @{")
        } else if text.starts_with('-') || text.ends_with('.') {
            Err("must not begin with - or end with .")
        } else if text
            .split('/')
            .any(|part| part.is_empty() || part.starts_with('.') || part.ends_with(".lock"))
        {
            Err(
                "must not have a part between slashes that is empty, begins with . or ends with .lock",
            )
        } else if text.len() == 40 && text.bytes().all(|b| b.is_ascii_hexdigit()) {
            Err("must not look like a commit id")
        } else {
            Ok(())
        }
    }
}

impl FromStr for BranchName {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        Self::check(text).map_err(Invalid::new)?;
        Ok(Self(text.into()))
    }
}

impl fmt::Display for BranchName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for BranchName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn agrees_with_git_check_ref_format() {
        let names = [
            "staging",
            "feature/x",
            "a.b",
            "ünï/ü",
            "x@y",
            "@x",
            "a-",
            "a{b}",
            "",
            "-a",
            "a..b",
            "a b",
            "a~1",
            "a^",
            "a:b",
            "a?",
            "a*",
            "a[",
            "a\\b",
            "/a",
            "a/",
            "a//b",
            ".a",
            "a/.b",
            "a.lock",
            "a.lock/b",
            "a.",
            "a@{b",
            "a\u{7f}",
            "a\tb",
        ];
        for name in names {
            let git = std::process::Command::new("git")
                .args(["check-ref-format", "--branch", name])
                .output()
                .unwrap()
                .status
                .success();
            assert_eq!(name.parse::<BranchName>().is_ok(), git, "{name:?}");
        }
    }

    #[test]
    fn refuses_what_git_would_read_as_something_else() {
        for bad in ["HEAD", "@", "refs/heads/main", &"a".repeat(240), &"a1".repeat(20)] {
            assert!(bad.parse::<BranchName>().is_err(), "{bad:?}");
        }
    }
    proptest! {
        #[test]
        fn whatever_is_taken_is_a_short_name_and_no_option(text in r"[a-z@{}./~:\-]{0,12}|\PC{0,12}") {
            if let Ok(branch) = text.parse::<BranchName>() {
                prop_assert_eq!(branch.as_str(), &text);
                prop_assert!(!text.starts_with(['-', '/', '.']) && !text.starts_with("refs/"));
                prop_assert!(!text.ends_with(['/', '.']) && !text.ends_with(".lock"));
                let within = ["..", "//", "/.", "@{"].iter().any(|part| text.contains(part));
                prop_assert!(!within);
                prop_assert!(!text.contains([' ', '~', '^', ':', '?', '*', '[', '\\', '\0', '\n']));
                prop_assert_eq!(branch.to_string().parse(), Ok(branch));
            }
        }

        #[test]
        fn ordinary_names_are_taken(text in "[a-z][a-z0-9_-]{0,20}(/[a-z0-9][a-z0-9_-]{0,10}){1,3}") {
            prop_assume!(!text.starts_with("refs/"));
            prop_assert!(text.parse::<BranchName>().is_ok());
        }
    }
}
