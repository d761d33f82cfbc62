//! A database for one test: made at its start, dropped at its end, and read where a test must prove that nothing changed.

use crate::server::within;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _};
use std::{collections::BTreeMap, time::Duration};

/// The variable that names a Postgres where databases may be made.
const VARIABLE: &str = "SLIPWAY_TEST_DATABASE_URL";

pub(crate) struct Database {
    name: String,
    server: String,
    /// For the server's configuration.
    pub(crate) url: String,
}

/// What is in every table: how many rows, and a digest of them.
type Contents = BTreeMap<String, (i64, String)>;

impl Database {
    pub(crate) async fn create() -> Self {
        let server = std::env::var(VARIABLE).unwrap_or_else(|_| {
            panic!("{VARIABLE} is not set: run `tests/run executor`, which starts a private Postgres")
        });
        let name = format!("slipway_e2e_{}", uuid::Uuid::now_v7().simple());
        run(&server, &format!("CREATE DATABASE {name}"))
            .await
            .unwrap_or_else(|e| panic!("cannot create a database on {VARIABLE}: {e}"));
        let mut url = url::Url::parse(&server).expect("a URL");
        url.set_path(&name);
        Self {
            name,
            server,
            url: url.into(),
        }
    }

    pub(crate) async fn connect(&self) -> PgConnection {
        PgConnection::connect(&self.url).await.expect("a connection")
    }

    /// One number.
    pub(crate) async fn number(&self, sql: &'static str) -> i64 {
        let mut connection = self.connect().await;
        sqlx::query_scalar(sql)
            .fetch_one(&mut connection)
            .await
            .unwrap_or_else(|e| panic!("{sql}: {e}"))
    }

    /// The tables that hold a secret in a form that could be read.
    pub(crate) async fn tables_with(&self, secret: &str) -> Vec<String> {
        let mut connection = self.connect().await;
        let mut holding = Vec::new();
        for table in tables(&mut connection).await {
            // Binary columns are written as hexadecimal.
            let sql = format!(
                "SELECT count(*) FROM {table} t WHERE position($1 in t::text) > 0 \
                 OR position(encode(convert_to($1, 'UTF8'), 'hex') in t::text) > 0"
            );
            let found: i64 = sqlx::query_scalar(AssertSqlSafe(sql))
                .bind(secret)
                .fetch_one(&mut connection)
                .await
                .expect("a table");
            if found > 0 {
                holding.push(table);
            }
        }
        holding
    }

    /// Everything in it, once the sequencer has numbered what was written.
    pub(crate) async fn contents(&self) -> Contents {
        let mut connection = self.connect().await;
        let unnumbered = "SELECT (SELECT count(*) FROM events WHERE seq IS NULL) \
            + (SELECT count(*) FROM audit_entries WHERE seq IS NULL)";
        let numbered = async || self.number(unnumbered).await == 0;
        within(Duration::from_secs(10), "everything is numbered", numbered).await;
        let mut contents = Contents::new();
        for table in tables(&mut connection).await {
            let sql = format!(
                "SELECT count(*), md5(coalesce(string_agg(t::text, E'\\n' ORDER BY t::text), '')) FROM {table} t"
            );
            let row = sqlx::query(AssertSqlSafe(sql))
                .fetch_one(&mut connection)
                .await
                .expect("a table");
            contents.insert(table, (row.get(0), row.get(1)));
        }
        assert!(contents["_sqlx_migrations"].0 > 0, "{contents:?}");
        contents
    }
}

async fn tables(connection: &mut PgConnection) -> Vec<String> {
    sqlx::query_scalar(
        "SELECT table_name::text FROM information_schema.tables \
         WHERE table_schema = 'public' AND table_type = 'BASE TABLE' ORDER BY 1",
    )
    .fetch_all(connection)
    .await
    .expect("the tables")
}

async fn run(url: &str, sql: &str) -> Result<(), sqlx::Error> {
    let mut connection = PgConnection::connect(url).await?;
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
        .execute(&mut connection)
        .await?;
    connection.close().await
}

impl Drop for Database {
    fn drop(&mut self) {
        // A thread of its own: the test's runtime may be the thread that drops this.
        let (server, sql) = (
            self.server.clone(),
            format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name),
        );
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(run(&server, &sql))
        })
        .join();
        if !matches!(dropped, Ok(Ok(()))) {
            eprintln!(
                "the test's database {} could not be dropped: {dropped:?}",
                self.name
            );
        }
    }
}
