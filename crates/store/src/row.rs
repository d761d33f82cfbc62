//! From rows to the domain: what cannot be is an error that names table, column and row.

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use slipway_domain::Digest;
use sqlx::{Row as _, postgres::PgRow};
use std::{fmt, str::FromStr};
use type_safe_id::{StaticType, TypeSafeId};
use uuid::Uuid;

/// What can go wrong with the database.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database could not be reached, or had no connection to give in time.
    #[error("the database is unavailable")]
    Unavailable(#[source] sqlx::Error),
    /// What is given as a connection URL is none; it is not repeated, it may have a password in it.
    #[error("this is no connection URL (postgres://user:password@host:port/database): {0}")]
    Url(String),
    /// A unique index refused it.
    #[error("the unique index {0} refuses it")]
    Duplicate(String),
    /// Two transactions stood in each other's way; the caller may try again.
    #[error("the transaction met another one; try again")]
    Contended(#[source] sqlx::Error),
    /// A row that cannot be.
    #[error("impossible row in table {table}, column {column}, row {row}: {detail}")]
    ImpossibleRow {
        /// The table.
        table: &'static str,
        /// The column.
        column: String,
        /// The row's id.
        row: String,
        /// What is wrong with it.
        detail: String,
    },
    /// A guarded update touched another number of rows than it must.
    #[error("{what}: {rows} rows were touched, 1 was expected")]
    Guard {
        /// Which update.
        what: &'static str,
        /// How many rows it touched.
        rows: u64,
    },
    /// Anything else.
    #[error("the database refused: {0}")]
    Database(#[source] sqlx::Error),
}

impl Error {
    pub(crate) fn url(error: sqlx::Error) -> Self {
        Self::Url(match error {
            sqlx::Error::Configuration(cause) => cause.to_string(),
            other => other.to_string(),
        })
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            // Protocol: what answers is no Postgres, or one that ended in the middle of saying something.
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::Protocol(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed => Self::Unavailable(error),
            sqlx::Error::Database(db) => match db.code().as_deref() {
                Some("23505") => Self::Duplicate(db.constraint().unwrap_or("(unnamed)").to_owned()),
                Some("40001" | "40P01" | "55P03") => Self::Contended(error),
                // Class 08: connection; 53: no room, no memory, too many connections; 57: shutting down, or a statement
                // that took too long; 58: the disk fails; 25006: read-only standby; 25P03: left open for too long.
                Some(code)
                    if ["08", "53", "57", "58"]
                        .iter()
                        .any(|class| code.starts_with(class))
                        || ["25006", "25P03"].contains(&code) =>
                {
                    Self::Unavailable(error)
                }
                _ => Self::Database(error),
            },
            _ => Self::Database(error),
        }
    }
}

impl Error {
    /// What may be told of why the database is unavailable.
    #[must_use]
    pub fn unavailable_because(&self) -> Option<&'static str> {
        let Self::Unavailable(error) = self else {
            return None;
        };
        let code = error
            .as_database_error()
            .and_then(sqlx::error::DatabaseError::code);
        Some(match (error, code.as_deref()) {
            (_, Some("53100")) => "the database has no room left on its disk; nothing was changed",
            (_, Some("57014")) => "the database took too long over it",
            (_, Some("25006")) => "the database can only be read just now",
            (sqlx::Error::PoolTimedOut, _) => "all connections to the database are in use",
            (sqlx::Error::Io(error), _) if error.kind() == std::io::ErrorKind::TimedOut => {
                "the database does not answer"
            }
            _ => "the database is unavailable",
        })
    }

    /// Whether this unique index refused.
    #[must_use]
    pub fn is_duplicate(&self, index: &str) -> bool {
        matches!(self, Self::Duplicate(name) if name == index)
    }
}

/// Asserts that a guarded update touched exactly one row.
///
/// # Errors
/// [`Error::Guard`].
pub fn exactly_one(what: &'static str, rows: u64) -> Result<(), Error> {
    if rows == 1 {
        Ok(())
    } else {
        Err(Error::Guard { what, rows })
    }
}

/// Reads the columns of one row of one table.
pub struct Cols<'r> {
    row: &'r PgRow,
    table: &'static str,
}

impl<'r> Cols<'r> {
    /// Of this row of this table.
    #[must_use]
    pub const fn new(table: &'static str, row: &'r PgRow) -> Self {
        Self { row, table }
    }

