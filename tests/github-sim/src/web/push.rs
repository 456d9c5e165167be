//! Whether a push may change the refs it names. git's pre-receive hook asks, through two named pipes, while
//! the pushed objects are still in quarantine.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::git::{Git, ZERO};
use crate::http::encode;
use crate::hub::Hub;
use crate::policy::{self, Update, Violation};
use crate::world::{Caller, Meta, TokenKind};

/// The hook, which every repository shares: it hands the question on and prints the verdict.
pub(crate) const HOOK: &str = r#"#!/bin/sh
# Asks the simulator whether a push may change the refs it names, and prints what it says.
exec 3<"$GITHUB_SIM_PUSH/verdict" || exit 1
{
    for name in GIT_OBJECT_DIRECTORY GIT_ALTERNATE_OBJECT_DIRECTORIES GIT_QUARANTINE_PATH; do
        eval "echo \"$name=\${$name}\""
    done
    cat
    echo end
} >"$GITHUB_SIM_PUSH/question"
read -r word <&3
cat <&3 >&2
[ "$word" = ok ]
"#;

/// The pipes of one push. They are opened for both reading and writing on this side, so that opening never
/// waits for the hook, which git may not call at all.
pub(super) struct Pipes {
    dir: tempfile::TempDir,
    question: File,
    verdict: File,
}

impl Pipes {
    pub fn open() -> std::io::Result<Self> {
        let dir = tempfile::tempdir()?;
        let paths = [dir.path().join("question"), dir.path().join("verdict")];
        let made = Command::new("mkfifo").args(&paths).status()?;
        if !made.success() {
            return Err(std::io::Error::other("mkfifo failed"));
        }
        let open = |path: &PathBuf| OpenOptions::new().read(true).write(true).open(path);
        Ok(Self { question: open(&paths[0])?, verdict: open(&paths[1])?, dir })
    }

    /// What the hook finds in `GITHUB_SIM_PUSH`.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Something that ends the wait for a question that never comes.
    pub fn ender(&self) -> std::io::Result<impl FnOnce() + Send + use<>> {
        let mut question = self.question.try_clone()?;
        Ok(move || {
            // Nobody may listen any more, which is just as well.
            let _ = question.write_all(b"end\n");
        })
    }

    /// Waits for the hook's question and answers it.
    pub fn answer(self, hub: &Hub, repo: &Meta, caller: &Caller) -> std::io::Result<()> {
        let Self { dir, question, mut verdict } = self;
        let mut variables = Vec::new();
        let mut updates = Vec::new();
        for line in BufReader::new(question).lines() {
            let line = line?;
            if line == "end" {
                break;
            }
            if let Some((name, value)) = line.split_once('=').filter(|(n, _)| n.starts_with("GIT_"))
            {
                variables.push((name.to_owned(), value.to_owned()));
            } else {
                updates.push(line);
            }
        }
        let git = Git::in_quarantine(&repo.dir, variables);
        let text = match judge(hub, repo, caller, &git, &updates) {
            Ok(()) => "ok\n".to_owned(),
            Err(text) => format!("no\n{text}\n"),
        };
        verdict.write_all(text.as_bytes())?;
        drop(dir);
        Ok(())
    }
}

/// Judges the updates (`old new ref`, one a line); an error is what the pusher reads.
fn judge(
    hub: &Hub,
    repo: &Meta,
    caller: &Caller,
    git: &Git,
    updates: &[String],
) -> Result<(), String> {
    for line in updates {
        let mut words = line.splitn(3, ' ');
        let (Some(old), Some(new), Some(name)) = (words.next(), words.next(), words.next()) else {
            continue;
        };
        let some = |oid| (oid != ZERO).then_some(oid);
        let (old, new) = (some(old), some(new));
        let branch = name.strip_prefix("refs/heads/");
        if let Some(branch) = branch {
            let update = Update { branch, old, new, merge: false };
            policy::check(hub, repo, git, &update)
                .map_err(|violation| refused(hub, repo, name, &violation))?;
        }
        if let Some(new) = new {
            check_workflows(hub, repo, caller, git, new)?;
            check_secrets(hub, repo, git, name, new)?;
            if policy::publishes_private_email(hub, caller, git, new) {
                return Err(PRIVATE_EMAIL.to_owned());
            }
        }
    }
    Ok(())
}

