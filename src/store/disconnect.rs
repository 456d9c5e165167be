//! Forgetting an account.

use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter};

use super::{Error, Store, attempts, bindings, homes, installations, oauth_users, pats, requests};
use crate::domain::{AccountId, OAuthUser, SealedSecret};

/// What was deleted.
#[derive(Clone, Debug)]
pub struct Deleted {
    /// False if there was nothing.
    pub existed: bool,
    /// The user's tokens of this site as they were at the end: whoever has read them before may have those of before a renewal. None, too, if
    /// they cannot be read.
    pub user: Option<(OAuthUser, SealedSecret)>,
}

impl Store {
    /// Deletes everything of an account, at whichever site, all or nothing. Cannot be undone.
    pub async fn disconnect(&self, account: &AccountId) -> Result<Deleted, Error> {
        let _forget = self.everywhere.forget_after(account);
        self.within(async {
            // All tables at once, so there is no single one to name; nothing that is corrupt keeps it from being deleted.
            self.delete_all(account).await.map_err(Error::in_table(installations::TABLE))
        })
        .await
    }

    async fn delete_all(&self, account: &AccountId) -> Result<Deleted, DbErr> {
        let account = account.as_str();
        let transaction = self.begin().await?;
        // First: one that a browser is still on its way with must not connect the account again, and one that is being finished
        // is waited for, so that what it connected is deleted, too.
        let attempts = attempts::Entity::delete_many()
            .filter(attempts::Column::Account.eq(account))
            .exec(&transaction)
            .await?;
        homes::Entity::delete_by_id(account).exec(&transaction).await?;
        let installations = installations::Entity::delete_many()
            .filter(installations::Column::Account.eq(account))
            .exec(&transaction)
            .await?;
        let pats = pats::Entity::delete_many()
            .filter(pats::Column::Account.eq(account))
            .exec(&transaction)
            .await?;
        let users = oauth_users::Entity::delete_many()
            .filter(oauth_users::Column::Account.eq(account))
            .exec_with_returning(&transaction)
            .await?;
        let bindings = bindings::Entity::delete_many()
            .filter(bindings::Column::Account.eq(account))
            .exec(&transaction)
            .await?;
        let requests = requests::Entity::delete_many()
            .filter(requests::Column::Account.eq(account))
            .exec(&transaction)
            .await?;
        transaction.commit().await?;
        let others = [installations, pats, attempts, bindings, requests];
        let existed = !users.is_empty() || others.iter().any(|result| result.rows_affected > 0);
        let ours = users.into_iter().filter(|user| self.gave(user));
        let user = ours.into_iter().find_map(|row| oauth_users::read(row).ok());
        Ok(Deleted { existed, user })
    }
}
