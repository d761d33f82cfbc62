//! The schema changes under servers that are at work.

use slipway_store::Database;
use slipway_testkit::live;
use sqlx::{Connection as _, PgConnection};
use std::time::Duration;

/// The last migration before tables were changed that servers use.
const BEFORE: i64 = 5;

async fn run(connection: &mut PgConnection, sql: &'static str) {
    sqlx::raw_sql(sql)
        .execute(connection)
        .await
        .unwrap_or_else(|e| panic!("{sql}: {e}"));
}

/// A server's transaction has read what a migration changes late, and goes on to what it has changed already: one of the two
/// must give way, and it is not the server.
#[tokio::test(flavor = "multi_thread")]
async fn a_migration_gives_way_to_a_transaction_that_is_at_work_and_goes_on_after_it() {
    let database = live::Database::create().await;
    let mut server = PgConnection::connect(&database.url).await.unwrap();
    Database::migrations().run_to(BEFORE, &mut server).await.unwrap();

    run(&mut server, "BEGIN; SELECT FROM deployment_targets").await;
    let url = database.url.clone();
    let migrating = tokio::spawn(async move {
        let store = Database::connect(&url, 2).await.unwrap();
        store.migrate().await.unwrap();
        store.is_migrated().await.unwrap()
    });
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let mut looks = 0;
    while database.number(waits).await == 0 {
        looks += 1;
        assert!(looks < 1_000, "nobody waits for the transaction");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // The migration has locked this one by now, and waits for the other.
    run(&mut server, "SELECT FROM deployments").await;
    assert!(!migrating.is_finished(), "it did not wait");
    run(&mut server, "COMMIT").await;
    assert!(migrating.await.unwrap(), "not everything was applied");
    server.close().await.unwrap();
}
