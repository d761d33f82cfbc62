//! Attacks on approvals, by their numbers in the design (`quality.md`): going around them, or having them count for what
//! nobody saw. Each goes through the API, as whoever attacks would.

use slipway_testkit::{Person, TestApp, Value, World, json};

/// An environment that asks for one authority, and a release that waits for it there.
async fn waiting(app: &TestApp, world: &World) -> (String, String) {
    let guarded = json!({"name": "guarded", "tier": "staging", "clusters": ["eu"],
        "settings": {"approvals": {"count": 1, "role": "authority"}}});
    world.admin.post("/v1/environments", guarded).await.expect(201);
    world.sealed("1.0.0").await;
    let asked = world.deploy("storefront@1.0.0", "guarded").await;
    app.look().await;
    (
        path("deployments", &asked["id"]),
        path("approvals", &asked["approval"]),
    )
}

fn path(what: &str, id: &Value) -> String {
    format!("/v1/{what}/{}", id.as_str().expect("an id"))
}

async fn state(app: &TestApp, world: &World, deployment: &str) -> Value {
    app.look().await;
    world.viewer.get(deployment).await.expect(200)["state"].clone()
}

async fn decide(by: &Person, approval: &str, digest: &Value) -> slipway_testkit::Reply {
    let body = json!({"decision": "approve", "digest": digest});
    by.post(&format!("{approval}/decisions"), body).await
}

async fn shown(world: &World, approval: &str) -> Value {
    world.authority.get(approval).await.expect(200)["digest"].clone()
}

/// A policy for staging that warns, put in force.
async fn a_policy(app: &TestApp, world: &World) {
    let rule =
        json!({"name": "noted", "expression": "false", "message": {"text": "noted"}, "effect": "warn"});
    let body = json!({"name": "guard", "document": {"scope": {"tiers": ["staging"]}, "rules": [rule]}});
    world.authority.post("/v1/policies", body).await.expect(201);
    let other = app.person("abe", &["authority"]).await;
    other
        .act("/v1/policies/guard/versions/1/activate")
        .await
        .expect(200);
}

#[tokio::test]
async fn attack_09_approve_then_modify() {
    let app = TestApp::start().await;
    let world = World::shop(&app).await;
    let (deployment, approval) = waiting(&app, &world).await;
    let seen = shown(&world, &approval).await;
    decide(&world.authority, &approval, &seen).await.expect(200);
    assert_eq!(state(&app, &world, &deployment).await, "queued");
    // The content cannot be changed any more, whichever way it is tried.
    let release = world.manager.get("/v1/releases/storefront@1.0.0").await;
    let edit = json!({"notes": "one more thing"});
    let edited = world
        .manager
        .patch("/v1/releases/storefront@1.0.0", "*", edit)
        .await;
    assert_eq!(edited.problem(409), "release-state");
    let again = json!({"version": "1.0.0", "manifests": World::manifests("red")});
    let again = world.engineer.post("/v1/components/web/versions", again).await;
    assert_eq!(again.problem(409), "version-exists");
    let after = world.manager.get("/v1/releases/storefront@1.0.0").await;
    assert_eq!(release.expect(200)["digest"], after.expect(200)["digest"]);
    // What else the approver saw can: then the yes is no yes any more.
    a_policy(&app, &world).await;
    assert_eq!(state(&app, &world, &deployment).await, "pending");
    let request = world.viewer.get(&approval).await.expect(200);
    assert_eq!(request["state"], "pending");
    assert_ne!(request["digest"], seen);
    let because = request["decisions"][0]["withdrawn_because"].as_str().unwrap();
    assert!(because.starts_with("policies: now guard version 1"), "{because}");
    assert_eq!(
        decide(&world.authority, &approval, &seen).await.problem(409),
        "approval-digest"
    );
    assert_eq!(state(&app, &world, &deployment).await, "pending");
    let now = shown(&world, &approval).await;
    decide(&world.authority, &approval, &now).await.expect(200);
    assert_eq!(state(&app, &world, &deployment).await, "queued");
}

#[tokio::test]
async fn attack_10_approve_then_retarget() {
    let app = TestApp::start().await;
    let world = World::shop(&app).await;
    let (deployment, approval) = waiting(&app, &world).await;
    let seen = shown(&world, &approval).await;
    decide(&world.authority, &approval, &seen).await.expect(200);
    let before = world.viewer.get(&deployment).await.expect(200);
    // The environment goes elsewhere, and so does the service in it.
    let environment = world.admin.get("/v1/environments/guarded").await;
    let etag = environment.header("etag").to_owned();
    let elsewhere = json!({"clusters": ["us"]});
    world
        .admin
        .patch("/v1/environments/guarded", &etag, elsewhere)
        .await
        .expect(200);
    app.look().await;
    let after = world.viewer.get(&deployment).await.expect(200);
    assert_eq!(after["plan_digest"], before["plan_digest"]);
    let clusters = |of: &Value| -> Vec<String> {
        let targets = of["targets"].as_array().unwrap().iter();
        targets.map(|target| target["cluster"].to_string()).collect()
    };
    assert_eq!(
        clusters(&after),
        clusters(&before),
        "what was approved goes where it was to go"
    );
    // To go elsewhere it is asked for again, and nobody has approved that.
    let again = world.deploy("storefront@1.0.0", "guarded").await;
    assert_eq!(clusters(&again), ["\"us\""]);
    assert_ne!(again["approval"], before["approval"]);
    let second = path("approvals", &again["approval"]);
    assert_ne!(shown(&world, &second).await, seen);
    assert_eq!(
        decide(&world.authority, &second, &seen).await.problem(409),
        "approval-digest"
    );
    assert_eq!(
        state(&app, &world, &path("deployments", &again["id"])).await,
        "pending"
    );
}

