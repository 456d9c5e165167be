//! The schema's state, for start-up and readiness.

use std::{collections::HashSet, time::Duration};

use migrations::{Migrator, MigratorTrait};
use sea_orm::{ConnectionTrait, DbBackend, IntoDatabaseExecutor, Statement};

use super::{Error, Store};

/// Migrations of any replica take this lock. The number is arbitrary ("ghbroker" in ASCII), and must never change.
const MIGRATION_LOCK: i64 = 0x6768_6272_6f6b_6572;
/// Longest time for all migrations, the wait for another replica's included.
const MIGRATION_TIMEOUT: Duration = Duration::from_secs(120);

const TABLE: &str = "seaql_migrations";

impl Store {
    /// Brings the schema up to date, all or nothing. Any number of replicas may do it at once: one works, the others
    /// wait for it. A schema that a newer version has migrated further is left as it is.
    pub async fn migrate(&self) -> Result<(), Error> {
        match tokio::time::timeout(MIGRATION_TIMEOUT, self.migrate_locked()).await {
            Ok(result) => result,
            Err(_) => Err(Error::Unavailable("migrations took too long".to_owned())),
        }
    }

    async fn migrate_locked(&self) -> Result<(), Error> {
        let in_table = Error::in_table(TABLE);
        // On SQLite the transaction itself is the lock. On PostgreSQL the lock ends with the transaction, so that it
        // works behind a pooler and no replica that dies can keep it.
        let transaction = self.begin().await.map_err(&in_table)?;
        if transaction.get_database_backend() == DbBackend::Postgres {
            let lock = Statement::from_sql_and_values(
                DbBackend::Postgres,
                "SELECT pg_advisory_xact_lock($1)",
                [MIGRATION_LOCK.into()],
            );
            transaction.execute_raw(lock).await.map_err(&in_table)?;
        }
        if !is_migrated(&transaction).await? {
            Migrator::up(&transaction, None).await.map_err(&in_table)?;
        }
        transaction.commit().await.map_err(&in_table)
    }

    /// True if every migration that this version knows is applied.
    pub async fn is_migrated(&self) -> Result<bool, Error> {
        self.within(is_migrated(&self.db)).await
    }

    /// Asks the database for a sign of life.
    pub async fn ping(&self) -> Result<(), Error> {
        self.within(async { self.db.ping().await.map_err(Error::in_table(TABLE)) }).await
    }
}

/// Unlike the migrator's own question this one bears migrations of a newer version: during a rolling update the old
/// replicas go on serving.
async fn is_migrated<'c>(db: impl IntoDatabaseExecutor<'c>) -> Result<bool, Error> {
    let applied = migrations::applied(db).await.map_err(Error::in_table(TABLE))?;
    let applied: HashSet<&str> = applied.iter().map(String::as_str).collect();
    Ok(Migrator::migrations().iter().all(|migration| applied.contains(migration.name())))
}
