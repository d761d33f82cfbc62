//! States that do not allow what is asked, changes that cross, and requests that come again.

use futures::future::join_all;
use reqwest::Method;
use serde_json::json;
use slipway_testkit::live::{World, manifests::config, text};

#[tokio::test]
async fn a_release_is_changed_as_a_draft_only_and_deployed_as_sealed_only() {
    let world = World::start("states").await;
    let path = world.release_path("1.0.0", "");
    world.draft("1.0.0", &config("web", "blue")).await;
    world
        .changes_nothing(world.ask("1.0.0", "staging"))
        .await
        .problem(409, "release-state")
        .says("draft");
    world.seal("1.0.0").await;
    let sealed = world.vera.get(&path).await;
    let etag = sealed.header("etag").to_owned();
    let sealed = sealed.expect(200);
    let seal = format!("{path}/seal");
    world
        .changes_nothing(world.ana.act(&seal))
        .await
        .problem(409, "release-state")
        .says("sealed");
    world
        .changes_nothing(world.ana.patch(&path, &etag, json!({"notes": "other"})))
        .await
        .problem(409, "release-state")
        .says("sealed");
    world
        .changes_nothing(world.ana.post("/v1/releases", world.composition("1.0.0")))
        .await
        .problem(409, "release-exists");
    let body = json!({"service": world.service, "version": "1", "components": [{"name": world.service, "version": "9.9.9"}]});
    world
        .changes_nothing(world.ana.post("/v1/releases", body))
        .await
        .problem(422, "validation")
        .at(&["/components/0/version", "/version"]);
    let now = world.vera.get(&path).await;
    assert_eq!(now.header("etag"), etag);
    assert_eq!(now.expect(200), sealed);

    let withdrawn = json!({"reason": "the wrong blue"});
    world
        .ana
        .post(&format!("{path}/withdraw"), withdrawn)
        .await
        .expect(200);
    world
        .changes_nothing(world.ask("1.0.0", "staging"))
        .await
        .problem(409, "release-state")
        .says("is withdrawn, so it cannot be deployed");
    assert_eq!(
        world.vera.get(&path).await.expect(200)["withdrawn_reason"],
        "the wrong blue"
    );
    world
        .changes_nothing(world.ana.act(&seal))
        .await
        .problem(409, "release-state");
    world.audit_holds();
    world.close().await;
}

#[tokio::test]
async fn a_stage_is_not_skipped() {
    let world = World::start("stages").await;
    world.cluster("eu").await;
    let production = json!({
        "name": "production", "tier": "production", "promotes_from": "staging", "clusters": ["eu"],
    });
    world.admin.post("/v1/environments", production).await.expect(201);
    world.sealed("1.0.0", &config("web", "blue")).await;
    world
        .changes_nothing(world.ask("1.0.0", "production"))
        .await
        .problem(409, "not-promoted")
        .says("has not succeeded in staging yet");
    let staged = world.deploy("1.0.0", "staging").await;
    world.ends(&staged, "succeeded").await;
    let promoted = world.deploy("1.0.0", "production").await;
    world.ends(&promoted, "succeeded").await;
    for context in ["staging", "eu"] {
        let namespace = world.namespace(context).await;
        assert!(namespace.get("ConfigMap", "web").await.is_some(), "{context}");
        namespace.close().await;
    }
    world.close().await;
}

#[tokio::test]
async fn a_change_says_what_it_changes_or_is_refused() {
    let world = World::start("etags").await;
    world.draft("1.0.0", &config("web", "blue")).await;
    let path = world.release_path("1.0.0", "");
    let first = world.vera.get(&path).await.header("etag").to_owned();
    let without = world
        .ana
        .request(Method::PATCH, &path)
        .json(&json!({"notes": "a"}));
    world
        .changes_nothing(world.ana.send(without))
        .await
        .problem(428, "precondition-required");
    world
        .changes_nothing(world.ana.patch(&path, "1", json!({"notes": "a"})))
        .await
        .problem(400, "malformed");
    world
        .ana
        .patch(&path, &first, json!({"notes": "a"}))
        .await
        .expect(200);
    world
        .changes_nothing(world.ana.patch(&path, &first, json!({"notes": "b"})))
        .await
        .problem(412, "stale");
    let now = world.vera.get(&path).await;
    let second = now.header("etag").to_owned();
    assert_ne!(first, second);
    assert_eq!(now.expect(200)["notes"], "a");
    // Who has it already is told so, and nothing more.
    let again = world
        .vera
        .request(Method::GET, &path)
        .header("if-none-match", &second);
    assert!(world.vera.send(again).await.expect(304).is_null());
    // Of two at the same moment, one wins.
    let both =
        join_all(["c", "d"].map(|notes| world.ana.patch(&path, &second, json!({"notes": notes})))).await;
    let mut statuses: Vec<u16> = both.iter().map(|reply| reply.status.as_u16()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 412]);
    world.close().await;
}

#[tokio::test]
async fn a_request_that_comes_again_happens_once() {
    let world = World::start("again").await;
    world.version("1.0.0", &config("web", "blue")).await;
    let keyed = |key: &'static str, body: serde_json::Value| {
        let request = world.ana.request(Method::POST, "/v1/releases");
        world.ana.send(request.header("idempotency-key", key).json(&body))
    };
    let replies = join_all((0..100).map(|_| keyed("one", world.composition("1.0.0")))).await;
    let mut ids = Vec::new();
    let mut replayed = 0;
    for reply in replies {
        replayed += usize::from(reply.header("idempotency-replayed") == "true");
        ids.push(text(&reply.expect(201)["id"]));
    }
    ids.dedup();
    assert_eq!(ids.len(), 1, "{ids:?}");
    assert_eq!(replayed, 99);
    assert_eq!(world.database.number("SELECT count(*) FROM releases").await, 1);
    let audited = "SELECT count(*) FROM audit_entries WHERE action = 'release.compose'";
    assert_eq!(world.database.number(audited).await, 1);

    world
        .changes_nothing(keyed("one", world.composition("1.0.1")))
        .await
        .problem(422, "idempotency-key-reused");
    // What was refused is not kept: the same key may be used for what is right.
    world
        .changes_nothing(keyed("two", world.composition("9.9.9")))
        .await
        .problem(422, "validation");
    world.version("1.1.0", &config("web", "red")).await;
    keyed("two", world.composition("1.1.0")).await.expect(201);
    world
        .changes_nothing(keyed("not a key", world.composition("1.1.0")))
        .await
        .problem(400, "malformed");
    world.close().await;
}
