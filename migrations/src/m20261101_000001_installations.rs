//! Installations of GitHub Apps: one per account, and each of one account only.
//!
//! `installation_id` is null while approval is pending. `app` is the App's issuer, so that there can be several Apps later.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const UP: &str = "
CREATE TABLE installations (
    account TEXT NOT NULL PRIMARY KEY CHECK (account <> ''),
    host TEXT NOT NULL,
    app TEXT NOT NULL,
    installation_id BIGINT,
    github_account_id BIGINT,
    github_login TEXT NOT NULL,
    status TEXT NOT NULL
        CHECK (status IN ('active', 'pending_approval', 'suspended', 'expired', 'revoked', 'disabled')),
    registered_at {time} NOT NULL,
    updated_at {time} NOT NULL,
    CONSTRAINT installations_one_account UNIQUE (host, installation_id)
)";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        crate::run(manager, UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        crate::run(manager, "DROP TABLE installations").await
    }
}
