//! What refuses a change of a branch: rulesets, protection, secrets and workflow files, for every way in.

use crate::git::Git;
use crate::http::Refusal;
use crate::hub::Hub;
use crate::level::Level;
use crate::world::{Caller, Meta, Rule};

/// A branch that is to move.
#[derive(Clone, Debug)]
pub(crate) struct Update<'a> {
    /// Without `refs/heads/`.
    pub branch: &'a str,
    /// Nothing for a new branch.
    pub old: Option<&'a str>,
    /// Nothing for a branch that goes.
    pub new: Option<&'a str>,
    /// Whether it is the merge of a pull request.
    pub merge: bool,
}

/// Why a branch may not move.
#[derive(Clone, Debug)]
pub(crate) struct Violation {
    /// Whether it is classic branch protection; a ruleset otherwise.
    pub classic: bool,
    /// One sentence for each rule, in GitHub's words.
    pub reasons: Vec<String>,
}

impl Violation {
    fn ruleset(reasons: Vec<String>) -> Self {
        Self { classic: false, reasons }
    }

    /// The text of API answers.
    pub fn message(&self) -> String {
        if self.classic {
            return self.reasons.join(" ");
        }
        format!("Repository rule violations found\n\n{}\n\n", self.reasons.join("\n\n"))
    }

    pub fn refusal(&self, status: u16) -> Refusal {
        Refusal::new(status, self.message())
    }
}

/// Whether the rules let a branch move.
pub(crate) fn check(
    hub: &Hub,
    repo: &Meta,
    git: &Git,
    update: &Update<'_>,
) -> Result<(), Violation> {
    let (rules, protection) = {
        let world = hub.world();
        let rules: Vec<Rule> = world
            .rules_for(repo.id, update.branch)
            .into_iter()
            .filter(|(set, _)| !set.bypass)
            .map(|(_, rule)| rule.clone())
            .collect();
        (rules, world.protection_of(repo.id, update.branch).cloned())
    };
    if let Some(protection) = protection {
        let mut reasons = Vec::new();
        let direct = update.old.is_some() && !update.merge;
        if update.new.is_none() {
            reasons.push("Cannot delete a protected branch".to_owned());
        } else if forced(git, update) {
            reasons.push("Cannot force-push to a protected branch".to_owned());
        } else if protection.pull_request && direct {
            reasons.push("Changes must be made through a pull request.".to_owned());
        }
        if update.new.is_some() && update.old.is_some() {
            reasons.extend(missing_checks(&protection.checks));
        }
        if !reasons.is_empty() {
            return Err(Violation { classic: true, reasons });
        }
    }
    let reasons: Vec<String> = rules.iter().filter_map(|rule| broken(git, rule, update)).collect();
    if reasons.is_empty() { Ok(()) } else { Err(Violation::ruleset(reasons)) }
}

/// GitHub's sentence when the update breaks the rule.
fn broken(git: &Git, rule: &Rule, update: &Update<'_>) -> Option<String> {
    let (old, new) = (update.old, update.new);
    let changed = old.is_some() && new.is_some();
    match rule {
        Rule::PullRequest => (changed && !update.merge)
            .then(|| "Changes must be made through a pull request.".to_owned()),
        Rule::RequiredSignatures => new
            .filter(|new| has_unsigned(git, old, new))
            .map(|_| "Commits must have verified signatures.".to_owned()),
        Rule::NonFastForward => {
            forced(git, update).then(|| "Cannot force-push to this branch".to_owned())
        }
        Rule::Creation => {
            old.is_none().then(|| "Cannot create ref due to creations being restricted.".to_owned())
        }
        Rule::Update => {
            (changed && !update.merge).then(|| "Cannot update this protected ref.".to_owned())
        }
        Rule::Deletion => new.is_none().then(|| "Cannot delete this branch".to_owned()),
        Rule::RequiredStatusChecks(checks) => new.and_then(|_| missing_checks(checks)),
    }
}

/// No check ever reports to the simulator, so every required one is missing.
fn missing_checks(checks: &[String]) -> Option<String> {
    match checks {
        [] => None,
        [one] => Some(format!("Required status check \"{one}\" is expected.")),
        many => Some(format!("{0} of {0} required status checks are expected.", many.len())),
    }
}

/// Whether history would be rewritten; a merge never does that, also while only its head is known.
fn forced(git: &Git, update: &Update<'_>) -> bool {
    match (update.old, update.new) {
        (Some(old), Some(new)) if !update.merge => !git.is_ancestor(old, new),
        _ => false,
    }
}

/// Whether the update brings a commit that GitHub did not sign. A new branch is judged by the commits that
/// no other branch has.
fn has_unsigned(git: &Git, old: Option<&str>, new: &str) -> bool {
    let range: Vec<&str> = match old {
        Some(old) => vec![new, "--not", old],
        None => vec![new, "--not", "--branches"],
    };
    let commits = git.history(&range).and_then(|oids| git.commits(&oids));
    // What cannot be read is not verified.
    commits.map_or(true, |commits| commits.iter().any(|commit| !commit.verified()))
}

/// Whether a path is a workflow file.
pub(crate) fn is_workflow(path: &str) -> bool {
    path.starts_with(".github/workflows/")
}

/// Whether the caller may change workflow files.
pub(crate) fn may_change_workflows(hub: &Hub, caller: &Caller, repo: &Meta) -> bool {
    hub.world().level(caller, repo, "workflows") >= Level::Write
}

/// The refusal of contents in which push protection finds a secret.
pub(crate) fn check_secrets<'a>(
    hub: &Hub,
    contents: impl Iterator<Item = &'a [u8]>,
) -> Result<(), Violation> {
    let patterns = hub.world().secret_patterns.clone();
    if patterns.is_empty() {
        return Ok(());
    }
    for content in contents {
        if patterns.iter().any(|pattern| contains(content, pattern.as_bytes())) {
            return Err(Violation::ruleset(vec!["Secret detected in content".to_owned()]));
        }
    }
    Ok(())
}

fn contains(content: &[u8], pattern: &[u8]) -> bool {
    !pattern.is_empty() && content.windows(pattern.len()).any(|window| window == pattern)
}
