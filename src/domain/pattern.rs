//! Names with `*` in them: in rules of the policy and in bindings.

use std::{fmt, str::FromStr};

use globset::{GlobBuilder, GlobMatcher};

use super::{AccountId, BranchName, Caller, Invalid, RepoName, RepoPath};

/// A name, or many: `*` stands for any characters but `/`, and `**` as a whole part for any parts.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    text: String,
    glob: Option<GlobMatcher>,
}

impl Pattern {
    /// Accounts: `acme`, `tenant-*`, `*`.
    pub fn account(text: &str) -> Result<Self, Invalid> {
        check::<AccountId>(text)?;
        Self::new(text, false)
    }

    /// Callers: `spiffe://example.org/ns/build/sa/*`, `system:serviceaccount:build:*`, `anonymous`. No pattern goes beyond
    /// one trust domain.
    pub fn caller(text: &str) -> Result<Self, Invalid> {
        let trust_domain = text.strip_prefix("spiffe://").and_then(|rest| rest.split('/').next());
        if trust_domain.is_some_and(|domain| domain.contains('*')) {
            return Err(Invalid::new("must name its trust domain without *"));
        }
        if text.contains('+') {
            return Err(Invalid::new("must be one name; a rule's callers may have both"));
        }
        check::<Caller>(text)?;
        Self::new(text, false)
    }

    /// Repositories, in any case: `acme/web`, `acme/*`.
    pub fn repository(text: &str) -> Result<Self, Invalid> {
        check::<RepoName>(text)?;
        Self::new(text, true)
    }

    /// Branches: `adagent/*`.
    pub fn branch(text: &str) -> Result<Self, Invalid> {
        check::<BranchName>(text)?;
        Self::new(text, false)
    }

    /// Paths from the root of the repository: `.github/workflows/**`.
    pub fn path(text: &str) -> Result<Self, Invalid> {
        check::<RepoPath>(text)?;
        Self::new(text, false)
    }

    fn new(text: &str, any_case: bool) -> Result<Self, Invalid> {
        // What else globs have (`?`, classes, alternatives) would be read as itself by people who write names.
        if text.contains(['?', '[', ']', '{', '}', '!', '\\']) {
            return Err(Invalid::new("must have no wildcard but *"));
        }
        let glob = (text.contains('*') || any_case).then(|| {
            GlobBuilder::new(text)
                .literal_separator(true)
                .backslash_escape(false)
                .case_insensitive(any_case)
                .build()
        });
        let glob = glob.transpose().map_err(|_| Invalid::new("is not a pattern"))?;
        Ok(Self { text: text.to_owned(), glob: glob.map(|glob| glob.compile_matcher()) })
    }

    /// True if `name` is one of those.
    pub fn matches(&self, name: &str) -> bool {
        match &self.glob {
            Some(glob) => glob.is_match(name),
            None => self.text == name,
        }
    }

    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

/// Names of branches: `adagent/*` for every branch of one part below `adagent/`. Two are equal if they are written alike.
#[derive(Clone)]
pub struct BranchPattern(Pattern);

impl BranchPattern {
    /// True if `branch` is one of those.
    pub fn matches(&self, branch: &BranchName) -> bool {
        self.0.matches(branch.as_str())
    }

    /// As it is written.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl FromStr for BranchPattern {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        Pattern::branch(text).map(Self)
    }
}

