//! Putting the items of a seed into the world, and the real git repositories on disk.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex};

use crate::git::{Content, Edit, Git, Ident, NewCommit, TreeError};
use crate::http::jwt;
use crate::hub::Hub;
use crate::level::Level;
use crate::secrets::letters;
use crate::seed::{self, PatKind, Seed, SeedError};
use crate::world::{
    Account, AccountKind, App, Installation, Meta, Repository, Token, TokenKind,
};

type Result<T> = std::result::Result<T, SeedError>;

fn wrong<T>(text: String) -> Result<T> {
    Err(SeedError(text))
}

impl Hub {
    /// Adds everything of a seed, in the order of its lists.
    pub fn plant(&self, seed: &Seed) -> Result<()> {
        for user in &seed.users {
            self.add_user(user)?;
        }
        for org in &seed.orgs {
            self.add_org(org)?;
        }
        for app in &seed.apps {
            self.add_app(app)?;
        }
        for repository in &seed.repositories {
            self.add_repository(repository)?;
        }
        for installation in &seed.installations {
            self.add_installation(installation)?;
        }
        for pat in &seed.pats {
            self.add_pat(pat)?;
        }
        let mut world = self.world();
        world.authorize_as.clone_from(&seed.authorize_as);
        world.secret_patterns.extend(seed.secret_patterns.iter().cloned());
        Ok(())
    }

    fn add_account(&self, id: Option<u64>, login: &str, kind: AccountKind) -> Result<u64> {
        let mut world = self.world();
        if login.is_empty() || world.account(login).is_some() {
            return wrong(format!("the login {login:?} is empty or taken"));
        }
        let id = world.claim_id(id);
        if world.accounts.insert(id, Account { id, login: login.to_owned(), kind }).is_some() {
            return wrong(format!("the account id {id} is taken"));
        }
        Ok(id)
    }

    pub fn add_user(&self, user: &seed::User) -> Result<u64> {
        self.add_account(user.id, &user.login, AccountKind::User)
    }

    pub fn add_org(&self, org: &seed::Org) -> Result<u64> {
        let mut members = BTreeMap::new();
        for member in &org.members {
            members.insert(self.account_id(&member.login)?, member.role);
        }
        let kind = AccountKind::Organization {
            members,
            saml_sso: org.saml_sso,
            pat_policy: org.pat_policy,
            base_permission: org.base_permission.unwrap_or(Level::Read),
        };
        self.add_account(org.id, &org.login, kind)
    }

    fn account_id(&self, login: &str) -> Result<u64> {
        let found = self.world().account(login).map(|account| account.id);
        found.ok_or_else(|| SeedError(format!("there is no account {login:?}")))
    }

    pub fn add_app(&self, app: &seed::App) -> Result<u64> {
        let owner_id = self.account_id(&app.owner)?;
        let mut public_keys = Vec::new();
        for pem in &app.public_key_pem {
            let key = jwt::public_key(pem);
            let problem = || SeedError(format!("a public key of the App {:?} is no PEM", app.slug));
            public_keys.push(key.ok_or_else(problem)?);
        }
        let bot = format!("{}[bot]", app.slug);
        let bot_id = self.add_account(None, &bot, AccountKind::Bot)?;
        let created_at = self.clock.seconds();
        let mut world = self.world();
        let id = world.claim_id(app.id);
        let client_id = app.client_id.clone().unwrap_or_else(|| format!("Iv23li{id:014}"));
        let stored = App {
            id,
            client_id,
            client_secret: app.client_secret.clone(),
            slug: app.slug.clone(),
            name: app.name.clone().unwrap_or_else(|| app.slug.clone()),
            owner_id,
            public_keys,
            permissions: app.permissions.clone(),
            callback_urls: app.callback_urls.clone(),
            setup_url: app.setup_url.clone(),
            user_tokens_expire: !app.user_tokens_never_expire,
            bot_id,
            created_at,
        };
        if world.apps.insert(id, stored).is_some() {
            return wrong(format!("the App id {id} is taken"));
        }
        Ok(id)
    }

