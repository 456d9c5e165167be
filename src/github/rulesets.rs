//! Rulesets: the rules that are active for a branch, what they allow, and whether a credential may bypass them.

use std::fmt;

use serde::Deserialize;
use serde_json::Value;

use super::{GitHub, call::Call, clean::clean, error::Result};
use crate::domain::{BranchName, RepoName, Token};

/// A rule that is active for a branch.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(from = "RuleJson")]
pub struct Rule {
    /// `pull_request`, `required_signatures`, `update`, `creation`, ...
    pub kind: String,
    /// The ruleset that it is part of.
    pub ruleset_id: Option<i64>,
    /// The organization that the ruleset is of, if it is not the repository's own.
    pub organization: Option<String>,
    /// What the rule allows, for those that look at the content of a commit or the name of a branch.
    pub limit: Option<Limit>,
}

/// What a rule allows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Limit {
    /// A text has to fit a pattern.
    Pattern {
        /// `starts_with`, `ends_with`, `contains` or `regex`.
        operator: String,
        /// What it has to begin with, and so on.
        pattern: String,
        /// True if it must not.
        negate: bool,
    },
    /// These paths, or files with these extensions, are not taken.
    Restricted(Vec<String>),
    /// Most characters of a path.
    PathLength(u64),
    /// Largest file in megabytes.
    FileMegabytes(u64),
}

/// Paths or extensions of a rule that are told: people can read all of them on GitHub.
const MAX_TOLD: usize = 5;

#[derive(Deserialize)]
struct RuleJson {
    #[serde(rename = "type")]
    kind: String,
    ruleset_id: Option<i64>,
    ruleset_source_type: Option<String>,
    ruleset_source: Option<String>,
    parameters: Option<Value>,
}

#[derive(Deserialize)]
struct RulesetJson {
    current_user_can_bypass: Option<String>,
}

impl From<RuleJson> for Rule {
    fn from(json: RuleJson) -> Self {
        let of_organization = json.ruleset_source_type.as_deref() == Some("Organization");
        Self {
            limit: json.parameters.as_ref().and_then(Limit::read),
            kind: json.kind,
            ruleset_id: json.ruleset_id,
            organization: json.ruleset_source.filter(|_| of_organization),
        }
    }
}

impl Limit {
    /// None for the parameters of other rules.
    fn read(parameters: &Value) -> Option<Self> {
        let text = |name: &str| Some(clean(parameters.get(name)?.as_str()?, ""));
        let number = |name: &str| parameters.get(name)?.as_u64();
        let list = |name: &str| {
            let texts = parameters.get(name)?.as_array()?.iter().filter_map(Value::as_str);
            Some(texts.map(|text| clean(text, "")).collect())
        };
        if let Some(pattern) = text("pattern") {
            let negate = parameters.get("negate").and_then(Value::as_bool).unwrap_or_default();
            return Some(Self::Pattern { operator: text("operator")?, pattern, negate });
        }
        let restricted =
            list("restricted_file_paths").or_else(|| list("restricted_file_extensions"));
        restricted
            .map(Self::Restricted)
            .or_else(|| number("max_file_path_length").map(Self::PathLength))
            .or_else(|| number("max_file_size").map(Self::FileMegabytes))
    }

    /// Whether a text fits the pattern; none for a regular expression, which is GitHub's to judge, and for other limits.
    pub fn fits(&self, text: &str) -> Option<bool> {
        let Self::Pattern { operator, pattern, negate } = self else { return None };
        let found = match operator.as_str() {
            "starts_with" => text.starts_with(pattern),
            "ends_with" => text.ends_with(pattern),
            "contains" => text.contains(pattern),
            _ => return None,
        };
        Some(found != *negate)
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pattern { operator, pattern, negate } => {
                let how = match operator.as_str() {
                    "starts_with" => "start with",
                    "ends_with" => "end with",
                    "contains" => "contain",
                    _ => "match",
                };
                let must = if *negate { "must not" } else { "must" };
                write!(f, "{must} {how} `{pattern}`")
            }
            Self::Restricted(list) => {
                let told: Vec<String> =
                    list.iter().take(MAX_TOLD).map(|one| format!("`{one}`")).collect();
                let more = if list.len() > MAX_TOLD { ", ..." } else { "" };
                write!(f, "not {}{more}", told.join(", "))
            }
            Self::PathLength(most) => write!(f, "at most {most} characters"),
            Self::FileMegabytes(most) => write!(f, "at most {most} MB"),
        }
    }
}

