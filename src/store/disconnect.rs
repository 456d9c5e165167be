//! Forgetting an account.

use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter};

use super::{Error, Store, attempts, bindings, installations, oauth_users, pats, requests};
use crate::domain::AccountId;

impl Store {
    /// Deletes everything of an account, all or nothing; says whether there was anything. Cannot be undone.
    pub async fn disconnect(&self, account: &AccountId) -> Result<bool, Error> {
        self.within(async {
            // All tables at once, so there is no single one to name; nothing is read that could be corrupt.
            self.delete_all(account).await.map_err(Error::in_table(installations::TABLE))
        })
        .await
    }

    async fn delete_all(&self, account: &AccountId) -> Result<bool, DbErr> {
        let account = account.as_str();
        let transaction = self.begin().await?;
        // First: one that a browser is still on its way with must not connect the account again, and one that is being finished
        // is waited for, so that what it connected is deleted, too.
        let attempts = attempts::Entity::delete_many()
            .filter(attempts::Column::Account.eq(account))
            .exec(&transaction)
            .await?;
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
            .exec(&transaction)
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
        let deleted = [installations, pats, users, attempts, bindings, requests];
        Ok(deleted.iter().any(|result| result.rows_affected > 0))
    }
}
