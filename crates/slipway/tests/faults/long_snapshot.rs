//! Fault 13: somebody's snapshot stays open for half an hour (a report, a backup, a forgotten session), and Postgres may
//! take away no row that died meanwhile.
//!
//! Invariant: claiming takes at most twice as long as without, in the 99th of a hundred.
//!
//! The half hour is made short: the rows that die in it die in seconds. Two databases see the same, one of them with a
//! snapshot open; both are measured in turns, so that whatever else the machine does falls on both alike.

use crate::ground::{finish, two};
use slipway_app::{App, Config, SecretKey, execution::Queue};
use slipway_domain::ports::{ClaimRequest, WorkQueue as _};
use slipway_store::Database;
use slipway_testkit::{
    Clusters,
    live::{World, manifests::config},
};
use sqlx::{Connection as _, PgConnection};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// Rows of the queue that die in half an hour: 20 units a minute with 40 changes each (steps, heartbeats, waits).
const DEAD: u32 = 24_000;
const CLAIMS: usize = 200;
/// Rounds of so many; what counts is the median of what they came to.
const ROUNDS: usize = 5;

/// Lets so many versions of rows die as units of work come, are leased, kept, given back, and go.
async fn wear(world: &World) {
    let sql = format!(
        "DO $$ DECLARE d record; u uuid; BEGIN \
            SELECT dt.deployment_id, dt.id, dt.target_id, t.cluster_id INTO STRICT d \
                FROM deployment_targets dt JOIN targets t ON t.id = dt.target_id ORDER BY dt.id LIMIT 1; \
            FOR i IN 1..{} LOOP \
                u := gen_random_uuid(); \
                INSERT INTO work (id, kind, deployment_id, deployment_target_id, target_id, cluster_id) \
                    VALUES (u, 'worn', d.deployment_id, d.id, d.target_id, d.cluster_id); \
                FOR j IN 1..13 LOOP \
                    UPDATE work SET state = 'leased', holder = 'nobody', fence = j, \
                        lease_until = clock_timestamp() + interval '1 h' WHERE id = u; \
                    UPDATE work SET lease_until = clock_timestamp() + interval '2 h' WHERE id = u; \
                    UPDATE work SET state = 'ready', holder = NULL, lease_until = NULL, run_at = clock_timestamp() \
                        WHERE id = u; \
                END LOOP; \
                DELETE FROM work WHERE id = u; \
                IF i % 20 = 0 THEN COMMIT; END IF; \
            END LOOP; END $$",
        DEAD / 40
    );
    world.database.execute(&sql).await;
}

/// An executor's side of the queue.
async fn queue(world: &World) -> (Queue, ClaimRequest) {
    let database = Database::connect(&world.database.url, 2)
        .await
        .expect("the database");
    let key = SecretKey::parse("secrets.key", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=").expect("a key");
    let app = App::new(
        database.clone(),
        Config::new(Vec::new(), key),
        Arc::new(Clusters::default()),
    );
    let request = ClaimRequest {
        holder: "measure".to_owned(),
        max: 64,
        lease: jiff::SignedDuration::from_secs(15),
        cluster_labels: std::collections::BTreeMap::new(),
    };
    (Queue::new(app.expect("an application"), database), request)
}

async fn claim((queue, request): &(Queue, ClaimRequest)) -> Duration {
    let began = Instant::now();
    let claimed = queue.claim(request).await.expect("the queue");
    assert!(claimed.is_empty(), "{claimed:?}");
    began.elapsed()
}

/// Of several rounds: a moment at which the machine had other things to do is in one of them.
fn medians(rounds: &[(Duration, Duration)]) -> (Duration, Duration) {
    let median = |mut all: Vec<Duration>| {
        all.sort_unstable();
        all[all.len() / 2]
    };
    (
        median(rounds.iter().map(|round| round.0).collect()),
        median(rounds.iter().map(|round| round.1).collect()),
    )
}

/// The 50th and the 99th of a hundred.
fn percentiles(mut all: Vec<Duration>) -> (Duration, Duration) {
    all.sort_unstable();
    (all[all.len() / 2], all[all.len() * 99 / 100])
}

#[tokio::test]
async fn a_snapshot_that_stays_open_at_most_doubles_the_time_of_a_claim() {
    let (clean, held) = tokio::join!(two("clean"), two("held"));
    for world in [&clean, &held] {
        world.sealed("1.0.0", &config("settings", "x")).await;
        let id = world.deploy("1.0.0", "staging").await;
        world.ends(&id, "succeeded").await;
    }
    let mut snapshot = PgConnection::connect(&held.database.url)
        .await
        .expect("a connection");
    sqlx::raw_sql("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM work")
        .execute(&mut snapshot)
        .await
        .expect("a snapshot");
    tokio::join!(wear(&clean), wear(&held));
    clean.database.execute("VACUUM work").await;
    held.database.execute("VACUUM work").await;
    let dead = "SELECT coalesce(n_dead_tup, 0) FROM pg_stat_user_tables WHERE relname = 'work'";
    let kept = held.database.count(dead).await;
    assert!(kept > i64::from(DEAD) / 2, "the snapshot keeps {kept} rows only");
    assert!(clean.database.count(dead).await < 1000);

    let (one, other) = (queue(&clean).await, queue(&held).await);
    for queue in [&one, &other] {
        for _ in 0..20 {
            claim(queue).await;
        }
    }
    let (mut all_without, mut all_with) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let (mut without, mut with) = (Vec::new(), Vec::new());
        for _ in 0..CLAIMS {
            without.push(claim(&one).await);
            with.push(claim(&other).await);
        }
        all_without.push(percentiles(without));
        all_with.push(percentiles(with));
    }
    let (without, with) = (medians(&all_without), medians(&all_with));
    eprintln!("claims (p50, p99): {without:?} without, {with:?} with {kept} dead rows that a snapshot keeps");
    assert!(
        with.1 <= without.1 * 2,
        "p99: {:?} against {:?}",
        with.1,
        without.1
    );
    assert!(
        with.0 <= without.0 * 2,
        "p50: {:?} against {:?}",
        with.0,
        without.0
    );

    // And whole deployments go on as before.
    held.sealed("2.0.0", &config("settings", "y")).await;
    let id = held.deploy("2.0.0", "staging").await;
    held.ends(&id, "succeeded").await;
    sqlx::raw_sql("ROLLBACK")
        .execute(&mut snapshot)
        .await
        .expect("its end");
    snapshot.close().await.expect("its end");
    for world in [clean, held] {
        let namespace = world.namespace("staging").await;
        finish(world, vec![namespace]).await;
    }
}
