//! What was changed of which account, so that no replica goes on with what it has in memory.
//!
//! Rows are written by triggers, so that no code forgets to, nor a person at the database. On PostgreSQL `xid` is the
//! transaction, as ids are given out in another order than rows become visible in, and `writer` the name that its connection
//! goes by; TRUNCATE tells no rows, so that the account is empty: it may be any. SQLite has one writer at a time, and one
//! replica: ids do, and nobody else writes.
//!
//! Of users' tokens only that there are some is of interest: renewals are many, and nobody keeps those in memory.

use sea_orm_migration::{
    prelude::*,
    sea_orm::{ConnectionTrait, DbBackend},
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// As its owner: whoever may write an account's rows need not have rights to this table. Not for a row's old and new account
/// twice, where they are the same.
const POSTGRES: &str = "
CREATE TABLE changes (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account TEXT NOT NULL,
    writer TEXT NOT NULL DEFAULT current_setting('application_name'),
    xid BIGINT NOT NULL DEFAULT pg_current_xact_id()::text::bigint,
    at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX changes_xid ON changes (xid);
CREATE INDEX changes_at ON changes (at);
CREATE FUNCTION note_change() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        INSERT INTO changes (account) VALUES ('');
        RETURN NULL;
    END IF;
    IF TG_OP <> 'INSERT' THEN
        INSERT INTO changes (account) VALUES (OLD.account);
    END IF;
    IF TG_OP = 'INSERT' OR (TG_OP = 'UPDATE' AND NEW.account <> OLD.account) THEN
        INSERT INTO changes (account) VALUES (NEW.account);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER note_change AFTER INSERT OR UPDATE OR DELETE ON installations
    FOR EACH ROW EXECUTE FUNCTION note_change();
CREATE TRIGGER note_change AFTER INSERT OR UPDATE OR DELETE ON bindings
    FOR EACH ROW EXECUTE FUNCTION note_change();
CREATE TRIGGER note_change AFTER INSERT OR UPDATE OF account, host OR DELETE ON pats
    FOR EACH ROW EXECUTE FUNCTION note_change();
CREATE TRIGGER note_change AFTER INSERT OR UPDATE OF account, host OR DELETE ON oauth_users
    FOR EACH ROW EXECUTE FUNCTION note_change();
CREATE TRIGGER note_change AFTER INSERT OR UPDATE OR DELETE ON homes
    FOR EACH ROW EXECUTE FUNCTION note_change();
CREATE TRIGGER note_truncate AFTER TRUNCATE ON installations EXECUTE FUNCTION note_change();
CREATE TRIGGER note_truncate AFTER TRUNCATE ON bindings EXECUTE FUNCTION note_change();
CREATE TRIGGER note_truncate AFTER TRUNCATE ON pats EXECUTE FUNCTION note_change();
CREATE TRIGGER note_truncate AFTER TRUNCATE ON oauth_users EXECUTE FUNCTION note_change();
CREATE TRIGGER note_truncate AFTER TRUNCATE ON homes EXECUTE FUNCTION note_change()";

const POSTGRES_DOWN: &str = "
DROP TRIGGER note_change ON installations;
DROP TRIGGER note_change ON bindings;
DROP TRIGGER note_change ON pats;
DROP TRIGGER note_change ON oauth_users;
DROP TRIGGER note_change ON homes;
DROP TRIGGER note_truncate ON installations;
DROP TRIGGER note_truncate ON bindings;
DROP TRIGGER note_truncate ON pats;
DROP TRIGGER note_truncate ON oauth_users;
DROP TRIGGER note_truncate ON homes;
DROP FUNCTION note_change();
DROP TABLE changes";

/// An id is never used twice, also when all rows are gone.
const SQLITE: &str = "
CREATE TABLE changes (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account TEXT NOT NULL,
    at INTEGER NOT NULL DEFAULT (CAST(strftime('%s', 'now') AS INTEGER))
);
CREATE INDEX changes_at ON changes (at)";

/// Tables, and of which columns an update is of interest; all, if none is named.
const WATCHED: [(&str, &str); 5] = [
    ("installations", ""),
    ("bindings", ""),
    ("pats", "OF account, host"),
    ("oauth_users", "OF account, host"),
    ("homes", ""),
];

/// SQLite's triggers are of one event each.
const EVENTS: [(&str, &str); 4] = [
    ("insert", "INSERT INTO changes (account) VALUES (NEW.account);"),
    ("update", "INSERT INTO changes (account) VALUES (OLD.account);"),
    ("move", "INSERT INTO changes (account) VALUES (NEW.account);"),
    ("delete", "INSERT INTO changes (account) VALUES (OLD.account);"),
];

fn sqlite_triggers() -> impl Iterator<Item = (String, String)> {
    WATCHED.into_iter().flat_map(|(table, columns)| {
        EVENTS.into_iter().map(move |(event, note)| {
            let name = format!("{table}_note_{event}");
            let when = match event {
                "update" => format!("UPDATE {columns} ON {table}"),
                "move" => format!("UPDATE OF account ON {table} WHEN NEW.account <> OLD.account"),
                _ => format!("{} ON {table}", event.to_uppercase()),
            };
            let create = format!("CREATE TRIGGER {name} AFTER {when} BEGIN {note} END");
            (name, create)
        })
    })
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if manager.get_database_backend() == DbBackend::Postgres {
            manager.get_connection().execute_unprepared(POSTGRES).await?;
            return Ok(());
        }
        crate::run(manager, SQLITE).await?;
        for (_, create) in sqlite_triggers() {
            crate::run(manager, &create).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if manager.get_database_backend() == DbBackend::Postgres {
            return crate::run(manager, POSTGRES_DOWN).await;
        }
        for (name, _) in sqlite_triggers() {
            crate::run(manager, &format!("DROP TRIGGER {name}")).await?;
        }
        crate::run(manager, "DROP TABLE changes").await
    }
}
