//! What an update brings that was not there before.

use super::Update;
use crate::git::{Commit, Git, Result};
use crate::hub::Hub;
use crate::world::{Caller, Rule};

/// A file that a new commit touches.
#[derive(Clone, Debug)]
pub(super) struct File {
    pub path: String,
    /// Its size in bytes; nothing for a file that goes.
    pub size: Option<usize>,
}

/// The new commits, newest first, and what they touch. A new branch is judged by the commits that no other branch has.
#[derive(Clone, Debug, Default)]
pub(super) struct Pushed {
    commits: Vec<Commit>,
    pub files: Vec<File>,
    /// What cannot be read breaks every rule.
    pub unreadable: bool,
}

impl Pushed {
    /// Reads only what the rules look at.
    pub fn of(git: &Git, update: &Update<'_>, rules: &[Rule]) -> Self {
        let about_files = |rule: &Rule| {
            matches!(
                rule,
                Rule::FilePathRestriction(_)
                    | Rule::MaxFilePathLength(_)
                    | Rule::FileExtensionRestriction(_)
                    | Rule::MaxFileSize(_)
            )
        };
        let Some(new) = update.new.filter(|_| !rules.is_empty()) else { return Self::default() };
        let range = match update.old {
            Some(old) => vec![new, "--not", old],
            None => vec![new, "--not", "--branches"],
        };
        let commits = git.history(&range).and_then(|oids| git.commits(&oids));
        let Ok(commits) = commits else { return Self { unreadable: true, ..Self::default() } };
        let files = if rules.iter().any(about_files) {
            commits.iter().map(|commit| files(git, commit)).collect::<Result<Vec<_>>>()
        } else {
            Ok(Vec::new())
        };
        match files {
            Ok(files) => Self { commits, files: files.concat(), unreadable: false },
            Err(_) => Self { unreadable: true, ..Self::default() },
        }
    }

    /// GitHub's sentence with the commits that break a rule.
    pub fn broken_by(&self, sentence: &str, breaks: impl Fn(&Commit) -> bool) -> Option<String> {
        if self.unreadable {
            return Some(sentence.to_owned());
        }
        let commits = self.commits.iter().filter(|commit| breaks(commit));
        violations(sentence, commits.map(|commit| commit.oid.as_str()))
    }
}

/// A sentence with what breaks the rule below it, if anything does.
pub(super) fn violations<'a>(
    sentence: &str,
    found: impl Iterator<Item = &'a str>,
) -> Option<String> {
    let found: Vec<&str> = found.collect();
    let plural = if found.len() == 1 { "" } else { "s" };
    let list = found.iter().map(|one| format!("\n  {one}")).collect::<String>();
    (!found.is_empty())
        .then(|| format!("{sentence}\n  Found {} violation{plural}:\n{list}", found.len()))
}

fn files(git: &Git, commit: &Commit) -> Result<Vec<File>> {
    let changes = git.changes(commit.parents.first().map(String::as_str), &commit.oid)?;
    let mut reader = git.reader()?;
    let mut files = Vec::new();
    for change in changes {
        // A file that was renamed is one that goes and one that comes.
        files.extend(change.previous.map(|path| File { path, size: None }));
        let size = match change.status {
            "removed" => None,
            _ => reader.read(&change.oid)?.map(|object| object.data.len()),
        };
        files.push(File { path: change.path, size });
    }
    Ok(files)
}

/// Whether the newest commit of a push has an author's address that the pusher keeps private.
pub(crate) fn publishes_private_email(hub: &Hub, caller: &Caller, git: &Git, new: &str) -> bool {
    let world = hub.world();
    let private = caller.user_id().and_then(|user| world.private_emails.get(&user).cloned());
    drop(world);
    let Some(private) = private else { return false };
    let commit = git.commit(new).ok().flatten();
    commit.is_none_or(|commit| commit.author.email.eq_ignore_ascii_case(&private))
}
