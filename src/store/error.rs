//! What can go wrong, sorted by what to do about it.

use sea_orm::{
    DbErr, RuntimeErr,
    sqlx::{self, error::DatabaseError, sqlite::SqliteError},
};

/// Why a call to the store failed. No text in it has values from rows, nor the database's URL.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Error {
    /// The installation is bound to another account.
    #[error("the installation belongs to another account; disconnect it there first")]
    InstallationTaken,
    /// The account is connected at another site: another App, or another host.
    #[error("the account is connected at another App or host; disconnect it there first")]
    ConnectedElsewhere,
    /// The database is away, overloaded or locked: a retry can help.
    #[error("the database did not answer ({0}); try again, and check that it runs if this goes on")]
    Unavailable(String),
    /// The URL, the file or the account at the database is wrong: a person has to mend it.
    #[error("the database cannot be used: {0}")]
    Unusable(String),
    /// A row holds what this version cannot read.
    #[error(
        "column {column} of table {table} holds a value that cannot be read; \
         restore it from a backup, or delete the row and connect the account anew"
    )]
    Corrupt {
        /// Name of the table.
        table: &'static str,
        /// Name of the column.
        column: String,
    },
    /// The database refused the statement: an error in ghbroker, or a schema that is not its own.
    #[error(
        "the database refused a statement ({0}); run `ghbroker migrate`, else report this as a bug"
    )]
    Internal(String),
}

impl Error {
    /// For `map_err`: what an error of the database means in a call about `table`.
    pub(super) fn in_table(table: &'static str) -> impl Fn(DbErr) -> Self {
        move |error| match &error {
            DbErr::Conn(RuntimeErr::SqlxError(cause))
            | DbErr::Exec(RuntimeErr::SqlxError(cause))
            | DbErr::Query(RuntimeErr::SqlxError(cause)) => Self::from_sqlx(table, cause),
            DbErr::Conn(_) | DbErr::ConnectionAcquire(_) => Self::Unavailable(error.to_string()),
            _ => Self::Internal(error.to_string()),
        }
    }

    /// For `ok_or_else` and `map_err`: a column that does not parse.
    pub(super) fn corrupt(table: &'static str, column: &str) -> Self {
        Self::Corrupt { table, column: column.trim_matches('"').to_owned() }
    }

    pub(super) fn from_sqlx(table: &'static str, error: &sqlx::Error) -> Self {
        match error {
            // Its source shows the value.
            sqlx::Error::ColumnDecode { index, .. } => Self::corrupt(table, index),
            sqlx::Error::Database(cause) => Self::from_database(cause.as_ref()),
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed
            | sqlx::Error::Protocol(_) => Self::Unavailable(error.to_string()),
            _ => Self::Internal(error.to_string()),
        }
    }

    /// Only the message is taken: PostgreSQL's details repeat the row.
    fn from_database(error: &dyn DatabaseError) -> Self {
        let code = error.code().unwrap_or_default();
        let message = error.message().to_owned();
        if error.try_downcast_ref::<SqliteError>().is_some() {
            // The low byte is the primary code: https://sqlite.org/rescode.html
            return match code.parse::<u32>().map(|code| code & 0xff) {
                // busy, locked, full
                Ok(5 | 6 | 13) => Self::Unavailable(message),
                // read-only, malformed, cannot open, not a database
                Ok(8 | 11 | 14 | 26) => Self::Unusable(message),
                _ => Self::Internal(message),
            };
        }
        // https://www.postgresql.org/docs/current/errcodes-appendix.html
        match code.get(..2) {
            // connection, rolled back for another one's sake, resources, shutting down or cancelled
            Some("08" | "40" | "53" | "57") => Self::Unavailable(message),
            // authorization, no such database
            Some("28" | "3D") => Self::Unusable(message),
            // a lock not granted in time; a server that was made a standby
            _ if code == "55P03" || code == "25006" => Self::Unavailable(message),
            _ => Self::Internal(message),
        }
    }
}
