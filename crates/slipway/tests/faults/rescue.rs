//! Fault 4: rescue races completion.
//!
//! Invariant: what was completed stays completed, whoever takes its work back at the same moment. (The race itself, many
//! times over, is in `crates/app/tests/delivery/races.rs`; here are whole servers.)

use crate::ground::{finish, two};
use futures::future::join_all;
use serde_json::json;
use slipway_testkit::live::{
    Database, Server,
    manifests::{GOOD, config, hook},
    text, within,
};
use std::time::Duration;

const SERVICES: usize = 12;

/// Ends leases before their time, at random, as often as it can: everything that is leased may be taken back at any moment.
/// Not for ever, or what nobody can finish would rightly be given up.
async fn end_leases(database: &Database) -> i64 {
    let mut ended = 0;
    for _ in 0..300 {
        let hit = "WITH chosen AS (SELECT id FROM work WHERE state = 'leased' AND losses < 4 AND random() < 0.7 \
                FOR UPDATE SKIP LOCKED), \
            hit AS (UPDATE work w SET lease_until = clock_timestamp() - interval '1 ms' FROM chosen \
                WHERE w.id = chosen.id AND w.state = 'leased' RETURNING 1) \
            SELECT count(*) FROM hit";
        ended += database.count(hit).await;
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    ended
}

#[tokio::test]
async fn what_is_completed_while_it_is_being_rescued_stays_completed() {
    let world = two("rescue").await;
    let mut namespaces = Vec::new();
    let mut releases = Vec::new();
    for i in 0..SERVICES {
        let name = format!("{}-{i}", world.service);
        let service = json!({"name": name, "team": "shop", "criticality": "low"});
        world.ana.post("/v1/services", service).await.expect(201);
        let component = json!({"name": name, "team": "shop"});
        world.ana.post("/v1/components", component).await.expect(201);
        let version =
            json!({"version": "1.0.0", "manifests": hook("migrate", GOOD) + &config("settings", "x")});
        let path = format!("/v1/components/{name}/versions");
        world.ana.post(&path, version).await.expect(201);
        let parts = json!([{"name": name, "version": "1.0.0"}]);
        let release = json!({"service": name, "version": "1.0.0", "components": parts});
        world.ana.post("/v1/releases", release).await.expect(201);
        let seal = format!("/v1/releases/{name}@1.0.0/seal");
        world.ana.act(&seal).await.expect(200);
        namespaces.push(slipway_testkit::live::Namespace::of("staging", &name).await);
        releases.push(format!("{name}@1.0.0"));
    }
    let asked = releases.iter().enumerate().map(|(i, release)| {
        let person = world.otto.at(&world.servers[i % 2].api);
        let body = json!({"release": release, "environment": "staging"});
        async move { text(&person.post("/v1/deployments", body).await.expect(201)["id"]) }
    });
    let (ids, ended) = tokio::join!(join_all(asked), end_leases(&world.database));
    for id in &ids {
        world.ends(id, "succeeded").await;
    }
    let rescued = "SELECT count(*) FROM events WHERE kind = 'work.rescued'";
    let rescued = world.database.count(rescued).await;
    eprintln!("{ended} leases were ended before their time, {rescued} units of work were rescued");
    assert!(rescued >= 3, "nothing was rescued: {rescued} of {ended}");
    let stale = |s: &Server| s.log().matches("a stale report touches nothing").count();
    let stale: usize = world.servers.iter().map(stale).sum();
    assert!(
        stale > 0,
        "nobody reported what was another's by then: nothing raced"
    );
    // Completed once, and never anything after it.
    let twice = "SELECT count(*) FROM (SELECT subject FROM audit_entries \
        WHERE action IN ('target.succeed', 'deployment.succeed') GROUP BY subject, action HAVING count(*) <> 1) q";
    assert_eq!(world.database.count(twice).await, 0);
    let after = "SELECT e.kind, e.message FROM events e JOIN events s ON s.deployment_id = e.deployment_id \
        AND s.kind = 'deployment.succeed' WHERE e.seq > s.seq";
    assert_eq!(world.database.rows(after).await, Vec::<serde_json::Value>::new());
    let all = "SELECT count(*) FROM audit_entries WHERE action = 'deployment.succeed'";
    let all_there = async || world.database.count(all).await == i64::try_from(SERVICES).expect("few");
    within(
        Duration::from_secs(5),
        "each is in the record as succeeded",
        all_there,
    )
    .await;
    assert_eq!(world.database.count("SELECT count(*) FROM work").await, 0);
    finish(world, namespaces).await;
}
