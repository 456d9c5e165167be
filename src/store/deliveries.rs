//! Webhook deliveries: taken once, and worked on by one process at a time until they are done. They name no account, so
//! that these queries, unlike all others, begin with the host and the App: each App has deliveries of its own.

use sea_orm::{
    ActiveValue::Set,
    Condition, QueryOrder, QuerySelect, UpdateMany,
    entity::prelude::*,
    sea_query::{Expr, OnConflict},
};
use time::{Duration, OffsetDateTime};

use super::{Error, Store, stored};
use crate::domain::{AccountId, WebhookEvent};

const TABLE: &str = "deliveries";

/// How long a delivery is remembered once it is finished: GitHub keeps its own for 3 days to be sent again.
pub const DELIVERY_LIFE: Duration = Duration::days(7);
/// After this a delivery that is worked on is taken to have lost its process: longer than all requests of one may take.
pub const CLAIM_LIFE: Duration = Duration::minutes(2);

const WAITING: &str = "waiting";
const DONE: &str = "done";
const GIVEN_UP: &str = "given_up";
const NO_ACCOUNTS: &str = "[]";

#[derive(Clone, PartialEq, Eq, Debug, DeriveEntityModel)]
#[sea_orm(table_name = "deliveries")]
pub(super) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub host: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub delivery_id: String,
    pub event: String,
    pub state: String,
    pub attempts: i32,
    pub due_at: OffsetDateTime,
    pub claim: Option<String>,
    pub accounts: String,
    pub received_at: OffsetDateTime,
    pub finished_at: Option<OffsetDateTime>,
    pub app: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(super) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// A delivery that this process works on, until [`CLAIM_LIFE`] is over.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Claimed {
    /// GitHub's id of the delivery, with the App's before it where several Apps of a host are told.
    pub id: String,
    /// What it tells.
    pub event: WebhookEvent,
    /// Which try this is; 1 is the first.
    pub attempt: u32,
}

impl Store {
    /// Stores a delivery to be worked on; false if it was seen before.
    pub async fn take_delivery(
        &self,
        id: &str,
        event: &WebhookEvent,
        now: OffsetDateTime,
    ) -> Result<bool, Error> {
        let event = serde_json::to_string(event);
        let row = ActiveModel {
            host: Set(self.settings.github_host.clone()),
            delivery_id: Set(self.delivery_key(id)),
            event: Set(event.map_err(|error| Error::Internal(error.to_string()))?),
            state: Set(WAITING.to_owned()),
            attempts: Set(0),
            due_at: Set(stored(now)),
            claim: Set(None),
            accounts: Set(NO_ACCOUNTS.to_owned()),
            received_at: Set(stored(now)),
            finished_at: Set(None),
            app: Set(self.settings.github_app.clone()),
        };
        let once = OnConflict::columns([Column::Host, Column::DeliveryId]).do_nothing().to_owned();
        self.within(async {
            let insert = Entity::insert(row).on_conflict(once).exec_without_returning(&self.db);
            Ok(insert.await.map_err(Error::in_table(TABLE))? > 0)
        })
        .await
    }

    /// Claims the delivery that has been due for longest; none if none is. Of several processes at once each gets another.
    pub async fn claim_delivery(&self, now: OffsetDateTime) -> Result<Option<Claimed>, Error> {
        self.within(async {
            // Somebody else may claim what was just found; then there is one less.
            while let Some(row) = self.due(now).await.map_err(Error::in_table(TABLE))? {
                let update = Entity::update_many()
                    .filter(self.delivery(&row.delivery_id))
                    .filter(Column::State.eq(WAITING))
                    .filter(Column::Attempts.eq(row.attempts))
                    .col_expr(Column::Attempts, Expr::value(row.attempts.saturating_add(1)))
                    .col_expr(Column::DueAt, Expr::value(stored(now + CLAIM_LIFE)))
                    .col_expr(Column::Claim, Expr::value(self.replica.to_string()));
                let updated = update.exec(&self.db).await.map_err(Error::in_table(TABLE))?;
                if updated.rows_affected > 0 {
                    return claimed(row).map(Some);
                }
            }
            Ok(None)
        })
        .await
    }

