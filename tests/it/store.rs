//! The store, every test on both databases.

mod bindings;
mod changes;
mod deliveries;
mod disconnect;
mod homes;
mod installations;
mod oauth_users;
mod pats;
mod requests;
mod schema;

use std::{path::PathBuf, time::Duration};

use ghbroker::{
    domain::{
        AccountId, Attempt, AttemptKind, Binding, Caller, ConnectionStatus, Installation,
        InstallationId, OAuthUser, Pat, PatKind, RepoId, RepositoryState, SealedSecret,
    },
    store::{Settings, Store, StoredAttempt},
};
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row, SqliteConnection};
use time::{OffsetDateTime, macros::datetime};

use crate::postgres;

/// Makes of each `async fn name(db: Db)` two tests, `sqlite::name` and `postgres::name`.
macro_rules! on_both {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test] async fn $name() { super::$name(crate::store::Db::sqlite()).await; })*
        }
        mod postgres {
            $(#[tokio::test] async fn $name() {
                super::$name(crate::store::Db::postgres().await).await;
            })*
        }
    };
}
pub(crate) use on_both;

/// Those with an account in each row.
const TABLES: [&str; 7] = [
    "installations",
    "pats",
    "oauth_users",
    "connect_attempts",
    "bindings",
    "commit_requests",
    "homes",
];
const NOW: OffsetDateTime = datetime!(2026-11-20 12:00:00 UTC);

/// An empty database of a test's own.
pub(crate) struct Db {
    url: String,
    /// Holds SQLite's file; removed with the test.
    directory: tempfile::TempDir,
}

impl Db {
    pub(crate) fn sqlite() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", directory.path().join("ghbroker.db").display());
        Self { url, directory }
    }

    pub(crate) async fn postgres() -> Self {
        Self { url: postgres::fresh_database().await, directory: tempfile::tempdir().unwrap() }
    }

    fn is_sqlite(&self) -> bool {
        self.url.starts_with("sqlite")
    }

    fn file(&self) -> PathBuf {
        self.directory.path().join("ghbroker.db")
    }

    /// A replica: a store with connections of its own.
    async fn connect(&self) -> Store {
        Store::connect(&self.url, settings()).await.unwrap()
    }

    /// A replica with the schema in place.
    async fn store(&self) -> Store {
        let store = self.connect().await;
        store.migrate().await.unwrap();
        store
    }

    /// Runs SQL past the store.
    async fn execute(&self, sql: &str) -> Result<u64, sqlx::Error> {
        let sql = AssertSqlSafe(sql.to_owned());
        if self.is_sqlite() {
            let mut connection = SqliteConnection::connect(&self.url).await?;
            Ok(sqlx::query(sql).execute(&mut connection).await?.rows_affected())
        } else {
            let mut connection = PgConnection::connect(&self.url).await?;
            Ok(sqlx::query(sql).execute(&mut connection).await?.rows_affected())
        }
    }

    /// Counts rows, past the store.
    async fn count(&self, from: &str) -> i64 {
        let sql = AssertSqlSafe(format!("SELECT count(*) FROM {from}"));
        if self.is_sqlite() {
            let mut connection = SqliteConnection::connect(&self.url).await.unwrap();
            sqlx::query(sql).fetch_one(&mut connection).await.unwrap().get(0)
        } else {
            let mut connection = PgConnection::connect(&self.url).await.unwrap();
            sqlx::query(sql).fetch_one(&mut connection).await.unwrap().get(0)
        }
    }

    /// Everything that is stored, as who has the disk or a dump would see it.
    async fn dump(&self) -> Vec<u8> {
        let mut dump = Vec::new();
        if self.is_sqlite() {
            for entry in std::fs::read_dir(self.directory.path()).unwrap() {
                dump.extend(std::fs::read(entry.unwrap().path()).unwrap());
            }
            return dump;
        }
        let mut connection = PgConnection::connect(&self.url).await.unwrap();
        for table in TABLES {
            let sql = AssertSqlSafe(format!("SELECT {table}::text FROM {table}"));
            for row in sqlx::query(sql).fetch_all(&mut connection).await.unwrap() {
                dump.extend(row.get::<String, _>(0).into_bytes());
            }
        }
        dump
    }
}