/// What the pusher reads of a broken rule.
fn refused(hub: &Hub, repo: &Meta, name: &str, violation: &Violation) -> String {
    if violation.classic {
        return format!(
            "error: GH006: Protected branch update failed for {name}.\nerror: {}",
            violation.reasons.join("\nerror: ")
        );
    }
    let mut list: Vec<String> =
        violation.reasons.iter().map(|reason| format!("- {reason}")).collect();
    if !violation.protection.is_empty() {
        list.push(protection_text(&violation.protection));
    }
    rules_text(hub, repo, name, &list.join("\n\n"))
}

/// The part of a refusal that is about what is pushed.
fn protection_text(reasons: &[String]) -> String {
    let indented: Vec<String> =
        reasons.iter().map(|reason| format!("    - {}", reason.replace('\n', "\n    "))).collect();
    format!(
        "- GITHUB PUSH PROTECTION\n  {}\n    Resolve the following violations before pushing again\n\n{}",
        "\u{2014}".repeat(41),
        indented.join("\n\n")
    )
}

const PRIVATE_EMAIL: &str = "error: GH007: Your push would publish a private email address.\n\
     You can make your email public or disable this protection by visiting:\n\
     http://github.com/settings/emails";

fn rules_text(hub: &Hub, repo: &Meta, name: &str, list: &str) -> String {
    format!(
        "error: GH013: Repository rule violations found for {name}.\n\
         Review all repository rules at {}/{}/rules?ref={}\n\n{list}\n",
        hub.urls.web,
        repo.full_name(),
        encode(name)
    )
}

fn check_workflows(
    hub: &Hub,
    repo: &Meta,
    caller: &Caller,
    git: &Git,
    new: &str,
) -> Result<(), String> {
    if policy::may_change_workflows(hub, caller, repo) {
        return Ok(());
    }
    let touched = git
        .touched_by_new_commits(new, ".github/workflows")
        .map_err(|error| format!("error: {error}"))?;
    let Some(path) = touched.first() else { return Ok(()) };
    let (who, what) = match caller.token() {
        Some(TokenKind::Classic { .. }) => ("a Personal Access Token", "`workflow` scope"),
        Some(TokenKind::FineGrained { .. }) => {
            ("a Personal Access Token", "`workflows` permission")
        }
        _ => ("a GitHub App", "`workflows` permission"),
    };
    Err(format!("refusing to allow {who} to create or update workflow `{path}` without {what}"))
}

fn check_secrets(hub: &Hub, repo: &Meta, git: &Git, name: &str, new: &str) -> Result<(), String> {
    if hub.world().secret_patterns.is_empty() {
        return Ok(());
    }
    let failed = |error| format!("error: {error}");
    let listing = git
        .text(&["rev-list", "--objects", "--no-object-names", new, "--not", "--all"])
        .map_err(failed)?;
    let mut reader = git.reader().map_err(failed)?;
    for oid in listing.lines() {
        let object = reader.read(oid).map_err(failed)?;
        let Some(object) = object.filter(|object| object.kind == "blob") else { continue };
        let found = policy::check_secrets(hub, std::iter::once(object.data.as_slice())).err();
        if let Some(id) = found.and_then(|violation| violation.placeholder) {
            let list = format!(
                "{}\n\n     (?) To push, remove secret from commit(s) or follow this URL to allow the secret.\n     \
                 {}/{}{}{id}",
                protection_text(&["Push cannot contain secrets".to_owned()]),
                hub.urls.web,
                repo.full_name(),
                policy::UNBLOCK,
            );
            return Err(rules_text(hub, repo, name, &list));
        }
    }
    Ok(())
}
