//! Bringing a database to this version's schema, while servers of the version before go on serving.

use sqlx::{
    Connection as _, PgConnection, PgPool,
    error::DatabaseError,
    migrate::{MigrateError, Migrator},
};
use std::time::{Duration, Instant};

/// Who migrates at a time.
const LOCK: &str = "slipway:migrate";
/// How long to wait for somebody else who does.
const TURN: Duration = Duration::from_mins(5);
/// How long a statement of a migration waits for its lock on a table. Less than Postgres takes to look for a deadlock
/// (`deadlock_timeout`, a second unless somebody changed it), so that it is the migration that gives way, and never a
/// transaction of a server that is at work.
const LOCK_TIMEOUT: &str = "SET lock_timeout = '700ms'";
/// How long to go on trying to get the locks, each time from the beginning of a migration.
const LOCKED_WITHIN: Duration = Duration::from_mins(2);
/// How long connections of others may be busy before they are left as they are.
const RENEWED_WITHIN: Duration = Duration::from_secs(15);

/// Applies the migrations that are missing, one process at a time.
///
/// A server keeps the statements that it has prepared, and Postgres refuses those that read `*` of a table that has a column
/// more by now: until the connection ends. So the connections that were there before are ended, each while it is idle, and
/// servers open new ones.
pub(crate) async fn migrate(pool: &PgPool, known: &Migrator) -> Result<(), MigrateError> {
    // Beside the pool: its connections may be few.
    let mut one = PgConnection::connect_with(&pool.connect_options()).await?;
    turn(&mut one).await?;
    let before = applied(&mut one).await?;
    // What a newer server has brought along is none of this one's business: it is told to serve beside it.
    let mut migrator = Migrator::with_migrations(known.migrations.to_vec());
    migrator.set_ignore_missing(true);
    apply(&mut one, &migrator).await?;
    if before > 0 && applied(&mut one).await? > before {
        // Our own go first: whoever gets one of them next would find it ended.
        while let Some(idle) = pool.try_acquire() {
            // The schema is there, whether or not this one says goodbye.
            drop(idle.close().await);
        }
        renew(&mut one).await?;
    }
    one.close().await?;
    Ok(())
}

/// Applies them on a connection that waits for nobody long. A migration is one transaction: when servers at work hold what it
/// needs, it gives everything back, lets them go on, and begins again.
async fn apply(one: &mut PgConnection, migrator: &Migrator) -> Result<(), MigrateError> {
    let (began, mut pause) = (Instant::now(), Duration::from_millis(50));
    sqlx::raw_sql(LOCK_TIMEOUT).execute(&mut *one).await?;
    loop {
        match migrator.run_direct(None, &mut *one, false).await {
            Err(error) if is_in_the_way(&error) && began.elapsed() < LOCKED_WITHIN => {
                tracing::info!(%error, "the schema is in use: trying again");
            }
            done => return done,
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(2));
    }
}

/// Whether others hold a lock that a migration needs.
fn is_in_the_way(error: &MigrateError) -> bool {
    let (MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _)) = error else {
        return false;
    };
    let code = error.as_database_error().and_then(DatabaseError::code);
    // lock_not_available, deadlock_detected
    matches!(code.as_deref(), Some("55P03" | "40P01"))
}

/// Waits until nobody else migrates. Not by waiting for the lock: connections give up waiting for locks after a while.
async fn turn(one: &mut PgConnection) -> Result<(), sqlx::Error> {
    let began = Instant::now();
    loop {
        let mine: bool = sqlx::query_scalar("SELECT pg_try_advisory_lock(hashtextextended($1, 0))")
            .bind(LOCK)
            .fetch_one(&mut *one)
            .await?;
        if mine {
            return Ok(());
        }
        if began.elapsed() > TURN {
            return Err(sqlx::Error::PoolTimedOut);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// How many migrations there are in the database.
async fn applied(one: &mut PgConnection) -> Result<i64, sqlx::Error> {
    match sqlx::query_scalar("SELECT count(*) FROM _sqlx_migrations WHERE success")
        .fetch_one(one)
        .await
    {
        Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some("42P01") => Ok(0),
        other => other,
    }
}

/// Ends the connections of servers that were there before, as they become idle.
async fn renew(one: &mut PgConnection) -> Result<(), sqlx::Error> {
    let began = Instant::now();
    let migrated: jiff_sqlx::Timestamp = sqlx::query_scalar("SELECT clock_timestamp()")
        .fetch_one(&mut *one)
        .await?;
    loop {
        // Who waits to migrate has prepared nothing yet, and must not be kept from it.
        let left: i64 = sqlx::query_scalar(
            "SELECT count(*) FILTER (WHERE state <> 'idle' OR NOT pg_terminate_backend(pid)) FROM pg_stat_activity \
             WHERE datname = current_database() AND usename = current_user AND application_name = 'slipway' \
             AND pid <> pg_backend_pid() AND backend_start < $1 AND query NOT LIKE '%pg_try_advisory_lock(hashtext%'",
        )
        .bind(migrated)
        .fetch_one(&mut *one)
        .await?;
        if left == 0 {
            return Ok(());
        }
        if began.elapsed() > RENEWED_WITHIN {
            tracing::warn!(
                left,
                "connections to the database were busy all the time: servers that were there before the migration may need a restart"
            );
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
