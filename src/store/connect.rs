//! Opening the database.

use std::{str::FromStr, time::Duration};

use sea_orm::{
    DatabaseConnection,
    sqlx::{
        ConnectOptions,
        postgres::{PgConnectOptions, PgPoolOptions},
        sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions},
    },
};
use tokio::fs::OpenOptions;

use super::{Error, Settings};
use crate::domain::Invalid;

/// How long a writer of SQLite waits for another one. The whole call has a limit of its own.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// What a URL names.
enum Database<'a> {
    Sqlite(&'a str),
    Postgres(Box<PgConnectOptions>),
}

/// Reads a URL without connecting. No error repeats it: it may hold a password.
fn parse(url: &str) -> Result<Database<'_>, Invalid> {
    if let Some(path) = url.strip_prefix("sqlite://") {
        if path.is_empty() || path.contains('?') || path.contains(":memory:") {
            return Err(Invalid::new("must be sqlite:// and the path of a file, with no ?options"));
        }
        return Ok(Database::Sqlite(path));
    }
    if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
        return Err(Invalid::new(
            "must be sqlite://PATH or postgres://USER:PASSWORD@HOST/DATABASE",
        ));
    }
    let unreadable =
        |_| Invalid::new("does not parse; special characters in it must be percent-encoded");
    let options = PgConnectOptions::from_str(url).map_err(unreadable)?;
    Ok(Database::Postgres(Box::new(options)))
}

/// Says whether a URL is one that the store can open.
pub fn check_url(url: &str) -> Result<(), Invalid> {
    parse(url).map(drop)
}

/// Connects by the URL's scheme. PostgreSQL is told `name`, and keeps it with what is changed.
pub(super) async fn open(
    url: &str,
    name: &str,
    settings: &Settings,
) -> Result<DatabaseConnection, Error> {
    match parse(url).map_err(|invalid| unusable(format!("the URL {invalid}")))? {
        Database::Sqlite(path) => sqlite(path, settings).await,
        Database::Postgres(options) => postgres(*options, name, settings).await,
    }
}

async fn sqlite(path: &str, settings: &Settings) -> Result<DatabaseConnection, Error> {
    // Made here, because SQLite itself makes it readable to everyone; its -wal and -shm files get the same mode.
    let mut create = OpenOptions::new();
    create.write(true).create(true).truncate(false).mode(0o600);
    create.open(path).await.map_err(|error| unusable(format!("{path} does not open: {error}")))?;
    let options = SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        .busy_timeout(BUSY_TIMEOUT)
        .foreign_keys(true)
        .disable_statement_logging();
    let pool = SqlitePoolOptions::new()
        .max_connections(settings.max_connections)
        .acquire_timeout(settings.acquire_timeout)
        .connect_with(options)
        .await
        .map_err(|error| Error::from_sqlx("", &error))?;
    Ok(pool.into())
}

async fn postgres(
    options: PgConnectOptions,
    name: &str,
    settings: &Settings,
) -> Result<DatabaseConnection, Error> {
    let options = options.application_name(name).disable_statement_logging();
    let pool = PgPoolOptions::new()
        .max_connections(settings.max_connections)
        .acquire_timeout(settings.acquire_timeout)
        .connect_with(options)
        .await
        .map_err(|error| Error::from_sqlx("", &error))?;
    Ok(pool.into())
}

fn unusable(reason: impl Into<String>) -> Error {
    Error::Unusable(reason.into())
}
