//! Personal access tokens: one per account, sealed before they come here.

use sea_orm::{
    ActiveValue::Set,
    Iterable,
    entity::prelude::*,
    sea_query::{Expr, OnConflict},
};
use time::OffsetDateTime;

use super::{Error, Store, installations::status, stored};
use crate::domain::{AccountId, ConnectionStatus, Pat, PatKind, SealedSecret};

/// Table that a sealed token belongs to: a part of its seal.
pub const PAT_TOKEN_TABLE: &str = "pats";
/// Column that a sealed token belongs to: a part of its seal.
pub const PAT_TOKEN_COLUMN: &str = "token_sealed";

pub(super) const TABLE: &str = PAT_TOKEN_TABLE;

#[derive(Clone, PartialEq, Eq, Debug, DeriveEntityModel)]
#[sea_orm(table_name = "pats")]
pub(super) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub account: String,
    pub host: String,
    pub row_id: String,
    pub row_version: i64,
    pub token_sealed: Vec<u8>,
    pub kek_id: String,
    pub kind: String,
    pub owner_login: String,
    pub owner_id: i64,
    pub scopes: String,
    pub expires_at: Option<OffsetDateTime>,
    pub fingerprint: String,
    pub status: String,
    pub registered_at: OffsetDateTime,
    pub enabled: bool,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(super) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Store {
    /// The account's token for this store's host and what is known of it. One for another host is never sent here.
    pub async fn pat(&self, account: &AccountId) -> Result<Option<(Pat, SealedSecret)>, Error> {
        let query = Entity::find()
            .filter(Column::Account.eq(account.as_str()))
            .filter(Column::Host.eq(&self.settings.github_host));
        let row = self.within(async { query.one(&self.db).await.map_err(Error::in_table(TABLE)) });
        row.await?.map(read).transpose()
    }

    /// Stores a token in place of any other one of the account. The seal's row id must be new.
    /// [`Error::ConnectedElsewhere`] if the account is at another site.
    pub async fn put_pat(&self, pat: &Pat, sealed: &SealedSecret) -> Result<(), Error> {
        let _forget = self.everywhere.forget_after(&pat.account);
        let scopes = serde_json::to_string(&pat.scopes);
        let row = ActiveModel {
            account: Set(pat.account.to_string()),
            host: Set(self.settings.github_host.clone()),
            row_id: Set(sealed.row_id.clone()),
            row_version: Set(sealed.row_version),
            token_sealed: Set(sealed.bytes.clone()),
            kek_id: Set(sealed.kek_id.clone()),
            kind: Set(pat.kind.as_str().to_owned()),
            owner_login: Set(pat.owner_login.clone()),
            owner_id: Set(pat.owner_id),
            scopes: Set(scopes.map_err(|error| Error::Internal(error.to_string()))?),
            expires_at: Set(pat.expires_at.map(stored)),
            fingerprint: Set(pat.fingerprint.clone()),
            status: Set(pat.status.as_str().to_owned()),
            registered_at: Set(stored(pat.registered_at)),
            enabled: Set(pat.enabled),
        };
        let columns = Column::iter().filter(|column| !matches!(column, Column::Account));
        let replace = OnConflict::column(Column::Account).update_columns(columns).to_owned();
        let insert = Entity::insert(row).on_conflict(replace);
        self.within(async {
            let transaction = self.begin_at_home(pat.account.as_str()).await?;
            let stored = insert.exec_without_returning(&transaction).await;
            stored.map_err(Error::in_table(TABLE))?;
            transaction.commit().await.map_err(Error::in_table(TABLE))
        })
        .await
    }

    /// Switches the account's token off or on; says whether it has one.
    pub async fn enable_pat(&self, account: &AccountId, enabled: bool) -> Result<bool, Error> {
        let update = Entity::update_many()
            .filter(Column::Account.eq(account.as_str()))
            .filter(Column::Host.eq(&self.settings.github_host))
            .col_expr(Column::Enabled, Expr::value(enabled));
        let done = async { update.exec(&self.db).await.map_err(Error::in_table(TABLE)) };
        Ok(self.within(done).await?.rows_affected > 0)
    }

    /// Records the state that a token was seen in, if it was not replaced meanwhile; says whether.
    pub async fn set_pat_status(
        &self,
        account: &AccountId,
        row_id: &str,
        status: ConnectionStatus,
    ) -> Result<bool, Error> {
        let update = Entity::update_many()
            .filter(Column::Account.eq(account.as_str()))
            .filter(Column::RowId.eq(row_id))
            .col_expr(Column::Status, Expr::value(status.as_str()));
        let done = async { update.exec(&self.db).await.map_err(Error::in_table(TABLE)) };
        Ok(self.within(done).await?.rows_affected > 0)
    }
}

fn read(row: Model) -> Result<(Pat, SealedSecret), Error> {
    let corrupt = |column| Error::corrupt(TABLE, column);
    let kinds = [PatKind::Classic, PatKind::FineGrained];
    let kind = kinds.into_iter().find(|kind| kind.as_str() == row.kind);
    let pat = Pat {
        account: row.account.parse().map_err(|_| corrupt("account"))?,
        kind: kind.ok_or_else(|| corrupt("kind"))?,
        owner_login: row.owner_login,
        owner_id: row.owner_id,
        scopes: serde_json::from_str(&row.scopes).map_err(|_| corrupt("scopes"))?,
        expires_at: row.expires_at,
        fingerprint: row.fingerprint,
        status: status(TABLE, &row.status)?,
        enabled: row.enabled,
        registered_at: row.registered_at,
    };
    let sealed = SealedSecret {
        bytes: row.token_sealed,
        kek_id: row.kek_id,
        row_id: row.row_id,
        row_version: row.row_version,
    };
    Ok((pat, sealed))
}
