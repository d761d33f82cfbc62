//! Fault 24: one request, a hundred times at once, at two servers.
//!
//! Invariant: one release.

use crate::ground::{finish, two};
use futures::future::join_all;
use slipway_testkit::live::{manifests::config, text};

#[tokio::test]
async fn a_hundred_duplicates_at_two_servers_make_one_release_and_one_deployment() {
    let world = two("duplicates").await;
    let namespace = world.namespace("staging").await;
    world.version("1.0.0", &config("settings", "blue")).await;
    let compose = join_all((0..100).map(|n| {
        let ana = world.ana.at(&world.servers[n % 2].api);
        let body = world.composition("1.0.0");
        async move {
            let request = ana.request(reqwest::Method::POST, "/v1/releases");
            let reply = ana
                .send(request.header("idempotency-key", "one").json(&body))
                .await;
            let replayed = reply.header("idempotency-replayed") == "true";
            (text(&reply.expect(201)["id"]), replayed)
        }
    }))
    .await;
    assert!(compose.iter().all(|(id, _)| *id == compose[0].0), "{compose:?}");
    assert_eq!(compose.iter().filter(|(_, replayed)| *replayed).count(), 99);
    assert_eq!(world.database.number("SELECT count(*) FROM releases").await, 1);

    // Without a key, too, a version is there once: one made it, and the others hear that it is there.
    world.version("2.0.0", &config("settings", "red")).await;
    let answers = join_all((0..100).map(|n| {
        let ana = world.ana.at(&world.servers[n % 2].api);
        let body = world.composition("2.0.0");
        async move { ana.post("/v1/releases", body).await.status.as_u16() }
    }))
    .await;
    let count = |code: u16| answers.iter().filter(|answer| **answer == code).count();
    assert_eq!((count(201), count(409)), (1, 99), "{answers:?}");
    assert_eq!(world.database.number("SELECT count(*) FROM releases").await, 2);

    // What was asked for is there once as well.
    world.seal("1.0.0").await;
    let asked = join_all((0..100).map(|n| {
        let otto = world.otto.at(&world.servers[n % 2].api);
        let body = serde_json::json!({"release": world.release("1.0.0"), "environment": "staging"});
        async move {
            let request = otto.request(reqwest::Method::POST, "/v1/deployments");
            let reply = otto
                .send(request.header("idempotency-key", "two").json(&body))
                .await;
            text(&reply.expect(201)["id"])
        }
    }))
    .await;
    assert!(asked.iter().all(|id| *id == asked[0]), "{asked:?}");
    assert_eq!(world.database.number("SELECT count(*) FROM deployments").await, 1);
    world.ends(&asked[0], "succeeded").await;
    for (action, times) in [("release.compose", 2), ("deployment.request", 1)] {
        let sql = format!("SELECT count(*) FROM audit_entries WHERE action = '{action}'");
        assert_eq!(world.database.count(&sql).await, times, "{action}");
    }
    finish(world, vec![namespace]).await;
}
