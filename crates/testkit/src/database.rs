//! A database for one test: made and migrated at its start, dropped at its end.

use slipway_store::Database;
use sqlx::{Connection as _, PgConnection, postgres::PgConnectOptions};
use std::str::FromStr as _;

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
    /// Makes a database and migrates it.
    ///
    /// # Panics
    /// When there is no Postgres to make it on: a test that cannot run has failed.
    pub async fn create() -> Self {
        let url = std::env::var(VARIABLE).unwrap_or_else(|_| {
            panic!("{VARIABLE} is not set: it must name a Postgres where this user may create databases")
        });
        let server = PgConnectOptions::from_str(&url).unwrap_or_else(|e| panic!("{VARIABLE} is no URL: {e}"));
        let name = format!("slipway_test_{}", uuid::Uuid::now_v7().simple());
        statement(&server, format!("CREATE DATABASE {name}"))
            .await
            .unwrap_or_else(|e| panic!("cannot create a database on {VARIABLE}: {e}"));
        let mut own = url::Url::parse(&url).unwrap_or_else(|e| panic!("{VARIABLE} is no URL: {e}"));
        own.set_path(&name);
        let database = Database::connect(own.as_str(), 16)
            .await
            .unwrap_or_else(|e| panic!("cannot connect to the new database: {e}"));
        database
            .migrate()
            .await
            .unwrap_or_else(|e| panic!("cannot migrate the new database: {e}"));
        Self {
            name,
            server,
            database,
        }
    }
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
