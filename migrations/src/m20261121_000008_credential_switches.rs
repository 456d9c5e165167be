//! Credentials can be switched off; and what an installation that is waited for will be known by.
//!
//! The defaults are what rows were before, and what a replica of the version before still writes.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

// One column for each statement: SQLite takes no more.
const UP: &str = "
ALTER TABLE installations ADD COLUMN enabled BOOLEAN NOT NULL DEFAULT TRUE;
ALTER TABLE installations ADD COLUMN settings_url TEXT NOT NULL DEFAULT '';
ALTER TABLE installations ADD COLUMN expected_login TEXT;
ALTER TABLE installations ADD COLUMN requester_id BIGINT;
ALTER TABLE pats ADD COLUMN enabled BOOLEAN NOT NULL DEFAULT TRUE;
CREATE INDEX installations_by_github_account ON installations (host, github_account_id);
CREATE INDEX installations_by_requester ON installations (host, requester_id)";

const DOWN: &str = "
DROP INDEX installations_by_requester;
DROP INDEX installations_by_github_account;
ALTER TABLE pats DROP COLUMN enabled;
ALTER TABLE installations DROP COLUMN requester_id;
ALTER TABLE installations DROP COLUMN expected_login;
ALTER TABLE installations DROP COLUMN settings_url;
ALTER TABLE installations DROP COLUMN enabled";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        crate::run(manager, UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        crate::run(manager, DOWN).await
    }
}
