//! Changing and looking at repositories while the simulator runs.

use std::path::PathBuf;

use serde_json::Value;

use super::Sim;
use crate::git::{Content, Edit, Git, Ident, NewCommit};
use crate::rest;
use crate::world::{Meta, Protection, Rule, Ruleset};

/// Repositories.
impl Sim {
    /// Renames a repository; the old name leads to it.
    pub fn rename_repository(&self, full_name: &str, name: &str) {
        let owner = full_name.split('/').next().unwrap_or_default();
        self.transfer_repository(full_name, owner, name);
    }

    /// Gives a repository to another account, perhaps under another name; the old name leads to it.
    pub fn transfer_repository(&self, full_name: &str, owner: &str, name: &str) {
        let id = self.meta(full_name).id;
        if let Err(error) = self.hub.move_repository(id, owner, name, None) {
            panic!("{error}");
        }
    }

    /// Archives a repository, or takes it out of the archive.
    pub fn archive(&self, full_name: &str, archived: bool) {
        let repo = self.meta(full_name);
        let by = self.hub.world().owner_of(repo.owner_id);
        self.hub.set_archived(repo.id, archived, by);
    }

    /// Takes a repository out of the archive.
    pub fn unarchive(&self, full_name: &str) {
        self.archive(full_name, false);
    }

    /// Disables a repository, as GitHub does for abuse.
    pub fn disable(&self, full_name: &str, disabled: bool) {
        self.change(full_name, |repository| repository.meta.disabled = disabled);
    }

    /// Lets auto-merge be turned on for pull requests, or not.
    pub fn allow_auto_merge(&self, full_name: &str, allowed: bool) {
        self.change(full_name, |repository| repository.meta.allow_auto_merge = allowed);
    }

    /// Takes a repository away.
    pub fn delete_repository(&self, full_name: &str) {
        let repo = self.meta(full_name);
        let by = self.hub.world().owner_of(repo.owner_id);
        self.hub.delete_repository(repo.id, by);
    }

    /// Commits a file to a branch as somebody else would, past all rules, and returns the commit.
    pub fn move_head(&self, full_name: &str, branch: &str) -> String {
        let name = format!("moved-{}.txt", crate::secrets::letters(8).to_lowercase());
        self.commit(full_name, branch, &[(&name, "moved\n")])
    }

    /// Commits files to a branch (made from the default branch when it is new), past all rules.
    pub fn commit(&self, full_name: &str, branch: &str, files: &[(&str, &str)]) -> String {
        let repo = self.meta(full_name);
        let git = Git::at(&repo.dir);
        let _writing = repo.writing.lock();
        let old = git.head(branch);
        let parent = old.clone().or_else(|| git.head(&repo.default_branch));
        let put = |(path, text): &(&str, &str)| Edit::Put {
            path: (*path).to_owned(),
            mode: "100644".to_owned(),
            content: Content::Bytes(text.as_bytes().to_vec()),
        };
        let edits: Vec<Edit> = files.iter().map(put).collect();
        let tree = git.edit_tree(parent.as_deref(), &edits);
        let somebody = Ident {
            name: "Somebody Else".to_owned(),
            email: "somebody@example.com".to_owned(),
            when: self.hub.clock.seconds(),
        };
        let oid = git.write_commit(&NewCommit {
            tree: tree.unwrap_or_else(|error| panic!("cannot commit to {full_name}: {error:?}")),
            parents: parent.into_iter().collect(),
            author: somebody.clone(),
            committer: somebody,
            message: "A commit by somebody else".to_owned(),
            signed: false,
        });
        let oid = oid.unwrap_or_else(|error| panic!("{error}"));
        git.move_ref(&format!("refs/heads/{branch}"), old.as_deref(), &oid)
            .unwrap_or_else(|error| panic!("{error}"));
        self.hub.pushed(repo.id);
        oid
    }

    /// Adds a ruleset for the branches that match a pattern, and returns its id.
    pub fn add_ruleset(&self, full_name: &str, pattern: &str, rules: &[Rule]) -> u64 {
        let id = self.hub.world().fresh_id();
        let set = Ruleset {
            id,
            name: format!("rules for {pattern}"),
            pattern: pattern.to_owned(),
            rules: rules.to_vec(),
            bypass: false,
        };
        self.change(full_name, |repository| repository.rulesets.push(set));
        id
    }

    /// Lets everybody bypass the rulesets that a repository has.
    pub fn bypass_rulesets(&self, full_name: &str) {
        self.change(full_name, |repository| {
            repository.rulesets.iter_mut().for_each(|set| set.bypass = true);
        });
    }

    /// Protects the branches that match a pattern in the classic way: no force push, no deletion, changes
    /// through a pull request and after the named checks only.
    pub fn protect_branch(&self, full_name: &str, pattern: &str, checks: &[&str]) {
        let protection = Protection {
            pattern: pattern.to_owned(),
            checks: checks.iter().map(|&check| check.to_owned()).collect(),
            pull_request: true,
        };
        self.change(full_name, |repository| repository.protections.push(protection));
    }

    /// Where the bare git repository lies.
    pub fn git_dir(&self, full_name: &str) -> PathBuf {
        self.meta(full_name).dir
    }

    /// The numeric id of a repository.
    pub fn repository_id(&self, full_name: &str) -> u64 {
        self.meta(full_name).id
    }

    /// The commit at the head of a branch.
    pub fn head(&self, full_name: &str, branch: &str) -> Option<String> {
        Git::at(&self.meta(full_name).dir).head(branch)
    }

    /// The pull requests as the API lists them, oldest first, in every state.
    pub fn pulls(&self, full_name: &str) -> Vec<Value> {
        let repo = self.meta(full_name);
        rest::refresh(&self.hub, &repo).unwrap_or_else(|refusal| panic!("{}", refusal.message));
        let world = self.hub.world();
        let repository = world.repositories.get(&repo.id);
        let issues = repository.into_iter().flat_map(|r| r.issues.values());
        issues
            .filter_map(|issue| issue.pull.as_ref().map(|pull| (issue, pull)))
            .map(|(issue, pull)| rest::pull_json(&world, &self.hub.urls, &repo, issue, pull))
            .collect()
    }

    /// The issues that are not pull requests, as the API lists them, oldest first.
    pub fn issues(&self, full_name: &str) -> Vec<Value> {
        let repo = self.meta(full_name);
        let world = self.hub.world();
        let repository = world.repositories.get(&repo.id);
        let issues = repository.into_iter().flat_map(|r| r.issues.values());
        issues
            .filter(|issue| issue.pull.is_none())
            .map(|issue| rest::issue_json(&world, &self.hub.urls, &repo, issue))
            .collect()
    }

    fn meta(&self, full_name: &str) -> Meta {
        let mut found = None;
        self.change(full_name, |repository| found = Some(repository.meta.clone()));
        found.unwrap_or_else(|| panic!("there is no repository {full_name}"))
    }

    fn change(&self, full_name: &str, change: impl FnOnce(&mut crate::world::Repository)) {
        let mut world = self.hub.world();
        let repository = world.repository_mut(full_name);
        change(repository.unwrap_or_else(|| panic!("there is no repository {full_name}")));
    }
}
