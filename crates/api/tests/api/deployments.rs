//! Deployments, as far as they go without an executor.

use slipway_testkit::{TestApp, Value, World, json};

fn path(deployment: &Value, verb: &str) -> String {
    format!("/v1/deployments/{}{verb}", deployment["id"].as_str().unwrap())
}

#[tokio::test]
async fn a_deployment_says_what_it_waits_for() {
    let app = TestApp::start().await;
    let world = World::shop(&app).await;
    world.sealed("1.0.0").await;
    let made = world.deploy("storefront@1.0.0", "staging").await;
    assert_eq!(made["release"], "storefront@1.0.0");
    assert_eq!(made["requested_by"], "otto");
    assert_eq!(made["targets"][0]["cluster"], "eu");
    assert_eq!(made["targets"][0]["namespace"], "storefront");
    assert!(made["gates"].as_array().unwrap().len() >= 4, "{made:#}");
    let shown = world.viewer.get(&path(&made, "")).await.ok(200);
    assert_eq!(shown.body["state"], "queued");
    assert_eq!(shown.body["blockers"][0]["kind"], "executor");
    let unchanged = world
        .viewer
        .request(axum::http::Method::GET, &path(&made, ""))
        .header("if-none-match", &shown.etag());
    unchanged.send().await.ok(304);
    let gates = world.viewer.get(&path(&made, "/gates")).await.expect(200);
    assert_eq!(gates["items"], shown.body["gates"]);
    let targets = world.viewer.get(&path(&made, "/targets")).await.expect(200);
    assert_eq!(targets["items"], shown.body["targets"]);
    let why = world.viewer.get(&path(&made, "/explain")).await.expect(200);
    assert_eq!(why["allowed"], json!(["cancel"]));
    let manifests = world.viewer.get(&path(&made, "/manifests")).await.expect(200);
    assert_eq!(manifests["targets"][0]["objects"].as_array().unwrap().len(), 2);
    app.settle().await;
    let log = world.viewer.get(&path(&made, "/activities")).await.expect(200);
    assert!(!log["items"].as_array().unwrap().is_empty());
    let preview = world.viewer.get(&path(&made, "/preview")).await.expect(200);
    assert_eq!(preview["targets"][0]["creates_namespace"], true);
}

#[tokio::test]
async fn an_environment_takes_only_what_succeeded_in_the_stage_before() {
    let app = TestApp::start().await;
    let world = World::shop(&app).await;
    world.sealed("1.0.0").await;
    let ask = json!({"release": "storefront@1.0.0", "environment": "production"});
    assert_eq!(
        world
            .operator
            .post("/v1/deployments", ask.clone())
            .await
            .problem(409),
        "not-promoted"
    );
    assert_eq!(
        world.engineer.post("/v1/deployments", ask).await.problem(403),
        "forbidden"
    );
    let unknown = json!({"release": "storefront@9.0.0", "environment": "moon"});
    let reply = world.operator.post("/v1/deployments", unknown).await;
    assert!([404, 422].contains(&reply.status.as_u16()), "{:#}", reply.body);
    let bad = json!({"release": "storefront@1.0.0", "environment": "staging", "not_before": "tomorrow"});
    assert_eq!(
        world.operator.post("/v1/deployments", bad).await.pointers(),
        ["/not_before"]
    );
}

#[tokio::test]
async fn a_deployment_is_cancelled_and_tried_again() {
    let app = TestApp::start().await;
    let world = World::shop(&app).await;
    world.sealed("1.0.0").await;
    let made = world.deploy("storefront@1.0.0", "staging").await;
    assert_eq!(
        world.operator.act(&path(&made, "/pause")).await.problem(409),
        "deployment-state"
    );
    assert_eq!(
        world.operator.act(&path(&made, "/resume")).await.problem(409),
        "deployment-state"
    );
    assert_eq!(
        world.viewer.act(&path(&made, "/cancel")).await.problem(403),
        "forbidden"
    );
    let why = json!({"reason": "wrong day"});
    let cancelled = world
        .operator
        .post(&path(&made, "/cancel"), why)
        .await
        .expect(200);
    assert_eq!(cancelled["state"], "cancelled");
    assert!(
        cancelled["reason"].as_str().unwrap().contains("wrong day"),
        "{cancelled:#}"
    );
    assert_eq!(cancelled["blockers"], json!([]));
    assert_eq!(
        world.operator.act(&path(&made, "/cancel")).await.problem(409),
        "deployment-state"
    );
    let retried = world.operator.act(&path(&made, "/retry")).await.ok(201);
    assert_eq!(retried.body["retries"], made["id"]);
    assert_eq!(retried.header("location"), path(&retried.body, ""));
    assert_eq!(
        world.operator.act(&path(&made, "/rollback")).await.problem(409),
        "nothing-to-roll-back"
    );
}

#[tokio::test]
async fn deployments_are_listed_by_what_they_are_about() {
    let app = TestApp::start().await;
    let world = World::shop(&app).await;
    world.sealed("1.0.0").await;
    let made = world.deploy("storefront@1.0.0", "staging").await;
    for (query, count) in [
        ("", 1),
        (
            "?service=storefront&environment=staging&release=storefront@1.0.0&state=active",
            1,
        ),
        ("?environment=production", 0),
        ("?state=running,succeeded", 0),
    ] {
        let page = world
            .viewer
            .get(&format!("/v1/deployments{query}"))
            .await
            .expect(200);
        assert_eq!(page["items"].as_array().unwrap().len(), count, "{query}");
    }
    assert_eq!(
        world.viewer.get("/v1/deployments?state=done").await.pointers(),
        ["?state"]
    );
    assert_eq!(
        app.as_("sam").get(&path(&made, "")).await.problem(404),
        "not-found"
    );
}

#[tokio::test]
async fn secrets_in_manifests_are_not_shown() {
    let app = TestApp::start().await;
    let world = World::shop(&app).await;
    let manifests = "apiVersion: v1\nkind: Secret\nmetadata: {name: web}\nstringData: {password: hunter2}\n";
    for (version, text) in [
        ("3.0.0", manifests.to_owned()),
        ("3.1.0", manifests.replace("hunter2", "hunter3")),
    ] {
        let body = json!({"version": version, "manifests": text});
        world
            .engineer
            .post("/v1/components/web/versions", body)
            .await
            .expect(201);
        world.sealed(version).await;
    }
    let made = world.deploy("storefront@3.1.0", "staging").await;
    let mut all = world
        .viewer
        .get(&path(&made, "/manifests"))
        .await
        .expect(200)
        .to_string();
    let diff = world
        .viewer
        .get("/v1/releases/storefront@3.1.0/diff?against=storefront@3.0.0")
        .await
        .expect(200);
    assert_eq!(diff["objects"].as_array().unwrap().len(), 1);
    all.push_str(&diff.to_string());
    assert!(!all.contains("hunter"), "{all}");
    assert!(!all.contains("aHVudGVy"), "{all}");
}
