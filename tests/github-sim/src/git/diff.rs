//! Differences between two commits.

use super::{Git, Result};

/// One file that differs.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    /// GitHub's word: `added`, `removed`, `modified`, `renamed`, `changed` (a mode or a type).
    pub status: &'static str,
    pub path: String,
    pub previous: Option<String>,
    /// The blob after the change; before it for a removed file.
    pub oid: String,
    pub additions: u64,
    pub deletions: u64,
    /// The hunks; nothing for a binary file.
    pub patch: Option<String>,
}

/// How two commits relate.
#[derive(Clone, Debug)]
pub(crate) struct Comparison {
    pub merge_base: String,
    pub ahead: u64,
    pub behind: u64,
}

impl Comparison {
    /// GitHub's word for the relation.
    pub fn status(&self) -> &'static str {
        match (self.ahead, self.behind) {
            (0, 0) => "identical",
            (_, 0) => "ahead",
            (0, _) => "behind",
            _ => "diverged",
        }
    }
}

impl Git {
    /// How `head` relates to `base`; nothing when they share no history.
    pub fn compare(&self, base: &str, head: &str) -> Result<Option<Comparison>> {
        let Some(merge_base) = self.merge_base(base, head) else { return Ok(None) };
        let ahead = self.count(&format!("{base}..{head}"))?;
        let behind = self.count(&format!("{head}..{base}"))?;
        Ok(Some(Comparison { merge_base, ahead, behind }))
    }

    /// The files that differ from `base` (a commit or tree; nothing: an empty one) to `head`.
    pub fn changes(&self, base: Option<&str>, head: &str) -> Result<Vec<Change>> {
        let empty;
        let base = match base {
            Some(base) => base,
            None => {
                let tree = self.feed(&["hash-object", "-t", "tree", "-w", "--stdin"], b"")?;
                empty = String::from_utf8_lossy(&tree).trim().to_owned();
                &empty
            }
        };
        let raw = self.run(&["diff-tree", "-r", "-z", "-M", "--raw", "--numstat", base, head])?;
        let mut changes = parse(&String::from_utf8_lossy(&raw));
        if changes.is_empty() {
            return Ok(changes);
        }
        let patches = self.run(&["diff-tree", "-r", "-M", "-p", base, head])?;
        let patches = String::from_utf8_lossy(&patches).into_owned();
        let patches = format!("\n{patches}");
        for (change, patch) in changes.iter_mut().zip(patches.split("\ndiff --git ").skip(1)) {
            change.patch = patch.find("\n@@").map(|at| patch[at + 1..].to_owned());
        }
        Ok(changes)
    }

    /// The paths below `prefix` that the commits of `new` not yet in any ref have touched.
    pub fn touched_by_new_commits(&self, new: &str, prefix: &str) -> Result<Vec<String>> {
        let listing = self.text(&[
            "log",
            "--format=",
            "--name-only",
            "-m",
            new,
            "--not",
            "--all",
            "--",
            prefix,
        ])?;
        Ok(listing.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect())
    }
}

/// Reads `--raw --numstat -z`: first all raw records, then the counts in the same order.
fn parse(text: &str) -> Vec<Change> {
    let mut fields = text.split_terminator('\0').peekable();
    let mut changes = Vec::new();
    while let Some(head) = fields.next_if(|field| field.starts_with(':')) {
        let words: Vec<&str> = head.split(' ').collect();
        let [_, _, before, after, letter] = words[..] else { break };
        let first = fields.next().unwrap_or_default().to_owned();
        let (status, oid) = match letter.as_bytes().first() {
            Some(b'A') => ("added", after),
            Some(b'D') => ("removed", before),
            Some(b'R') => ("renamed", after),
            Some(b'T') => ("changed", after),
            _ => ("modified", after),
        };
        let (path, previous) = if status == "renamed" {
            (fields.next().unwrap_or_default().to_owned(), Some(first))
        } else {
            (first, None)
        };
        let oid = oid.to_owned();
        changes.push(Change {
            status,
            path,
            previous,
            oid,
            additions: 0,
            deletions: 0,
            patch: None,
        });
    }
    for change in &mut changes {
        let Some(counts) = fields.next() else { break };
        let mut counts = counts.split('\t');
        change.additions = counts.next().and_then(|n| n.parse().ok()).unwrap_or(0);
        change.deletions = counts.next().and_then(|n| n.parse().ok()).unwrap_or(0);
        if change.previous.is_some() {
            // A rename has its two names in fields of their own.
            fields.next();
            fields.next();
        }
    }
    changes
}
