//! `/v1/status`: what dashboards poll.

use axum::http::Method;
use slipway_testkit::{Person, Reply, TestApp, Value, World, json};
use std::time::Duration;
use tokio::time::{Instant, sleep, sleep_until};

/// How old the status may be.
const MAX_AGE: Duration = Duration::from_secs(1);

async fn poll(who: &Person, tag: &str) -> Reply {
    who.request(Method::GET, "/v1/status")
        .header("if-none-match", tag)
        .send()
        .await
}

/// The next status that is another than this one. Whoever asks an age after the change is never told the old one.
async fn next(who: &Person, tag: &str) -> Reply {
    let changed = Instant::now();
    loop {
        let asked = Instant::now();
        let reply = poll(who, tag).await;
        if reply.status != 304 {
            return reply.ok(200);
        }
        assert!(asked - changed < MAX_AGE, "the status is old");
        sleep(Duration::from_millis(5)).await;
    }
}

fn services(status: &Value) -> Vec<&str> {
    let services = status["services"].as_array().unwrap();
    services
        .iter()
        .map(|one| one["service"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn the_status_shows_what_is_under_way_and_is_cheap_to_poll() {
    let app = TestApp::start().await;
    let world = World::shop(&app).await;
    let quiet = world.viewer.get("/v1/status").await.ok(200);
    assert_eq!(quiet.header("cache-control"), "private, max-age=1");
    poll(&world.viewer, &quiet.etag()).await.ok(304);
    world.sealed("1.0.0").await;
    world.deploy("storefront@1.0.0", "staging").await;
    let busy = next(&world.viewer, &quiet.etag()).await;
    let tag = busy.etag();
    let busy = busy.body;
    assert_eq!(busy["active"]["queued"], 1);
    assert_eq!(busy["services"][0]["service"], "storefront");
    assert_eq!(busy["services"][0]["latest"]["release"], "storefront@1.0.0");
    assert_eq!(busy["services"][0]["runs"], json!([]));
    assert_eq!(world.stranger.get("/v1/status").await.problem(403), "forbidden");
    let known = poll(&world.viewer, &tag).await.ok(304);
    assert_eq!((known.etag(), known.body), (tag, Value::Null));
}

#[tokio::test]
async fn each_is_shown_what_they_may_see_however_many_share_a_reading() {
    let app = TestApp::start().await;
    let world = World::shop(&app).await;
    world
        .admin
        .post("/v1/teams", json!({"name": "bank"}))
        .await
        .expect(201);
    let service = json!({"name": "ledger", "team": "bank", "criticality": "high"});
    world.engineer.post("/v1/services", service).await.expect(201);
    for (subject, place, name) in [
        ("sue", "team", "shop"),
        ("bob", "team", "bank"),
        ("stu", "environment", "staging"),
        ("pat", "environment", "production"),
    ] {
        let binding = json!({"principal": {"subject": subject}, "role": "viewer", place: name});
        world.admin.post("/v1/role-bindings", binding).await.expect(201);
    }
    world.sealed("1.0.0").await;
    world.deploy("storefront@1.0.0", "staging").await;
    let release =
        json!({"service": "ledger", "version": "2.0.0", "components": [{"name": "web", "version": "1.0.0"}]});
    world.manager.post("/v1/releases", release).await.expect(201);
    world
        .manager
        .act("/v1/releases/ledger@2.0.0/seal")
        .await
        .expect(200);
    world.deploy("ledger@2.0.0", "staging").await;
    let look = async |who: &Person| who.get("/v1/status").await.ok(200);
    let (sue, bob, stu, pat) = (app.as_("sue"), app.as_("bob"), app.as_("stu"), app.as_("pat"));
    for _ in 0..3 {
        let (all, s, b, t, p) = tokio::join!(
            look(&world.viewer),
            look(&sue),
            look(&bob),
            look(&stu),
            look(&pat)
        );
        assert_eq!(services(&all.body), ["ledger", "storefront"]);
        assert_eq!(services(&s.body), ["storefront"]);
        assert_eq!(services(&b.body), ["ledger"]);
        assert_eq!(services(&t.body), ["ledger", "storefront"]);
        assert_eq!(services(&p.body), [""; 0]);
        let queued = [&all, &s, &b, &t, &p].map(|shown| shown.body["active"]["queued"].clone());
        assert_eq!(queued, [2, 1, 1, 2, 0].map(Value::from));
        // Another's tag says nothing about what one may see oneself.
        poll(&bob, &s.etag()).await.ok(200);
        poll(&bob, &b.etag()).await.ok(304);
    }
    // A role that is lost takes its sight with it, at once.
    let lost = world.admin.get("/v1/role-bindings?subject=sue").await.expect(200);
    let path = format!("/v1/role-bindings/{}", lost["items"][0]["id"].as_str().unwrap());
    world.admin.delete(&path).await.expect(204);
    assert_eq!(sue.get("/v1/status").await.problem(403), "forbidden");
}

#[tokio::test]
async fn a_status_that_is_known_is_told_without_the_database_and_an_old_one_is_not() {
    let mut app = TestApp::start().await;
    // Somebody whom this server does not remember, and nobody who hears that there is no database: then all that may
    // be told is how old it is.
    let vera = app.person("vera", &["viewer"]).await;
    app.settle().await;
    app.deafen().await;
    let begun = Instant::now();
    let shown = vera.get("/v1/status").await.ok(200);
    let read = Instant::now();
    app.app.database().pool().close().await;
    let told = poll(&vera, &shown.etag()).await;
    // On a machine that took a second for this, nothing can be said.
    if begun.elapsed() < MAX_AGE {
        told.ok(304);
    }
    sleep_until(read + MAX_AGE).await;
    assert_eq!(poll(&vera, &shown.etag()).await.problem(503), "unavailable");
}
