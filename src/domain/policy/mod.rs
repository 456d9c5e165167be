//! What a caller may do: rules, read from a file, of which each allows something and none takes anything away. What no rule
//! allows is denied.
//!
//! * [`file`]: the file becomes rules; every mistake is reported at once.
//! * [`role`]: what callers are for.
//! * [`rule`]: one rule, and whom it is about.
//! * [`grant`]: the right to one call, narrowed as more of the call is known.
//! * [`explain`]: why something is allowed or not, for people.

mod explain;
mod file;
mod grant;
mod role;
mod rule;

use std::sync::Arc;

pub use explain::Explanation;
pub use grant::Grant;
use rule::Rule;

use super::{AccountId, Caller, Method};

/// All rules.
#[derive(Debug)]
pub struct Policy {
    rules: Vec<Arc<Rule>>,
}

impl Policy {
    /// Reads a policy file (TOML), or says every mistake in it.
    pub fn parse(text: &str) -> Result<Self, Vec<String>> {
        file::parse(text).map(|rules| Self { rules })
    }

    /// The same for the content of a file.
    pub fn from_file(content: &[u8]) -> Result<Self, Vec<String>> {
        let text = std::str::from_utf8(content).map_err(|_| vec!["is not UTF-8".to_owned()])?;
        Self::parse(text)
    }

    /// For a broker without caller authentication, which is one on loopback: whoever comes may do what is safe without
    /// knowing who it is. Personal access tokens are not handed out, protected paths not written, and nothing is merged. Work
    /// branches are those of the binding.
    pub fn anonymous() -> Self {
        Self { rules: vec![Arc::new(Rule::anonymous())] }
    }

    /// The right of `caller` to call `method` for `account`. None if there is none, which says nothing about the account:
    /// only the policy is asked.
    pub fn admit(&self, caller: &Caller, method: Method, account: &AccountId) -> Option<Grant> {
        let rules = self.rules.iter().filter(|rule| rule.admits(caller, method, account));
        Grant::new(account, rules.cloned().collect())
    }

    /// Name of the first rule that lets `caller` call `method` for some account.
    pub fn may_call(&self, caller: &Caller, method: Method) -> Option<&str> {
        let mut rules = self.rules.iter().filter(|rule| rule.allows(method) && rule.names(caller));
        rules.next().map(|rule| rule.name.as_str())
    }

