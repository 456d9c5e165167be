//! Commit requests by the caller's id, so that a retry gets the first answer.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const UP: &str = "
CREATE TABLE commit_requests (
    account TEXT NOT NULL CHECK (account <> ''),
    request_id TEXT NOT NULL CHECK (request_id <> ''),
    content_hash TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('in_progress', 'done')),
    answer TEXT,
    created_at {time} NOT NULL,
    finished_at {time},
    PRIMARY KEY (account, request_id),
    CHECK ((state = 'done') = (answer IS NOT NULL))
);
CREATE INDEX commit_requests_by_age ON commit_requests (created_at)";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        crate::run(manager, UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        crate::run(manager, "DROP TABLE commit_requests").await
    }
}
