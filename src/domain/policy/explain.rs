//! Why something is allowed or not.

use std::fmt;

use super::{Policy, Rule};
use crate::domain::{AccountId, Caller, Method};

/// The decision about a call, and the rules that made it, for people.
pub struct Explanation<'a> {
    allowing: Vec<&'a Rule>,
    /// Every other rule, and why it does not allow the call.
    others: Vec<(&'a Rule, &'static str)>,
    question: String,
}

impl Policy {
    /// Says what [`admit`](Self::admit) decides, and why.
    pub fn explain(&self, caller: &Caller, method: Method, account: &AccountId) -> Explanation<'_> {
        let mut explanation = Explanation {
            allowing: Vec::new(),
            others: Vec::new(),
            question: format!("{caller} may call {method} for account {account}"),
        };
        for rule in &self.rules {
            let why = if !rule.names(caller) {
                "is not about this caller"
            } else if !rule.allows(method) {
                "does not allow this RPC"
            } else if !rule.is_for(account) {
                "is not about this account"
            } else {
                explanation.allowing.push(rule);
                continue;
            };
            explanation.others.push((rule, why));
        }
        explanation
    }
}

impl Explanation<'_> {
    /// The decision.
    pub fn is_allowed(&self) -> bool {
        !self.allowing.is_empty()
    }
}

impl fmt::Display for Explanation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.is_allowed() {
            write!(f, "DENIED: no rule says that {}", self.question)?;
            return self
                .others
                .iter()
                .try_for_each(|(rule, why)| write!(f, "\n  rule {:?} {why}", rule.name));
        }
        write!(f, "ALLOWED: {}", self.question)?;
        self.allowing.iter().try_for_each(|rule| write!(f, "\nby rule {:?}:\n{rule}", rule.name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_the_rule_or_why_each_is_none() {
        let policy = Policy::parse(
            r#"
            [[rule]]
            name = "generator"
            callers = ["system:serviceaccount:build:generator"]
            role = "consumer"
            accounts = ["acme"]
            permissions = { contents = "write" }
            "#,
        )
        .unwrap();
        let explain = |caller: &str, method, account: &str| {
            let (caller, account) = (caller.parse().unwrap(), account.parse().unwrap());
            policy.explain(&caller, method, &account).to_string()
        };
        let generator = "system:serviceaccount:build:generator";
        let allowed = explain(generator, Method::GetRepoToken, "acme");
        assert!(allowed.starts_with("ALLOWED: system:serviceaccount:build:generator may call GetRepoToken for account acme\nby rule \"generator\":"), "{allowed}");
        assert!(allowed.contains("permissions:       at most contents:write"), "{allowed}");
        for (caller, method, account, why) in [
            ("anonymous", Method::GetRepoToken, "acme", "is not about this caller"),
            (generator, Method::SetPat, "acme", "does not allow this RPC"),
            (generator, Method::GetRepoToken, "globex", "is not about this account"),
        ] {
            let denied = explain(caller, method, account);
            assert!(denied.starts_with("DENIED: no rule says that "), "{denied}");
            assert!(denied.ends_with(&format!("rule \"generator\" {why}")), "{denied}");
        }
    }
}
