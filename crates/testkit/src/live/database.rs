//! A database for one test: made at its start, dropped at its end, and read where a test must prove that nothing changed.

use super::server::within;
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _};
use std::{collections::BTreeMap, time::Duration};

/// The variable that names a Postgres where databases may be made.
const VARIABLE: &str = "SLIPWAY_TEST_DATABASE_URL";

/// A database for one test, without a schema: the first server brings it one.
pub struct Database {
    name: String,
    server: String,
    /// Its URL, for servers and for the test.
    pub url: String,
}

/// Tables that servers write to whatever is asked of them: that they are there, which clusters they watch; and what follows
/// from the audit entries, which are compared, a few seconds after them.
const OF_THEMSELVES: [&str; 7] = [
    "servers",
    "cluster_watchers",
    "cluster_watches",
    "audit_tree",
    "audit_nodes",
    "audit_checkpoints",
    "signing_keys",
];

/// What is in every table: how many rows, and a digest of them.
pub type Contents = BTreeMap<String, (i64, String)>;

impl Database {
    /// Makes one on the Postgres that all tests share.
    ///
    /// # Panics
    /// When there is none: a test that cannot run has failed.
    pub async fn create() -> Self {
        let server = std::env::var(VARIABLE).unwrap_or_else(|_| {
            panic!("{VARIABLE} is not set: run `tests/run executor`, which starts a private Postgres")
        });
        Self::create_on(&server).await
    }

    /// Makes one on this Postgres (a URL whose user may make databases).
    ///
    /// # Panics
    /// When it cannot be made.
    pub async fn create_on(server: &str) -> Self {
        let name = format!("slipway_e2e_{}", uuid::Uuid::now_v7().simple());
        run(server, &format!("CREATE DATABASE {name} STRATEGY FILE_COPY"))
            .await
            .unwrap_or_else(|e| panic!("cannot create a database: {e}"));
        let mut url = url::Url::parse(server).expect("a URL");
        url.set_path(&name);
        Self {
            name,
            server: server.to_owned(),
            url: url.into(),
        }
    }

    /// One that is there already: nobody's to make or to drop. For a task of its own, say.
    pub fn at(url: &str) -> Self {
        Self {
            name: String::new(),
            server: String::new(),
            url: url.to_owned(),
        }
    }

    /// A connection to it, if it answers.
    ///
    /// # Errors
    /// When it does not.
    pub async fn try_connect(&self) -> Result<PgConnection, sqlx::Error> {
        PgConnection::connect(&self.url).await
    }

    /// A connection to it.
    ///
    /// # Panics
    /// When there is none to be had.
    pub async fn connect(&self) -> PgConnection {
        PgConnection::connect(&self.url).await.expect("a connection")
    }

    /// One number.
    ///
    /// # Panics
    /// When the query gives none.
    pub async fn number(&self, sql: &'static str) -> i64 {
        let mut connection = self.connect().await;
        let number = sqlx::query_scalar(sql).fetch_one(&mut connection).await;
        let _ = connection.close().await;
        number.unwrap_or_else(|e| panic!("{sql}: {e}"))
    }

    /// One number, of any statement.
    ///
    /// # Panics
    /// When it gives none.
    pub async fn count(&self, sql: &str) -> i64 {
        let mut connection = self.connect().await;
        let number = sqlx::query_scalar(AssertSqlSafe(sql.to_owned()))
            .fetch_one(&mut connection)
            .await;
        let _ = connection.close().await;
        number.unwrap_or_else(|e| panic!("{sql}: {e}"))
    }

    /// Rows as JSON objects, column by column.
    ///
    /// # Panics
    /// When the query fails.
    pub async fn rows(&self, sql: &str) -> Vec<Value> {
        let mut connection = self.connect().await;
        let sql = format!("SELECT to_jsonb(q) FROM ({sql}) q");
        let rows = sqlx::query_scalar(AssertSqlSafe(sql.clone()))
            .fetch_all(&mut connection)
            .await;
        let _ = connection.close().await;
        rows.unwrap_or_else(|e| panic!("{sql}: {e}"))
    }

    /// Runs statements.
    ///
    /// # Panics
    /// When one fails.
    pub async fn execute(&self, sql: &str) {
        run(&self.url, sql).await.unwrap_or_else(|e| panic!("{sql}: {e}"));
    }

    /// Runs statements on the Postgres that it is on, outside of it.
    ///
    /// # Panics
    /// When one fails.
    pub async fn execute_outside(&self, sql: &str) {
        run(&self.server, sql)
            .await
            .unwrap_or_else(|e| panic!("{sql}: {e}"));
    }

    /// Its name on its Postgres.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The tables that hold a secret in a form that could be read.
    ///
    /// # Panics
    /// When the database does not answer.
    pub async fn tables_with(&self, secret: &str) -> Vec<String> {
        tables_with(&mut self.connect().await, secret).await
    }

    /// Everything in it, once the sequencer has numbered what was written.
    ///
    /// # Panics
    /// When that takes longer than ten seconds.
    pub async fn contents(&self) -> Contents {
        let mut connection = self.connect().await;
        let unnumbered = "SELECT (SELECT count(*) FROM events WHERE seq IS NULL) \
            + (SELECT count(*) FROM audit_entries WHERE seq IS NULL)";
        let numbered = async || self.number(unnumbered).await == 0;
        within(Duration::from_secs(10), "everything is numbered", numbered).await;
        let mut contents = Contents::new();
        for table in tables(&mut connection).await {
            if OF_THEMSELVES.contains(&table.as_str()) {
                continue;
            }
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
        if self.name.is_empty() {
            return;
        }
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

/// The tables that hold a secret in a form that could be read.
pub(crate) async fn tables_with(connection: &mut PgConnection, secret: &str) -> Vec<String> {
    let mut holding = Vec::new();
    for table in tables(connection).await {
        // Binary columns are written as hexadecimal.
        let sql = format!(
            "SELECT count(*) FROM {table} t WHERE position($1 in t::text) > 0 \
             OR position(encode(convert_to($1, 'UTF8'), 'hex') in t::text) > 0"
        );
        let found: i64 = sqlx::query_scalar(AssertSqlSafe(sql))
            .bind(secret)
            .fetch_one(&mut *connection)
            .await
            .expect("a table");
        if found > 0 {
            holding.push(table);
        }
    }
    holding
}
