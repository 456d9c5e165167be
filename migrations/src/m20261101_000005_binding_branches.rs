//! What a binding says of branches: where staging begins, whether it is made at all, and what may be worked on beside it.
//!
//! The defaults are what bindings were before, and what a replica of the version before still writes. `work_branches` is
//! a JSON array of patterns.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

// One column for each statement: SQLite takes no more.
const UP: &str = "
ALTER TABLE bindings ADD COLUMN staging_base TEXT CHECK (staging_base <> staging);
ALTER TABLE bindings ADD COLUMN staging_must_exist BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE bindings ADD COLUMN work_branches TEXT NOT NULL DEFAULT '[]'";

const DOWN: &str = "
ALTER TABLE bindings DROP COLUMN work_branches;
ALTER TABLE bindings DROP COLUMN staging_must_exist;
ALTER TABLE bindings DROP COLUMN staging_base";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        crate::run(manager, UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        crate::run(manager, DOWN).await
    }
}
