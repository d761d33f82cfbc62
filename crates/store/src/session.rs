//! One transaction on one connection of the pool. Whatever becomes of its caller, the connection comes back usable, or is
//! closed within a bounded time: a network that swallows everything must not keep the pool full of dead connections.

use crate::answers::Answers;
use jiff::Timestamp;
use sqlx::{
    Executor as _, PgConnection, PgPool, Postgres, Row as _, pool::PoolConnection, postgres::PgPoolOptions,
};
use std::time::Duration;

/// How long a connection may take to answer the smallest question before it counts as dead.
const PATIENCE: Duration = Duration::from_secs(5);
/// A connection that was used so lately is not asked whether it lives.
const FRESH: Duration = Duration::from_secs(1);

/// What every session is told first.
///
/// A statement that hangs must not hold what others wait for; a session left open in a transaction neither, nor one whose
/// client has gone. Compiling a query that reads a few rows takes longer than the query.
const SETTINGS: &str = "SET statement_timeout = '30s'; SET lock_timeout = '10s'; \
    SET idle_in_transaction_session_timeout = '10s'; SET client_connection_check_interval = '2s'; \
    SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3; \
    SET timezone = 'UTC'; SET jit = off";

/// A pool whose connections are asked, with patience, whether they live before anybody gets them.
pub(crate) fn pool(connections: u32, answers: Answers) -> PgPoolOptions {
    PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(Duration::from_secs(10))
        .after_connect(|connection, _| {
            Box::pin(async move { connection.execute(sqlx::raw_sql(SETTINGS)).await.map(drop) })
        })
        // The pool's own question knows no patience.
        .test_before_acquire(false)
        .before_acquire(move |connection, of| {
            let dead = answers.may_be_dead(of.age);
            Box::pin(async move { Ok(!dead && (of.idle_for < FRESH || lives(connection).await)) })
        })
}

/// Whether a connection answers.
async fn lives(connection: &mut PgConnection) -> bool {
    use sqlx::Connection as _;
    matches!(
        tokio::time::timeout(PATIENCE, connection.ping()).await,
        Ok(Ok(()))
    )
}

/// A transaction that is open until it is committed, rolled back or dropped.
pub(crate) struct Session {
    /// None once it has ended.
    connection: Option<PoolConnection<Postgres>>,
}

impl Session {
    /// Begins one; `how` is a `BEGIN`. With the time of the database at which it began.
    pub(crate) async fn begin(pool: &PgPool, how: &'static str) -> Result<(Self, Timestamp), sqlx::Error> {
        let mut session = Self {
            connection: Some(pool.acquire().await?),
        };
        // One message, and so one way there and back.
        let row = session.connection().fetch_one(sqlx::raw_sql(how)).await?;
        let now: jiff_sqlx::Timestamp = row.try_get(0)?;
        Ok((session, now.to_jiff()))
    }

    /// The connection.
    pub(crate) fn connection(&mut self) -> &mut PgConnection {
        self.connection
            .as_mut()
            .expect("a session has its connection until it ends")
    }

    /// Makes it true. A transaction in which something failed cannot be: asked for `COMMIT` alone, Postgres would roll it
    /// back and call that a success. Before it any statement will do; this one is not planned, and checks what a commit would.
    pub(crate) async fn commit(self) -> Result<(), sqlx::Error> {
        self.end("SET CONSTRAINTS ALL IMMEDIATE; COMMIT").await
    }

    pub(crate) async fn rollback(self) -> Result<(), sqlx::Error> {
        self.end("ROLLBACK").await
    }

    async fn end(mut self, how: &'static str) -> Result<(), sqlx::Error> {
        // Dropped half-way it is still open, as far as anybody can tell.
        self.connection().execute(sqlx::raw_sql(how)).await?;
        self.connection = None;
        Ok(())
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take() else {
            return;
        };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            drop(connection.detach());
            return;
        };
        runtime.spawn(async move {
            let rolled_back = tokio::time::timeout(PATIENCE, connection.execute("ROLLBACK")).await;
            if !matches!(rolled_back, Ok(Ok(_))) {
                // Not given back: the pool would wait for it for as long as the network does.
                drop(connection.detach());
            }
        });
    }
}
