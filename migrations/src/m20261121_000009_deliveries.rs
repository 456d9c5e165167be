//! Webhook deliveries: what was taken from GitHub and has yet to be followed, and what was seen before.
//!
//! `event` is JSON of what is needed of a delivery, never its body. Whoever works on one has its `claim`, until
//! `due_at`. `accounts` is a JSON array of those that a finished one was about.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const UP: &str = "
CREATE TABLE deliveries (
    host TEXT NOT NULL,
    delivery_id TEXT NOT NULL CHECK (delivery_id <> ''),
    event TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('waiting', 'done', 'given_up')),
    attempts INTEGER NOT NULL,
    due_at {time} NOT NULL,
    claim TEXT,
    accounts TEXT NOT NULL,
    received_at {time} NOT NULL,
    finished_at {time},
    PRIMARY KEY (host, delivery_id)
);
CREATE INDEX deliveries_due ON deliveries (host, due_at) WHERE state = 'waiting';
CREATE INDEX deliveries_finished ON deliveries (host, finished_at)";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        crate::run(manager, UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        crate::run(manager, "DROP TABLE deliveries").await
    }
}
