//! Names and ids of repositories.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};

use super::Invalid;

/// GitHub's numeric id of a repository. Unlike the name it survives renames and transfers.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct RepoId(pub i64);

impl fmt::Display for RepoId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What can be done with a repository.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RepositoryState {
    /// It can be written to, by who may.
    Available,
    /// It can only be read.
    Archived,
    /// It is gone.
    Deleted,
}

impl RepositoryState {
    /// Every state, for parsing and tests.
    pub const ALL: [Self; 3] = [Self::Available, Self::Archived, Self::Deleted];

    /// Name in the database and in logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Available => "available",
            Self::Archived => "archived",
            Self::Deleted => "deleted",
        }
    }
}

/// `owner/name` of a repository. GitHub ignores case in it, and so does `==`.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RepoName {
    full: Arc<str>,
    slash: usize,
}

/// GitHub's limit for logins; enterprise-managed users have a suffix `_shortcode` within it.
const MAX_OWNER: usize = 39;
/// GitHub's limit for repository names.
const MAX_NAME: usize = 100;

/// True if GitHub could have an organization or user of this login.
pub fn is_login(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= MAX_OWNER
        && !text.starts_with('-')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

impl RepoName {
    /// Login of the organization or user that owns it.
    pub fn owner(&self) -> &str {
        self.full.get(..self.slash).unwrap_or_default()
    }

    /// Name without the owner.
    pub fn name(&self) -> &str {
        self.full.get(self.slash + 1..).unwrap_or_default()
    }

    /// `owner/name`.
    pub fn as_str(&self) -> &str {
        &self.full
    }
}

impl TryFrom<String> for RepoName {
    type Error = Invalid;

    fn try_from(text: String) -> Result<Self, Invalid> {
        text.parse()
    }
}

impl From<RepoName> for String {
    fn from(name: RepoName) -> Self {
        name.full.as_ref().to_owned()
    }
}

impl FromStr for RepoName {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let invalid =
            || Invalid::new("must be `owner/name` as on GitHub, without the host and .git");
        let (owner, name) = text.split_once('/').ok_or_else(invalid)?;
        let name_ok = !name.is_empty()
            && name.len() <= MAX_NAME
            && name != "."
            && name != ".."
            && !name.to_ascii_lowercase().ends_with(".git")
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
        if !is_login(owner) || !name_ok {
            return Err(invalid());
        }
        Ok(Self { full: text.into(), slash: owner.len() })
    }
}

impl PartialEq for RepoName {
    fn eq(&self, other: &Self) -> bool {
        self.full.eq_ignore_ascii_case(&other.full)
    }
}

impl Eq for RepoName {}

impl fmt::Display for RepoName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.full)
    }
}

impl fmt::Debug for RepoName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.full)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn splits_and_compares_as_github_does() {
        let name: RepoName = "Acme-Corp/ware.house_1".parse().unwrap();
        assert_eq!((name.owner(), name.name()), ("Acme-Corp", "ware.house_1"));
        assert_eq!(name, "acme-corp/WARE.house_1".parse().unwrap());
    }

    #[test]
    fn refuses_what_could_leave_the_path_of_a_url() {
        let bad = [
            "", "a", "a/", "/b", "a/b/c", "a/..", "a/.", "a/b.git", "a/b.GIT", "a b/c", "-a/b",
            "a/b?x", "a/b#", "ä/b", "a/%2e",
        ];
        for text in bad {
            assert!(text.parse::<RepoName>().is_err(), "{text:?}");
        }
    }
    proptest! {
        #[test]
        fn whatever_is_taken_is_two_parts_of_a_urls_path(
            text in r"[a-zA-Z_.-]{0,4}/[a-zA-Z_.%?#@-]{0,6}|\PC{0,12}",
        ) {
            if let Ok(name) = text.parse::<RepoName>() {
                let url = url::Url::parse(&format!("https://host.example/{name}/x")).unwrap();
                let parts: Vec<_> = url.path_segments().unwrap().collect();
                prop_assert_eq!(parts, [name.owner(), name.name(), "x"]);
                prop_assert_eq!(url.as_str(), format!("https://host.example/{text}/x"));
                prop_assert_eq!(name.to_string().parse(), Ok(name));
            }
        }

        #[test]
        fn case_makes_no_difference(text in "[a-zA-Z][a-zA-Z0-9-]{0,20}/[a-zA-Z0-9_-]{1,20}") {
            let name = text.parse::<RepoName>().unwrap();
            prop_assert_eq!(text.to_ascii_uppercase().parse(), Ok(name));
        }
    }
}
