//! Connections that a browser is on its way to make. What is known of a `state` is its hash alone.

use sea_orm::{ActiveValue::Set, entity::prelude::*, sea_query::Expr};
use time::OffsetDateTime;

use super::{Error, Home, Store, stored};
use crate::domain::{Attempt, AttemptKind, SealedSecret};

/// Table that a sealed verifier belongs to: a part of its seal.
pub const VERIFIER_TABLE: &str = "connect_attempts";
/// Column that a sealed verifier belongs to: a part of its seal.
pub const VERIFIER_COLUMN: &str = "verifier_sealed";

pub(super) const TABLE: &str = VERIFIER_TABLE;

#[derive(Clone, PartialEq, Eq, Debug, DeriveEntityModel)]
#[sea_orm(table_name = "connect_attempts")]
pub(super) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub state_hash: String,
    pub account: String,
    pub host: String,
    pub caller: String,
    pub kind: String,
    pub return_url: String,
    pub expected_login: Option<String>,
    pub verifier_sealed: Option<Vec<u8>>,
    pub kek_id: Option<String>,
    pub row_id: String,
    pub row_version: i64,
    pub expires_at: OffsetDateTime,
    pub app: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(super) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// An attempt as it is stored.
#[derive(Clone, Debug)]
pub struct StoredAttempt {
    /// What it is.
    pub attempt: Attempt,
    /// Hash of its `state`: see [`crate::domain::Token::hashed`].
    pub state_hash: String,
    /// The PKCE verifier, where it has one.
    pub verifier: Option<SealedSecret>,
}

impl Store {
    /// Stores an attempt.
    pub async fn begin_attempt(&self, stored_attempt: &StoredAttempt) -> Result<(), Error> {
        let StoredAttempt { attempt, state_hash, verifier } = stored_attempt;
        let row_id = verifier.as_ref().map_or_else(|| state_hash.clone(), |v| v.row_id.clone());
        let row = ActiveModel {
            state_hash: Set(state_hash.clone()),
            account: Set(attempt.account.to_string()),
            host: Set(self.settings.github_host.clone()),
            caller: Set(attempt.caller.to_string()),
            kind: Set(attempt.kind.as_str().to_owned()),
            return_url: Set(attempt.return_url.clone()),
            expected_login: Set(attempt.expected_login.clone()),
            verifier_sealed: Set(verifier.as_ref().map(|v| v.bytes.clone())),
            kek_id: Set(verifier.as_ref().map(|v| v.kek_id.clone())),
            row_id: Set(row_id),
            row_version: Set(verifier.as_ref().map_or(1, |v| v.row_version)),
            expires_at: Set(stored(attempt.expires_at)),
            app: Set(self.settings.github_app.clone()),
        };
        self.within(async {
            let insert = Entity::insert(row).exec_without_returning(&self.db).await;
            insert.map_err(Error::in_table(TABLE))?;
            Ok(())
        })
        .await
    }

    /// At which site a `state` was begun; none if it is unknown. The same from the store of whichever site.
    pub async fn begun_at(&self, state_hash: &str) -> Result<Option<Home>, Error> {
        let query = Entity::find_by_id(state_hash);
        let row = self.within(async { query.one(&self.db).await.map_err(Error::in_table(TABLE)) });
        Ok(row.await?.map(|row| Home { host: row.host, app: row.app }))
    }

    /// An attempt of this site that can still be finished; it stays.
    pub async fn attempt(
        &self,
        state_hash: &str,
        now: OffsetDateTime,
    ) -> Result<Option<StoredAttempt>, Error> {
        let query = Entity::find_by_id(state_hash)
            .filter(Column::Host.eq(&self.settings.github_host))
            .filter(Column::App.is_in(self.apps()))
            .filter(Column::ExpiresAt.gt(stored(now)));
        let row = self.within(async { query.one(&self.db).await.map_err(Error::in_table(TABLE)) });
        row.await?.map(read).transpose()
    }

    /// Uses an attempt up; of several at once exactly one is told that it did.
    pub async fn end_attempt(&self, state_hash: &str) -> Result<bool, Error> {
        let delete = Entity::delete_by_id(state_hash);
        let done = async { delete.exec(&self.db).await.map_err(Error::in_table(TABLE)) };
        Ok(self.within(done).await?.rows_affected > 0)
    }

    /// Takes an attempt to finish it: of several at once exactly one is told that it did, and nobody finds it any more. It is kept
    /// until [`Store::connect_oauth_user`], so that whoever deletes it in between is heeded.
    pub async fn take_attempt(&self, state_hash: &str) -> Result<bool, Error> {
        let update = Entity::update_many()
            .filter(Column::StateHash.eq(state_hash))
            .col_expr(Column::StateHash, Expr::value(taken(state_hash)));
        let done = async { update.exec(&self.db).await.map_err(Error::in_table(TABLE)) };
        Ok(self.within(done).await?.rows_affected > 0)
    }

    /// Forgets the attempts that ended before `before`; says how many there were.
    pub async fn prune_attempts(&self, before: OffsetDateTime) -> Result<u64, Error> {
        let delete = Entity::delete_many().filter(Column::ExpiresAt.lte(stored(before)));
        let done = async { delete.exec(&self.db).await.map_err(Error::in_table(TABLE)) };
        Ok(self.within(done).await?.rows_affected)
    }
}

/// What an attempt is called once it is taken: no hash of any `state`.
pub(super) fn taken(state_hash: &str) -> String {
    format!("taken {state_hash}")
}

fn read(row: Model) -> Result<StoredAttempt, Error> {
    let corrupt = |column| Error::corrupt(TABLE, column);
    let kinds = [AttemptKind::Installation, AttemptKind::OAuth];
    let kind = kinds.into_iter().find(|kind| kind.as_str() == row.kind);
    let verifier = row.verifier_sealed.zip(row.kek_id).map(|(bytes, kek_id)| SealedSecret {
        bytes,
        kek_id,
        row_id: row.row_id,
        row_version: row.row_version,
    });
    Ok(StoredAttempt {
        attempt: Attempt {
            account: row.account.parse().map_err(|_| corrupt("account"))?,
            caller: row.caller.parse().map_err(|_| corrupt("caller"))?,
            kind: kind.ok_or_else(|| corrupt("kind"))?,
            return_url: row.return_url,
            expected_login: row.expected_login,
            expires_at: row.expires_at,
        },
        state_hash: row.state_hash,
        verifier,
    })
}
