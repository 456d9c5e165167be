//! Repositories that an account works with on the store's host: ids of another host mean something else. One of them is
//! the active one.

use sea_orm::{
    ActiveValue::Set,
    Condition, DatabaseTransaction, DbBackend, DbErr, ExprTrait, Iterable, PaginatorTrait,
    QueryOrder, QuerySelect, Statement,
    entity::prelude::*,
    sea_query::{Expr, Func, OnConflict},
};

use time::OffsetDateTime;

use super::{Error, Store, stored};
use crate::domain::{
    AccountId, Binding, BranchPattern, Invalid, RepoId, RepoName, RepositoryState,
};

pub(super) const TABLE: &str = "bindings";

/// Tells locks on an account's bindings from other advisory locks. Arbitrary, but the same for every replica.
const LOCK_SEED: i64 = 0x6269_6e64;

#[derive(Clone, PartialEq, Eq, Debug, DeriveEntityModel)]
#[sea_orm(table_name = "bindings")]
pub(super) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub account: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub host: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub repository_id: i64,
    pub repository: String,
    pub staging: String,
    pub production: String,
    pub subdirectory: String,
    pub active: bool,
    pub staging_base: Option<String>,
    pub staging_must_exist: bool,
    pub work_branches: String,
    pub repository_state: String,
    pub seen_at: Option<OffsetDateTime>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(super) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Store {
    /// Creates or changes the binding of a repository and returns it as it then is. It becomes the active one if
    /// `activate` says so or no other one is; `binding.active` is not looked at.
    pub async fn put_binding(&self, binding: &Binding, activate: bool) -> Result<Binding, Error> {
        let _forget = self.everywhere.forget_after(&binding.account);
        self.within(async {
            let row = self.binding_row(binding)?;
            let transaction = self.begin_at_home(binding.account.as_str()).await?;
            let active = self.put(transaction, binding, row, activate).await;
            let active = active.map_err(Error::in_table(TABLE))?;
            Ok(Binding { active, ..binding.clone() })
        })
        .await
    }

    /// Whether it is the active one then.
    async fn put(
        &self,
        transaction: DatabaseTransaction,
        binding: &Binding,
        row: ActiveModel,
        activate: bool,
    ) -> Result<bool, DbErr> {
        lock(&transaction, &binding.account).await?;
        let other_active = Condition::all()
            .add(Column::Account.eq(binding.account.as_str()))
            .add(Column::Host.eq(&self.settings.github_host))
            .add(Column::RepositoryId.ne(binding.repository_id.0))
            .add(Column::Active.eq(true));
        let others = Entity::find().filter(other_active.clone()).count(&transaction).await?;
        let active = activate || others == 0;
        if active {
            // Before the new one is set: the index allows no two at any moment.
            let update = Entity::update_many().filter(other_active);
            update.col_expr(Column::Active, Expr::value(false)).exec(&transaction).await?;
        }
        let row = ActiveModel { active: Set(active), ..row };
        let keys = [Column::Account, Column::Host, Column::RepositoryId];
        let is_key = |column: &Column| {
            matches!(column, Column::Account | Column::Host | Column::RepositoryId)
        };
        let columns = Column::iter().filter(|column| !is_key(column));
        let replace = OnConflict::columns(keys).update_columns(columns).to_owned();
        let insert = Entity::insert(row).on_conflict(replace);
        insert.exec_without_returning(&transaction).await?;
        transaction.commit().await?;
        Ok(active)
    }

    /// The account's binding of a repository by its name as last seen, or its active one.
    pub async fn binding(
        &self,
        account: &AccountId,
        repository: Option<&RepoName>,
    ) -> Result<Option<Binding>, Error> {
        let query = match repository {
            None => self.bindings_of(account).filter(Column::Active.eq(true)),
            Some(name) => {
                let column = Expr::expr(Func::lower(Column::Repository.into_expr()));
                let name = name.as_str().to_ascii_lowercase();
                // A name that a deleted repository had belongs to the newer one: GitHub's ids grow.
                let bindings = self.bindings_of(account).filter(ExprTrait::eq(column, name));
                bindings.order_by_desc(Column::RepositoryId)
            }
        };
        let row = self.within(async { query.one(&self.db).await.map_err(Error::in_table(TABLE)) });
        row.await?.map(Binding::try_from).transpose()
    }

    /// At most `limit` bindings of the account, in no order.
    pub(super) async fn some_bindings(
        &self,
        account: &AccountId,
        limit: usize,
    ) -> Result<Vec<Binding>, Error> {
        let query = self.bindings_of(account).limit(limit as u64);
        let rows = self.within(async { query.all(&self.db).await.map_err(Error::in_table(TABLE)) });
        rows.await?.into_iter().map(Binding::try_from).collect()
    }

    /// All bindings of the account: the active one first, then by name.
    pub async fn bindings(&self, account: &AccountId) -> Result<Vec<Binding>, Error> {
        let query = self.bindings_of(account);
        let rows = self.within(async { query.all(&self.db).await.map_err(Error::in_table(TABLE)) });
        let bindings = rows.await?.into_iter().map(Binding::try_from);
        let mut bindings = bindings.collect::<Result<Vec<_>, _>>()?;
        // Not in the query: what sorts before what in a text is a setting of the database.
        bindings.sort_by_cached_key(|binding| {
            let name = binding.repository.as_str().to_ascii_lowercase();
            (!binding.active, name, binding.repository_id)
        });
        Ok(bindings)
    }

    fn bindings_of(&self, account: &AccountId) -> Select<Entity> {
        Entity::find()
            .filter(Column::Account.eq(account.as_str()))
            .filter(Column::Host.eq(&self.settings.github_host))
    }

    fn binding_row(&self, binding: &Binding) -> Result<ActiveModel, Error> {
        let patterns: Vec<&str> = binding.work_branches.iter().map(BranchPattern::as_str).collect();
        let work_branches = serde_json::to_string(&patterns);
        Ok(ActiveModel {
            account: Set(binding.account.to_string()),
            host: Set(self.settings.github_host.clone()),
            repository_id: Set(binding.repository_id.0),
            repository: Set(binding.repository.to_string()),
            staging: Set(binding.staging.to_string()),
            production: Set(binding.production.to_string()),
            subdirectory: Set(binding.subdirectory.as_str().to_owned()),
            active: Set(binding.active),
            staging_base: Set(binding.staging_base.as_ref().map(ToString::to_string)),
            staging_must_exist: Set(binding.staging_must_exist),
            work_branches: Set(work_branches.map_err(|error| Error::Internal(error.to_string()))?),
            repository_state: Set(binding.state.as_str().to_owned()),
            seen_at: Set(binding.seen_at.map(stored)),
        })
    }
}