    async fn due(&self, now: OffsetDateTime) -> Result<Option<Model>, DbErr> {
        Entity::find()
            .filter(self.is_our_delivery())
            .filter(Column::State.eq(WAITING))
            .filter(Column::DueAt.lte(stored(now)))
            .order_by_asc(Column::DueAt)
            .order_by_asc(Column::ReceivedAt)
            .limit(1)
            .one(&self.db)
            .await
    }

    /// Records that a delivery was followed, and for which accounts, so that people can see it.
    pub async fn finish_delivery(
        &self,
        delivery: &Claimed,
        accounts: &[AccountId],
        now: OffsetDateTime,
    ) -> Result<(), Error> {
        let accounts: Vec<&str> = accounts.iter().map(AccountId::as_str).collect();
        let accounts = serde_json::to_string(&accounts);
        let accounts = accounts.map_err(|error| Error::Internal(error.to_string()))?;
        let update =
            self.end(delivery, DONE, now).col_expr(Column::Accounts, Expr::value(accounts));
        self.update_delivery(update).await
    }

    /// Records that a delivery is not tried again.
    pub async fn give_delivery_up(
        &self,
        delivery: &Claimed,
        now: OffsetDateTime,
    ) -> Result<(), Error> {
        self.update_delivery(self.end(delivery, GIVEN_UP, now)).await
    }

    /// Lets go of a delivery until it is due again.
    pub async fn postpone_delivery(
        &self,
        delivery: &Claimed,
        due_at: OffsetDateTime,
    ) -> Result<(), Error> {
        let update = self
            .held(delivery)
            .col_expr(Column::Claim, Expr::null())
            .col_expr(Column::DueAt, Expr::value(stored(due_at)));
        self.update_delivery(update).await
    }

    /// Forgets deliveries that were finished before `older_than`; says how many. Meant for now - [`DELIVERY_LIFE`].
    pub async fn prune_deliveries(&self, older_than: OffsetDateTime) -> Result<u64, Error> {
        let delete = Entity::delete_many().filter(Column::FinishedAt.lt(stored(older_than)));
        let done = async { delete.exec(&self.db).await.map_err(Error::in_table(TABLE)) };
        Ok(self.within(done).await?.rows_affected)
    }

    fn is_our_delivery(&self) -> Condition {
        Condition::all()
            .add(Column::Host.eq(&self.settings.github_host))
            .add(Column::App.is_in(self.apps()))
    }

    /// GitHub tells each App of an event under the same id. The first App of a host has them as they are, as a replica of
    /// the version before has; the others in a form that no id of GitHub's has.
    fn delivery_key(&self, id: &str) -> String {
        if self.apps().any(String::is_empty) {
            return id.to_owned();
        }
        format!("{}/{id}", self.settings.github_app)
    }

    fn delivery(&self, key: &str) -> Condition {
        Condition::all()
            .add(Column::Host.eq(&self.settings.github_host))
            .add(Column::DeliveryId.eq(key))
    }

    /// What another process has claimed meanwhile stays as that one has it.
    fn held(&self, delivery: &Claimed) -> UpdateMany<Entity> {
        Entity::update_many()
            .filter(self.delivery(&delivery.id))
            .filter(Column::State.eq(WAITING))
            .filter(Column::Claim.eq(self.replica.to_string()))
            .filter(Column::Attempts.eq(delivery.attempt))
    }

    fn end(
        &self,
        delivery: &Claimed,
        state: &'static str,
        now: OffsetDateTime,
    ) -> UpdateMany<Entity> {
        self.held(delivery)
            .col_expr(Column::State, Expr::value(state))
            .col_expr(Column::FinishedAt, Expr::value(stored(now)))
    }

    async fn update_delivery(&self, update: UpdateMany<Entity>) -> Result<(), Error> {
        self.within(async {
            update.exec(&self.db).await.map_err(Error::in_table(TABLE))?;
            Ok(())
        })
        .await
    }
}

fn claimed(row: Model) -> Result<Claimed, Error> {
    Ok(Claimed {
        event: serde_json::from_str(&row.event).map_err(|_| Error::corrupt(TABLE, "event"))?,
        attempt: u32::try_from(row.attempts).unwrap_or(u32::MAX).saturating_add(1),
        id: row.delivery_id,
    })
}
