//! What the tests of use-cases share.

use slipway_app::{App, Error, RequestInfo, Unauthenticated};
use slipway_domain::identity::Actor;
use slipway_testkit::TestApp;
use std::collections::BTreeMap;

/// Signs in.
pub(crate) async fn authenticate(app: &App, token: &str) -> Result<Actor, Unauthenticated> {
    let request = RequestInfo {
        id: "req-test".to_owned(),
        traceparent: None,
    };
    app.authenticate(token, &request).await
}

/// Somebody, with what they hold now.
pub(crate) async fn actor(app: &TestApp, subject: &str) -> Actor {
    authenticate(&app.app, &app.issuer.token(subject))
        .await
        .expect("an actor")
}

/// Where an input has faults; it must have some.
pub(crate) fn faults<T: std::fmt::Debug>(result: Result<T, Error>) -> Vec<String> {
    match result {
        Err(Error::Invalid(faults)) => faults
            .as_slice()
            .iter()
            .map(|fault| fault.pointer.clone())
            .collect(),
        other => panic!("not invalid: {other:?}"),
    }
}

/// Everything that a database holds, as text: to look for what must not be there.
pub(crate) struct Everything(BTreeMap<String, Vec<String>>);

impl Everything {
    /// Reads every table.
    pub(crate) async fn read(app: &App) -> Self {
        let pool = app.database().pool();
        let tables: Vec<String> =
            sqlx::query_scalar("SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'")
                .fetch_all(pool)
                .await
                .expect("tables");
        let mut all = BTreeMap::new();
        for table in tables {
            let sql = format!("SELECT row_to_json(t)::text FROM \"{table}\" t");
            let rows: Vec<String> = sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
                .fetch_all(pool)
                .await
                .expect("rows");
            all.insert(table, rows);
        }
        Self(all)
    }

    /// How many rows a table has.
    pub(crate) fn rows(&self, table: &str) -> usize {
        self.0[table].len()
    }

    /// How many rows of a table hold a text.
    pub(crate) fn count(&self, table: &str, text: &str) -> usize {
        self.0[table].iter().filter(|row| row.contains(text)).count()
    }

    /// Asserts that a secret is nowhere, neither as text nor as bytes.
    pub(crate) fn assert_lacks(&self, secret: &str) {
        use std::fmt::Write as _;
        let hex = secret.bytes().fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        });
        for (table, rows) in &self.0 {
            for row in rows {
                assert!(
                    !row.contains(secret) && !row.contains(&hex),
                    "{table} holds a secret: {row}"
                );
            }
        }
    }
}
