//! Repositories: what GitHub keeps beside the git objects.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use super::{Issue, Label, Protection, Ruleset};
use crate::level::Level;

/// The part of a repository that a request takes a copy of.
#[derive(Clone, Debug)]
pub(crate) struct Meta {
    pub id: u64,
    pub owner_id: u64,
    /// The owner's login as it was when the copy was taken.
    pub owner: String,
    pub name: String,
    pub description: Option<String>,
    pub private: bool,
    pub default_branch: String,
    pub archived: bool,
    pub disabled: bool,
    pub allow_draft: bool,
    pub allow_auto_merge: bool,
    /// Levels by user id.
    pub collaborators: BTreeMap<u64, Level>,
    pub created_at: i64,
    pub pushed_at: i64,
    /// The bare repository; its path is made of the id, so that a rename moves nothing.
    pub dir: PathBuf,
    /// Held while a branch is read and then moved.
    pub writing: Arc<Mutex<()>>,
}

impl Meta {
    pub fn full_name(&self) -> String {
        format!("{}/{}", self.owner, self.name)
    }

    pub fn node_id(&self) -> String {
        crate::urls::node_id("Repository", &self.id.to_string())
    }
}

/// A repository.
#[derive(Debug)]
pub(crate) struct Repository {
    pub meta: Meta,
    /// Names it had before, `owner/name` in lower case.
    pub old_names: BTreeSet<String>,
    pub issues: BTreeMap<u64, Issue>,
    pub labels: Vec<Label>,
    pub rulesets: Vec<Ruleset>,
    pub protections: Vec<Protection>,
}

impl Repository {
    pub fn new(meta: Meta) -> Self {
        Self {
            meta,
            old_names: BTreeSet::new(),
            issues: BTreeMap::new(),
            labels: Vec::new(),
            rulesets: Vec::new(),
            protections: Vec::new(),
        }
    }

    /// The number of the next issue or pull request.
    pub fn next_number(&self) -> u64 {
        self.issues.keys().next_back().map_or(1, |last| last + 1)
    }
}
