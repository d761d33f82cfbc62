//! Connections and transactions.

use crate::{
    Changes, Error,
    answers::Answers,
    changes::Noted,
    pool::measured,
    session::{self, Session},
};
use jiff::Timestamp;
use sqlx::{
    Connection as _, PgPool,
    postgres::{PgConnectOptions, PgConnection, PgListener},
};
use std::{str::FromStr as _, time::Duration};
use tokio::sync::OwnedSemaphorePermit;

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("../../migrations");

/// The database.
#[derive(Clone, Debug)]
pub struct Database {
    pool: PgPool,
    changes: Changes,
    answers: Answers,
    /// For those that listen.
    listening: PgPool,
}

/// Most listeners of one process.
const LISTENERS: u32 = 4;

/// A transaction, and the one time that counts in it: the database's, when it began.
pub struct Tx {
    inner: Session,
    // Dropped after the transaction has ended, however it ends: only then can others read what it changed.
    noted: Noted,
    /// Freed when the transaction has ended, however it ends.
    turn: Option<OwnedSemaphorePermit>,
    /// What happens once it is true.
    then: Vec<Box<dyn FnOnce() + Send + Sync>>,
    /// Database time at the beginning of the transaction; the same throughout it.
    pub now: Timestamp,
}

impl Database {
    /// Connects, with at most `connections` connections.
    ///
    /// # Errors
    /// When the URL is none, or the database cannot be reached within ten seconds; says why.
    pub async fn connect(url: &str, connections: u32) -> Result<Self, Error> {
        let options = PgConnectOptions::from_str(url)
            .map_err(Error::url)?
            .application_name("slipway");
        let answers = Answers::default();
        // Listeners keep their connections: they have their own, and are told apart.
        let listening = session::pool(LISTENERS, answers.clone())
            .connect_lazy_with(options.clone().application_name("slipway listens"));
        let pool = session::pool(connections, answers.clone())
            .connect_with(options.clone())
            .await;
        let pool = match pool {
            // All it says is that it waited: one connection by itself says for what.
            Err(sqlx::Error::PoolTimedOut) => return Err(why_not(&options).await),
            other => other?,
        };
        Ok(Self {
            answers,
            listening,
            ..Self::over(pool)
        })
    }

    /// Watches, from now on, whether the database answers, so that nothing waits in vain when the network swallows
    /// everything: what is under way then fails within ten seconds, and what comes meanwhile fails at once.
    #[must_use]
    pub fn watched(self) -> Self {
        self.answers.watch(self.pool.connect_options().as_ref().clone());
        self
    }

    /// Runs work that waits for the database, for as long as it answers.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when it does not.
    pub fn while_it_answers<T>(
        &self,
        work: impl Future<Output = T>,
    ) -> impl Future<Output = Result<T, Error>> {
        self.answers.during(work)
    }

    /// Over a pool that is there already (tests).
    #[must_use]
    pub fn over(pool: PgPool) -> Self {
        Self {
            listening: pool.clone(),
            pool,
            changes: Changes::default(),
            answers: Answers::default(),
        }
    }

    /// What was changed through this database, for whoever keeps in memory what was read from it.
    #[must_use]
    pub const fn changes(&self) -> &Changes {
        &self.changes
    }

