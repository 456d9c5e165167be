//! What refuses a change of a branch: rulesets, protection, secrets and workflow files, for every way in.
//!
//! * [`rules`]: rules about branches and commits. [`content`]: rules about what is pushed.
//! * [`pushed`]: the commits and files that an update brings. [`secrets`]: push protection.

mod content;
mod pushed;
mod rules;
mod secrets;

use serde_json::json;

use crate::git::Git;
use crate::http::Refusal;
use crate::hub::Hub;
use crate::level::Level;
use crate::world::{Caller, Meta, Rule};
use pushed::Pushed;
pub(crate) use pushed::publishes_private_email;
pub(crate) use secrets::{UNBLOCK, check_secrets};

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
#[derive(Clone, Debug, Default)]
pub(crate) struct Violation {
    /// Whether it is classic branch protection; a ruleset otherwise.
    pub classic: bool,
    /// One sentence for each rule, in GitHub's words.
    pub reasons: Vec<String>,
    /// The same for rules about what is pushed. A push is told them apart.
    pub protection: Vec<String>,
    /// The id under which a user may let a blocked secret pass.
    pub placeholder: Option<String>,
}

impl Violation {
    /// The text of API answers.
    pub fn message(&self) -> String {
        if self.classic {
            return self.reasons.join(" ");
        }
        let reasons: Vec<&str> =
            self.reasons.iter().chain(&self.protection).map(String::as_str).collect();
        format!("Repository rule violations found\n\n{}\n\n", reasons.join("\n\n"))
    }

    pub fn refusal(&self, status: u16) -> Refusal {
        let mut refusal = Refusal::new(status, self.message());
        refusal.metadata = self.placeholder.as_ref().map(|id| {
            json!({"secret_scanning": {"bypass_placeholders": [
                {"placeholder_id": id, "token_type": "simulated_secret"},
            ]}})
        });
        refusal
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
            return Err(Violation { classic: true, reasons, ..Violation::default() });
        }
    }
    let pushed = Pushed::of(git, update, &rules);
    let mut violation = Violation::default();
    for rule in &rules {
        violation.reasons.extend(rules::broken(git, rule, update, &pushed));
        violation.protection.extend(content::broken(rule, &pushed));
    }
    let broken = !violation.reasons.is_empty() || !violation.protection.is_empty();
    if broken { Err(violation) } else { Ok(()) }
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

/// Whether a path is a workflow file.
pub(crate) fn is_workflow(path: &str) -> bool {
    path.starts_with(".github/workflows/")
}

/// Whether the caller may change workflow files.
pub(crate) fn may_change_workflows(hub: &Hub, caller: &Caller, repo: &Meta) -> bool {
    hub.world().level(caller, repo, "workflows") >= Level::Write
}