impl PartialEq for BranchPattern {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for BranchPattern {}

impl fmt::Display for BranchPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for BranchPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A pattern is good if a name with something in the place of each `*` is.
fn check<T: FromStr<Err = Invalid>>(text: &str) -> Result<(), Invalid> {
    text.replace('*', "x").parse::<T>().map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stay_within_a_part() {
        for (pattern, name, matches) in [
            ("acme", "acme", true),
            ("acme", "acme2", false),
            ("acme", "Acme", false),
            ("tenant-*", "tenant-1.x:y", true),
            ("tenant-*", "tenant", false),
            ("*", "anything:at.all", true),
            ("a*z", "a.z", true),
        ] {
            assert_eq!(
                Pattern::account(pattern).unwrap().matches(name),
                matches,
                "{pattern} {name}"
            );
        }
        for (pattern, name, matches) in [
            ("acme/*", "ACME/.github", true),
            ("acme/*", "acme2/web", false),
            ("*/web", "acme/web", true),
            ("acme/web", "Acme/Web", true),
            ("acme/web", "acme/web2", false),
        ] {
            let found = Pattern::repository(pattern).unwrap().matches(name);
            assert_eq!(found, matches, "{pattern} {name}");
        }
        for (pattern, name, matches) in [
            (".github/workflows/**", ".github/workflows/a/b.yml", true),
            (".github/workflows/**", ".github/workflows", false),
            (".github/workflows/*", ".github/workflows/a/b.yml", false),
            ("**/CODEOWNERS", "docs/CODEOWNERS", true),
        ] {
            assert_eq!(Pattern::path(pattern).unwrap().matches(name), matches, "{pattern} {name}");
        }
        for (pattern, name, matches) in [
            ("spiffe://example.org/**", "spiffe://example.org/a/b", true),
            ("spiffe://example.org/*", "spiffe://example.org/a/b", false),
            ("system:serviceaccount:build:*", "system:serviceaccount:build:x", true),
            ("system:serviceaccount:build:*", "system:serviceaccount:build2:x", false),
            ("system:serviceaccount:*:x", "system:serviceaccount:build:x", true),
            ("anonymous", "anonymous", true),
        ] {
            assert_eq!(
                Pattern::caller(pattern).unwrap().matches(name),
                matches,
                "{pattern} {name}"
            );
        }
    }

    #[test]
    fn branches_are_told_by_their_case_and_parts() {
        let pattern = |text: &str| text.parse::<BranchPattern>().unwrap();
        for (given, branch, matches) in [
            ("adagent/*", "adagent/7", true),
            ("adagent/*", "adagent/7/x", false),
            ("adagent/*", "adagent", false),
            ("adagent/*", "Adagent/7", false),
            ("adagent/**", "adagent/7/x", true),
            ("*", "main", true),
            ("*", "a/b", false),
            ("**", "a/b", true),
            ("next", "next", true),
            ("next", "next2", false),
        ] {
            let found = pattern(given).matches(&branch.parse().unwrap());
            assert_eq!(found, matches, "{given} {branch}");
        }
        assert_eq!(pattern("a/*"), pattern("a/*"));
        assert_ne!(pattern("*"), pattern("**"));
        assert_eq!(pattern("adagent/*").to_string(), "adagent/*");
        for bad in ["", "-x", "a b", "a\n", "refs/heads/*", "a/[0-9]", "a?", &"*".repeat(240)] {
            assert!(bad.parse::<BranchPattern>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_pattern_that_could_match_nothing_or_too_much_is_a_mistake() {
        for bad in [
            "*",
            "spiffe://*/web",
            "spiffe://*.org/web",
            "spiffe://example.org",
            "system:serviceaccount:*",
            "web",
        ] {
            assert!(Pattern::caller(bad).is_err(), "{bad}");
        }
        assert!(Pattern::caller("spiffe://e.org/a+system:serviceaccount:a:b").is_err());
        for bad in ["", "a b", "a?", "tenant-[0-9]"] {
            assert!(Pattern::account(bad).is_err(), "{bad}");
        }
        for bad in ["acme", "acme/*/x", "*", "/x"] {
            assert!(Pattern::repository(bad).is_err(), "{bad}");
        }
        for bad in ["../x", "/etc/*", "a//b", "{a,b}"] {
            assert!(Pattern::path(bad).is_err(), "{bad}");
        }
        for bad in ["-x", "a b", "refs/heads/*"] {
            assert!(Pattern::branch(bad).is_err(), "{bad}");
        }
    }
}
