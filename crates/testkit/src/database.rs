//! A database for one test: made at its start, with its schema, and dropped at its end.
//!
//! All are copies of one that was migrated once: migrating takes longer than most tests. Copies of its files: by the log, as
//! Postgres makes them unless told otherwise, they take several times as long.

use sha2::{Digest as _, Sha256};
use slipway_store::Database;
use sqlx::{Connection as _, PgConnection, postgres::PgConnectOptions};
use std::{fmt::Write as _, str::FromStr as _};

/// The variable that names a Postgres where databases may be made.
const VARIABLE: &str = "SLIPWAY_TEST_DATABASE_URL";

/// A database for one test.
pub struct TestDb {
    name: String,
    server: PgConnectOptions,
    /// The migrated database.
    pub database: Database,
}

impl TestDb {
    /// Makes a database with its schema.
    ///
    /// # Panics
    /// When there is no Postgres to make it on: a test that cannot run has failed.
    pub async fn create() -> Self {
        let url = std::env::var(VARIABLE).unwrap_or_else(|_| {
            panic!("{VARIABLE} is not set: it must name a Postgres where this user may create databases")
        });
        let server = PgConnectOptions::from_str(&url).unwrap_or_else(|e| panic!("{VARIABLE} is no URL: {e}"));
        let name = format!("slipway_test_{}", uuid::Uuid::now_v7().simple());
        let template = template(&url, &server)
            .await
            .unwrap_or_else(|e| panic!("cannot make a database with the schema on {VARIABLE}: {e:#}"));
        statement(
            &server,
            format!("CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY"),
        )
        .await
        .unwrap_or_else(|e| panic!("cannot create a database on {VARIABLE}: {e}"));
        let database = Database::connect(&at(&url, &name), 16)
            .await
            .unwrap_or_else(|e| panic!("cannot connect to the new database: {e}"));
        Self {
            name,
            server,
            database,
        }
    }
}

/// The same Postgres, another database.
fn at(url: &str, name: &str) -> String {
    let mut url = url::Url::parse(url).unwrap_or_else(|e| panic!("{VARIABLE} is no URL: {e}"));
    url.set_path(name);
    url.into()
}

/// The database that all are copies of: made by whoever comes first, and left there for the next run. It is named after what
/// the migrations say, so that another schema has another one.
async fn template(url: &str, server: &PgConnectOptions) -> anyhow::Result<String> {
    let mut digest = Sha256::new();
    for migration in Database::migrations().iter() {
        digest.update(&migration.checksum);
    }
    let mut name = "slipway_template_".to_owned();
    for byte in digest.finalize().iter().take(8) {
        write!(name, "{byte:02x}")?;
    }
    let mut connection = PgConnection::connect_with(server).await?;
    // Ends with the connection.
    sqlx::query("SELECT pg_advisory_lock(hashtextextended($1, 0))")
        .bind(&name)
        .execute(&mut connection)
        .await?;
    let there: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)")
        .bind(&name)
        .fetch_one(&mut connection)
        .await?;
    if !there {
        // Under another name until it is whole: a run that was killed leaves none that looks finished.
        let unfinished = format!("{name}_{}", uuid::Uuid::now_v7().simple());
        statement(server, format!("CREATE DATABASE {unfinished}")).await?;
        let database = Database::connect(&at(url, &unfinished), 2).await?;
        database.migrate().await?;
        database.pool().close().await;
        statement(server, format!("ALTER DATABASE {unfinished} RENAME TO {name}")).await?;
    }
    connection.close().await?;
    Ok(name)
}

async fn statement(server: &PgConnectOptions, sql: String) -> Result<(), sqlx::Error> {
    let mut connection = PgConnection::connect_with(server).await?;
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql))
        .execute(&mut connection)
        .await?;
    connection.close().await
}

impl Drop for TestDb {
    fn drop(&mut self) {
        // A thread of its own: the test's runtime may be the thread that drops this.
        let (server, name) = (self.server.clone(), std::mem::take(&mut self.name));
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            runtime.block_on(statement(
                &server,
                format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"),
            ))?;
            anyhow::Ok(())
        })
        .join();
        if !matches!(dropped, Ok(Ok(()))) && !std::thread::panicking() {
            eprintln!("a test's database could not be dropped: {dropped:?}");
        }
    }
}
