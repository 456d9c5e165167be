//! What a SQLite database holds, read past the broker.

use sqlx::{AssertSqlSafe, Connection, Row, SqliteConnection};

/// Every row of every table as text, in one order.
pub async fn all(url: &str) -> Vec<String> {
    let mut database = SqliteConnection::connect(url).await.unwrap();
    let mut rows = Vec::new();
    for table in texts(&mut database, "SELECT name FROM sqlite_master WHERE type = 'table'").await {
        let columns = format!("SELECT 'quote(' || name || ')' FROM pragma_table_info('{table}')");
        let columns = texts(&mut database, &columns).await.join(" || ' ' || ");
        let content = format!("SELECT '{table} ' || {columns} AS text FROM \"{table}\" ORDER BY 1");
        rows.extend(texts(&mut database, &content).await);
    }
    rows
}

async fn texts(database: &mut SqliteConnection, sql: &str) -> Vec<String> {
    let query = sqlx::query(AssertSqlSafe(sql.to_owned()));
    query.fetch_all(database).await.unwrap().iter().map(|row| row.get(0)).collect()
}
