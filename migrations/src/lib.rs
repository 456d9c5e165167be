//! The database schema of ghbroker, for SQLite and PostgreSQL: one file per migration, applied in order and never
//! changed once released. Constraints that must hold whatever the replicas do are the database's own.

use sea_orm_migration::{
    prelude::*,
    sea_orm::{ConnectionTrait, DbBackend, EntityTrait},
    seaql_migrations,
};

pub use sea_orm_migration::MigratorTrait;

mod m20261101_000001_installations;
mod m20261101_000002_pats;
mod m20261101_000003_bindings;
mod m20261101_000004_commit_requests;
mod m20261101_000005_binding_branches;
mod m20261121_000006_tried_heads;
mod m20261121_000007_connecting;
mod m20261121_000008_credential_switches;
mod m20261121_000009_deliveries;
mod m20261121_000010_binding_state;
mod m20261121_000011_sites;
mod m20261121_000012_changes;

/// All migrations, in order.
#[derive(Debug)]
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261101_000001_installations::Migration),
            Box::new(m20261101_000002_pats::Migration),
            Box::new(m20261101_000003_bindings::Migration),
            Box::new(m20261101_000004_commit_requests::Migration),
            Box::new(m20261101_000005_binding_branches::Migration),
            Box::new(m20261121_000006_tried_heads::Migration),
            Box::new(m20261121_000007_connecting::Migration),
            Box::new(m20261121_000008_credential_switches::Migration),
            Box::new(m20261121_000009_deliveries::Migration),
            Box::new(m20261121_000010_binding_state::Migration),
            Box::new(m20261121_000011_sites::Migration),
            Box::new(m20261121_000012_changes::Migration),
        ]
    }
}

/// Names of the migrations that a database has; none if it was never migrated. Writes nothing.
pub async fn applied<'c>(db: impl IntoSchemaManagerConnection<'c>) -> Result<Vec<String>, DbErr> {
    let manager = SchemaManager::new(db);
    // Asked first, because a failed query would spoil a transaction on PostgreSQL.
    if !manager.has_table(Migrator::migration_table_name().to_string()).await? {
        return Ok(Vec::new());
    }
    let rows = seaql_migrations::Entity::find().all(manager.get_connection()).await?;
    Ok(rows.into_iter().map(|row| row.version).collect())
}

/// Runs DDL that both databases understand but for two type names: `{bytes}` and `{time}`.
async fn run(manager: &SchemaManager<'_>, sql: &str) -> Result<(), DbErr> {
    let (bytes, time) = match manager.get_database_backend() {
        DbBackend::Postgres => ("BYTEA", "TIMESTAMPTZ"),
        _ => ("BLOB", "DATETIME"),
    };
    let sql = sql.replace("{bytes}", bytes).replace("{time}", time);
    manager.get_connection().execute_unprepared(&sql).await?;
    Ok(())
}