    /// Number of rules.
    pub fn rules(&self) -> usize {
        self.rules.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{BranchPattern, Level, Permission, Permissions, RepoName, RepoPath};

    const POLICY: &str = r#"
        [[rule]]
        name = "portal"
        callers = ["spiffe://example.org/ns/portal/sa/web"]
        role = "admin"
        accounts = ["*"]

        [[rule]]
        name = "generator"
        callers = ["system:serviceaccount:build:generator", "spiffe://example.org/ns/build/sa/*"]
        role = "committer"
        accounts = ["acme", "tenant-*"]
        permissions = { contents = "write" }
        work_branches = ["adagent/*"]

        [[rule]]
        name = "generator, acme's workflows"
        callers = ["system:serviceaccount:build:generator"]
        rpcs = ["CommitFiles", "GetRepoToken"]
        accounts = ["acme"]
        repositories = ["acme/infra-*"]
        permissions = { contents = "read", workflows = "write" }
        protected_paths = [".github/workflows/**"]
        unnarrowed_tokens = true
    "#;

    fn admit(caller: &str, method: Method, account: &str) -> Option<Grant> {
        let policy = Policy::parse(POLICY).unwrap();
        policy.admit(&caller.parse().unwrap(), method, &account.parse().unwrap())
    }

    /// What a rule for committers grants that has `keys`, too.
    fn one_rule(keys: &str, method: Method) -> Grant {
        let rule = format!(
            "[[rule]]\nname = \"a\"\ncallers = [\"anonymous\"]\nrole = \"committer\"\naccounts = [\"*\"]\n{keys}"
        );
        let policy = Policy::parse(&rule).unwrap();
        policy.admit(&Caller::Anonymous, method, &"acme".parse().unwrap()).unwrap()
    }

    #[test]
    fn what_no_rule_allows_is_denied() {
        const PORTAL: &str = "spiffe://example.org/ns/portal/sa/web";
        const GENERATOR: &str = "system:serviceaccount:build:generator";
        for (caller, method, account, rule) in [
            (PORTAL, Method::SetPat, "anything", Some("portal")),
            (PORTAL, Method::GetRepoToken, "acme", None),
            (GENERATOR, Method::CommitFiles, "acme", Some("generator")),
            (GENERATOR, Method::CommitFiles, "tenant-7", Some("generator")),
            (GENERATOR, Method::CommitFiles, "globex", None),
            (GENERATOR, Method::CommitFiles, "Acme", None),
            (GENERATOR, Method::SetPat, "acme", None),
            ("system:serviceaccount:build:other", Method::CommitFiles, "acme", None),
            ("system:serviceaccount:other:generator", Method::CommitFiles, "acme", None),
            ("spiffe://example.org/ns/build/sa/x", Method::CommitFiles, "acme", Some("generator")),
            ("spiffe://example.org/ns/build/sa/x/y", Method::CommitFiles, "acme", None),
            ("spiffe://evil.example.org/ns/build/sa/x", Method::CommitFiles, "acme", None),
            ("anonymous", Method::GetRepoToken, "acme", None),
        ] {
            let grant = admit(caller, method, account);
            assert_eq!(grant.as_ref().map(Grant::rule), rule, "{caller} {method} {account}");
        }
    }

    #[test]
    fn who_must_prove_two_names_needs_a_rule_with_both() {
        let one = "spiffe://example.org/ns/build/sa/x+system:serviceaccount:build:generator";
        assert!(admit(one, Method::CommitFiles, "acme").is_some());
        // The certificate of somebody else does not lend its rights to a token, nor the other way round.
        let other = "spiffe://example.org/ns/portal/sa/web+system:serviceaccount:build:generator";
        assert!(admit(other, Method::CommitFiles, "acme").is_none());
        assert!(admit(other, Method::SetPat, "acme").is_none());
    }

    #[test]
    fn one_rule_must_allow_all_of_a_call() {
        let grant =
            admit("system:serviceaccount:build:generator", Method::GetRepoToken, "acme").unwrap();
        let write = Permissions::NONE.with(Permission::CONTENTS, Level::Write);
        let workflows = Permissions::NONE.with(Permission::WORKFLOWS, Level::Write);
        let (infra, web): (RepoName, RepoName) =
            ("Acme/infra-eu".parse().unwrap(), "acme/web".parse().unwrap());
        assert_eq!(grant.permissions(write).unwrap().rule(), "generator");
        assert_eq!(
            grant.repository(&infra).unwrap().permissions(workflows).unwrap().rule(),
            "generator, acme's workflows"
        );
        assert!(grant.repository(&web).unwrap().permissions(workflows).is_err());
        let both = write.with(Permission::WORKFLOWS, Level::Write);
        let missing = grant.repository(&infra).unwrap().permissions(both).unwrap_err();
        assert_eq!(missing.to_string(), "workflows:write");
        assert!(grant.permissions(write).unwrap().unnarrowed_tokens().is_none());
        assert!(grant.repository(&infra).unwrap().unnarrowed_tokens().is_some());
    }

    #[test]
    fn paths_are_only_what_a_rule_names() {
        let grant =
            admit("system:serviceaccount:build:generator", Method::CommitFiles, "acme").unwrap();
        let path = |text: &str| text.parse::<RepoPath>().unwrap();
        let infra = grant.repository(&"acme/infra-eu".parse().unwrap()).unwrap();
        assert!(infra.protected_paths(&[&path(".github/workflows/ci.yml")]).is_ok());
        let all = [&path(".github/workflows/ci.yml"), &path("CODEOWNERS")];
        assert_eq!(infra.protected_paths(&all).unwrap_err(), [&path("CODEOWNERS")]);
        // Another spelling of the same file is not what the rule names.
        assert!(infra.protected_paths(&[&path(".GitHub/workflows/ci.yml")]).is_err());
    }

    #[test]
    fn a_work_branch_is_in_the_rules_list_and_in_the_bindings() {
        let granted = |rule: Option<&str>, binding: &[&str], branch: &str| {
            let list = rule.map(|list| format!("work_branches = {list}")).unwrap_or_default();
            let patterns: Vec<BranchPattern> = binding.iter().map(|p| p.parse().unwrap()).collect();
            let grant = one_rule(&list, Method::CommitFiles);
            grant.work_branch(&branch.parse().unwrap(), &patterns).is_some()
        };
        let (silent, agents) = (None, Some(r#"["adagent/*", "next"]"#));
        for (rule, binding, branch, allowed) in [
            // Nobody says anything.
            (silent, &[][..], "adagent/7", false),
            // The binding says it.
            (silent, &["adagent/*"], "adagent/7", true),
            (silent, &["adagent/*"], "adagent/7/x", false),
            (silent, &["adagent/*"], "next", false),
            (silent, &["x", "**"], "adagent/7/x", true),
            // The rule says it.
            (agents, &[], "adagent/7", true),
            (agents, &[], "next", true),
            (agents, &[], "adagent/7/x", false),
            (agents, &[], "xadagent/7", false),
            // Both do, and both count.
            (agents, &["**"], "adagent/7", true),
            (agents, &["**"], "other", false),
            (agents, &["adagent/7", "other"], "adagent/7", true),
            (agents, &["adagent/7", "other"], "adagent/8", false),
            (agents, &["adagent/7", "other"], "other", false),
            // The rule allows none, whatever the binding says.
            (Some("[]"), &[], "adagent/7", false),
            (Some("[]"), &["**"], "adagent/7", false),
        ] {
            let found = granted(rule, binding, branch);
            assert_eq!(found, allowed, "{rule:?} {binding:?} {branch}");
        }
    }

    #[test]
    fn one_rule_must_allow_the_branch_and_the_rest() {
        let policy = Policy::parse(
            r#"
            [[rule]]
            name = "branches"
            callers = ["anonymous"]
            role = "committer"
            accounts = ["*"]
            [[rule]]
            name = "paths"
            callers = ["anonymous"]
            role = "committer"
            accounts = ["*"]
            work_branches = ["ci/*"]
            protected_paths = ["CODEOWNERS"]
            "#,
        )
        .unwrap();
        let account = "acme".parse().unwrap();
        let grant = policy.admit(&Caller::Anonymous, Method::CommitFiles, &account).unwrap();
        let owners = "CODEOWNERS".parse().unwrap();
        let bound = ["adagent/*".parse().unwrap(), "ci/*".parse().unwrap()];
        let adagent = grant.work_branch(&"adagent/7".parse().unwrap(), &bound).unwrap();
        assert_eq!(adagent.rule(), "branches");
        assert!(adagent.protected_paths(&[&owners]).is_err());
        let ci = grant.work_branch(&"ci/7".parse().unwrap(), &bound).unwrap();
        assert_eq!(ci.protected_paths(&[&owners]).unwrap().rule(), "paths");
    }

    #[test]
    fn a_rule_that_does_not_say_so_lets_nothing_be_merged() {
        for (key, allowed) in
            [("", false), ("auto_merge = false", false), ("auto_merge = true", true)]
        {
            let grant = one_rule(key, Method::OpenPromotionPr);
            assert_eq!(grant.auto_merge().is_some(), allowed, "{key:?}");
        }
    }

    #[test]
    fn a_caller_without_authentication_may_do_what_is_safe() {
        let policy = Policy::anonymous();
        let account = "acme".parse().unwrap();
        for method in Method::ALL {
            assert!(policy.admit(&Caller::Anonymous, method, &account).is_some(), "{method}");
        }
        let grant = policy.admit(&Caller::Anonymous, Method::CommitFiles, &account).unwrap();
        assert!(grant.unnarrowed_tokens().is_none());
        assert!(grant.auto_merge().is_none());
        let (branch, bound) = ("adagent/7".parse().unwrap(), ["adagent/*".parse().unwrap()]);
        assert!(grant.work_branch(&branch, &bound).is_some(), "the binding's are for everybody");
        assert!(grant.work_branch(&branch, &[]).is_none());
        assert!(grant.protected_paths(&[&"CODEOWNERS".parse().unwrap()]).is_err());
        let workload = "spiffe://example.org/web".parse().unwrap();
        assert!(policy.may_call(&workload, Method::GetRepoToken).is_none());
    }
}
