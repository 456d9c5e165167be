//! What GitHub tells of its own accord, and of no account: who it is about is found by GitHub's ids. These queries, unlike
//! all others, begin with the host.

use sea_orm::{
    ActiveValue::{Set, Unchanged},
    Condition, DatabaseTransaction, ExprTrait, QuerySelect,
    entity::prelude::*,
    sea_query::Expr,
};
use time::OffsetDateTime;

use super::{
    Error, Store,
    bindings::{self, lock},
    installations, stored,
};
use crate::domain::{AccountId, Installation, InstallationId, RepoId, RepoName, RepositoryState};

/// How a repository was seen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SeenRepository<'a> {
    /// GitHub's id.
    pub id: RepoId,
    /// Its name.
    pub name: &'a RepoName,
    /// Its state.
    pub state: RepositoryState,
    /// When it was changed last, if that is known.
    pub at: Option<OffsetDateTime>,
}

impl Store {
    /// The installation of this id and of this store's App, whichever account has it.
    pub async fn installation_by_id(
        &self,
        id: InstallationId,
    ) -> Result<Option<Installation>, Error> {
        let query = installations::Entity::find()
            .filter(self.is_ours())
            .filter(installations::Column::InstallationId.eq(id.0));
        let in_table = Error::in_table(installations::TABLE);
        let row = self.within(async { query.one(&self.db).await.map_err(in_table) });
        row.await?.map(Installation::try_from).transpose()
    }

    /// Records how an installation is, if it still is as it was `before`: its status, its page, and its account's login, which
    /// the bindings follow. False if it is another one by now, so that the one who knew only `before` has to look again.
    pub async fn follow_installation(
        &self,
        before: &Installation,
        after: &Installation,
        now: OffsetDateTime,
    ) -> Result<bool, Error> {
        let _forget = self.everywhere.forget_after(&before.account);
        self.within(async {
            let followed = self.follow(before, after, now).await;
            followed.map_err(Error::in_table(installations::TABLE))
        })
        .await
    }

    async fn follow(
        &self,
        before: &Installation,
        after: &Installation,
        now: OffsetDateTime,
    ) -> Result<bool, DbErr> {
        use installations::Column;
        let login = after.github_login.as_str();
        let transaction = self.begin().await?;
        lock(&transaction, &before.account).await?;
        let update = installations::Entity::update_many()
            .filter(Column::Account.eq(before.account.as_str()))
            .filter(self.is_ours())
            .filter(Column::InstallationId.eq(before.id.map(|id| id.0)))
            .filter(Column::Status.eq(before.status.as_str()))
            .filter(Column::GithubLogin.eq(&before.github_login))
            .col_expr(Column::Status, Expr::value(after.status.as_str()))
            .col_expr(Column::GithubLogin, Expr::value(login))
            .col_expr(Column::SettingsUrl, Expr::value(&after.settings_url))
            .col_expr(Column::UpdatedAt, Expr::value(stored(now)));
        let followed = update.exec(&transaction).await?.rows_affected > 0;
        if followed && before.github_login != login {
            let host = &self.settings.github_host;
            rename_owner(&transaction, host, &before.account, &before.github_login, login).await?;
        }
        transaction.commit().await?;
        Ok(followed)
    }

    /// Records how a repository was seen in all bindings that do not know better. Says which accounts have one.
    pub async fn follow_repository(
        &self,
        seen: SeenRepository<'_>,
    ) -> Result<Vec<AccountId>, Error> {
        use bindings::Column;
        let forget = self.everywhere.forget_all_after();
        let in_table = Error::in_table(bindings::TABLE);
        let of_it = Condition::all()
            .add(Column::Host.eq(&self.settings.github_host))
            .add(Column::RepositoryId.eq(seen.id.0));
        let mut update = bindings::Entity::update_many()
            .filter(of_it.clone())
            .col_expr(Column::Repository, Expr::value(seen.name.as_str()))
            .col_expr(Column::RepositoryState, Expr::value(seen.state.as_str()));
        if seen.state != RepositoryState::Deleted {
            // What was deleted stays so, whatever is told late; configured anew, it is what is seen then.
            update = update.filter(Column::RepositoryState.ne(RepositoryState::Deleted.as_str()));
        }
        if let Some(at) = seen.at.map(stored) {
            let older = Column::SeenAt.is_null().or(Column::SeenAt.lte(at));
            update = update.filter(older).col_expr(Column::SeenAt, Expr::value(at));
        }
        let followed = self.within(async {
            update.exec(&self.db).await.map_err(&in_table)?;
            let accounts = bindings::Entity::find().select_only().column(Column::Account);
            let accounts: Vec<String> =
                accounts.filter(of_it).into_tuple().all(&self.db).await.map_err(&in_table)?;
            let corrupt = |_| Error::corrupt(bindings::TABLE, "account");
            let accounts = accounts.iter().map(|account| account.parse().map_err(corrupt));
            accounts.collect::<Result<Vec<_>, _>>()
        });
        let accounts = followed.await?;
        forget.only(&accounts);
        Ok(accounts)
    }
}

/// Bindings of `old/...` become bindings of `new/...`.
async fn rename_owner(
    transaction: &DatabaseTransaction,
    host: &str,
    account: &AccountId,
    old: &str,
    new: &str,
) -> Result<(), DbErr> {
    use bindings::Column;
    let rows = bindings::Entity::find()
        .filter(Column::Account.eq(account.as_str()))
        .filter(Column::Host.eq(host))
        .all(transaction)
        .await?;
    for row in rows {
        let Some((owner, name)) = row.repository.split_once('/') else { continue };
        if !owner.eq_ignore_ascii_case(old) {
            continue;
        }
        let renamed = bindings::ActiveModel {
            account: Unchanged(row.account.clone()),
            host: Unchanged(row.host.clone()),
            repository_id: Unchanged(row.repository_id),
            repository: Set(format!("{new}/{name}")),
            ..Default::default()
        };
        bindings::Entity::update(renamed).exec_without_returning(transaction).await?;
    }
    Ok(())
}