    /// The pool.
    #[must_use]
    pub const fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// Every migration that this binary knows.
    #[must_use]
    pub fn migrations() -> &'static sqlx::migrate::Migrator {
        &MIGRATIONS
    }

    /// Applies the migrations that are missing; safe to call from several servers at once.
    ///
    /// # Errors
    /// When one fails; it is rolled back.
    pub async fn migrate(&self) -> Result<(), sqlx::migrate::MigrateError> {
        crate::migrate::migrate(&self.pool, &MIGRATIONS).await
    }

    /// Whether every migration that this binary knows has been applied. More may have been: a newer server's.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn is_migrated(&self) -> Result<bool, Error> {
        let known: Vec<i64> = MIGRATIONS.iter().map(|m| m.version).collect();
        let applied = "SELECT count(*) FROM _sqlx_migrations WHERE success AND version = ANY($1)";
        let applied: i64 = match sqlx::query_scalar(applied)
            .bind(&known)
            .fetch_one(&self.pool)
            .await
        {
            Ok(applied) => applied,
            Err(sqlx::Error::Database(e)) if e.code().as_deref() == Some("42P01") => 0,
            Err(error) => return Err(error.into()),
        };
        Ok(usize::try_from(applied) == Ok(known.len()))
    }

    /// Begins a transaction that writes.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn begin(&self) -> Result<Tx, Error> {
        self.open("BEGIN; SELECT now()").await
    }

    /// Begins a transaction that only reads, and reads one state of the database throughout.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn read(&self) -> Result<Tx, Error> {
        self.open("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SELECT now()")
            .await
    }

    async fn open(&self, how: &'static str) -> Result<Tx, Error> {
        let begun = self.answers.during(measured(Session::begin(&self.pool, how)));
        let (inner, now) = begun.await??;
        slipway_domain::clock::database_told(now);
        Ok(Tx {
            inner,
            noted: self.changes.noting(),
            turn: None,
            then: Vec::new(),
            now,
        })
    }

    /// Listens on channels. A hint only: polling is the truth.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn listen(&self, channels: &[&str]) -> Result<Listener, Error> {
        let listening = self.answers.during(async {
            let mut inner = PgListener::connect_with(&self.listening).await?;
            inner.listen_all(channels.iter().copied()).await?;
            Ok::<_, sqlx::Error>(inner)
        });
        Ok(Listener {
            inner: listening.await??,
            answers: self.answers.clone(),
        })
    }
}

impl Tx {
    /// The connection, for a query.
    pub fn conn(&mut self) -> &mut PgConnection {
        self.inner.connection()
    }

    /// Keeps a turn until the transaction has ended.
    pub fn keep(&mut self, turn: Option<OwnedSemaphorePermit>) {
        self.turn = turn;
    }

    /// What this transaction changes of what is kept in memory.
    pub(crate) const fn noted(&mut self) -> &mut Noted {
        &mut self.noted
    }

    /// What is to happen in this process when the transaction is committed, and only then: counting what it did.
    pub fn once_true(&mut self, what: impl FnOnce() + Send + Sync + 'static) {
        self.then.push(Box::new(what));
    }

    /// Makes it true.
    ///
    /// # Errors
    /// When the database refuses or cannot be reached; then nothing is true, or it is not known.
    pub async fn commit(self) -> Result<(), Error> {
        let Self {
            inner, noted, then, ..
        } = self;
        let committed = inner.commit().await;
        drop(noted);
        committed?;
        for what in then {
            what();
        }
        Ok(())
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

    /// Waits for whoever else holds this lock alone, and holds it with others until the end of the transaction.
    ///
    /// # Errors
    /// When it is held for longer than the lock timeout.
    pub async fn lock_shared(&mut self, what: &str) -> Result<(), Error> {
        sqlx::query("SELECT pg_advisory_xact_lock_shared(hashtextextended($1, 0))")
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
    answers: Answers,
}

impl Listener {
    /// The channel of the next hint.
    ///
    /// # Errors
    /// When the connection is lost.
    pub async fn next(&mut self) -> Result<String, Error> {
        let heard = self.answers.during(self.inner.recv()).await??;
        Ok(heard.channel().to_owned())
    }
}

/// Why the database that could not be reached cannot be.
async fn why_not(options: &PgConnectOptions) -> Error {
    let alone = PgConnection::connect_with(options);
    match tokio::time::timeout(Duration::from_secs(2), alone).await {
        Ok(Err(error)) => error.into(),
        Ok(Ok(_)) | Err(_) => sqlx::Error::PoolTimedOut.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn whoever_cannot_connect_is_told_why() {
        let none = Database::connect("db.example/slipway?password=hunter2", 1).await;
        let said = none.unwrap_err().to_string();
        assert!(said.contains("no connection URL"), "{said}");
        assert!(!said.contains("hunter2"), "{said}");
        let away = Database::connect("postgres://nobody@127.0.0.1:1/none", 1).await;
        let Err(Error::Unavailable(sqlx::Error::Io(cause))) = away else {
            panic!("{away:?}")
        };
        assert_eq!(cause.kind(), std::io::ErrorKind::ConnectionRefused);
    }
}
