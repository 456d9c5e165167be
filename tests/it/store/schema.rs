use std::{os::unix::fs::PermissionsExt, time::Duration};

use futures_util::future::join_all;
use ghbroker::store::{Error, Settings, Store};

use super::{Db, account, binding, installation, on_both, pat, sealed, settings};
use crate::postgres::fresh_database;

on_both!(
    replicas_may_migrate_at_once,
    a_newer_schema_is_left_alone,
    a_missing_schema_is_an_error_that_says_so,
    a_restart_keeps_everything,
    a_locked_database_is_unavailable,
);

/// As many as there are files in migrations/src, but for lib.rs.
const MIGRATIONS: i64 = 12;

async fn replicas_may_migrate_at_once(db: Db) {
    let mut replicas = Vec::new();
    for _ in 0..4 {
        replicas.push(db.connect().await);
    }
    assert!(!replicas[0].is_migrated().await.unwrap());
    let results = join_all(replicas.iter().map(Store::migrate)).await;
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    for replica in &replicas {
        assert!(replica.is_migrated().await.unwrap());
        replica.ping().await.unwrap();
    }
    assert_eq!(db.count("seaql_migrations").await, MIGRATIONS);
    replicas[3].migrate().await.unwrap();
    assert_eq!(db.count("seaql_migrations").await, MIGRATIONS);
}

async fn a_newer_schema_is_left_alone(db: Db) {
    let store = db.store().await;
    db.execute("INSERT INTO seaql_migrations VALUES ('m29991231_000001_later', 0)").await.unwrap();
    assert!(store.is_migrated().await.unwrap());
    store.migrate().await.unwrap();
    db.execute("DELETE FROM seaql_migrations WHERE version LIKE '%_bindings'").await.unwrap();
    assert!(!store.is_migrated().await.unwrap());
}

async fn a_missing_schema_is_an_error_that_says_so(db: Db) {
    let error = db.connect().await.pat(&account("a")).await.unwrap_err();
    assert!(matches!(error, Error::Internal(_)), "{error:?}");
    assert!(error.to_string().contains("ghbroker migrate"), "{error}");
}

async fn a_restart_keeps_everything(db: Db) {
    let store = db.store().await;
    store.bind_installation(&installation("a", 1)).await.unwrap();
    store.put_pat(&pat("a"), &sealed("r1")).await.unwrap();
    let bound = store.put_binding(&binding("a", 1, "acme/one"), true).await.unwrap();
    drop(store);

    let store = db.store().await;
    assert_eq!(store.installation(&account("a")).await.unwrap(), Some(installation("a", 1)));
    assert_eq!(store.pat(&account("a")).await.unwrap(), Some((pat("a"), sealed("r1"))));
    assert_eq!(store.binding(&account("a"), None).await.unwrap(), Some(bound));
}

async fn a_locked_database_is_unavailable(db: Db) {
    use sqlx::{Connection, Executor};

    let store = db.store().await;
    // Short, because the lock is held until the end of the test.
    let impatient = Settings { timeout: Duration::from_millis(100), ..settings() };
    let impatient = Store::connect(&db.url, impatient).await.unwrap();
    let bind = async |store: &Store| store.bind_installation(&installation("a", 1)).await;
    let refused = if db.is_sqlite() {
        let mut locker = sqlx::SqliteConnection::connect(&db.url).await.unwrap();
        locker.execute("BEGIN IMMEDIATE").await.unwrap();
        let refused = bind(&impatient).await;
        locker.execute("ROLLBACK").await.unwrap();
        refused
    } else {
        let mut locker = sqlx::PgConnection::connect(&db.url).await.unwrap();
        locker.execute("BEGIN; LOCK TABLE installations").await.unwrap();
        let refused = bind(&impatient).await;
        locker.execute("ROLLBACK").await.unwrap();
        refused
    };
    assert!(matches!(refused, Err(Error::Unavailable(_))), "{refused:?}");
    bind(&store).await.unwrap();
}