    fn impossible(&self, column: &str, detail: impl fmt::Display) -> Error {
        let row = self
            .row
            .try_get::<Uuid, _>("id")
            .map_or_else(|_| "(no id)".to_owned(), |id| id.to_string());
        Error::ImpossibleRow {
            table: self.table,
            column: column.to_owned(),
            row,
            detail: detail.to_string(),
        }
    }

    /// Any type that the driver decodes.
    ///
    /// # Errors
    /// When the column is missing, null or of another type.
    pub fn get<T>(&self, column: &str) -> Result<T, Error>
    where
        T: sqlx::Type<sqlx::Postgres> + for<'a> sqlx::Decode<'a, sqlx::Postgres>,
    {
        self.row.try_get(column).map_err(|e| self.impossible(column, e))
    }

    /// An id.
    ///
    /// # Errors
    /// As [`Cols::get`].
    pub fn id<T: StaticType>(&self, column: &str) -> Result<TypeSafeId<T>, Error> {
        self.get::<Uuid>(column).map(TypeSafeId::from_uuid)
    }

    /// An id that may be absent.
    ///
    /// # Errors
    /// As [`Cols::get`].
    pub fn id_opt<T: StaticType>(&self, column: &str) -> Result<Option<TypeSafeId<T>>, Error> {
        Ok(self.get::<Option<Uuid>>(column)?.map(TypeSafeId::from_uuid))
    }

    /// A time.
    ///
    /// # Errors
    /// As [`Cols::get`].
    pub fn time(&self, column: &str) -> Result<Timestamp, Error> {
        self.get::<jiff_sqlx::Timestamp>(column)
            .map(jiff_sqlx::Timestamp::to_jiff)
    }

    /// A time that may be absent.
    ///
    /// # Errors
    /// As [`Cols::get`].
    pub fn time_opt(&self, column: &str) -> Result<Option<Timestamp>, Error> {
        Ok(self
            .get::<Option<jiff_sqlx::Timestamp>>(column)?
            .map(jiff_sqlx::Timestamp::to_jiff))
    }

    /// A text that is something of the domain.
    ///
    /// # Errors
    /// When the domain does not accept it.
    pub fn parse<T>(&self, column: &str) -> Result<T, Error>
    where
        T: FromStr,
        T::Err: fmt::Display,
    {
        self.get::<String>(column)?
            .parse()
            .map_err(|e| self.impossible(column, e))
    }

    /// A text that is something of the domain, and may be absent.
    ///
    /// # Errors
    /// When the domain does not accept it.
    pub fn parse_opt<T>(&self, column: &str) -> Result<Option<T>, Error>
    where
        T: FromStr,
        T::Err: fmt::Display,
    {
        self.get::<Option<String>>(column)?
            .map(|text| text.parse().map_err(|e| self.impossible(column, e)))
            .transpose()
    }

    /// A digest.
    ///
    /// # Errors
    /// When it is none.
    pub fn digest(&self, column: &str) -> Result<Digest, Error> {
        self.parse(column)
    }

    /// A JSON column that is something of the domain.
    ///
    /// # Errors
    /// When it is not.
    pub fn json<T: DeserializeOwned>(&self, column: &str) -> Result<T, Error> {
        let value = self.get::<serde_json::Value>(column)?;
        serde_json::from_value(value).map_err(|e| self.impossible(column, e))
    }

    /// A JSON column that may be absent.
    ///
    /// # Errors
    /// When it is there and not what it must be.
    pub fn json_opt<T: DeserializeOwned>(&self, column: &str) -> Result<Option<T>, Error> {
        self.get::<Option<serde_json::Value>>(column)?
            .map(|value| serde_json::from_value(value).map_err(|e| self.impossible(column, e)))
            .transpose()
    }

    /// A count that is never negative.
    ///
    /// # Errors
    /// When it is.
    pub fn count(&self, column: &str) -> Result<u32, Error> {
        u32::try_from(self.get::<i32>(column)?).map_err(|e| self.impossible(column, e))
    }

    /// Fails with a detail of the caller's own.
    #[must_use]
    pub fn bad(&self, column: &str, detail: impl fmt::Display) -> Error {
        self.impossible(column, detail)
    }
}