    pub fn add_installation(&self, seed: &seed::Installation) -> Result<u64> {
        let account_id = self.account_id(&seed.account)?;
        let now = self.clock.seconds();
        let mut world = self.world();
        let Some(app) = world.apps.get(&seed.app_id) else {
            return wrong(format!("there is no App {}", seed.app_id));
        };
        let permissions = seed.permissions.clone().unwrap_or_else(|| app.permissions.clone());
        let mut repositories = std::collections::BTreeSet::new();
        for name in &seed.repositories {
            match world.repository(&seed.account, name) {
                Some(repository) => repositories.insert(repository.meta.id),
                None => return wrong(format!("there is no repository {}/{name}", seed.account)),
            };
        }
        let id = world.claim_id(seed.id);
        let installation = Installation {
            id,
            app_id: seed.app_id,
            account_id,
            selection: seed.repository_selection,
            repositories,
            permissions,
            suspended_at: seed.suspended.then_some(now),
            created_at: now,
        };
        if world.installations.insert(id, installation).is_some() {
            return wrong(format!("the installation id {id} is taken"));
        }
        Ok(id)
    }

    /// Adds a token and returns its secret.
    pub fn add_pat(&self, pat: &seed::Pat) -> Result<String> {
        let user_id = self.account_id(&pat.owner)?;
        let resource_owner = pat.resource_owner.as_deref().unwrap_or(&pat.owner);
        let owner_id = self.account_id(resource_owner)?;
        let now = self.clock.seconds();
        let mut world = self.world();
        let prefix = match pat.kind {
            PatKind::Classic => format!("ghp_{}", letters(36)),
            PatKind::FineGrained => format!("github_pat_{}_{}", letters(22), letters(59)),
        };
        let secret = pat.token.clone().unwrap_or(prefix);
        let kind = match pat.kind {
            PatKind::Classic => TokenKind::Classic {
                user_id,
                scopes: pat.scopes.clone(),
                sso_authorized: pat.sso_authorized,
            },
            PatKind::FineGrained => {
                let mut ids = std::collections::BTreeSet::new();
                for name in pat.repositories.iter().flatten() {
                    match world.repository(resource_owner, name) {
                        Some(repository) => ids.insert(repository.meta.id),
                        None => return wrong(format!("there is no repository {resource_owner}/{name}")),
                    };
                }
                let repositories = pat.repositories.as_ref().map(|_| ids);
                TokenKind::FineGrained {
                    user_id,
                    owner_id,
                    repositories,
                    permissions: pat.permissions.clone(),
                }
            }
        };
        let id = world.fresh_id();
        let expires_at = pat.expires_at.map(|end| end.unix_timestamp());
        let token = Token { id, kind, expires_at, usable_from: now.min(0), refusals_left: 0 };
        if world.tokens.insert(secret.clone(), token).is_some() {
            return wrong("two tokens have the same secret".to_owned());
        }
        Ok(secret)
    }

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
        fill(self, &meta, seed, author).map_err(|e| {
            SeedError(format!("{}/{} cannot be made: {e}", seed.owner, seed.name))
        })?;
        self.world().repositories.insert(id, Repository::new(meta));
        Ok(id)
    }

    /// Gives a repository another owner or name; the old name leads to it from now on.
    pub fn move_repository(&self, id: u64, owner: &str, name: &str) -> Result<()> {
        let owner_id = self.account_id(owner)?;
        let mut world = self.world();
        if world.repository(owner, name).is_some_and(|other| other.meta.id != id) {
            return wrong(format!("{owner}/{name} is taken"));
        }
        let owner = world.accounts.get(&owner_id).map(|a| a.login.clone()).unwrap_or_default();
        let Some(repository) = world.repositories.get_mut(&id) else {
            return wrong(format!("there is no repository {id}"));
        };
        repository.old_names.insert(repository.meta.full_name().to_lowercase());
        repository.meta.owner_id = owner_id;
        repository.meta.owner = owner;
        repository.meta.name = name.to_owned();
        Ok(())
    }

    /// Notes that a repository was pushed to.
    pub fn pushed(&self, id: u64) {
        let now = self.clock.seconds();
        if let Some(repository) = self.world().repositories.get_mut(&id) {
            repository.meta.pushed_at = now;
        }
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
