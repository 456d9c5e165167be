//! Bindings of repositories: any number per account, at most one of them active on each host.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const UP: &str = "
CREATE TABLE bindings (
    account TEXT NOT NULL CHECK (account <> ''),
    host TEXT NOT NULL,
    repository_id BIGINT NOT NULL,
    repository TEXT NOT NULL,
    staging TEXT NOT NULL,
    production TEXT NOT NULL,
    subdirectory TEXT NOT NULL,
    active BOOLEAN NOT NULL,
    PRIMARY KEY (account, host, repository_id),
    CHECK (staging <> production)
);
CREATE UNIQUE INDEX bindings_one_active ON bindings (account, host) WHERE active";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        crate::run(manager, UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        crate::run(manager, "DROP TABLE bindings").await
    }
}
