//! The right to one call.

use std::sync::Arc;

use super::rule::Rule;
use crate::domain::{AccountId, BranchName, BranchPattern, Permissions, RepoName, RepoPath};

/// The right of a caller to call one method for one account: whoever holds it was let in by a rule. Each step narrows it to the
/// rules that allow more of the call, so that in the end one rule allows all of it. Only [`super::Policy::admit`] makes one.
#[derive(Clone, Debug)]
pub struct Grant {
    account: AccountId,
    /// Never empty. Shared, as most steps keep all of them.
    rules: Arc<[Arc<Rule>]>,
}

impl Grant {
    pub(super) fn new(account: &AccountId, rules: Vec<Arc<Rule>>) -> Option<Self> {
        (!rules.is_empty()).then(|| Self { account: account.clone(), rules: rules.into() })
    }

    /// The account that it is for.
    pub fn account(&self) -> &AccountId {
        &self.account
    }

    /// Name of the rule that allows the call: of several the first in the file.
    pub fn rule(&self) -> &str {
        self.rules.first().map_or("", |rule| &rule.name)
    }

    /// For one repository.
    pub fn repository(&self, name: &RepoName) -> Option<Self> {
        self.keep(|rule| rule.has_repository(name))
    }

    /// For a token with these permissions; or those of them that no rule allows, by the rule that lacks fewest.
    pub fn permissions(&self, asked: Permissions) -> Result<Self, Permissions> {
        self.keep(|rule| rule.missing(asked).is_empty()).ok_or_else(|| {
            let missing = self.rules.iter().map(|rule| rule.missing(asked));
            missing.min_by_key(|missing| missing.iter().count()).unwrap_or(asked)
        })
    }

    /// For a token that cannot be narrowed to the repository and to permissions.
    pub fn unnarrowed_tokens(&self) -> Option<Self> {
        self.keep(|rule| rule.unnarrowed_tokens)
    }

    /// For a branch that is neither the staging branch nor production, where the binding has these patterns.
    pub fn work_branch(&self, branch: &BranchName, of_binding: &[BranchPattern]) -> Option<Self> {
        self.keep(|rule| rule.has_work_branch(branch, of_binding))
    }

    /// For paths that are protected; or those of them that no rule allows, by the rule that lacks fewest.
    pub fn protected_paths<'a>(&self, paths: &[&'a RepoPath]) -> Result<Self, Vec<&'a RepoPath>> {
        let missing = |rule: &Rule| -> Vec<&'a RepoPath> {
            paths.iter().filter(|path| !rule.has_protected_path(path)).copied().collect()
        };
        self.keep(|rule| missing(rule).is_empty()).ok_or_else(|| {
            let missing = self.rules.iter().map(|rule| missing(rule));
            missing.min_by_key(Vec::len).unwrap_or_default()
        })
    }

    /// For a promotion that GitHub merges by itself once its requirements are met.
    pub fn auto_merge(&self) -> Option<Self> {
        self.keep(|rule| rule.auto_merge)
    }

    fn keep(&self, keep: impl Fn(&Rule) -> bool) -> Option<Self> {
        if self.rules.iter().all(|rule| keep(rule)) {
            return Some(self.clone());
        }
        Self::new(&self.account, self.rules.iter().filter(|rule| keep(rule)).cloned().collect())
    }
}