impl GitHub {
    /// The rules, of every level, that are active for a branch, which need not exist yet.
    pub async fn branch_rules(
        &self,
        token: &Token,
        repo: &RepoName,
        branch: &BranchName,
    ) -> Result<Vec<Rule>> {
        let url = self.repo_route(repo, ["rules", "branches", branch.as_str()]);
        let call = Call::get("/repos/{owner}/{repo}/rules/branches/{branch}", url);
        let mut rules = Vec::new();
        self.pages(call, token, |page: Vec<Rule>| rules.extend(page)).await?;
        Ok(rules)
    }

    /// True if this credential may push past the ruleset, none if GitHub does not tell.
    pub async fn may_bypass(
        &self,
        token: &Token,
        repo: &RepoName,
        ruleset: i64,
    ) -> Result<Option<bool>> {
        let url = self.repo_route(repo, ["rulesets", &ruleset.to_string()]);
        let call = Call::get("/repos/{owner}/{repo}/rulesets/{ruleset_id}", url);
        let ruleset: RulesetJson = self.send(&call, Some(token)).await?.read()?;
        // The third one is `pull_requests_only`: no direct push.
        let may = |bypass: String| matches!(bypass.as_str(), "always" | "exempt");
        Ok(ruleset.current_user_can_bypass.map(may))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(json: &str) -> Rule {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn reads_rules_of_every_form() {
        let update =
            rule(r#"{"type":"update","parameters":{"update_allows_fetch_and_merge":false}}"#);
        assert_eq!((update.kind.as_str(), update.limit), ("update", None));
        let odd =
            r#"{"type":"max_file_size","parameters":{"max_file_size":"much"},"ruleset_id":null}"#;
        assert_eq!(rule(odd).limit, None);
        let of = |kind: &str| {
            let json = format!(
                r#"{{"type":"creation","ruleset_id":7,"ruleset_source_type":"{kind}","ruleset_source":"acme"}}"#
            );
            rule(&json).organization
        };
        assert_eq!((of("Organization").as_deref(), of("Repository")), (Some("acme"), None));
    }

    #[test]
    fn says_what_is_allowed() {
        for (parameters, said) in [
            (r#"{"operator":"starts_with","pattern":"JIRA-"}"#, "must start with `JIRA-`"),
            (r#"{"operator":"regex","pattern":"^a$","negate":true}"#, "must not match `^a$`"),
            (r#"{"restricted_file_paths":["a/**","b"]}"#, "not `a/**`, `b`"),
            (
                r#"{"restricted_file_extensions":["1","2","3","4","5","6"]}"#,
                "not `1`, `2`, `3`, `4`, `5`, ...",
            ),
            (r#"{"max_file_path_length":20}"#, "at most 20 characters"),
            (r#"{"max_file_size":1}"#, "at most 1 MB"),
        ] {
            let limit = Limit::read(&serde_json::from_str(parameters).unwrap()).unwrap();
            assert_eq!(limit.to_string(), said);
        }
    }

    #[test]
    fn judges_names_by_plain_patterns() {
        let fits = |operator: &str, pattern: &str, negate| {
            let (operator, pattern) = (operator.to_owned(), pattern.to_owned());
            Limit::Pattern { operator, pattern, negate }.fits("tool/staging")
        };
        assert_eq!(fits("starts_with", "tool/", false), Some(true));
        assert_eq!(fits("starts_with", "feature/", false), Some(false));
        assert_eq!(fits("ends_with", "staging", true), Some(false));
        assert_eq!(fits("contains", "/", false), Some(true));
        assert_eq!(fits("regex", "^tool/", false), None);
        assert_eq!(Limit::PathLength(1).fits("x"), None);
    }
}
