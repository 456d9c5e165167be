//! Several Apps and hosts side by side: at which of them an account is connected, and of which App a row is.
//!
//! An empty `app` is what rows had before, and what a replica of the version before still writes: it is of the first App
//! that is configured for its host.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

// One column for each statement, and WHERE before ON: SQLite wants both.
const UP: &str = "
CREATE TABLE homes (
    account TEXT NOT NULL PRIMARY KEY CHECK (account <> ''),
    host TEXT NOT NULL,
    app TEXT NOT NULL
);
INSERT INTO homes SELECT account, host, app FROM installations;
INSERT INTO homes SELECT account, host, '' FROM oauth_users WHERE TRUE ON CONFLICT (account) DO NOTHING;
INSERT INTO homes SELECT account, host, '' FROM pats WHERE TRUE ON CONFLICT (account) DO NOTHING;
INSERT INTO homes SELECT account, host, '' FROM bindings WHERE TRUE ON CONFLICT (account) DO NOTHING;
ALTER TABLE oauth_users ADD COLUMN app TEXT NOT NULL DEFAULT '';
ALTER TABLE connect_attempts ADD COLUMN app TEXT NOT NULL DEFAULT '';
ALTER TABLE deliveries ADD COLUMN app TEXT NOT NULL DEFAULT ''";

const DOWN: &str = "
ALTER TABLE deliveries DROP COLUMN app;
ALTER TABLE connect_attempts DROP COLUMN app;
ALTER TABLE oauth_users DROP COLUMN app;
DROP TABLE homes";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        crate::run(manager, UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        crate::run(manager, DOWN).await
    }
}