#[tokio::test]
async fn the_sqlite_files_are_their_owners_only() {
    let db = Db::sqlite();
    let store = db.store().await;
    store.put_pat(&pat("a"), &sealed("r1")).await.unwrap();
    let mut names = Vec::new();
    for entry in std::fs::read_dir(db.directory.path()).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{:?}", entry.file_name());
        names.push(entry.file_name().into_string().unwrap());
    }
    names.sort();
    assert_eq!(names, ["ghbroker.db", "ghbroker.db-shm", "ghbroker.db-wal"]);
    assert!(db.file().is_file());
}

#[tokio::test]
async fn no_error_repeats_the_url() {
    let good = fresh_database().await;
    let (_, query) = good.split_once('?').unwrap();
    let socket = query.split('&').next().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().display();
    let cases = [
        (format!("postgres://postgres:hunter2@localhost/nowhere?{socket}"), "database \"nowhere\""),
        (format!("postgres://nobody:hunter2@localhost/postgres?{socket}"), "role \"nobody\""),
        (format!("postgres://postgres:hunter2@localhost/x?host={folder}"), "did not answer"),
        ("postgres://postgres:hunter2@host:port/x".to_owned(), "percent-encoded"),
        ("mysql://postgres:hunter2@host/x".to_owned(), "sqlite://PATH or postgres://"),
        ("sqlite::memory:".to_owned(), "sqlite://PATH or postgres://"),
        ("sqlite://:memory:".to_owned(), "path of a file"),
        (format!("sqlite://{folder}/none/x.db"), "No such file"),
        (format!("sqlite://{folder}"), "Is a directory"),
    ];
    for (url, says) in cases {
        let error = Store::connect(&url, settings()).await.unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(shown.contains(says), "{url}: {shown}");
        assert!(!shown.contains("hunter2"), "{shown}");
        let retry_helps = url.contains("/x?host");
        assert_eq!(matches!(error, Error::Unavailable(_)), retry_helps, "{shown}");
    }
    let url = good.replace("postgres:///", "postgres://postgres:hunter2@localhost/");
    let store = Store::connect(&url, settings()).await.unwrap();
    store.ping().await.unwrap();
    let error = store.pat(&account("a")).await.unwrap_err();
    assert!(!format!("{store:?} {error:?} {error}").contains("hunter2"));
}

#[tokio::test]
async fn errors_are_sorted_by_whether_a_retry_can_help() {
    let db = Db::postgres().await;
    let store = db.store().await;
    let codes = [
        ("40001", true),  // serialization_failure
        ("40P01", true),  // deadlock_detected
        ("53300", true),  // too_many_connections
        ("55P03", true),  // lock_not_available
        ("57P01", true),  // admin_shutdown
        ("25006", true),  // read_only_sql_transaction
        ("23502", false), // not_null_violation
        ("42703", false), // undefined_column
        ("55000", false), // object_not_in_prerequisite_state
    ];
    for (code, retry_helps) in codes {
        db.execute(&format!(
            "CREATE OR REPLACE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN RAISE EXCEPTION 'as told' USING ERRCODE = '{code}'; END $$"
        ))
        .await
        .unwrap();
        let trigger =
            "CREATE OR REPLACE TRIGGER fail BEFORE INSERT ON pats EXECUTE FUNCTION fail()";
        db.execute(trigger).await.unwrap();
        let error = store.put_pat(&pat("a"), &sealed("r1")).await.unwrap_err();
        let expected = match retry_helps {
            true => Error::Unavailable("as told".to_owned()),
            false => Error::Internal("as told".to_owned()),
        };
        assert_eq!(error, expected, "{code}");
    }
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused() {
    let db = Db::sqlite();
    std::fs::write(db.file(), "this is a text file, longer than a database's header".repeat(9))
        .unwrap();
    let error = Store::connect(&db.url, settings()).await.unwrap_err();
    assert!(matches!(error, Error::Unusable(_)), "{error:?}");
}