fn settings() -> Settings {
    Settings {
        max_connections: 4,
        // Longer than a loaded test machine needs.
        timeout: Duration::from_secs(60),
        acquire_timeout: Duration::from_secs(50),
        ..Settings::new("github.com", "Iv1.app")
    }
}

fn account(id: &str) -> AccountId {
    id.parse().unwrap()
}

fn installation(owner: &str, id: i64) -> Installation {
    Installation {
        account: account(owner),
        id: Some(InstallationId(id)),
        github_account_id: Some(7),
        github_login: "acme".to_owned(),
        status: ConnectionStatus::Active,
        enabled: true,
        settings_url: "https://github.com/organizations/acme/settings/installations/7".to_owned(),
        registered_at: NOW,
    }
}

fn pat(owner: &str) -> Pat {
    Pat {
        account: account(owner),
        kind: PatKind::Classic,
        owner_login: "octocat".to_owned(),
        owner_id: 583_231,
        scopes: vec!["repo".to_owned(), "workflow".to_owned()],
        expires_at: Some(NOW + Duration::from_secs(86_400)),
        fingerprint: "1234".to_owned(),
        status: ConnectionStatus::Active,
        enabled: true,
        registered_at: NOW,
    }
}

fn oauth_user(owner: &str) -> OAuthUser {
    OAuthUser {
        account: account(owner),
        login: "octocat".to_owned(),
        user_id: 583_231,
        scopes: vec![],
        expires_at: Some(NOW + Duration::from_secs(8 * 3600)),
        refresh_expires_at: Some(NOW + Duration::from_secs(184 * 86_400)),
        fingerprint: "1234".to_owned(),
        status: ConnectionStatus::Active,
        enabled: true,
        connected_at: NOW,
    }
}

fn attempt(owner: &str, state_hash: &str) -> StoredAttempt {
    let attempt = Attempt {
        account: account(owner),
        caller: Caller::Anonymous,
        kind: AttemptKind::OAuth,
        return_url: String::new(),
        expected_login: None,
        expires_at: NOW + Duration::from_secs(600),
    };
    StoredAttempt { attempt, state_hash: state_hash.to_owned(), verifier: None }
}

/// Stores a user as one is that has come back from GitHub.
async fn put_oauth_user(store: &Store, user: &OAuthUser, sealed: &SealedSecret) {
    let hash = format!("of-{}", sealed.row_id);
    store.begin_attempt(&attempt(user.account.as_str(), &hash)).await.unwrap();
    assert!(store.take_attempt(&hash).await.unwrap());
    assert!(store.connect_oauth_user(user, sealed, &hash).await.unwrap());
}

fn sealed(row_id: &str) -> SealedSecret {
    SealedSecret {
        bytes: vec![0, 255, 7],
        kek_id: "00112233aabbccdd".to_owned(),
        row_id: row_id.to_owned(),
        row_version: 1,
    }
}

fn binding(owner: &str, id: i64, name: &str) -> Binding {
    Binding {
        account: account(owner),
        repository_id: RepoId(id),
        repository: name.parse().unwrap(),
        staging: "staging".parse().unwrap(),
        staging_base: Some("5d41402abc4b2a76b9719d911017c592ae1d1a1e".parse().unwrap()),
        staging_must_exist: true,
        production: "main".parse().unwrap(),
        work_branches: vec!["adagent/*".parse().unwrap(), "**".parse().unwrap()],
        subdirectory: "warehouse/dbt".parse().unwrap(),
        active: false,
        state: RepositoryState::Available,
        seen_at: None,
    }
}
