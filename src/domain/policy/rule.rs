//! One rule, and whom it is about.

use std::fmt;

use super::role::Methods;
use crate::domain::{
    AccountId, BranchName, BranchPattern, Caller, Level, Method, Permission, Permissions, RepoName,
    RepoPath, pattern::Pattern,
};

/// What some callers may do for some accounts.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    pub name: String,
    pub callers: Vec<Pattern>,
    pub methods: Methods,
    pub accounts: Vec<Pattern>,
    /// None: all that are bound.
    pub repositories: Option<Vec<Pattern>>,
    /// The most that a token may have.
    pub permissions: Permissions,
    /// Whether tokens that cannot be narrowed are handed out, too.
    pub unnarrowed_tokens: bool,
    /// None: those of the binding.
    pub work_branches: Option<Vec<Pattern>>,
    pub protected_paths: Vec<Pattern>,
    /// Whether GitHub may be told to merge a promotion by itself, once its requirements are met.
    pub auto_merge: bool,
}

/// What every rule allows of a token: every token of GitHub has it.
const ALWAYS: Permissions = Permissions::NONE.with(Permission::METADATA, Level::Read);
/// What a rule allows that does not say.
pub(super) const READ: Permissions = ALWAYS.with(Permission::CONTENTS, Level::Read);

impl Rule {
    /// See [`super::Policy::anonymous`].
    pub fn anonymous() -> Self {
        let all = |pattern: Result<Pattern, _>| pattern.ok().into_iter().collect();
        Self {
            name: "no caller authentication".to_owned(),
            callers: all(Pattern::caller(Caller::ANONYMOUS)),
            methods: Methods::of(&Method::ALL),
            accounts: all(Pattern::account("*")),
            repositories: None,
            permissions: Permissions::ALL,
            unnarrowed_tokens: false,
            work_branches: None,
            protected_paths: Vec::new(),
            auto_merge: false,
        }
    }

    /// True if every name that the caller has proven is in it: one that had to prove two has the rights of both only
    /// where a rule means both.
    pub fn names(&self, caller: &Caller) -> bool {
        caller.names().all(|name| any(&self.callers, name))
    }

    pub fn allows(&self, method: Method) -> bool {
        self.methods.has(method)
    }

    pub fn is_for(&self, account: &AccountId) -> bool {
        any(&self.accounts, account.as_str())
    }

    pub fn admits(&self, caller: &Caller, method: Method, account: &AccountId) -> bool {
        self.allows(method) && self.is_for(account) && self.names(caller)
    }

    pub fn has_repository(&self, name: &RepoName) -> bool {
        self.repositories.as_ref().is_none_or(|patterns| any(patterns, &name.to_string()))
    }

    pub fn missing(&self, asked: Permissions) -> Permissions {
        asked.missing_from(self.permissions).missing_from(ALWAYS)
    }

    /// True if it is in the list of the rule and in that of the binding, as far as there are such: one of them has to say
    /// something.
    pub fn has_work_branch(&self, branch: &BranchName, of_binding: &[BranchPattern]) -> bool {
        let bound = of_binding.iter().any(|pattern| pattern.matches(branch));
        match &self.work_branches {
            None => bound,
            Some(given) => any(given, branch.as_str()) && (bound || of_binding.is_empty()),
        }
    }

    pub fn has_protected_path(&self, path: &RepoPath) -> bool {
        any(&self.protected_paths, path.as_str())
    }
}

fn any(patterns: &[Pattern], name: &str) -> bool {
    patterns.iter().any(|pattern| pattern.matches(name))
}

/// What it allows, for people.
impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |patterns: &[Pattern]| -> String {
            let texts: Vec<&str> = patterns.iter().map(Pattern::as_str).collect();
            if texts.is_empty() { "none".to_owned() } else { texts.join(", ") }
        };
        let repositories =
            self.repositories.as_ref().map_or("all that are bound".to_owned(), |given| list(given));
        writeln!(f, "  repositories:      {repositories}")?;
        writeln!(f, "  permissions:       at most {}", self.permissions)?;
        writeln!(
            f,
            "  unnarrowed tokens: {}",
            if self.unnarrowed_tokens { "handed out" } else { "not handed out" }
        )?;
        let work_branches = match self.work_branches.as_deref() {
            None => "those of the binding".to_owned(),
            Some([]) => "none".to_owned(),
            Some(given) => format!("{}, as far as the binding allows", list(given)),
        };
        writeln!(f, "  work branches:     {work_branches}")?;
        writeln!(f, "  protected paths:   {}", list(&self.protected_paths))?;
        write!(
            f,
            "  auto-merge:        {}",
            if self.auto_merge { "allowed" } else { "not allowed" }
        )
    }
}
