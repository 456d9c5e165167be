//! The handle on a running simulator: where it listens, what can be changed while it runs, what it saw.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::clock::SimClock;
use crate::fault::Fault;
use crate::git::{Content, Edit, Git, Ident, NewCommit};
use crate::hub::Hub;
use crate::level::Level;
use crate::secrets::TokenFormat;
use crate::seed::{self, Seed, SeedError};
use crate::seen::Seen;
use crate::urls::Urls;
use crate::world::{Caller, Meta, Protection, ReplicationLag, Rule, Ruleset, TokenKind};
use crate::{http, rest, web};

/// How a simulator is started.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where it listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Its time.
    pub clock: SimClock,
    /// Where the git repositories are kept; a temporary directory, removed at the end, when left out.
    pub root: Option<PathBuf>,
    /// Whether each request is written to standard error.
    pub log: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            clock: SimClock::default(),
            root: None,
            log: false,
        }
    }
}

/// Why a simulator did not start.
#[derive(Debug)]
pub enum StartError {
    /// The port or the directory cannot be used.
    Io(std::io::Error),
    /// The seed contradicts itself.
    Seed(SeedError),
}

impl std::fmt::Display for StartError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Io(error) => write!(f, "cannot listen or write: {error}"),
            Self::Seed(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for StartError {}

impl From<std::io::Error> for StartError {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<SeedError> for StartError {
    fn from(error: SeedError) -> Self {
        Self::Seed(error)
    }
}

/// A running simulator; it stops when it is dropped.
///
/// The functions that change or look at a thing panic when there is no such thing: they are called by tests,
/// which should fail there.
#[derive(Debug)]
pub struct Sim {
    hub: Arc<Hub>,
    server: JoinHandle<()>,
    /// Removed with the simulator.
    _temporary: Option<tempfile::TempDir>,
}

impl Drop for Sim {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Sim {
    /// Binds the port, makes the repositories of the seed and serves.
    ///
    /// # Errors
    /// When the port or the directory cannot be used, or the seed contradicts itself.
    pub async fn start(options: Options, seed: Seed) -> Result<Self, StartError> {
        let listener = TcpListener::bind(options.listen).await?;
        let urls = Urls::new(listener.local_addr()?);
        let (root, temporary) = match options.root {
            Some(root) => (root, None),
            None => {
                let temporary = tempfile::Builder::new().prefix("github-sim-").tempdir()?;
                (temporary.path().to_owned(), Some(temporary))
            }
        };
        let hub = Hub::new(options.clock, urls, std::path::absolute(root)?, options.log);
        let hub = tokio::task::spawn_blocking(move || {
            install_hook(&hub.root)?;
            hub.plant(&seed)?;
            Ok::<_, StartError>(Arc::new(hub))
        })
        .await
        .map_err(std::io::Error::other)??;
        let serving = hub.clone();
        let server = tokio::spawn(async move {
            http::serve(listener, serving).await;
        });
        Ok(Self { hub, server, _temporary: temporary })
    }

    /// The base of the REST API, without a trailing slash.
    pub fn api_url(&self) -> &str {
        &self.hub.urls.api
    }

    /// The GraphQL endpoint.
    pub fn graphql_url(&self) -> &str {
        &self.hub.urls.graphql
    }

    /// The base of web pages and git repositories, without a trailing slash.
    pub fn web_url(&self) -> &str {
        &self.hub.urls.web
    }

    /// The simulator's time.
    pub fn clock(&self) -> &SimClock {
        &self.hub.clock
    }
}

/// Writes the hook that all repositories share.
fn install_hook(root: &std::path::Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let hooks = root.join("hooks");
    std::fs::create_dir_all(&hooks)?;
    let hook = hooks.join("pre-receive");
    std::fs::write(&hook, web::HOOK)?;
    std::fs::set_permissions(&hook, std::fs::Permissions::from_mode(0o755))
}

/// Adding things while the simulator runs.
impl Sim {
    /// Adds a user and returns the id.
    ///
    /// # Errors
    /// When the login or the id is taken.
    pub fn add_user(&self, user: &seed::User) -> Result<u64, SeedError> {
        self.hub.add_user(user)
    }

    /// Adds an organization and returns the id.
    ///
    /// # Errors
    /// When the login or the id is taken, or a member is unknown.
    pub fn add_org(&self, org: &seed::Org) -> Result<u64, SeedError> {
        self.hub.add_org(org)
    }

    /// Adds an App and returns the id.
    ///
    /// # Errors
    /// When the id or the slug is taken, the owner is unknown or a key is no PEM.
    pub fn add_app(&self, app: &seed::App) -> Result<u64, SeedError> {
        self.hub.add_app(app)
    }

    /// Adds a repository and returns the id.
    ///
    /// # Errors
    /// When the name or the id is taken, the owner is unknown or git fails.
    pub fn add_repository(&self, repository: &seed::Repository) -> Result<u64, SeedError> {
        self.hub.add_repository(repository)
    }

    /// Adds an installation and returns the id.
    ///
    /// # Errors
    /// When the id is taken, or the App, the account or a repository is unknown.
    pub fn add_installation(&self, installation: &seed::Installation) -> Result<u64, SeedError> {
        self.hub.add_installation(installation)
    }

    /// Adds a personal access token and returns its secret.
    ///
    /// # Errors
    /// When the secret is taken, or the owner or a repository is unknown.
    pub fn add_pat(&self, pat: &seed::Pat) -> Result<String, SeedError> {
        self.hub.add_pat(pat)
    }
}

/// Faults and the ways of GitHub.
impl Sim {
    /// Lets a fault wait for its requests.
    pub fn fault(&self, fault: Fault) {
        self.hub.faults.add(fault);
    }

    /// Takes all faults back.
    pub fn clear_faults(&self) {
        self.hub.faults.clear();
    }

    /// Refuses fresh installation tokens at first.
    pub fn set_replication_lag(&self, lag: ReplicationLag) {
        self.hub.world().lag = lag;
    }

    /// Sets GitHub's clock ahead of the simulator's (behind it, when negative), in seconds.
    pub fn set_date_skew(&self, seconds: i64) {
        self.hub.world().skew = seconds;
    }

    /// Sets the format of the installation tokens minted from now on.
    pub fn set_token_format(&self, format: TokenFormat) {
        self.hub.world().token_format = format;
    }

    /// Answers 404 on `/graphql` from now on.
    pub fn disable_graphql(&self) {
        self.hub.world().graphql_disabled = true;
    }

    /// Takes a mutation out of the schema, as on a host that does not have it.
    pub fn disable_mutation(&self, name: &str) {
        self.hub.world().disabled_mutations.insert(name.to_owned());
    }

    /// Lets push protection take a text for a secret.
    pub fn block_secret(&self, pattern: &str) {
        self.hub.world().secret_patterns.push(pattern.to_owned());
    }
}

/// Installations and tokens.
impl Sim {
    /// Suspends an installation.
    pub fn suspend(&self, installation: u64) {
        let now = self.hub.clock.seconds();
        self.with_installation(installation, |i| i.suspended_at = Some(now));
    }

    /// Ends the suspension of an installation.
    pub fn unsuspend(&self, installation: u64) {
        self.with_installation(installation, |i| i.suspended_at = None);
    }

    /// Takes an installation away, with its tokens.
    pub fn uninstall(&self, installation: u64) {
        self.with_installation(installation, |_| ());
        self.hub.world().uninstall(installation);
    }

    /// Changes what an installation was granted. Tokens already minted keep what they have.
    pub fn set_installation_permissions(
        &self,
        installation: u64,
        permissions: impl IntoIterator<Item = (&'static str, Level)>,
    ) {
        let granted = permissions.into_iter().map(|(name, level)| (name.to_owned(), level)).collect();
        self.with_installation(installation, |i| i.permissions = granted);
    }

    fn with_installation(&self, id: u64, change: impl FnOnce(&mut crate::world::Installation)) {
        let mut world = self.hub.world();
        let installation = world.installations.get_mut(&id);
        change(installation.unwrap_or_else(|| panic!("there is no installation {id}")));
    }

    /// Makes a token of any kind worthless.
    pub fn revoke_token(&self, secret: &str) {
        self.hub.world().drop_user_token(secret);
    }

    /// Makes a personal access token worthless.
    pub fn revoke_pat(&self, secret: &str) {
        self.revoke_token(secret);
    }

    /// Gives out a user token (`ghu_`) of an App without the OAuth pages.
    pub fn user_token(&self, app_id: u64, login: &str) -> String {
        let mut world = self.hub.world();
        let user = world.account(login).unwrap_or_else(|| panic!("there is no user {login}")).id;
        let app = world.apps.get(&app_id).cloned();
        let app = app.unwrap_or_else(|| panic!("there is no App {app_id}"));
        let issued = web::issue(&mut world, &app, user, self.hub.clock.seconds());
        issued["access_token"].as_str().unwrap_or_default().to_owned()
    }

    /// How many installation tokens work now.
    pub fn live_installation_tokens(&self) -> usize {
        let now = self.hub.github_time();
        let world = self.hub.world();
        let live = world.tokens.values().filter(|token| {
            matches!(token.kind, TokenKind::Installation { .. }) && !token.expired(now)
        });
        live.count()
    }
}

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
        if let Err(error) = self.hub.move_repository(id, owner, name) {
            panic!("{error}");
        }
    }

    /// Archives a repository, or takes it out of the archive.
    pub fn archive(&self, full_name: &str, archived: bool) {
        self.change(full_name, |repository| repository.meta.archived = archived);
    }

    /// Disables a repository, as GitHub does for abuse.
    pub fn disable(&self, full_name: &str, disabled: bool) {
        self.change(full_name, |repository| repository.meta.disabled = disabled);
    }

    /// Takes a repository away.
    pub fn delete_repository(&self, full_name: &str) {
        let id = self.meta(full_name).id;
        self.hub.world().repositories.remove(&id);
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
        };
        self.change(full_name, |repository| repository.rulesets.push(set));
        id
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

/// What the simulator saw.
impl Sim {
    /// All requests in the order in which they came.
    pub fn requests(&self) -> Vec<Seen> {
        self.hub.log.all()
    }

    /// How many requests of a route have come, such as
    /// `POST /app/installations/{installation_id}/access_tokens`.
    pub fn count(&self, route: &str) -> usize {
        self.hub.log.all().iter().filter(|seen| seen.route == route).count()
    }

    /// The routes and GraphQL fields that were asked for and are not simulated.
    pub fn unknown_routes(&self) -> Vec<String> {
        self.hub.log.unknowns()
    }

    /// Checks at the end of a test that nothing was asked for that is not simulated, and that every
    /// repository is sound.
    ///
    /// # Panics
    /// When something unknown was called, or `git fsck --strict` finds a fault.
    pub fn finish(self) {
        let unknown = self.unknown_routes();
        assert!(unknown.is_empty(), "not simulated: {}", unknown.join(", "));
        self.fsck();
    }

    /// Runs `git fsck --strict` on every repository.
    ///
    /// # Panics
    /// When it finds a fault.
    pub fn fsck(&self) {
        let world = self.hub.world();
        let repos: Vec<Meta> = world.repositories.values().map(|r| r.meta.clone()).collect();
        drop(world);
        for repo in repos {
            let checked = Git::at(&repo.dir).run(&["fsck", "--strict", "--full"]);
            if let Err(error) = checked {
                panic!("{}: {error}", repo.full_name());
            }
        }
    }

    /// Lets `duration` of the simulator's time pass.
    pub fn advance(&self, duration: Duration) {
        self.hub.clock.advance(duration);
    }

    /// Whether a token, by its secret, is accepted now; no request is made or counted.
    pub fn accepts(&self, secret: &str) -> bool {
        let now = self.hub.github_time();
        let accepted = http::token(&mut self.hub.world(), secret, now);
        matches!(accepted, Ok(Caller::Token(_)))
    }
}