/// Makes changes to one account's bindings wait for each other until the transaction ends. SQLite's transaction has
/// the whole database by then. Locking rows would not do: the first binding has no row yet.
pub(super) async fn lock(
    transaction: &DatabaseTransaction,
    account: &AccountId,
) -> Result<(), DbErr> {
    if transaction.get_database_backend() == DbBackend::Postgres {
        let lock = Statement::from_sql_and_values(
            DbBackend::Postgres,
            "SELECT pg_advisory_xact_lock(hashtextextended($1, $2))",
            [account.as_str().into(), LOCK_SEED.into()],
        );
        transaction.execute_raw(lock).await?;
    }
    Ok(())
}

impl TryFrom<Model> for Binding {
    type Error = Error;

    fn try_from(row: Model) -> Result<Self, Error> {
        let corrupt = |column| move |_: Invalid| Error::corrupt(TABLE, column);
        let base = row.staging_base.map(|base| base.parse()).transpose();
        Ok(Self {
            account: row.account.parse().map_err(corrupt("account"))?,
            repository_id: RepoId(row.repository_id),
            repository: row.repository.parse().map_err(corrupt("repository"))?,
            staging: row.staging.parse().map_err(corrupt("staging"))?,
            staging_base: base.map_err(corrupt("staging_base"))?,
            staging_must_exist: row.staging_must_exist,
            production: row.production.parse().map_err(corrupt("production"))?,
            work_branches: patterns(&row.work_branches)
                .ok_or_else(|| Error::corrupt(TABLE, "work_branches"))?,
            subdirectory: row.subdirectory.parse().map_err(corrupt("subdirectory"))?,
            active: row.active,
            state: state(&row.repository_state)
                .ok_or_else(|| Error::corrupt(TABLE, "repository_state"))?,
            seen_at: row.seen_at,
        })
    }
}

fn state(text: &str) -> Option<RepositoryState> {
    RepositoryState::ALL.into_iter().find(|state| state.as_str() == text)
}

fn patterns(json: &str) -> Option<Vec<BranchPattern>> {
    let texts: Vec<String> = serde_json::from_str(json).ok()?;
    texts.iter().map(|text| text.parse().ok()).collect()
}
