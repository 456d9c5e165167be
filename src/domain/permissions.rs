//! Permissions of installation tokens.

use std::{collections::BTreeMap, fmt, str::FromStr};

use super::Invalid;

/// The permissions of a GitHub App that bear on a repository, in the order of their bits. From the schema
/// `app-permissions` of GitHub's OpenAPI description. Append only.
const NAMES: [&str; 28] = [
    "actions",
    "administration",
    "artifact_metadata",
    "attestations",
    "checks",
    "code_quality",
    "codespaces",
    "contents",
    "dependabot_secrets",
    "deployments",
    "discussions",
    "environments",
    "issues",
    "merge_queues",
    "metadata",
    "packages",
    "pages",
    "pull_requests",
    "repository_custom_properties",
    "repository_hooks",
    "repository_projects",
    "secret_scanning_alerts",
    "secrets",
    "security_events",
    "single_file",
    "statuses",
    "vulnerability_alerts",
    "workflows",
];

/// One permission, by its place in GitHub's list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Permission(u8);

impl Permission {
    /// Settings of repositories, and making them.
    pub const ADMINISTRATION: Self = Self(1);
    /// Files, commits, branches.
    pub const CONTENTS: Self = Self(7);
    /// The repository's own description; every token has it.
    pub const METADATA: Self = Self(14);
    /// Pull requests.
    pub const PULL_REQUESTS: Self = Self(17);
    /// Files of GitHub Actions workflows. GitHub knows only `write` of it.
    pub const WORKFLOWS: Self = Self(27);

    /// GitHub's name.
    pub fn name(self) -> &'static str {
        NAMES.get(usize::from(self.0)).copied().unwrap_or_default()
    }

    fn shift(self) -> u32 {
        u32::from(self.0) * 2
    }
}

impl FromStr for Permission {
    type Err = Invalid;

    fn from_str(name: &str) -> Result<Self, Invalid> {
        let at = NAMES.iter().position(|known| *known == name);
        at.and_then(|at| u8::try_from(at).ok())
            .map(Self)
            .ok_or_else(|| Invalid::new("is not a repository permission of GitHub Apps"))
    }
}

/// How much of a permission; each level includes the ones before it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Level {
    /// `read`
    Read = 1,
    /// `write`
    Write = 2,
    /// `admin`
    Admin = 3,
}

impl Level {
    /// GitHub's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Admin => "admin",
        }
    }

    fn from_bits(bits: u64) -> Option<Self> {
        match bits & 3 {
            1 => Some(Self::Read),
            2 => Some(Self::Write),
            3 => Some(Self::Admin),
            _ => None,
        }
    }
}

impl FromStr for Level {
    type Err = Invalid;

    fn from_str(name: &str) -> Result<Self, Invalid> {
        match name {
            "read" => Ok(Self::Read),
            "write" => Ok(Self::Write),
            "admin" => Ok(Self::Admin),
            _ => Err(Invalid::new("must be `read` or `write`")),
        }
    }
}

/// A set of permissions with their levels: two bits for each, so that a set is one word, and equal sets are equal words.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Permissions(u64);

impl Permissions {
    /// No permission at all.
    pub const NONE: Self = Self(0);
    /// Every permission at its highest level.
    pub const ALL: Self = Self((1 << (2 * NAMES.len())) - 1);

    /// This set with `permission` at `level`.
    #[must_use]
    pub const fn with(self, permission: Permission, level: Level) -> Self {
        let shift = permission.0 as u32 * 2;
        Self(self.0 & !(3 << shift) | (level as u64) << shift)
    }

    /// The level of one permission.
    pub fn level(self, permission: Permission) -> Option<Level> {
        Level::from_bits(self.0 >> permission.shift())
    }

    /// True if nothing is in it.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// All permissions with their levels, by name.
    pub fn iter(self) -> impl Iterator<Item = (Permission, Level)> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            // Two bits for each: the next that is not 0 begins here.
            let at = rest.trailing_zeros() / 2;
            let level = Level::from_bits(rest.checked_shr(2 * at)?)?;
            rest &= !(3 << (2 * at));
            Some((Permission(u8::try_from(at).ok()?), level))
        })
    }

    /// What of `self` is not granted by `granted`, at the level that `self` asks for.
    #[must_use]
    pub fn missing_from(self, granted: Self) -> Self {
        self.iter()
            .filter(|(permission, level)| granted.level(*permission) < Some(*level))
            .fold(Self::NONE, |missing, (permission, level)| missing.with(permission, level))
    }

    /// GitHub's names and levels, for JSON.
    pub fn to_map(self) -> BTreeMap<&'static str, &'static str> {
        self.iter().map(|(permission, level)| (permission.name(), level.name())).collect()
    }

    /// What GitHub says is granted. Names that do not bear on repositories, or are newer than this broker, are left out:
    /// the broker never asks for them.
    pub fn from_github<'a>(granted: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        granted
            .into_iter()
            .filter_map(|(name, level)| Some((name.parse().ok()?, level.parse().ok()?)))
            .fold(Self::NONE, |set, (permission, level)| set.with(permission, level))
    }
}

impl fmt::Display for Permissions {
    /// `contents:write, metadata:read`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (permission, level)) in self.iter().enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            write!(f, "{comma}{}:{}", permission.name(), level.name())?;
        }
        Ok(())
    }
}

impl fmt::Debug for Permissions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Permissions({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_match_their_bits() {
        for (constant, name) in [
            (Permission::ADMINISTRATION, "administration"),
            (Permission::CONTENTS, "contents"),
            (Permission::METADATA, "metadata"),
            (Permission::PULL_REQUESTS, "pull_requests"),
            (Permission::WORKFLOWS, "workflows"),
        ] {
            assert_eq!(name.parse::<Permission>().unwrap(), constant);
            assert_eq!(constant.name(), name);
        }
        assert!("content".parse::<Permission>().is_err());
    }

    #[test]
    fn equal_requests_are_equal_words_in_any_order() {
        let one = Permissions::from_github([("issues", "write"), ("contents", "read")]);
        let other = Permissions::from_github([
            ("contents", "read"),
            ("issues", "write"),
            ("unheard_of", "read"),
        ]);
        assert_eq!(one, other);
        assert_eq!(one.to_string(), "contents:read, issues:write");
    }

    #[test]
    fn missing_is_what_is_asked_above_what_is_granted() {
        let granted = Permissions::from_github([
            ("contents", "read"),
            ("metadata", "read"),
            ("issues", "write"),
        ]);
        let asked = Permissions::from_github([
            ("contents", "write"),
            ("metadata", "read"),
            ("issues", "read"),
            ("pull_requests", "read"),
        ]);
        assert_eq!(asked.missing_from(granted).to_string(), "contents:write, pull_requests:read");
        assert!(granted.missing_from(granted).is_empty());
    }
}
