//! All accounts that are connected with something, for those who operate the broker.

use sea_orm::{FromQueryResult, Statement};

use super::{Error, Store};
use crate::domain::AccountId;

const TABLE: &str = "installations";

const ACCOUNTS: &str = "SELECT account FROM (
    SELECT account FROM installations WHERE host = $1
    UNION SELECT account FROM oauth_users WHERE host = $1
    UNION SELECT account FROM pats WHERE host = $1
    UNION SELECT account FROM bindings WHERE host = $1
) AS accounts WHERE account > $2 ORDER BY account LIMIT $3";

#[derive(FromQueryResult)]
struct Row {
    account: String,
}

impl Store {
    /// At most `limit` accounts after `after`, in the database's order.
    pub async fn accounts(
        &self,
        after: Option<&AccountId>,
        limit: usize,
    ) -> Result<Vec<AccountId>, Error> {
        let after = after.map_or("", AccountId::as_str);
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let values = [self.settings.github_host.clone().into(), after.into(), limit.into()];
        let backend = self.db.get_database_backend();
        let query = Statement::from_sql_and_values(backend, ACCOUNTS, values);
        let rows = Row::find_by_statement(query);
        let rows = self.within(async { rows.all(&self.db).await.map_err(Error::in_table(TABLE)) });
        let accounts = rows.await?.into_iter().map(|row| row.account.parse());
        accounts.collect::<Result<_, _>>().map_err(|_| Error::corrupt(TABLE, "account"))
    }
}
