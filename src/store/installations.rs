//! App installations: one per account.

use sea_orm::{
    ActiveValue::Set,
    Condition, ExprTrait, SqlErr,
    entity::prelude::*,
    sea_query::{Expr, Func, OnConflict},
};
use time::OffsetDateTime;

use super::{Error, Store, stored};
use crate::domain::{AccountId, Awaited, ConnectionStatus, Installation, InstallationId};

pub(super) const TABLE: &str = "installations";

#[derive(Clone, PartialEq, Eq, Debug, DeriveEntityModel)]
#[sea_orm(table_name = "installations")]
pub(super) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub account: String,
    pub host: String,
    pub app: String,
    pub installation_id: Option<i64>,
    pub github_account_id: Option<i64>,
    pub github_login: String,
    pub status: String,
    pub registered_at: OffsetDateTime,
    pub updated_at: OffsetDateTime,
    pub enabled: bool,
    pub settings_url: String,
    pub expected_login: Option<String>,
    pub requester_id: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(super) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Binding the same installation again keeps the day of the first time.
const REGISTERED_AT: &str = "CASE WHEN installations.host = excluded.host \
     AND installations.installation_id IS NOT DISTINCT FROM excluded.installation_id \
     THEN installations.registered_at ELSE excluded.registered_at END";

impl Store {
    /// The account's installation of this store's App.
    pub async fn installation(&self, account: &AccountId) -> Result<Option<Installation>, Error> {
        let query =
            Entity::find().filter(Column::Account.eq(account.as_str())).filter(self.is_ours());
        let row = self.within(async { query.one(&self.db).await.map_err(Error::in_table(TABLE)) });
        row.await?.map(Installation::try_from).transpose()
    }

    /// Binds an installation to its account in place of any other one. [`Error::InstallationTaken`] if it is
    /// another account's, which the database decides, so that of two at once exactly one wins.
    pub async fn bind_installation(&self, installation: &Installation) -> Result<(), Error> {
        let _forget = self.everywhere.forget_after(&installation.account);
        self.put_installation(&installation.account, self.row_of(installation), Condition::all())
            .await
    }

    /// Binds an installation to its account if that waits for one; says whether. Errors as above.
    pub async fn bind_awaited(&self, installation: &Installation) -> Result<bool, Error> {
        let _forget = self.everywhere.forget_after(&installation.account);
        let update = Entity::update_many()
            .set(self.row_of(installation))
            .filter(Column::Account.eq(installation.account.as_str()))
            .filter(self.is_ours())
            .filter(Column::InstallationId.is_null());
        self.within(async {
            let done = update.exec(&self.db).await.map_err(not_bound)?;
            Ok(done.rows_affected > 0)
        })
        .await
    }

    fn row_of(&self, installation: &Installation) -> ActiveModel {
        ActiveModel {
            account: Set(installation.account.to_string()),
            host: Set(self.settings.github_host.clone()),
            app: Set(self.settings.github_app.clone()),
            installation_id: Set(installation.id.map(|id| id.0)),
            github_account_id: Set(installation.github_account_id),
            github_login: Set(installation.github_login.clone()),
            status: Set(installation.status.as_str().to_owned()),
            registered_at: Set(stored(installation.registered_at)),
            updated_at: Set(stored(installation.registered_at)),
            enabled: Set(installation.enabled),
            settings_url: Set(installation.settings_url.clone()),
            expected_login: Set(None),
            requester_id: Set(None),
        }
    }

    /// Records that an account waits for its installation, unless it has one at this site that was not revoked.
    pub async fn await_installation(&self, awaited: &Awaited) -> Result<(), Error> {
        let _forget = self.everywhere.forget_after(&awaited.account);
        let column = |column: Column| Expr::col((Entity, column));
        let none = Condition::any()
            .add(column(Column::InstallationId).is_null())
            .add(column(Column::Status).eq(ConnectionStatus::Revoked.as_str()))
            .add(column(Column::Host).ne(&self.settings.github_host))
            .add(column(Column::App).is_not_in(self.apps()));
        let row = ActiveModel {
            account: Set(awaited.account.to_string()),
            host: Set(self.settings.github_host.clone()),
            app: Set(self.settings.github_app.clone()),
            installation_id: Set(None),
            github_account_id: Set(None),
            github_login: Set(String::new()),
            status: Set(ConnectionStatus::PendingApproval.as_str().to_owned()),
            registered_at: Set(stored(awaited.since)),
            updated_at: Set(stored(awaited.since)),
            enabled: Set(true),
            settings_url: Set(String::new()),
            expected_login: Set(awaited.expected_login.clone()),
            requester_id: Set(awaited.requester_id),
        };
        self.put_installation(&awaited.account, row, none).await
    }

    /// What an account without an installation waits for.
    pub async fn awaited(&self, account: &AccountId) -> Result<Option<Awaited>, Error> {
        let query = Entity::find()
            .filter(Column::Account.eq(account.as_str()))
            .filter(self.is_ours())
            .filter(Column::InstallationId.is_null());
        let row = self.within(async { query.one(&self.db).await.map_err(Error::in_table(TABLE)) });
        row.await?.map(Awaited::try_from).transpose()
    }

