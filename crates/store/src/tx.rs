//! Connections and transactions.

use crate::Error;
use jiff::Timestamp;
use sqlx::{
    PgPool, Postgres, Transaction,
    postgres::{PgConnectOptions, PgConnection, PgListener, PgPoolOptions},
};
use std::{str::FromStr as _, time::Duration};

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("../../migrations");

/// The database.
#[derive(Clone, Debug)]
pub struct Database {
    pool: PgPool,
}

/// A transaction, and the one time that counts in it: the database's, when it began.
pub struct Tx {
    inner: Transaction<'static, Postgres>,
    /// Database time at the beginning of the transaction; the same throughout it.
    pub now: Timestamp,
}

impl Database {
    /// Connects, with at most `connections` connections.
    ///
    /// # Errors
    /// When the URL is none, or the database cannot be reached within ten seconds.
    pub async fn connect(url: &str, connections: u32) -> Result<Self, Error> {
        let options = PgConnectOptions::from_str(url)?.application_name("slipway");
        let pool = PgPoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(Duration::from_secs(10))
            .after_connect(|connection, _| {
                Box::pin(async move {
                    // A statement that hangs must not hold what others wait for; a session left open in a
                    // transaction neither. Compiling a query that reads a few rows takes longer than the query.
                    sqlx::raw_sql(
                        "SET statement_timeout = '30s'; SET lock_timeout = '10s'; \
                         SET idle_in_transaction_session_timeout = '60s'; SET timezone = 'UTC'; \
                         SET jit = off",
                    )
                    .execute(connection)
                    .await?;
                    Ok(())
                })
            })
            .connect_with(options)
            .await?;
        Ok(Self { pool })
    }

    /// Over a pool that is there already (tests).
    #[must_use]
    pub const fn over(pool: PgPool) -> Self {
        Self { pool }
    }

    /// The pool.
    #[must_use]
    pub const fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// Applies the migrations that are missing; safe to call from several servers at once.
    ///
    /// # Errors
    /// When one fails; it is rolled back.
    pub async fn migrate(&self) -> Result<(), sqlx::migrate::MigrateError> {
        MIGRATIONS.run(&self.pool).await
    }

    /// Whether every migration that this binary knows has been applied. More may have been: a newer server's.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn is_migrated(&self) -> Result<bool, Error> {
        let known = MIGRATIONS.iter().map(|m| m.version).max().unwrap_or(0);
        let applied: Option<i64> =
            match sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations WHERE success")
                .fetch_one(&self.pool)
                .await
            {
                Ok(version) => version,
                Err(sqlx::Error::Database(e)) if e.code().as_deref() == Some("42P01") => None,
                Err(error) => return Err(error.into()),
            };
        Ok(applied.is_some_and(|version| version >= known))
    }

    /// Begins a transaction that writes.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn begin(&self) -> Result<Tx, Error> {
        let mut inner = self.pool.begin().await?;
        let now = now(&mut inner).await?;
        Ok(Tx { inner, now })
    }

    /// Begins a transaction that only reads, and reads one state of the database throughout.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn read(&self) -> Result<Tx, Error> {
        let mut inner = self
            .pool
            .begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            .await?;
        let now = now(&mut inner).await?;
        Ok(Tx { inner, now })
    }

    /// Listens on channels. A hint only: polling is the truth.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn listen(&self, channels: &[&str]) -> Result<Listener, Error> {
        let mut inner = PgListener::connect_with(&self.pool).await?;
        inner.listen_all(channels.iter().copied()).await?;
        Ok(Listener { inner })
    }
}

async fn now(connection: &mut PgConnection) -> Result<Timestamp, Error> {
    let now: jiff_sqlx::Timestamp = sqlx::query_scalar("SELECT now()").fetch_one(connection).await?;
    Ok(now.to_jiff())
}

impl Tx {
    /// The connection, for a query.
    pub fn conn(&mut self) -> &mut PgConnection {
        &mut self.inner
    }

    /// Makes it true.
    ///
    /// # Errors
    /// When the database refuses or cannot be reached; then nothing is true, or it is not known.
    pub async fn commit(self) -> Result<(), Error> {
        Ok(self.inner.commit().await?)
    }

    /// Leaves everything as it was.
    ///
    /// # Errors
    /// When the database cannot be reached; it forgets the transaction then by itself.
    pub async fn rollback(self) -> Result<(), Error> {
        Ok(self.inner.rollback().await?)
    }

    /// Tells listeners on commit. Postgres folds the same hint of one transaction into one.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn hint(&mut self, channel: &str) -> Result<(), Error> {
        sqlx::query("SELECT pg_notify($1, '')")
            .bind(channel)
            .execute(self.conn())
            .await?;
        Ok(())
    }

    /// Waits for whoever else holds this lock, until the end of the transaction.
    ///
    /// # Errors
    /// When it is held for longer than the lock timeout.
    pub async fn lock(&mut self, what: &str) -> Result<(), Error> {
        sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))")
            .bind(what)
            .execute(self.conn())
            .await?;
        Ok(())
    }

    /// Takes this lock until the end of the transaction, unless somebody else holds it.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn try_lock(&mut self, what: &str) -> Result<bool, Error> {
        Ok(
            sqlx::query_scalar("SELECT pg_try_advisory_xact_lock(hashtextextended($1, 0))")
                .bind(what)
                .fetch_one(self.conn())
                .await?,
        )
    }
}

/// Waits for hints.
pub struct Listener {
    inner: PgListener,
}

impl Listener {
    /// The channel of the next hint.
    ///
    /// # Errors
    /// When the connection is lost.
    pub async fn next(&mut self) -> Result<String, Error> {
        Ok(self.inner.recv().await?.channel().to_owned())
    }
}
