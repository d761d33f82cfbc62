//! Releases: composed, sealed, withdrawn, compared.

use slipway_testkit::{TestApp, World, json};

#[tokio::test]
async fn a_release_is_composed_changed_and_sealed() {
    let app = TestApp::start().await;
    let world = World::shop(&app).await;
    let draft = world.draft("1.0.0").await;
    assert_eq!(
        (&draft["name"], &draft["state"]),
        (&json!("storefront@1.0.0"), &json!("draft"))
    );
    assert!(draft.get("digest").is_none());
    let shown = world.viewer.get("/v1/releases/storefront@1.0.0").await.ok(200);
    let notes = json!({"notes": "the first"});
    let changed = world
        .manager
        .patch("/v1/releases/storefront@1.0.0", &shown.etag(), notes)
        .await
        .ok(200);
    assert_eq!(changed.body["notes"], "the first");
    let sealed = world
        .manager
        .act("/v1/releases/storefront@1.0.0/seal")
        .await
        .ok(200);
    assert_eq!(
        (&sealed.body["state"], &sealed.body["sealed_by"]),
        (&json!("sealed"), &json!("ana"))
    );
    assert!(sealed.body["digest"].as_str().unwrap().starts_with("sha256:"));
    assert_eq!(
        world
            .manager
            .act("/v1/releases/storefront@1.0.0/seal")
            .await
            .problem(409),
        "release-state"
    );
    let late = world
        .manager
        .patch(
            "/v1/releases/storefront@1.0.0",
            &sealed.etag(),
            json!({"notes": "x"}),
        )
        .await;
    assert_eq!(late.problem(409), "release-state");
    let by_id = format!("/v1/releases/{}", draft["id"].as_str().unwrap());
    assert_eq!(
        world.viewer.get(&by_id).await.expect(200)["digest"],
        sealed.body["digest"]
    );
}

#[tokio::test]
async fn a_release_that_cannot_be_is_refused_with_every_fault() {
    let app = TestApp::start().await;
    let world = World::shop(&app).await;
    let body = json!({
        "service": "nothing", "version": "one",
        "components": [{"name": "web", "version": "9.9.9"}, {"name": "none", "version": "1.0.0"}],
    });
    let reply = world.manager.post("/v1/releases", body).await;
    let pointers = reply.pointers();
    assert!(pointers.len() >= 4, "{pointers:?}");
    reply.problem(422);
    let empty = json!({"service": "storefront", "version": "1.0.0", "components": []});
    assert_eq!(
        world.manager.post("/v1/releases", empty).await.pointers(),
        ["/components"]
    );
    world.draft("1.0.0").await;
    let twice = json!({"service": "storefront", "version": "1.0.0", "components": [{"name": "web", "version": "1.0.0"}]});
    assert_eq!(
        world
            .manager
            .post("/v1/releases", twice.clone())
            .await
            .problem(409),
        "release-exists"
    );
    assert_eq!(
        world.engineer.post("/v1/releases", twice).await.problem(403),
        "forbidden"
    );
}

#[tokio::test]
async fn a_withdrawn_release_is_not_deployed() {
    let app = TestApp::start().await;
    let world = World::shop(&app).await;
    world.sealed("1.0.0").await;
    let reason = json!({"reason": "a hole"});
    let withdrawn = world
        .manager
        .post("/v1/releases/storefront@1.0.0/withdraw", reason.clone())
        .await
        .expect(200);
    assert_eq!(
        (&withdrawn["state"], &withdrawn["withdrawn_reason"]),
        (&json!("withdrawn"), &json!("a hole"))
    );
    let ask = json!({"release": "storefront@1.0.0", "environment": "staging"});
    assert_eq!(
        world.operator.post("/v1/deployments", ask).await.problem(409),
        "release-state"
    );
    world.version("2.0.0", "red").await;
    world.draft("2.0.0").await;
    let ask = json!({"release": "storefront@2.0.0", "environment": "staging"});
    assert_eq!(
        world.operator.post("/v1/deployments", ask).await.problem(409),
        "release-state"
    );
    assert_eq!(
        world
            .operator
            .post("/v1/releases/storefront@2.0.0/withdraw", reason)
            .await
            .problem(403),
        "forbidden"
    );
}

#[tokio::test]
async fn releases_are_listed_by_service_and_state_and_compared() {
    let app = TestApp::start().await;
    let world = World::shop(&app).await;
    world.sealed("1.0.0").await;
    world.version("1.1.0", "green").await;
    world.draft("1.1.0").await;
    let sealed = world
        .viewer
        .get("/v1/releases?service=storefront&state=sealed")
        .await
        .expect(200);
    assert_eq!(sealed["items"].as_array().unwrap().len(), 1);
    assert_eq!(
        world.viewer.get("/v1/releases?state=done").await.problem(400),
        "malformed"
    );
    assert_eq!(
        world.viewer.get("/v1/releases?service=none").await.problem(404),
        "not-found"
    );
    let diff = world
        .viewer
        .get("/v1/releases/storefront@1.1.0/diff?against=storefront@1.0.0")
        .await
        .expect(200);
    assert_eq!(
        diff["components"],
        json!([{"name": "web", "from": "1.0.0", "to": "1.1.0"}])
    );
    assert_eq!(diff["objects"].as_array().unwrap().len(), 1);
    assert_eq!(
        diff["objects"][0]["paths"],
        json!([{"pointer": "/data/colour", "from": "blue", "to": "green"}])
    );
    let missing = world.viewer.get("/v1/releases/storefront@1.1.0/diff").await;
    assert_eq!(missing.pointers(), ["?against"]);
    missing.problem(400);
}
