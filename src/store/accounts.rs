//! All accounts that are connected with something, for those who operate the broker.

use sea_orm::{FromQueryResult, Statement};

use super::{Error, Home, Store};
use crate::domain::AccountId;

const TABLE: &str = "installations";

/// Also those without a home: a replica of the version before connects accounts without telling.
const ACCOUNTS: &str = "SELECT connected.account, homes.host, homes.app FROM (
    SELECT account FROM installations
    UNION SELECT account FROM oauth_users
    UNION SELECT account FROM pats
    UNION SELECT account FROM bindings
) AS connected LEFT JOIN homes ON homes.account = connected.account
WHERE connected.account > $1 ORDER BY connected.account LIMIT $2";

#[derive(FromQueryResult)]
struct Row {
    account: String,
    host: Option<String>,
    app: Option<String>,
}

impl Store {
    /// At most `limit` accounts of all sites after `after`, in the database's order, each with its home.
    pub async fn accounts(
        &self,
        after: Option<&AccountId>,
        limit: usize,
    ) -> Result<Vec<(AccountId, Option<Home>)>, Error> {
        let after = after.map_or("", AccountId::as_str);
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let values = [after.into(), limit.into()];
        let backend = self.db.get_database_backend();
        let query = Statement::from_sql_and_values(backend, ACCOUNTS, values);
        let rows = Row::find_by_statement(query);
        let rows = self.within(async { rows.all(&self.db).await.map_err(Error::in_table(TABLE)) });
        let accounts = rows.await?.into_iter().map(|Row { account, host, app }| {
            let home = host.zip(app).map(|(host, app)| Home { host, app });
            account.parse().map(|account| (account, home))
        });
        accounts.collect::<Result<_, _>>().map_err(|_| Error::corrupt(TABLE, "account"))
    }
}
