//! What was changed, by whomever: read again and again, so that what is in memory is never much older than the database.

use std::{collections::HashSet, time::Duration};

use sea_orm::{DbBackend, FromQueryResult, Statement};
use time::OffsetDateTime;

use super::{Error, Store};
use crate::domain::AccountId;

const TABLE: &str = "changes";

/// A change is told of for so long: far longer than a replica that hears nothing trusts what it knows. Who heeds nothing for longer
/// may have missed some.
const LIFE: Duration = Duration::from_secs(10 * 60);

/// What was changed so recently is read again, though all of it was seen: a standby that took over may have lost the
/// last transactions, and gives their numbers to others.
const OVERLAP: Duration = Duration::from_secs(60);

/// Most that is read at once; then the next ones are read.
const PAGE: usize = 10_000;

/// Whatever is committed later has a number from the horizon on, so that a transaction of any length is seen.
const ON_POSTGRES: &str = "
SELECT horizon, told_at, id, account, writer
FROM (
    SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS horizon, EXTRACT(EPOCH FROM now())::bigint AS told_at
) AS seen
LEFT JOIN changes ON id > $3 AND (xid >= $1 OR at > now() - make_interval(secs => $2))
ORDER BY id
LIMIT $4";

/// Transactions that write come one after the other, and so do their numbers. No number is used again, so that what was
/// deleted counts, too.
const ON_SQLITE: &str = "
SELECT horizon, told_at, id, account, NULL AS writer
FROM (
    SELECT COALESCE(MAX(seq), 0) + 1 AS horizon, CAST(strftime('%s', 'now') AS INTEGER) AS told_at
    FROM sqlite_sequence WHERE name = 'changes'
) AS seen
LEFT JOIN changes ON id > $2 AND id >= $1
ORDER BY id
LIMIT $3";

/// How far changes were heeded. Begins with none.
#[derive(Default, Debug)]
pub struct Heeded {
    last: Option<Last>,
}

#[derive(Debug)]
struct Last {
    at: OffsetDateTime,
    /// The same by the database's clock: seconds since 1970.
    told_at: i64,
    horizon: i64,
    /// Those that may be read again.
    ids: HashSet<i64>,
}

/// What others have changed: other replicas, or people.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Elsewhere {
    /// These accounts.
    These(Vec<AccountId>),
    /// Any: it was not heeded for so long that some changes are told of no more, or all rows of a table went.
    Any,
}

impl Last {
    fn new(at: OffsetDateTime, first: &Row) -> Self {
        Self { at, told_at: first.told_at, horizon: first.horizon, ids: HashSet::new() }
    }

    /// Whether changes since then may be told of no more. By the clock that they are pruned by: one of a machine that was paused
    /// may have stood still with it.
    fn is_too_long_before(&self, next: &Self) -> bool {
        // Some of those that could not be seen yet the last time were noted a little before it.
        let long = (LIFE - OVERLAP).as_secs().cast_signed();
        next.told_at.saturating_sub(self.told_at) >= long
    }
}

#[derive(FromQueryResult)]
struct Row {
    horizon: i64,
    told_at: i64,
    id: Option<i64>,
    account: Option<String>,
    writer: Option<String>,
}

impl Store {
    /// Reads what was changed since the last time, and forgets what is known of those accounts: of all, if some changes may have
    /// been missed. Says what somebody else has changed. From the first time on [`Store::view`] uses what is in memory; not
    /// any more when this has not been done for 15 s.
    pub async fn heed_changes(
        &self,
        heeded: &mut Heeded,
        now: OffsetDateTime,
    ) -> Result<Elsewhere, Error> {
        let before = heeded.last.as_ref();
        let mut last: Option<Last> = None;
        let mut elsewhere = HashSet::new();
        let (mut any, mut read_to) = (false, 0);
        loop {
            let rows = self.changes_since(before, now, read_to).await?;
            let is_last = rows.len() < PAGE;
            for row in rows {
                // The first page's: what is committed while the others are read is read the next time, wherever it stands.
                let last = last.get_or_insert_with(|| Last::new(now, &row));
                let (Some(id), Some(account)) = (row.id, row.account) else { continue };
                read_to = id;
                last.ids.insert(id);
                // At the first time nothing is known of it.
                if before.is_none_or(|before| before.ids.contains(&id)) {
                    continue;
                }
                // All rows of a table are gone: no account has this name.
                let Ok(account) = account.parse() else {
                    any = true;
                    continue;
                };
                self.views.forget(&account);
                if row.writer.is_some_and(|writer| writer != self.name()) {
                    elsewhere.insert(account);
                }
            }
            if is_last {
                break;
            }
        }
        any |=
            before.zip(last.as_ref()).is_some_and(|(before, last)| before.is_too_long_before(last));
        if any {
            self.views.forget_all();
        }
        heeded.last = last;
        self.views.heard(now);
        Ok(if any { Elsewhere::Any } else { Elsewhere::These(elsewhere.into_iter().collect()) })
    }

    /// A page of what was changed, of those after this number, in the order of the numbers. Has at least one row, if only with
    /// the horizon, on the first page.
    async fn changes_since(
        &self,
        last: Option<&Last>,
        now: OffsetDateTime,
        after: i64,
    ) -> Result<Vec<Row>, Error> {
        let horizon = last.map_or(i64::MAX, |last| last.horizon);
        // By the injected clock only how long ago it was; a clock that was set back knows nothing of it.
        let since_then = last.map_or(0.0, |last| (now - last.at).as_seconds_f64().max(0.0));
        let window = last.map_or(0.0, |_| since_then + OVERLAP.as_secs_f64());
        let most = PAGE as i64;
        let query = match self.db.get_database_backend() {
            DbBackend::Postgres => Statement::from_sql_and_values(
                DbBackend::Postgres,
                ON_POSTGRES,
                [horizon.into(), window.into(), after.into(), most.into()],
            ),
            backend => {
                let values = [horizon.into(), after.into(), most.into()];
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
