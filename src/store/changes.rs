//! What was changed, by whomever: read again and again, so that what is in memory is never much older than the database.

use std::{collections::HashSet, time::Duration};

use sea_orm::{DbBackend, FromQueryResult, Statement};
use time::OffsetDateTime;

use super::{Error, Store};
use crate::domain::AccountId;

const TABLE: &str = "changes";

/// A change is told of for so long: far longer than a replica that hears nothing trusts what it knows.
const LIFE: Duration = Duration::from_secs(10 * 60);

/// What was changed so recently is read again, though all of it was seen: a standby that took over may have lost the
/// last transactions, and gives their numbers to others.
const OVERLAP: Duration = Duration::from_secs(60);

/// Most that is read at once. Who changes more accounts than this has changed all, for what is in memory.
const MOST: usize = 50_000;

/// Whatever is committed later has a number from the horizon on, so that a transaction of any length is seen.
const ON_POSTGRES: &str = "
SELECT horizon, id, account, writer
FROM (SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS horizon) AS seen
LEFT JOIN changes ON xid >= $1 OR at > now() - make_interval(secs => $2)
LIMIT $3";

/// Transactions that write come one after the other, and so do their numbers. No number is used again, so that what was
/// deleted counts, too.
const ON_SQLITE: &str = "
SELECT horizon, id, account, NULL AS writer
FROM (SELECT COALESCE(MAX(seq), 0) + 1 AS horizon FROM sqlite_sequence WHERE name = 'changes') AS seen
LEFT JOIN changes ON id >= $1
LIMIT $2";

/// How far changes were heeded. Begins with none.
#[derive(Default, Debug)]
pub struct Heeded {
    last: Option<Last>,
}

#[derive(Debug)]
struct Last {
    at: OffsetDateTime,
    horizon: i64,
    /// Those that may be read again.
    ids: HashSet<i64>,
}

#[derive(FromQueryResult)]
struct Row {
    horizon: i64,
    id: Option<i64>,
    account: Option<String>,
    writer: Option<String>,
}

impl Store {
    /// Reads what was changed since the last time, and forgets what is known of those accounts. Says which of them somebody
    /// else has changed: another replica, or a person. From the first time on [`Store::view`] uses what is in memory; not
    /// any more when this has not been done for 15 s.
    pub async fn heed_changes(
        &self,
        heeded: &mut Heeded,
        now: OffsetDateTime,
    ) -> Result<Vec<AccountId>, Error> {
        let rows = self.changes_since(heeded.last.as_ref(), now).await?;
        if rows.len() >= MOST {
            self.views.forget_all();
        }
        let before = heeded.last.take();
        let mut last = Last { at: now, horizon: 0, ids: HashSet::new() };
        let mut elsewhere = HashSet::new();
        for row in rows {
            last.horizon = row.horizon;
            let (Some(id), Some(account)) = (row.id, row.account) else { continue };
            last.ids.insert(id);
            // At the first time nothing is known of it.
            if before.as_ref().is_none_or(|before| before.ids.contains(&id)) {
                continue;
            }
            // All rows of a table are gone: no account has this name.
            let Ok(account) = account.parse() else {
                self.views.forget_all();
                continue;
            };
            self.views.forget(&account);
            if row.writer.is_some_and(|writer| writer != self.name()) {
                elsewhere.insert(account);
            }
        }
        heeded.last = Some(last);
        self.views.heard(now);
        Ok(elsewhere.into_iter().collect())
    }

    async fn changes_since(
        &self,
        last: Option<&Last>,
        now: OffsetDateTime,
    ) -> Result<Vec<Row>, Error> {
        let horizon = last.map_or(i64::MAX, |last| last.horizon);
        // By the injected clock only how long ago it was; a clock that was set back knows nothing of it.
        let since_then = last.map_or(0.0, |last| (now - last.at).as_seconds_f64().max(0.0));
        let window = last.map_or(0.0, |_| since_then + OVERLAP.as_secs_f64());
        let query = match self.db.get_database_backend() {
            DbBackend::Postgres => Statement::from_sql_and_values(
                DbBackend::Postgres,
                ON_POSTGRES,
                [horizon.into(), window.into(), (MOST as i64).into()],
            ),
            backend => {
                let values = [horizon.into(), (MOST as i64).into()];
                Statement::from_sql_and_values(backend, ON_SQLITE, values)
            }
        };
        let rows = Row::find_by_statement(query);
        self.within(async { rows.all(&self.db).await.map_err(Error::in_table(TABLE)) }).await
    }

    /// Forgets the changes that everybody has heeded by now; says how many there were. By the database's clock.
    pub async fn prune_changes(&self) -> Result<u64, Error> {
        use sea_orm::ConnectionTrait;
        let backend = self.db.get_database_backend();
        let older = match backend {
            DbBackend::Postgres => "at < now() - make_interval(secs => $1)",
            _ => "at < CAST(strftime('%s', 'now') AS INTEGER) - $1",
        };
        let sql = format!("DELETE FROM {TABLE} WHERE {older}");
        let delete = Statement::from_sql_and_values(backend, sql, [LIFE.as_secs_f64().into()]);
        let done = async { self.db.execute_raw(delete).await.map_err(Error::in_table(TABLE)) };
        Ok(self.within(done).await?.rows_affected())
    }
}
