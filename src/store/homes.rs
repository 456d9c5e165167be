//! At which site each account is connected, for as long as it is connected with anything: nothing of it is asked of another
//! one.

use sea_orm::{
    ActiveValue::Set,
    DatabaseTransaction, ExprTrait, QuerySelect,
    entity::prelude::*,
    sea_query::{Expr, OnConflict},
};

use super::{Error, Store};
use crate::domain::AccountId;

pub(super) const TABLE: &str = "homes";

#[derive(Clone, PartialEq, Eq, Debug, DeriveEntityModel)]
#[sea_orm(table_name = "homes")]
pub(super) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub account: String,
    pub host: String,
    pub app: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(super) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// One App on one host.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Home {
    /// GitHub's host.
    pub host: String,
    /// The App's issuer; empty where there was none, or where it was not kept.
    pub app: String,
}

impl Store {
    /// Where an account is connected; none if nowhere. The same from the store of whichever site.
    pub async fn home(&self, account: &AccountId) -> Result<Option<Home>, Error> {
        let query = Entity::find_by_id(account.as_str());
        let row = self.within(async { query.one(&self.db).await.map_err(Error::in_table(TABLE)) });
        Ok(row.await?.map(|row| Home { host: row.host, app: row.app }))
    }

    /// All sites at which accounts are connected, each with their number.
    pub async fn homes(&self) -> Result<Vec<(Home, i64)>, Error> {
        let query = Entity::find()
            .select_only()
            .columns([Column::Host, Column::App])
            .column_as(Column::Account.count(), "accounts")
            .group_by(Column::Host)
            .group_by(Column::App)
            .into_tuple::<(String, String, i64)>();
        let rows = self.within(async { query.all(&self.db).await.map_err(Error::in_table(TABLE)) });
        Ok(rows
            .await?
            .into_iter()
            .map(|(host, app, accounts)| (Home { host, app }, accounts))
            .collect())
    }

    /// True if that is this store's site.
    pub fn is_at(&self, home: &Home) -> bool {
        home.host == self.settings.github_host && self.apps().any(|app| *app == home.app)
    }

    /// Begins a transaction that connects an account. [`Error::ConnectedElsewhere`] if it is at another site.
    pub(super) async fn begin_at_home(&self, account: &str) -> Result<DatabaseTransaction, Error> {
        let transaction = self.begin().await.map_err(Error::in_table(TABLE))?;
        self.claim_home(&transaction, account).await?;
        Ok(transaction)
    }

    /// Makes this site the account's if it has none. Until the transaction ends nobody else connects or disconnects it.
    pub(super) async fn claim_home(
        &self,
        transaction: &DatabaseTransaction,
        account: &str,
    ) -> Result<(), Error> {
        let row = ActiveModel {
            account: Set(account.to_owned()),
            host: Set(self.settings.github_host.clone()),
            app: Set(self.settings.github_app.clone()),
        };
        let column = |column: Column| Expr::col((Entity, column));
        let mine = OnConflict::column(Column::Account)
            .update_column(Column::App)
            .action_and_where(column(Column::Host).eq(&self.settings.github_host))
            .action_and_where(column(Column::App).is_in(self.apps()))
            .to_owned();
        let insert = Entity::insert(row).on_conflict(mine).exec_without_returning(transaction);
        match insert.await.map_err(Error::in_table(TABLE))? {
            0 => Err(Error::ConnectedElsewhere),
            _ => Ok(()),
        }
    }
}
