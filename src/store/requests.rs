//! Commit requests by the caller's id, so that a retry gets the first answer and not a second commit.

use sea_orm::{
    ActiveValue::Set,
    Condition, ExprTrait,
    entity::prelude::*,
    sea_query::{Expr, OnConflict},
};
use time::{Duration, OffsetDateTime};

use super::{Error, Store, stored};
use crate::domain::AccountId;

pub(super) const TABLE: &str = "commit_requests";

/// How long a request's answer is remembered.
pub const REQUEST_LIFE: Duration = Duration::hours(24);
/// After this a request in progress is taken to have died with its process: longer than a commit may be configured to take.
pub const TAKEOVER_AFTER: Duration = Duration::minutes(3);

const IN_PROGRESS: &str = "in_progress";
const DONE: &str = "done";
/// A row can vanish between two statements (abandoned, pruned); that it does so again and again is not plausible.
const ATTEMPTS: usize = 3;

#[derive(Clone, PartialEq, Eq, Debug, DeriveEntityModel)]
#[sea_orm(table_name = "commit_requests")]
pub(super) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub account: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub request_id: String,
    pub content_hash: String,
    pub state: String,
    pub answer: Option<String>,
    pub created_at: OffsetDateTime,
    pub finished_at: Option<OffsetDateTime>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(super) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// What a request's id says about it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Begin {
    /// Not seen before, or its process died: the caller does the work, then finishes or abandons it.
    New,
    /// Done before; this is the answer, JSON.
    Done(String),
    /// Another call is at work on it.
    InProgress,
    /// The id was used for other content.
    Mismatch,
}

impl Store {
    /// Claims a request's id for this content. Of several calls at once exactly one gets [`Begin::New`].
    pub async fn begin_request(
        &self,
        account: &AccountId,
        request_id: &str,
        content_hash: &str,
        now: OffsetDateTime,
    ) -> Result<Begin, Error> {
        self.within(async {
            for _ in 0..ATTEMPTS {
                if self.claim(account, request_id, content_hash, now).await? {
                    return Ok(Begin::New);
                }
                let row = of(account, request_id).one(&self.db).await;
                if let Some(row) = row.map_err(Error::in_table(TABLE))? {
                    return seen(row, content_hash);
                }
            }
            Err(Error::Unavailable("the request is being removed".to_owned()))
        })
        .await
    }

    /// Inserts the row, or takes over one whose time is up; false if another call has it.
    async fn claim(
        &self,
        account: &AccountId,
        request_id: &str,
        content_hash: &str,
        now: OffsetDateTime,
    ) -> Result<bool, Error> {
        let row = ActiveModel {
            account: Set(account.to_string()),
            request_id: Set(request_id.to_owned()),
            content_hash: Set(content_hash.to_owned()),
            state: Set(IN_PROGRESS.to_owned()),
            answer: Set(None),
            created_at: Set(stored(now)),
            finished_at: Set(None),
        };
        let column = |column: Column| Expr::col((Entity, column));
        let forgotten = column(Column::CreatedAt).lt(stored(now - REQUEST_LIFE));
        let died = column(Column::State)
            .eq(IN_PROGRESS)
            .and(column(Column::ContentHash).eq(content_hash))
            .and(column(Column::CreatedAt).lt(stored(now - TAKEOVER_AFTER)));
        let replace = OnConflict::columns([Column::Account, Column::RequestId])
            .update_columns([
                Column::ContentHash,
                Column::State,
                Column::Answer,
                Column::CreatedAt,
                Column::FinishedAt,
            ])
            .action_cond_where(Condition::any().add(forgotten).add(died))
            .to_owned();
        let rows = Entity::insert(row).on_conflict(replace).exec_without_returning(&self.db).await;
        Ok(rows.map_err(Error::in_table(TABLE))? > 0)
    }

    /// Records the answer of a request in progress. Nothing happens if the account was disconnected meanwhile.
    pub async fn finish_request(
        &self,
        account: &AccountId,
        request_id: &str,
        answer: &str,
        now: OffsetDateTime,
    ) -> Result<(), Error> {
        let update = Entity::update_many()
            .filter(in_progress(account, request_id))
            .col_expr(Column::State, Expr::value(DONE))
            .col_expr(Column::Answer, Expr::value(answer))
            .col_expr(Column::FinishedAt, Expr::value(stored(now)));
        self.within(async {
            update.exec(&self.db).await.map_err(Error::in_table(TABLE))?;
            Ok(())
        })
        .await
    }

    /// Gives a request's id back, after work that failed and changed nothing.
    pub async fn abandon_request(
        &self,
        account: &AccountId,
        request_id: &str,
    ) -> Result<(), Error> {
        let delete = Entity::delete_many().filter(in_progress(account, request_id));
        self.within(async {
            delete.exec(&self.db).await.map_err(Error::in_table(TABLE))?;
            Ok(())
        })
        .await
    }

    /// Forgets the requests of all accounts that began before `older_than`; says how many. Meant for
    /// now - [`REQUEST_LIFE`].
    pub async fn prune_requests(&self, older_than: OffsetDateTime) -> Result<u64, Error> {
        let delete = Entity::delete_many().filter(Column::CreatedAt.lt(stored(older_than)));
        let done = async { delete.exec(&self.db).await.map_err(Error::in_table(TABLE)) };
        Ok(self.within(done).await?.rows_affected)
    }
}

fn of(account: &AccountId, request_id: &str) -> Select<Entity> {
    Entity::find()
        .filter(Column::Account.eq(account.as_str()))
        .filter(Column::RequestId.eq(request_id))
}

fn in_progress(account: &AccountId, request_id: &str) -> Condition {
    Condition::all()
        .add(Column::Account.eq(account.as_str()))
        .add(Column::RequestId.eq(request_id))
        .add(Column::State.eq(IN_PROGRESS))
}

fn seen(row: Model, content_hash: &str) -> Result<Begin, Error> {
    if row.content_hash != content_hash {
        return Ok(Begin::Mismatch);
    }
    match (row.state.as_str(), row.answer) {
        (IN_PROGRESS, _) => Ok(Begin::InProgress),
        (DONE, Some(answer)) => Ok(Begin::Done(answer)),
        _ => Err(Error::corrupt(TABLE, "state")),
    }
}
