//! On which head a commit was tried last: noted before it is, so that a retry finds a commit that nobody was told of.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const UP: &str = "ALTER TABLE commit_requests ADD COLUMN tried_head TEXT";

const DOWN: &str = "ALTER TABLE commit_requests DROP COLUMN tried_head";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        crate::run(manager, UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        crate::run(manager, DOWN).await
    }
}
