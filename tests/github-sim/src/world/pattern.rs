//! Patterns of rules: for names, messages and addresses, and for paths.

use regex::Regex;
use serde_json::{Value, json};

/// How a text is compared with a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// The text begins with it.
    StartsWith,
    /// The text ends with it.
    EndsWith,
    /// It is in the text.
    Contains,
    /// A regular expression that is found in the text.
    Regex,
}

/// What a text has to be like, or must not be like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    /// How it is compared.
    pub operator: Operator,
    /// With what.
    pub pattern: String,
    /// Whether the text must not be like this.
    pub negate: bool,
}

impl Pattern {
    /// A pattern that a text has to fit.
    pub fn new(operator: Operator, pattern: &str) -> Self {
        Self { operator, pattern: pattern.to_owned(), negate: false }
    }

    pub(crate) fn allows(&self, text: &str) -> bool {
        let found = match self.operator {
            Operator::StartsWith => text.starts_with(&self.pattern),
            Operator::EndsWith => text.ends_with(&self.pattern),
            Operator::Contains => text.contains(&self.pattern),
            // GitHub does not take a ruleset with an expression that is none.
            Operator::Regex => Regex::new(&self.pattern).is_ok_and(|regex| regex.is_match(text)),
        };
        found != self.negate
    }

    /// GitHub's sentence for a text that does not fit.
    pub(crate) fn sentence(&self, what: &str) -> String {
        let how = match self.operator {
            Operator::StartsWith => "start with a matching pattern",
            Operator::EndsWith => "end with a matching pattern",
            Operator::Contains => "contain a matching pattern",
            Operator::Regex => "match a given regex pattern",
        };
        let must = if self.negate { "must not" } else { "must" };
        format!("{what} {must} {how}: {}", self.pattern)
    }

    pub(crate) fn parameters(&self) -> Value {
        let operator = match self.operator {
            Operator::StartsWith => "starts_with",
            Operator::EndsWith => "ends_with",
            Operator::Contains => "contains",
            Operator::Regex => "regex",
        };
        json!({"name": "", "negate": self.negate, "operator": operator, "pattern": self.pattern})
    }
}

/// Whether a branch name (without `refs/heads/`) or a path matches a pattern in which `*` stays within one part and `**`
/// crosses slashes.
pub(crate) fn matches_glob(pattern: &str, name: &str) -> bool {
    match pattern.find('*') {
        None => pattern == name,
        Some(star) => {
            let (head, tail) = (&pattern[..star], &pattern[star..]);
            let Some(rest) = name.strip_prefix(head) else { return false };
            let (crosses, after) = match tail.strip_prefix("**") {
                Some(after) => (true, after),
                None => (false, &tail[1..]),
            };
            let ends = rest.char_indices().map(|(i, _)| i).chain([rest.len()]);
            ends.take_while(|end| crosses || !rest[..*end].contains('/'))
                .any(|end| matches_glob(after, &rest[end..]))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_star_stays_within_a_part_of_the_name() {
        assert!(matches_glob("release/*", "release/1"));
        assert!(!matches_glob("release/*", "release/1/x"));
        assert!(matches_glob("release/**", "release/1/x"));
        assert!(matches_glob("main", "main"));
        assert!(!matches_glob("main", "main2"));
    }

    #[test]
    fn texts_fit_or_must_not() {
        for (operator, pattern) in [
            (Operator::StartsWith, "JIRA-"),
            (Operator::EndsWith, "x"),
            (Operator::Contains, "A-1"),
            (Operator::Regex, "^JIRA-[0-9]+ "),
        ] {
            let pattern = Pattern::new(operator, pattern);
            assert!(pattern.allows("JIRA-12 x") && !pattern.allows("Fix it"), "{pattern:?}");
            let not = Pattern { negate: true, ..pattern };
            assert!(!not.allows("JIRA-12 x") && not.allows("Fix it"), "{not:?}");
        }
    }
}
