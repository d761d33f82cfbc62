//! Fault 12: the pool of connections is exhausted by requests that all wait for one lock.
//!
//! Invariant: what finds no connection is refused with 503 and `Retry-After`; leases are kept, and what runs goes on.

use crate::ground::{finish, two};
use futures::future::join_all;
use serde_json::{Value, json};
use slipway_testkit::live::{manifests::hook, text};
use sqlx::Connection as _;
use std::time::{Duration, Instant};

/// More at once than any pool here has connections.
const REQUESTS: usize = 60;

#[tokio::test]
async fn requests_that_take_all_connections_cost_no_lease() {
    let world = two("exhausted").await;
    let namespace = world.namespace("staging").await;
    world
        .sealed(
            "1.0.0",
            &hook("migrate", "registry.example/shop/migrate:1.0-slow"),
        )
        .await;
    let id = world.deploy("1.0.0", "staging").await;
    let hooking = |d: &Value| text(&d["targets"][0]["step"]).starts_with("hook:");
    world.until(&id, "running its hook", hooking).await;

    // Every request that carries a key waits for whoever holds this.
    let mut lock = world.database.connect().await;
    sqlx::raw_sql("BEGIN; LOCK TABLE idempotency_keys IN ACCESS EXCLUSIVE MODE")
        .execute(&mut lock)
        .await
        .expect("the lock");
    let began = Instant::now();
    let mut waves = Vec::new();
    // More and more of them, for longer than two leases and than the hook takes.
    for wave in 0..5 {
        let asked = (0..REQUESTS).map(|n| {
            let admin = world.admin.at(&world.servers[n % 2].api);
            let key = format!("{wave}-{n}");
            async move {
                let request = admin.request(reqwest::Method::POST, "/v1/teams");
                let body = json!({"name": format!("team-{wave}-{n}")});
                let reply = admin
                    .send(request.header("idempotency-key", key).json(&body))
                    .await;
                assert!(!reply.header("retry-after").is_empty(), "{reply:#?}");
                reply.problem(503, "unavailable").detail
            }
        });
        waves.push(tokio::spawn(join_all(asked.collect::<Vec<_>>())));
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
    let done = async {
        loop {
            let sql = "SELECT state FROM deployments WHERE finished_at IS NOT NULL";
            if let Some(row) = world.database.rows(sql).await.pop() {
                return text(&row["state"]);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let ended = tokio::time::timeout(Duration::from_secs(15), done).await;
    assert_eq!(
        ended.expect("it ends while requests find no connection"),
        "succeeded"
    );
    let ended = began.elapsed();
    let (mut refused, mut no_turn) = (0, 0);
    for wave in waves {
        for why in wave.await.expect("answers") {
            refused += 1;
            no_turn += usize::from(why.contains("connections"));
        }
    }
    assert_eq!(refused, 5 * REQUESTS);
    assert!(no_turn > REQUESTS, "{no_turn} only found no connection");
    sqlx::raw_sql("ROLLBACK")
        .execute(&mut lock)
        .await
        .expect("the lock");
    lock.close().await.expect("it closes");
    let rescued = world.told(&id, "work.rescued").await;
    assert!(rescued.is_empty(), "leases were lost: {rescued:?}");
    assert_eq!(world.told(&id, "hook.started").await.len(), 1);
    eprintln!(
        "{refused} requests were refused, {no_turn} for want of a connection; the deployment ended after {ended:?}"
    );
    // Nothing of what was refused has happened, and everybody is served again.
    let made = world
        .database
        .count("SELECT count(*) FROM teams WHERE name LIKE 'team-%'")
        .await;
    assert_eq!(made, 0);
    world
        .admin
        .post("/v1/teams", json!({"name": "team-after"}))
        .await
        .expect(201);
    finish(world, vec![namespace]).await;
}
