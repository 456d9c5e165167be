//! Rules on branches: rulesets and classic branch protection.

use serde_json::{Value, json};

/// One rule of a ruleset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Changes need a pull request.
    PullRequest,
    /// Commits need a verified signature.
    RequiredSignatures,
    /// No force push.
    NonFastForward,
    /// The branch may not be created.
    Creation,
    /// The branch may not be updated.
    Update,
    /// The branch may not be deleted.
    Deletion,
    /// These checks must have passed.
    RequiredStatusChecks(Vec<String>),
}

impl Rule {
    /// GitHub's `type` of the rule.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::PullRequest => "pull_request",
            Self::RequiredSignatures => "required_signatures",
            Self::NonFastForward => "non_fast_forward",
            Self::Creation => "creation",
            Self::Update => "update",
            Self::Deletion => "deletion",
            Self::RequiredStatusChecks(_) => "required_status_checks",
        }
    }

    /// The `parameters` of the rule, for the types that have any.
    pub(crate) fn parameters(&self) -> Option<Value> {
        match self {
            Self::PullRequest => Some(json!({
                "allowed_merge_methods": ["merge", "squash", "rebase"],
                "dismiss_stale_reviews_on_push": false,
                "require_code_owner_review": false,
                "require_last_push_approval": false,
                "required_approving_review_count": 0,
                "required_review_thread_resolution": false,
            })),
            Self::RequiredStatusChecks(names) => Some(json!({
                "required_status_checks":
                    names.iter().map(|name| json!({"context": name})).collect::<Vec<_>>(),
                "strict_required_status_checks_policy": false,
            })),
            Self::Update => Some(json!({"update_allows_fetch_and_merge": false})),
            Self::RequiredSignatures | Self::NonFastForward | Self::Creation | Self::Deletion => {
                None
            }
        }
    }
}

/// Rules for the branches that match a pattern.
#[derive(Clone, Debug)]
pub(crate) struct Ruleset {
    pub id: u64,
    pub name: String,
    pub pattern: String,
    pub rules: Vec<Rule>,
    /// Whether everybody may bypass it.
    pub bypass: bool,
}

/// Classic protection of the branches that match a pattern.
#[derive(Clone, Debug)]
pub(crate) struct Protection {
    pub pattern: String,
    /// Checks that must have passed.
    pub checks: Vec<String>,
    /// Whether a pull request is needed.
    pub pull_request: bool,
}

/// Whether a branch name (without `refs/heads/`) matches a pattern in which `*` stays within one
/// part and `**` crosses slashes.
pub(crate) fn matches_branch(pattern: &str, branch: &str) -> bool {
    match pattern.find('*') {
        None => pattern == branch,
        Some(star) => {
            let (head, tail) = (&pattern[..star], &pattern[star..]);
            let Some(rest) = branch.strip_prefix(head) else { return false };
            let (crosses, after) = match tail.strip_prefix("**") {
                Some(after) => (true, after),
                None => (false, &tail[1..]),
            };
            let ends = rest.char_indices().map(|(i, _)| i).chain([rest.len()]);
            ends.take_while(|end| crosses || !rest[..*end].contains('/'))
                .any(|end| matches_branch(after, &rest[end..]))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::matches_branch;

    #[test]
    fn one_star_stays_within_a_part_of_the_name() {
        assert!(matches_branch("release/*", "release/1"));
        assert!(!matches_branch("release/*", "release/1/x"));
        assert!(matches_branch("release/**", "release/1/x"));
        assert!(matches_branch("main", "main"));
        assert!(!matches_branch("main", "main2"));
    }
}
