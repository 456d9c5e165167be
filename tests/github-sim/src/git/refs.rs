//! Refs: reading, and moving by compare-and-swap.

use super::{Git, GitError, Result, ZERO};

/// A ref and what it points at.
#[derive(Clone, Debug)]
pub(crate) struct Reference {
    pub name: String,
    pub oid: String,
    /// `commit` or `tag`
    pub kind: String,
}

impl Git {
    /// The refs whose full names begin with `prefix`, in order of their names.
    pub fn refs(&self, prefix: &str) -> Result<Vec<Reference>> {
        let listing =
            self.text(&["for-each-ref", "--format=%(objectname) %(objecttype) %(refname)"])?;
        Ok(listing
            .lines()
            .filter_map(|line| {
                let mut words = line.splitn(3, ' ');
                let (oid, kind, name) = (words.next()?, words.next()?, words.next()?);
                name.starts_with(prefix).then(|| Reference {
                    name: name.to_owned(),
                    oid: oid.to_owned(),
                    kind: kind.to_owned(),
                })
            })
            .collect())
    }

    /// The ref of exactly that full name.
    pub fn reference(&self, name: &str) -> Result<Option<Reference>> {
        Ok(self.refs(name)?.into_iter().find(|r| r.name == name))
    }

    /// The commit at the head of a branch.
    pub fn head(&self, branch: &str) -> Option<String> {
        self.commit_oid(&format!("refs/heads/{branch}"))
    }

    /// The commit that a revision names.
    pub fn commit_oid(&self, spec: &str) -> Option<String> {
        if spec.starts_with('-') || spec.is_empty() {
            return None;
        }
        let spec = format!("{spec}^{{commit}}");
        self.text(&["rev-parse", "--verify", "--quiet", "--end-of-options", &spec])
            .ok()
            .filter(|oid| !oid.is_empty())
    }

    /// Whether there is no branch at all.
    pub fn is_empty(&self) -> Result<bool> {
        Ok(self.text(&["for-each-ref", "--count=1", "refs/heads/"])?.is_empty())
    }

    /// Whether a ref may have that name.
    pub fn valid_ref_name(&self, name: &str) -> bool {
        self.succeeds(&["check-ref-format", name])
    }

    /// Points a ref at `new`, only if it points at `old` now (nothing: only if it does not exist).
    pub fn move_ref(&self, name: &str, old: Option<&str>, new: &str) -> Result<()> {
        self.run(&["update-ref", "--no-deref", name, new, old.unwrap_or(ZERO)]).map(drop)
    }

    /// Moves all of the refs or none: name, old and new (nothing: to be deleted).
    pub fn move_refs(&self, moves: &[(String, Option<String>, Option<String>)]) -> Result<()> {
        let mut input = String::from("start\n");
        for (name, old, new) in moves {
            let old = old.as_deref().unwrap_or(ZERO);
            match new {
                Some(new) => input.push_str(&format!("update {name} {new} {old}\n")),
                None => input.push_str(&format!("delete {name} {old}\n")),
            }
        }
        input.push_str("prepare\ncommit\n");
        self.feed(&["update-ref", "--no-deref", "--stdin"], input.as_bytes()).map(drop)
    }

    /// Deletes a ref that points at `old`.
    pub fn delete_ref(&self, name: &str, old: &str) -> Result<()> {
        self.run(&["update-ref", "--no-deref", "-d", name, old]).map(drop)
    }

    /// Whether `older` is `newer` or one of its ancestors.
    pub fn is_ancestor(&self, older: &str, newer: &str) -> bool {
        self.succeeds(&["merge-base", "--is-ancestor", older, newer])
    }

    /// The best common ancestor.
    pub fn merge_base(&self, one: &str, other: &str) -> Option<String> {
        self.text(&["merge-base", one, other]).ok().filter(|oid| !oid.is_empty())
    }

    /// The tree of a merge of two commits; nothing when they conflict.
    pub fn merge_tree(&self, one: &str, other: &str) -> Result<Option<String>> {
        match self.text(&["merge-tree", "--write-tree", "--no-messages", one, other]) {
            Ok(tree) => Ok(Some(tree.lines().next().unwrap_or_default().to_owned())),
            // A conflict exits 1 and prints no error; anything else says what is wrong.
            Err(GitError { text, .. }) if text.trim().is_empty() => Ok(None),
            Err(error) => Err(error),
        }
    }
}
