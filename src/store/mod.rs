//! What the broker remembers, in SQLite or PostgreSQL: one file per table. Takes and returns domain types; every query
//! begins with the account, but for what GitHub tells of its own accord ([`deliveries`], [`follow`]).
//!
//! Replicas share nothing but the database, so what must hold between them is a constraint there, or one statement, or
//! a transaction that takes its lock first. Times are kept to whole seconds, in UTC: both databases then give back
//! what they were given, and SQLite's text sorts as time does.

mod accounts;
mod attempts;
mod bindings;
mod changes;
mod connect;
mod deliveries;
mod disconnect;
mod error;
mod follow;
mod forget;
mod homes;
mod installations;
mod oauth_users;
mod pats;
mod requests;
mod schema;
mod view;
mod views;

use std::{fmt, future::Future, iter, sync::Arc, time::Duration};

use sea_orm::{
    DatabaseConnection, DatabaseTransaction, SqliteTransactionMode, TransactionOptions,
    TransactionTrait,
};
use time::{OffsetDateTime, UtcOffset};
use uuid::Uuid;

pub use attempts::{StoredAttempt, VERIFIER_COLUMN, VERIFIER_TABLE};
pub use changes::{Elsewhere, Heeded};
pub use connect::check_url;
pub use deliveries::{CLAIM_LIFE, Claimed, DELIVERY_LIFE};
pub use disconnect::Deleted;
pub use error::Error;
pub use follow::SeenRepository;
use forget::Everywhere;
pub use homes::Home;
pub use oauth_users::{USER_TOKENS_COLUMN, USER_TOKENS_TABLE};
pub use pats::{PAT_TOKEN_COLUMN, PAT_TOKEN_TABLE};
pub use requests::{Begin, HeldRequest, REQUEST_LIFE, TAKEOVER_AFTER};
pub use view::AccountView;
use views::Views;

/// How the store connects, and which installations are its own.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settings {
    /// GitHub's host that the installations are of (`github.com`): ids of another host mean something else.
    pub github_host: String,
    /// The App's issuer (its client id or app id): an installation is of one App. Empty without an App.
    pub github_app: String,
    /// What else rows of this App may have in its place, as they were written under an earlier configuration.
    pub former_apps: Vec<String>,
    /// Most connections to the database from this process.
    pub max_connections: u32,
    /// Longest wait for a free connection; must be below `timeout`.
    pub acquire_timeout: Duration,
    /// Longest time for any call but `migrate`, the wait for a connection included.
    pub timeout: Duration,
}

impl Settings {
    /// The usual limits, for the installations of one App on one host.
    pub fn new(github_host: impl Into<String>, github_app: impl Into<String>) -> Self {
        Self {
            github_host: github_host.into(),
            github_app: github_app.into(),
            // What was written before rows said whose they are.
            former_apps: vec![String::new()],
            // A PostgreSQL server takes 100 by default: room for several replicas and for people.
            max_connections: 10,
            acquire_timeout: Duration::from_secs(5),
            // Well below the 30 s that a call has in all.
            timeout: Duration::from_secs(10),
        }
    }
}

/// The database, as one site sees it: what belongs to another App or host is not there. Cheap to clone; clones share the
/// connections.
#[derive(Clone)]
pub struct Store {
    db: DatabaseConnection,
    settings: Arc<Settings>,
    /// Tells what this process has claimed, or written, from what others have.
    replica: Uuid,
    /// What this site knows of accounts without asking the database.
    views: Arc<Views>,
    /// What all sites of the process know.
    everywhere: Arc<Everywhere>,
}

impl Store {
    /// Connects to `sqlite://PATH` (the file is made, readable by its owner only) or `postgres://...`.
    /// The schema is not touched: see [`Store::migrate`].
    pub async fn connect(url: &str, settings: Settings) -> Result<Self, Error> {
        let (replica, everywhere) = (Uuid::now_v7(), Arc::new(Everywhere::default()));
        let views = everywhere.add();
        let db = connect::open(url, &name(replica), &settings).await?;
        Ok(Self { db, settings: Arc::new(settings), replica, views, everywhere })
    }

    /// The same database as another site of this process sees it: for as long as that runs.
    #[must_use]
    pub fn at(&self, github_host: &str, github_app: &str, former_apps: Vec<String>) -> Self {
        let (github_host, github_app) = (github_host.to_owned(), github_app.to_owned());
        let limits = Settings::clone(&self.settings);
        let settings = Settings { github_host, github_app, former_apps, ..limits };
        let views = self.everywhere.add();
        Self { settings: Arc::new(settings), views, ..self.clone() }
    }

    /// The site that this is the view of.
    pub fn site(&self) -> Home {
        let settings = &self.settings;
        Home { host: settings.github_host.clone(), app: settings.github_app.clone() }
    }

    /// What rows of this App have in `app`.
    fn apps(&self) -> impl Iterator<Item = &String> {
        iter::once(&self.settings.github_app).chain(&self.settings.former_apps)
    }

    /// Begins a transaction that will write. SQLite takes its write lock at once: a lock taken later, by a
    /// transaction that has read, fails where another one has written meanwhile, however long it waits.
    async fn begin(&self) -> Result<DatabaseTransaction, sea_orm::DbErr> {
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..Default::default()
        };
        self.db.begin_with_options(options).await
    }

    /// What its connections go by at the database.
    fn name(&self) -> String {
        name(self.replica)
    }

    /// Bounds a call's time, also where the server has vanished without a word.
    async fn within<T>(
        &self,
        call: impl Future<Output = Result<T, Error>> + Send,
    ) -> Result<T, Error> {
        match tokio::time::timeout(self.settings.timeout, call).await {
            Ok(result) => result,
            Err(_) => Err(Error::Unavailable("no answer in time".to_owned())),
        }
    }
}

impl fmt::Debug for Store {
    /// Shows nothing of the URL.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Store({:?})", self.db.get_database_backend())
    }
}

/// Short enough for PostgreSQL, which cuts off what is longer than 63 bytes.
fn name(replica: Uuid) -> String {
    format!("ghbroker {replica}")
}

/// A time as both databases keep it.
fn stored(time: OffsetDateTime) -> OffsetDateTime {
    time.to_offset(UtcOffset::UTC).truncate_to_second()
}