    /// The accounts that wait for what this user of GitHub has asked for. Of all accounts: an installation that appears tells
    /// nothing else of whose it is.
    pub async fn awaited_of(&self, requester_id: i64) -> Result<Vec<Awaited>, Error> {
        let query = Entity::find()
            .filter(self.is_ours())
            .filter(Column::RequesterId.eq(requester_id))
            .filter(Column::InstallationId.is_null());
        let rows = self.within(async { query.all(&self.db).await.map_err(Error::in_table(TABLE)) });
        rows.await?.into_iter().map(Awaited::try_from).collect()
    }

    /// The accounts that wait for an installation on this organization or user. Of all accounts, as above.
    pub async fn awaited_on(&self, login: &str) -> Result<Vec<Awaited>, Error> {
        let expected = Expr::expr(Func::lower(Column::ExpectedLogin.into_expr()));
        let query = Entity::find()
            .filter(self.is_ours())
            .filter(ExprTrait::eq(expected, login.to_ascii_lowercase()))
            .filter(Column::InstallationId.is_null());
        let rows = self.within(async { query.all(&self.db).await.map_err(Error::in_table(TABLE)) });
        rows.await?.into_iter().map(Awaited::try_from).collect()
    }

    /// Switches the account's installation off or on; says whether it has one.
    pub async fn enable_installation(
        &self,
        account: &AccountId,
        enabled: bool,
    ) -> Result<bool, Error> {
        let _forget = self.everywhere.forget_after(account);
        let update = Entity::update_many()
            .filter(Column::Account.eq(account.as_str()))
            .filter(self.is_ours())
            .filter(Column::InstallationId.is_not_null())
            .col_expr(Column::Enabled, Expr::value(enabled));
        let done = async { update.exec(&self.db).await.map_err(Error::in_table(TABLE)) };
        Ok(self.within(done).await?.rows_affected > 0)
    }

    /// Rows of this App on this host.
    pub(super) fn is_ours(&self) -> Condition {
        Condition::all()
            .add(Column::Host.eq(&self.settings.github_host))
            .add(Column::App.is_in(self.apps()))
    }

    /// Stores a row in place of the account's other one if `replaces` holds for that.
    async fn put_installation(
        &self,
        account: &AccountId,
        row: ActiveModel,
        replaces: Condition,
    ) -> Result<(), Error> {
        let replace = OnConflict::column(Column::Account)
            .update_columns([
                Column::Host,
                Column::App,
                Column::InstallationId,
                Column::GithubAccountId,
                Column::GithubLogin,
                Column::Status,
                Column::UpdatedAt,
                Column::Enabled,
                Column::SettingsUrl,
                Column::ExpectedLogin,
                Column::RequesterId,
            ])
            .value(Column::RegisteredAt, Expr::cust(REGISTERED_AT))
            .action_cond_where(replaces)
            .to_owned();
        self.within(async {
            let transaction = self.begin_at_home(account.as_str()).await?;
            let insert = Entity::insert(row).on_conflict(replace);
            insert.exec_without_returning(&transaction).await.map_err(not_bound)?;
            transaction.commit().await.map_err(Error::in_table(TABLE))
        })
        .await
    }

    /// Records the state that an installation was seen in, if the account still has that installation and it was in another
    /// one; says whether. What is no change is not told to others, either: a refusal is seen again and again.
    pub async fn set_installation_status(
        &self,
        account: &AccountId,
        id: InstallationId,
        status: ConnectionStatus,
        now: OffsetDateTime,
    ) -> Result<bool, Error> {
        let _forget = self.everywhere.forget_after(account);
        let update = Entity::update_many()
            .filter(Column::Account.eq(account.as_str()))
            .filter(self.is_ours())
            .filter(Column::InstallationId.eq(id.0))
            .filter(Column::Status.ne(status.as_str()))
            .col_expr(Column::Status, Expr::value(status.as_str()))
            .col_expr(Column::UpdatedAt, Expr::value(stored(now)));
        let done = async { update.exec(&self.db).await.map_err(Error::in_table(TABLE)) };
        Ok(self.within(done).await?.rows_affected > 0)
    }
}

/// The account itself cannot clash: that is the conflict which replaces.
fn not_bound(error: DbErr) -> Error {
    match error.sql_err() {
        Some(SqlErr::UniqueConstraintViolation(_)) => Error::InstallationTaken,
        _ => Error::in_table(TABLE)(error),
    }
}

impl TryFrom<Model> for Installation {
    type Error = Error;

    fn try_from(row: Model) -> Result<Self, Error> {
        Ok(Self {
            account: row.account.parse().map_err(|_| Error::corrupt(TABLE, "account"))?,
            id: row.installation_id.map(InstallationId),
            github_account_id: row.github_account_id,
            github_login: row.github_login,
            status: status(TABLE, &row.status)?,
            enabled: row.enabled,
            settings_url: row.settings_url,
            registered_at: row.registered_at,
        })
    }
}

impl TryFrom<Model> for Awaited {
    type Error = Error;

    fn try_from(row: Model) -> Result<Self, Error> {
        Ok(Self {
            account: row.account.parse().map_err(|_| Error::corrupt(TABLE, "account"))?,
            expected_login: row.expected_login,
            requester_id: row.requester_id,
            since: row.registered_at,
        })
    }
}

/// Reads a column `status`.
pub(super) fn status(table: &'static str, text: &str) -> Result<ConnectionStatus, Error> {
    let mut known = ConnectionStatus::ALL.into_iter();
    known.find(|status| status.as_str() == text).ok_or_else(|| Error::corrupt(table, "status"))
}
