//! The file becomes rules. An unknown key is a mistake, and so is one that has no effect: somebody believes it to be in force.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde::Deserialize;

use super::{
    role::{Methods, ROLES},
    rule::{READ, Rule},
};
use crate::domain::{Invalid, Level, Method, Permission, Permissions, pattern::Pattern};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    rule: Vec<Given>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    name: String,
    callers: Vec<String>,
    role: Option<String>,
    rpcs: Option<Vec<String>>,
    accounts: Vec<String>,
    repositories: Option<Vec<String>>,
    permissions: Option<BTreeMap<String, String>>,
    unnarrowed_tokens: Option<bool>,
    work_branches: Option<Vec<String>>,
    protected_paths: Option<Vec<String>>,
    auto_merge: Option<bool>,
}

/// Longest name of a rule in characters: it is in every line of the audit.
const MAX_NAME: usize = 100;

pub(super) fn parse(text: &str) -> Result<Vec<Arc<Rule>>, Vec<String>> {
    let file: File = toml::from_str(text).map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        vec![format!("line {line}: {}", error.message())]
    })?;
    let mut mistakes = Vec::new();
    let mut names = BTreeSet::new();
    let mut rules = Vec::new();
    for (at, given) in file.rule.iter().enumerate() {
        let mut reader = Reader { place: place(at, &given.name), mistakes: &mut mistakes };
        if !names.insert(given.name.as_str()) {
            reader.wrong("another rule has this name; the audit tells rules by their names");
        }
        rules.extend(reader.rule(given).map(Arc::new));
    }
    if mistakes.is_empty() { Ok(rules) } else { Err(mistakes) }
}

/// How a message names a rule.
fn place(at: usize, name: &str) -> String {
    if is_name(name) { format!("rule {name:?}") } else { format!("rule {}", at + 1) }
}

fn is_name(name: &str) -> bool {
    !name.trim().is_empty() && name.chars().count() <= MAX_NAME && !name.contains(char::is_control)
}

/// Reads one rule, and collects its mistakes.
struct Reader<'a> {
    place: String,
    mistakes: &'a mut Vec<String>,
}

