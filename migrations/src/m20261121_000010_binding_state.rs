//! What is known of a bound repository beside its name: whether it is archived or gone, and of when that is.
//!
//! The defaults are what was taken for granted before, and what a replica of the version before still writes.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

// One column for each statement: SQLite takes no more.
const UP: &str = "
ALTER TABLE bindings ADD COLUMN repository_state TEXT NOT NULL DEFAULT 'available'
    CHECK (repository_state IN ('available', 'archived', 'deleted'));
ALTER TABLE bindings ADD COLUMN seen_at {time};
CREATE INDEX bindings_repository ON bindings (host, repository_id)";

const DOWN: &str = "
DROP INDEX bindings_repository;
ALTER TABLE bindings DROP COLUMN seen_at;
ALTER TABLE bindings DROP COLUMN repository_state";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        crate::run(manager, UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        crate::run(manager, DOWN).await
    }
}
