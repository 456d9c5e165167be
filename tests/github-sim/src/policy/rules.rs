//! Rules about branches and commits.

use super::{Update, forced, missing_checks, pushed::Pushed};
use crate::git::{Commit, Git};
use crate::world::{Pattern, Rule};

/// GitHub's sentence when the update breaks the rule.
pub(super) fn broken(
    git: &Git,
    rule: &Rule,
    update: &Update<'_>,
    pushed: &Pushed,
) -> Option<String> {
    let (old, new) = (update.old, update.new);
    let changed = old.is_some() && new.is_some();
    let direct = changed && !update.merge;
    match rule {
        Rule::PullRequest => {
            direct.then(|| "Changes must be made through a pull request.".to_owned())
        }
        Rule::MergeQueue => {
            changed.then(|| "Changes must be made through the merge queue".to_owned())
        }
        Rule::RequiredSignatures => {
            pushed.broken_by("Commits must have verified signatures.", |commit| !commit.verified())
        }
        Rule::RequiredLinearHistory => {
            pushed.broken_by("This branch must not contain merge commits.", |c| c.parents.len() > 1)
        }
        Rule::NonFastForward => {
            forced(git, update).then(|| "Cannot force-push to this branch".to_owned())
        }
        Rule::Creation => {
            old.is_none().then(|| "Cannot create ref due to creations being restricted.".to_owned())
        }
        Rule::Update => direct.then(|| "Cannot update this protected ref.".to_owned()),
        Rule::Deletion => new.is_none().then(|| "Cannot delete this branch".to_owned()),
        Rule::RequiredStatusChecks(checks) => new.and_then(|_| missing_checks(checks)),
        // Nothing is ever deployed, run or scanned.
        Rule::RequiredDeployments(names) => new
            .and(names.first())
            .map(|name| format!("Required deployment to \"{name}\" is expected.")),
        Rule::Workflows(paths) => {
            new.and(paths.first()).map(|path| format!("Required workflow \"{path}\" is expected."))
        }
        Rule::CodeScanning(tool) => new.map(|new| {
            let commit = new.get(..7).unwrap_or(new);
            format!("Code scanning is waiting for results from {tool} for the commit {commit}.")
        }),
        Rule::CommitMessagePattern(pattern) => {
            unfit(pushed, "Commit message", pattern, |commit| commit.message.trim_end())
        }
        Rule::CommitAuthorEmailPattern(pattern) => {
            unfit(pushed, "Commit author email", pattern, |commit| &commit.author.email)
        }
        Rule::CommitterEmailPattern(pattern) => {
            unfit(pushed, "Committer email", pattern, |commit| &commit.committer.email)
        }
        Rule::BranchNamePattern(pattern) => (new.is_some() && !pattern.allows(update.branch))
            .then(|| pattern.sentence("Branch name")),
        Rule::FilePathRestriction(_)
        | Rule::MaxFilePathLength(_)
        | Rule::FileExtensionRestriction(_)
        | Rule::MaxFileSize(_) => None,
    }
}

fn unfit(
    pushed: &Pushed,
    what: &str,
    pattern: &Pattern,
    text: impl Fn(&Commit) -> &str,
) -> Option<String> {
    pushed.broken_by(&pattern.sentence(what), |commit| !pattern.allows(text(commit)))
}
