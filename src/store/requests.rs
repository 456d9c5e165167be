//! Commit requests by the caller's id, so that a retry gets the first answer and not a second commit.

use sea_orm::{
    ActiveValue::Set,
    Condition, ExprTrait,
    entity::prelude::*,
    sea_query::{Expr, OnConflict},
};
use time::{Duration, OffsetDateTime};

use super::{Error, Store, stored};
use crate::domain::{AccountId, ObjectId};

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
    pub tried_head: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(super) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// A request's id as one call has it: what another call has taken over meanwhile stays as that one has it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HeldRequest<'a> {
    /// Owner of the id.
    pub account: &'a AccountId,
    /// The id.
    pub id: &'a str,
    /// When the call began it.
    pub since: OffsetDateTime,
}

/// What a request's id says about it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Begin {
    /// Not seen before, or nobody is at work on it any more: the caller does the work, then finishes, abandons or leaves it.
    New {
        /// The head on which an earlier call may have made the commit without learning of it.
        tried: Option<ObjectId>,
    },
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
                let claimed = self.claim(account, request_id, content_hash, now).await?;
                let row = of(account, request_id).one(&self.db).await;
                let Some(row) = row.map_err(Error::in_table(TABLE))? else { continue };
                return if claimed { new(&row) } else { seen(row, content_hash) };
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
            tried_head: Set(None),
        };
        let column = |column: Column| Expr::col((Entity, column));
        let forgotten = column(Column::CreatedAt).lt(stored(now - REQUEST_LIFE));
        let left = column(Column::FinishedAt).is_not_null();
        let died = column(Column::CreatedAt).lt(stored(now - TAKEOVER_AFTER));
        let nobodys = column(Column::State).eq(IN_PROGRESS).and(left.or(died));
        let same = column(Column::ContentHash).eq(content_hash);
        // What was tried for a forgotten request says nothing about this one.
        let tried = Expr::case(forgotten.clone(), Expr::null()).finally(column(Column::TriedHead));
        let replace = OnConflict::columns([Column::Account, Column::RequestId])
            .update_columns([
                Column::ContentHash,
                Column::State,
                Column::Answer,
                Column::CreatedAt,
                Column::FinishedAt,
            ])
            .value(Column::TriedHead, tried)
            .action_cond_where(Condition::any().add(forgotten).add(nobodys.and(same)))
            .to_owned();
        let rows = Entity::insert(row).on_conflict(replace).exec_without_returning(&self.db).await;
        Ok(rows.map_err(Error::in_table(TABLE))? > 0)
    }

    /// Notes, before it is done, on which head the commit of a request is about to be made: whoever takes the request over
    /// looks for it there.
    pub async fn note_attempt(
        &self,
        request: HeldRequest<'_>,
        head: ObjectId,
    ) -> Result<(), Error> {
        let update = Entity::update_many()
            .filter(held(request))
            .col_expr(Column::TriedHead, Expr::value(head.to_string()));
        self.update(update).await
    }

    /// Records the answer of a request. Nothing happens if the account was disconnected meanwhile.
    pub async fn finish_request(
        &self,
        request: HeldRequest<'_>,
        answer: &str,
        now: OffsetDateTime,
    ) -> Result<(), Error> {
        let update = Entity::update_many()
            .filter(held(request))
            .col_expr(Column::State, Expr::value(DONE))
            .col_expr(Column::Answer, Expr::value(answer))
            .col_expr(Column::FinishedAt, Expr::value(stored(now)));
        self.update(update).await
    }

    /// Gives a request's id back, after work that failed and may have changed something: the next call with the same content
    /// goes on with it.
    pub async fn leave_request(
        &self,
        request: HeldRequest<'_>,
        now: OffsetDateTime,
    ) -> Result<(), Error> {
        let update = Entity::update_many()
            .filter(held(request))
            .col_expr(Column::FinishedAt, Expr::value(stored(now)));
        self.update(update).await
    }

    /// Gives a request's id back, after work that failed and changed nothing.
    pub async fn abandon_request(&self, request: HeldRequest<'_>) -> Result<(), Error> {
        let delete = Entity::delete_many().filter(held(request));
        self.within(async {
            delete.exec(&self.db).await.map_err(Error::in_table(TABLE))?;
            Ok(())
        })
        .await
    }

    async fn update(&self, update: sea_orm::UpdateMany<Entity>) -> Result<(), Error> {
        self.within(async {
            update.exec(&self.db).await.map_err(Error::in_table(TABLE))?;
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

fn held(request: HeldRequest<'_>) -> Condition {
    Condition::all()
        .add(Column::Account.eq(request.account.as_str()))
        .add(Column::RequestId.eq(request.id))
        .add(Column::State.eq(IN_PROGRESS))
        .add(Column::CreatedAt.eq(stored(request.since)))
}

fn new(row: &Model) -> Result<Begin, Error> {
    let tried = row.tried_head.as_deref().map(str::parse).transpose();
    Ok(Begin::New { tried: tried.map_err(|_| Error::corrupt(TABLE, "tried_head"))? })
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
