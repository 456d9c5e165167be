//! Making the real git repositories on disk.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex};

use super::{Result, wrong};
use crate::git::{Content, Edit, Git, Ident, NewCommit, TreeError};
use crate::hub::Hub;
use crate::seed::{self, SeedError};
use crate::world::{Meta, Repository};

impl Hub {
    /// Adds a repository with its first commit, and returns its id.
    pub fn add_repository(&self, seed: &seed::Repository) -> Result<u64> {
        let owner_id = self.account_id(&seed.owner)?;
        let mut collaborators = BTreeMap::new();
        for (login, level) in &seed.collaborators {
            collaborators.insert(self.account_id(login)?, *level);
        }
        let now = self.clock.seconds();
        let (id, owner) = {
            let mut world = self.world();
            if seed.name.is_empty() || world.repository(&seed.owner, &seed.name).is_some() {
                return wrong(format!("{}/{} is unnamed or taken", seed.owner, seed.name));
            }
            let id = world.claim_id(seed.id);
            if world.repositories.contains_key(&id) {
                return wrong(format!("the repository id {id} is taken"));
            }
            let owner = world.accounts.get(&owner_id).cloned();
            (id, owner.ok_or_else(|| SeedError("the owner is gone".to_owned()))?)
        };
        let dir = self.root.join("repositories").join(format!("{id}.git"));
        let meta = Meta {
            id,
            owner_id,
            owner: owner.login.clone(),
            name: seed.name.clone(),
            description: None,
            private: seed.private,
            default_branch: seed.default_branch.clone(),
            archived: seed.archived,
            disabled: seed.disabled,
            allow_draft: seed.allow_draft,
            allow_auto_merge: seed.allow_auto_merge,
            collaborators,
            created_at: now,
            pushed_at: now,
            dir,
            writing: Arc::new(Mutex::new(())),
        };
        let author = Ident { name: owner.login.clone(), email: owner.email(), when: now };
        fill(self, &meta, seed, author)
            .map_err(|e| SeedError(format!("{}/{} cannot be made: {e}", seed.owner, seed.name)))?;
        self.world().repositories.insert(id, Repository::new(meta));
        Ok(id)
    }
}

/// What GitHub's git servers allow and check, beside git's defaults.
const CONFIG: &str = "[uploadpack]\n\tallowFilter = true\n\tallowAnySHA1InWant = true\n\
    [transfer]\n\tfsckObjects = true\n[gc]\n\tauto = 0\n[receive]\n\tautogc = false\n";

/// Makes the git repository and its first commit.
fn fill(
    hub: &Hub,
    meta: &Meta,
    seed: &seed::Repository,
    author: Ident,
) -> std::result::Result<(), Box<dyn std::error::Error>> {
    let git = Git::init(&meta.dir, &meta.default_branch)?;
    let hooks = hub.root.join("hooks");
    let config = meta.dir.join("config");
    let text = std::fs::read_to_string(&config)?;
    let hooks = format!("[core]\n\thooksPath = \"{}\"\n", hooks.display());
    std::fs::write(&config, format!("{text}{CONFIG}{hooks}"))?;
    if seed.empty {
        return Ok(());
    }
    let mut edits: Vec<Edit> = Vec::new();
    match &seed.import_from {
        Some(from) => import(from, from, &mut edits)?,
        None => {
            for (path, text) in &seed.files {
                let content = Content::Bytes(text.as_bytes().to_vec());
                edits.push(Edit::Put { path: path.clone(), mode: "100644".to_owned(), content });
            }
        }
    }
    let tree = git.edit_tree(None, &edits).map_err(|error| match error {
        TreeError::Missing(path) => format!("{path} is missing"),
        TreeError::Git(error) => error.to_string(),
    })?;
    let oid = git.write_commit(&NewCommit {
        tree,
        parents: Vec::new(),
        author: author.clone(),
        committer: author,
        message: "Initial commit".to_owned(),
        signed: false,
    })?;
    for branch in std::iter::once(&seed.default_branch).chain(&seed.branches) {
        git.move_ref(&format!("refs/heads/{branch}"), None, &oid)?;
    }
    Ok(())
}

/// Takes the files below a directory, without `.git`.
fn import(root: &Path, dir: &Path, edits: &mut Vec<Edit>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_name() == ".git" {
            continue;
        }
        let kind = entry.file_type()?;
        if kind.is_dir() {
            import(root, &path, edits)?;
            continue;
        }
        let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().into_owned();
        let (mode, data) = if kind.is_symlink() {
            ("120000", std::fs::read_link(&path)?.to_string_lossy().into_owned().into_bytes())
        } else {
            let executable = entry.metadata()?.permissions().mode() & 0o111 != 0;
            (if executable { "100755" } else { "100644" }, std::fs::read(&path)?)
        };
        let content = Content::Bytes(data);
        edits.push(Edit::Put { path: name, mode: mode.to_owned(), content });
    }
    Ok(())
}
