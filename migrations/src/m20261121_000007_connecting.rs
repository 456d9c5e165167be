//! Connecting accounts by way of a browser: what was begun there, and the users who have authorized the broker.
//!
//! Of a `state` only its hash is kept. `verifier_sealed` is the PKCE verifier, and is null where there is none. The tokens of a
//! user are in `tokens_sealed` together, as a renewal replaces both; `claimed_until` is for the one replica that renews them.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const UP: &str = "
CREATE TABLE connect_attempts (
    state_hash TEXT NOT NULL PRIMARY KEY CHECK (state_hash <> ''),
    account TEXT NOT NULL CHECK (account <> ''),
    host TEXT NOT NULL,
    caller TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('installation', 'oauth')),
    return_url TEXT NOT NULL,
    expected_login TEXT,
    verifier_sealed {bytes},
    kek_id TEXT,
    row_id TEXT NOT NULL UNIQUE,
    row_version BIGINT NOT NULL,
    expires_at {time} NOT NULL
);
CREATE INDEX connect_attempts_by_age ON connect_attempts (expires_at);
CREATE TABLE oauth_users (
    account TEXT NOT NULL PRIMARY KEY CHECK (account <> ''),
    host TEXT NOT NULL,
    row_id TEXT NOT NULL UNIQUE,
    row_version BIGINT NOT NULL,
    tokens_sealed {bytes} NOT NULL,
    kek_id TEXT NOT NULL,
    login TEXT NOT NULL,
    user_id BIGINT NOT NULL,
    scopes TEXT NOT NULL,
    expires_at {time},
    refresh_expires_at {time},
    fingerprint TEXT NOT NULL,
    status TEXT NOT NULL
        CHECK (status IN ('active', 'pending_approval', 'suspended', 'expired', 'revoked', 'disabled')),
    enabled BOOLEAN NOT NULL,
    connected_at {time} NOT NULL,
    claim TEXT,
    claimed_until {time}
);
CREATE INDEX oauth_users_by_user ON oauth_users (host, user_id)";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        crate::run(manager, UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        crate::run(manager, "DROP TABLE oauth_users; DROP TABLE connect_attempts").await
    }
}