impl Reader<'_> {
    fn wrong(&mut self, mistake: &str) {
        self.mistakes.push(format!("{}: {mistake}", self.place));
    }

    fn rule(&mut self, given: &Given) -> Option<Rule> {
        if !is_name(&given.name) {
            self.wrong(&format!(
                "name must be 1 to {MAX_NAME} characters, none of them a control character"
            ));
        }
        let methods = self.methods(given);
        let callers = self.patterns("callers", &given.callers, Pattern::caller);
        let accounts = self.patterns("accounts", &given.accounts, Pattern::account);
        for (key, list) in [("callers", &given.callers), ("accounts", &given.accounts)] {
            if list.is_empty() {
                self.wrong(&format!("{key} must not be empty"));
            }
        }
        let repositories = given
            .repositories
            .as_ref()
            .map(|list| self.patterns("repositories", list, Pattern::repository));
        let work_branches = given
            .work_branches
            .as_ref()
            .map(|list| self.patterns("work_branches", list, Pattern::branch));
        let protected_paths = given.protected_paths.as_deref().unwrap_or_default();
        let protected_paths = self.patterns("protected_paths", protected_paths, Pattern::path);
        let permissions = given.permissions.as_ref().map_or(READ, |map| self.permissions(map));
        let methods = methods?;
        self.effective(given, methods);
        Some(Rule {
            name: given.name.clone(),
            callers,
            methods,
            accounts,
            repositories,
            permissions,
            unnarrowed_tokens: given.unnarrowed_tokens.unwrap_or_default(),
            work_branches,
            protected_paths,
            auto_merge: given.auto_merge.unwrap_or_default(),
        })
    }

    fn methods(&mut self, given: &Given) -> Option<Methods> {
        match (&given.role, &given.rpcs) {
            (Some(role), None) => {
                let known = ROLES.iter().find(|(name, _)| name == role);
                if known.is_none() {
                    let names = ROLES.map(|(name, _)| name).join(", ");
                    self.wrong(&format!("role {role:?} is not one of {names}"));
                }
                known.map(|(_, methods)| *methods)
            }
            (None, Some(rpcs)) if !rpcs.is_empty() => {
                let mut methods = Vec::new();
                for name in rpcs {
                    match name.parse::<Method>() {
                        Ok(method) => methods.push(method),
                        Err(Invalid(why)) => self.wrong(&format!("rpcs: {name:?} {why}")),
                    }
                }
                Some(Methods::of(&methods))
            }
            _ => {
                self.wrong("must have a role or a list of rpcs, and not both");
                None
            }
        }
    }

    fn patterns(
        &mut self,
        key: &str,
        texts: &[String],
        parse: fn(&str) -> Result<Pattern, Invalid>,
    ) -> Vec<Pattern> {
        let mut patterns = Vec::with_capacity(texts.len());
        for text in texts {
            match parse(text) {
                Ok(pattern) => patterns.push(pattern),
                Err(Invalid(why)) => self.wrong(&format!("{key}: {text:?} {why}")),
            }
        }
        patterns
    }

    fn permissions(&mut self, given: &BTreeMap<String, String>) -> Permissions {
        let mut permissions = Permissions::NONE;
        for (name, level) in given {
            match (name.parse::<Permission>(), level.parse::<Level>()) {
                (Ok(_), Ok(Level::Admin)) => {
                    self.wrong(&format!("permissions: {name} must be `read` or `write`"));
                }
                (Ok(permission), Ok(level)) => permissions = permissions.with(permission, level),
                (Err(Invalid(why)), _) => self.wrong(&format!("permissions: {name:?} {why}")),
                (_, Err(Invalid(why))) => self.wrong(&format!("permissions: {name} {why}")),
            }
        }
        permissions
    }

    /// Keys that bear on calls which the rule does not allow.
    fn effective(&mut self, given: &Given, methods: Methods) {
        const TOKENS: Methods = Methods::of(&[Method::GetRepoToken]);
        const COMMITS: Methods = Methods::of(&[Method::CommitFiles]);
        const BRANCHES: Methods = Methods::of(&[Method::CommitFiles, Method::OpenPromotionPr]);
        const PROMOTIONS: Methods = Methods::of(&[Method::OpenPromotionPr]);
        for (key, is_given, calls, what) in [
            ("permissions", given.permissions.is_some(), TOKENS, "GetRepoToken"),
            ("unnarrowed_tokens", given.unnarrowed_tokens.is_some(), TOKENS, "GetRepoToken"),
            (
                "work_branches",
                given.work_branches.is_some(),
                BRANCHES,
                "CommitFiles or OpenPromotionPr",
            ),
            ("protected_paths", given.protected_paths.is_some(), COMMITS, "CommitFiles"),
            ("auto_merge", given.auto_merge.is_some(), PROMOTIONS, "OpenPromotionPr"),
        ] {
            if is_given && !methods.has_any(calls) {
                self.wrong(&format!("{key} has no effect: the rule does not allow {what}"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mistake_is_said_with_its_rule() {
        let mistakes = parse(
            r#"
            [[rule]]
            name = "one"
            callers = ["*", "spiffe://example.org/ok"]
            role = "boss"
            accounts = []
            [[rule]]
            name = "one"
            callers = ["anonymous"]
            rpcs = ["GetRepoTokens"]
            role = "admin"
            accounts = ["a b"]
            [[rule]]
            name = ""
            callers = ["anonymous"]
            rpcs = ["GetRepoTokens", "VerifyRepo"]
            accounts = ["*"]
            repositories = ["acme"]
            permissions = { content = "read", contents = "all" }
            protected_paths = ["../x"]
            work_branches = ["a b"]
            [[rule]]
            name = "four"
            callers = ["anonymous"]
            role = "consumer"
            accounts = ["*"]
            auto_merge = false
            "#,
        )
        .unwrap_err();
        let said = mistakes.join("\n");
        for part in [
            "rule \"one\": role \"boss\" is not one of consumer, committer, admin, operator",
            "rule \"one\": callers: \"*\" must be spiffe://",
            "rule \"one\": accounts must not be empty",
            "rule \"one\": another rule has this name",
            "rule \"one\": must have a role or a list of rpcs, and not both",
            "rule \"one\": accounts: \"a b\" must be",
            "rule 3: name must be",
            "rule 3: rpcs: \"GetRepoTokens\" is not an RPC of this broker",
            "rule 3: repositories: \"acme\"",
            "rule 3: permissions: \"content\" is not a repository permission",
            "rule 3: permissions: contents must be `read` or `write`",
            "rule 3: protected_paths: \"../x\"",
            "rule 3: work_branches: \"a b\"",
            "rule 3: permissions has no effect: the rule does not allow GetRepoToken",
            "rule 3: protected_paths has no effect: the rule does not allow CommitFiles",
            "rule 3: work_branches has no effect: the rule does not allow CommitFiles or OpenPromotionPr",
            "rule \"four\": auto_merge has no effect: the rule does not allow OpenPromotionPr",
        ] {
            assert!(said.contains(part), "{part} is not in:\n{said}");
        }
    }

    #[test]
    fn what_is_no_policy_says_its_line() {
        for (text, said) in [
            ("[[rule]]\nname = 1", "line 2: invalid type"),
            ("[[rules]]\nname = \"x\"", "line 1: unknown field `rules`"),
            ("[[rule]]\nname = \"x\"\ncaller = []", "line 3: unknown field `caller`"),
            ("rule = ", "line 1: "),
        ] {
            let mistakes = parse(text).unwrap_err();
            assert!(mistakes.len() == 1 && mistakes[0].starts_with(said), "{mistakes:?}");
        }
        assert_eq!(parse("").unwrap().len(), 0, "no rule: nobody may do anything");
    }
}