#[tokio::test]
async fn attack_11_cancel_and_rerun_of_an_unapproved_run() {
    let app = TestApp::start().await;
    let world = World::shop(&app).await;
    let (deployment, approval) = waiting(&app, &world).await;
    let seen = shown(&world, &approval).await;
    world
        .operator
        .act(&format!("{deployment}/cancel"))
        .await
        .expect(200);
    let again = world
        .operator
        .act(&format!("{deployment}/retry"))
        .await
        .expect(201);
    let rerun = path("deployments", &again["id"]);
    assert_eq!(state(&app, &world, &rerun).await, "pending");
    assert_ne!(again["approval"], Value::Null, "people are asked anew");
    assert_ne!(path("approvals", &again["approval"]), approval);
    // And one that was approved is asked for again, too.
    let second = path("approvals", &again["approval"]);
    decide(&world.authority, &second, &shown(&world, &second).await)
        .await
        .expect(200);
    assert_eq!(state(&app, &world, &rerun).await, "queued");
    world.operator.act(&format!("{rerun}/cancel")).await.expect(200);
    let third = world.operator.act(&format!("{rerun}/retry")).await.expect(201);
    assert_eq!(
        state(&app, &world, &path("deployments", &third["id"])).await,
        "pending"
    );
    assert_eq!(
        decide(&world.authority, &approval, &seen).await.problem(409),
        "approval-state"
    );
}

#[tokio::test]
async fn attack_12_a_late_approval_revives_a_cancelled_run() {
    let app = TestApp::start().await;
    let world = World::shop(&app).await;
    let (deployment, approval) = waiting(&app, &world).await;
    let seen = shown(&world, &approval).await;
    world
        .operator
        .act(&format!("{deployment}/cancel"))
        .await
        .expect(200);
    assert_eq!(
        decide(&world.authority, &approval, &seen).await.problem(409),
        "approval-state"
    );
    assert_eq!(state(&app, &world, &deployment).await, "cancelled");
    let request = world.viewer.get(&approval).await.expect(200);
    assert_eq!(
        (&request["state"], &request["decisions"]),
        (&json!("withdrawn"), &json!([]))
    );
    // It was tried, and that is on record.
    app.settle().await;
    let record = world
        .auditor
        .get("/v1/audit/entries?action=approval.refuse")
        .await
        .expect(200);
    assert_eq!(record["items"].as_array().map(Vec::len), Some(1), "{record:#}");
}

#[tokio::test]
async fn attack_13_the_gate_is_judged_on_the_trigger_not_the_author() {
    let app = TestApp::start().await;
    let world = World::shop(&app).await;
    let guarded = json!({"name": "guarded", "tier": "staging", "clusters": ["eu"],
        "settings": {"approvals": {"count": 1, "role": "authority"}}});
    world.admin.post("/v1/environments", guarded).await.expect(201);
    // Whoever made it may approve others' work; who asks for it has nothing to do with that.
    let author = app.person("ann", &["manager", "authority"]).await;
    let body = json!({"service": "storefront", "version": "1.0.0", "components": [{"name": "web", "version": "1.0.0"}]});
    author.post("/v1/releases", body).await.expect(201);
    world
        .manager
        .act("/v1/releases/storefront@1.0.0/seal")
        .await
        .expect(200);
    let asked = world.deploy("storefront@1.0.0", "guarded").await;
    let approval = path("approvals", &asked["approval"]);
    let seen = shown(&world, &approval).await;
    let refused = decide(&author, &approval, &seen).await;
    assert_eq!(refused.problem(403), "separation-of-duties");
    let mine = author.get("/v1/approvals?mine=pending").await.expect(200);
    assert_eq!(mine["items"], json!([]));
    assert_eq!(
        state(&app, &world, &path("deployments", &asked["id"])).await,
        "pending"
    );
}

#[tokio::test]
async fn attack_14_another_transition_dispatches_ungated() {
    let app = TestApp::start().await;
    let world = World::shop(&app).await;
    let (deployment, _) = waiting(&app, &world).await;
    let urgent = json!({"gate": "approval", "justification": "it is urgent", "incident": "INC-1"});
    for person in [
        &world.operator,
        &world.manager,
        &world.engineer,
        &world.authority,
        &world.admin,
    ] {
        for verb in ["pause", "resume", "rollback"] {
            let reply = person.act(&format!("{deployment}/{verb}")).await;
            assert!(
                matches!(reply.status.as_u16(), 403 | 409),
                "{verb}: {:#}",
                reply.body
            );
        }
        let reply = person
            .post(&format!("{deployment}/overrides"), urgent.clone())
            .await;
        assert!(
            matches!(reply.status.as_u16(), 403 | 409),
            "override: {:#}",
            reply.body
        );
        let request = json!({"release": "storefront@1.0.0", "environment": "guarded",
            "break_glass": {"justification": "it is urgent", "incident": "INC-1"}});
        let reply = person.post("/v1/deployments", request).await;
        assert!(
            matches!(reply.status.as_u16(), 403 | 409),
            "break-glass: {:#}",
            reply.body
        );
        assert_eq!(state(&app, &world, &deployment).await, "pending");
    }
    let all = world.viewer.get("/v1/deployments").await.expect(200);
    assert_eq!(
        all["items"].as_array().map(Vec::len),
        Some(1),
        "nothing else came of it"
    );
}
