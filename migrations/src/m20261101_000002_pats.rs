//! Personal access tokens: one per account, the token itself only sealed.
//!
//! `host` is the one that the token is for, and is sent to. `row_id` and `row_version` are bound into the seal; `kek_id` counts what a key still wraps.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const UP: &str = "
CREATE TABLE pats (
    account TEXT NOT NULL PRIMARY KEY CHECK (account <> ''),
    host TEXT NOT NULL,
    row_id TEXT NOT NULL UNIQUE,
    row_version BIGINT NOT NULL,
    token_sealed {bytes} NOT NULL,
    kek_id TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('classic', 'fine_grained')),
    owner_login TEXT NOT NULL,
    owner_id BIGINT NOT NULL,
    scopes TEXT NOT NULL,
    expires_at {time},
    fingerprint TEXT NOT NULL,
    status TEXT NOT NULL
        CHECK (status IN ('active', 'pending_approval', 'suspended', 'expired', 'revoked', 'disabled')),
    registered_at {time} NOT NULL
)";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        crate::run(manager, UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        crate::run(manager, "DROP TABLE pats").await
    }
}
