//! Users who have authorized the broker: one per account, their tokens sealed before they come here.

use sea_orm::{
    ActiveValue::Set,
    Condition, Iterable,
    entity::prelude::*,
    sea_query::{Expr, OnConflict},
};
use time::OffsetDateTime;

use super::{Error, Home, Store, attempts, installations::status, stored};
use crate::domain::{AccountId, ConnectionStatus, OAuthUser, SealedSecret};

/// Table that sealed tokens belong to: a part of their seal.
pub const USER_TOKENS_TABLE: &str = "oauth_users";
/// Column that sealed tokens belong to: a part of their seal.
pub const USER_TOKENS_COLUMN: &str = "tokens_sealed";

pub(super) const TABLE: &str = USER_TOKENS_TABLE;

#[derive(Clone, PartialEq, Eq, Debug, DeriveEntityModel)]
#[sea_orm(table_name = "oauth_users")]
pub(super) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub account: String,
    pub host: String,
    pub row_id: String,
    pub row_version: i64,
    pub tokens_sealed: Vec<u8>,
    pub kek_id: String,
    pub login: String,
    pub user_id: i64,
    pub scopes: String,
    pub expires_at: Option<OffsetDateTime>,
    pub refresh_expires_at: Option<OffsetDateTime>,
    pub fingerprint: String,
    pub status: String,
    pub enabled: bool,
    pub connected_at: OffsetDateTime,
    pub claim: Option<String>,
    pub claimed_until: Option<OffsetDateTime>,
    pub app: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(super) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Store {
    /// The user who has authorized the broker for the account at this store's site, and the sealed tokens.
    pub async fn oauth_user(
        &self,
        account: &AccountId,
    ) -> Result<Option<(OAuthUser, SealedSecret)>, Error> {
        let query = self.oauth_user_of(account);
        let row = self.within(async { query.one(&self.db).await.map_err(Error::in_table(TABLE)) });
        row.await?.map(read).transpose()
    }

    /// All accounts for which a user of GitHub has authorized the broker: GitHub tells only who took it back.
    pub async fn oauth_users_of(
        &self,
        user_id: i64,
    ) -> Result<Vec<(OAuthUser, SealedSecret)>, Error> {
        let query = Entity::find().filter(self.is_our_user()).filter(Column::UserId.eq(user_id));
        let rows = self.within(async { query.all(&self.db).await.map_err(Error::in_table(TABLE)) });
        rows.await?.into_iter().map(read).collect()
    }

    /// Accounts whose authorization ends before `before` unless it is renewed, at most `limit`, those that end first. Only those
    /// that can be renewed: not yet ended at `now`, and not switched off.
    pub async fn oauth_users_ending(
        &self,
        now: OffsetDateTime,
        before: OffsetDateTime,
        limit: u64,
    ) -> Result<Vec<AccountId>, Error> {
        use sea_orm::{QueryOrder, QuerySelect};
        let query = Entity::find()
            .filter(self.is_our_user())
            .filter(Column::Status.eq(ConnectionStatus::Active.as_str()))
            .filter(Column::Enabled.eq(true))
            .filter(Column::RefreshExpiresAt.gt(stored(now)))
            .filter(Column::RefreshExpiresAt.lt(stored(before)))
            .order_by_asc(Column::RefreshExpiresAt)
            .limit(limit);
        let rows = self.within(async { query.all(&self.db).await.map_err(Error::in_table(TABLE)) });
        let accounts = rows.await?.into_iter().map(|row| row.account.parse());
        accounts.collect::<Result<_, _>>().map_err(|_| Error::corrupt(TABLE, "account"))
    }

    /// Stores a user in place of any other one of the account, and ends the attempt that was taken for it; false if that is
    /// gone, as it is when the account was disconnected meanwhile. The seal's row id must be new. [`Error::ConnectedElsewhere`]
    /// if the account is at another site.
    pub async fn connect_oauth_user(
        &self,
        user: &OAuthUser,
        sealed: &SealedSecret,
        state_hash: &str,
    ) -> Result<bool, Error> {
        let _forget = self.everywhere.forget_after(&user.account);
        let scopes = serde_json::to_string(&user.scopes);
        let row = ActiveModel {
            account: Set(user.account.to_string()),
            host: Set(self.settings.github_host.clone()),
            row_id: Set(sealed.row_id.clone()),
            row_version: Set(sealed.row_version),
            tokens_sealed: Set(sealed.bytes.clone()),
            kek_id: Set(sealed.kek_id.clone()),
            login: Set(user.login.clone()),
            user_id: Set(user.user_id),
            scopes: Set(scopes.map_err(|error| Error::Internal(error.to_string()))?),
            expires_at: Set(user.expires_at.map(stored)),
            refresh_expires_at: Set(user.refresh_expires_at.map(stored)),
            fingerprint: Set(user.fingerprint.clone()),
            status: Set(user.status.as_str().to_owned()),
            enabled: Set(user.enabled),
            connected_at: Set(stored(user.connected_at)),
            claim: Set(None),
            claimed_until: Set(None),
            app: Set(self.settings.github_app.clone()),
        };
        let columns = Column::iter().filter(|column| !matches!(column, Column::Account));
        let replace = OnConflict::column(Column::Account).update_columns(columns).to_owned();
        let insert = Entity::insert(row).on_conflict(replace);
        let attempt = attempts::Entity::delete_by_id(attempts::taken(state_hash));
        let in_table = Error::in_table(TABLE);
        self.within(async {
            let transaction = self.begin().await.map_err(&in_table)?;
            let ended = attempt.exec(&transaction).await.map_err(&in_table)?;
            let waited_for = ended.rows_affected > 0;
            if waited_for {
                self.claim_home(&transaction, user.account.as_str()).await?;
                insert.exec_without_returning(&transaction).await.map_err(&in_table)?;
                transaction.commit().await.map_err(&in_table)?;
            }
            Ok(waited_for)
        })
        .await
    }

    /// Claims the renewal of the tokens that were read as `sealed`, until `until`. Of several at once, on whatever replica,
    /// exactly one may renew them: a renewal ends the pair that it is made with.
    pub async fn claim_renewal(
        &self,
        account: &AccountId,
        sealed: &SealedSecret,
        claim: &str,
        now: OffsetDateTime,
        until: OffsetDateTime,
    ) -> Result<bool, Error> {
        let free = Condition::any()
            .add(Column::ClaimedUntil.is_null())
            .add(Column::ClaimedUntil.lte(stored(now)));
        let update = Entity::update_many()
            .filter(Column::Account.eq(account.as_str()))
            .filter(Column::RowId.eq(&sealed.row_id))
            .filter(Column::RowVersion.eq(sealed.row_version))
            .filter(free)
            .col_expr(Column::Claim, Expr::value(claim))
            .col_expr(Column::ClaimedUntil, Expr::value(stored(until)));
        let done = async { update.exec(&self.db).await.map_err(Error::in_table(TABLE)) };
        Ok(self.within(done).await?.rows_affected > 0)
    }

    /// Stores the renewed tokens, if the claim still holds; says whether. The seal has the next version of the same row.
    pub async fn renew_oauth_user(
        &self,
        user: &OAuthUser,
        sealed: &SealedSecret,
        claim: &str,
    ) -> Result<bool, Error> {
        let update = Entity::update_many()
            .filter(Column::Account.eq(user.account.as_str()))
            .filter(Column::RowId.eq(&sealed.row_id))
            .filter(Column::RowVersion.eq(sealed.row_version - 1))
            .filter(Column::Claim.eq(claim))
            .col_expr(Column::RowVersion, Expr::value(sealed.row_version))
            .col_expr(Column::TokensSealed, Expr::value(sealed.bytes.clone()))
            .col_expr(Column::KekId, Expr::value(sealed.kek_id.clone()))
            .col_expr(Column::ExpiresAt, Expr::value(user.expires_at.map(stored)))
            .col_expr(Column::RefreshExpiresAt, Expr::value(user.refresh_expires_at.map(stored)))
            .col_expr(Column::Fingerprint, Expr::value(user.fingerprint.clone()))
            .col_expr(Column::Status, Expr::value(ConnectionStatus::Active.as_str()))
            .col_expr(Column::Claim, Expr::value(Option::<String>::None))
            .col_expr(Column::ClaimedUntil, Expr::value(Option::<OffsetDateTime>::None));
        let done = async { update.exec(&self.db).await.map_err(Error::in_table(TABLE)) };
        Ok(self.within(done).await?.rows_affected > 0)
    }

    /// Gives a claim back after a renewal that did not happen.
    pub async fn leave_renewal(&self, account: &AccountId, claim: &str) -> Result<(), Error> {
        let update = Entity::update_many()
            .filter(Column::Account.eq(account.as_str()))
            .filter(Column::Claim.eq(claim))
            .col_expr(Column::Claim, Expr::value(Option::<String>::None))
            .col_expr(Column::ClaimedUntil, Expr::value(Option::<OffsetDateTime>::None));
        let done = async { update.exec(&self.db).await.map_err(Error::in_table(TABLE)) };
        self.within(done).await.map(drop)
    }

    /// Records the state that the tokens were seen in, if they were not replaced or renewed meanwhile; says whether.
    pub async fn set_oauth_user_status(
        &self,
        account: &AccountId,
        sealed: &SealedSecret,
        status: ConnectionStatus,
    ) -> Result<bool, Error> {
        let update = Entity::update_many()
            .filter(Column::Account.eq(account.as_str()))
            .filter(Column::RowId.eq(&sealed.row_id))
            .filter(Column::RowVersion.eq(sealed.row_version))
            .col_expr(Column::Status, Expr::value(status.as_str()));
        let done = async { update.exec(&self.db).await.map_err(Error::in_table(TABLE)) };
        Ok(self.within(done).await?.rows_affected > 0)
    }

    /// Switches the account's user off or on; says whether it has one.
    pub async fn enable_oauth_user(
        &self,
        account: &AccountId,
        enabled: bool,
    ) -> Result<bool, Error> {
        let update = Entity::update_many()
            .filter(Column::Account.eq(account.as_str()))
            .filter(self.is_our_user())
            .col_expr(Column::Enabled, Expr::value(enabled));
        let done = async { update.exec(&self.db).await.map_err(Error::in_table(TABLE)) };
        Ok(self.within(done).await?.rows_affected > 0)
    }

    /// Users of this App on this host: another one renews and ends only what it has given.
    fn is_our_user(&self) -> Condition {
        Condition::all()
            .add(Column::Host.eq(&self.settings.github_host))
            .add(Column::App.is_in(self.apps()))
    }

    /// Whether a row is one of those.
    pub(super) fn gave(&self, user: &Model) -> bool {
        self.is_at(&Home { host: user.host.clone(), app: user.app.clone() })
    }

    fn oauth_user_of(&self, account: &AccountId) -> Select<Entity> {
        Entity::find().filter(Column::Account.eq(account.as_str())).filter(self.is_our_user())
    }
}

pub(super) fn read(row: Model) -> Result<(OAuthUser, SealedSecret), Error> {
    let corrupt = |column| Error::corrupt(TABLE, column);
    let user = OAuthUser {
        account: row.account.parse().map_err(|_| corrupt("account"))?,
        login: row.login,
        user_id: row.user_id,
        scopes: serde_json::from_str(&row.scopes).map_err(|_| corrupt("scopes"))?,
        expires_at: row.expires_at,
        refresh_expires_at: row.refresh_expires_at,
        fingerprint: row.fingerprint,
        status: status(TABLE, &row.status)?,
        enabled: row.enabled,
        connected_at: row.connected_at,
    };
    let sealed = SealedSecret {
        bytes: row.tokens_sealed,
        kek_id: row.kek_id,
        row_id: row.row_id,
        row_version: row.row_version,
    };
    Ok((user, sealed))
}
