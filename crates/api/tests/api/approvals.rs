//! Approvals: bound to a digest, by somebody else, once, by people.

use slipway_testkit::{TestApp, Value, World, json};

/// A deployment that waits for one approval, and the path of the request.
async fn waiting(world: &World) -> (Value, String) {
    let guarded = json!({
        "name": "guarded", "tier": "production", "clusters": ["eu"],
        "settings": {"approvals": {"count": 1, "role": "authority"}},
    });
    world.admin.post("/v1/environments", guarded).await.expect(201);
    world.sealed("1.0.0").await;
    let deployment = world.deploy("storefront@1.0.0", "guarded").await;
    assert_eq!(deployment["state"], "pending", "{deployment:#}");
    let path = format!("/v1/approvals/{}", deployment["approval"].as_str().unwrap());
    (deployment, path)
}

#[tokio::test]
async fn the_right_person_approves_the_right_digest_once() {
    let app = TestApp::start().await;
    let world = World::shop(&app).await;
    let (deployment, path) = waiting(&world).await;
    let inbox = world
        .authority
        .get("/v1/approvals?mine=pending")
        .await
        .expect(200);
    assert_eq!(inbox["items"][0]["id"], deployment["approval"]);
    assert_eq!(
        world.manager.get("/v1/approvals?mine=pending").await.expect(200)["items"],
        json!([])
    );
    let request = world.authority.get(&path).await.expect(200);
    assert_eq!(
        (&request["mine"], &request["state"]),
        (&json!(true), &json!("pending"))
    );
    assert_eq!(request["release_digest"], deployment["release_digest"]);
    assert_ne!(
        request["digest"], request["release_digest"],
        "what is decided on is more than the release"
    );
    let decide = |digest: &Value| json!({"decision": "approve", "digest": digest, "comment": "looked at it"});
    let decisions = format!("{path}/decisions");

    let other = json!(format!("sha256:{}", "0".repeat(64)));
    assert_eq!(
        world
            .authority
            .post(&decisions, decide(&other))
            .await
            .problem(409),
        "approval-digest"
    );
    for person in [&world.manager, &world.operator, &world.viewer, &world.admin] {
        assert_eq!(
            person
                .post(&decisions, decide(&request["digest"]))
                .await
                .problem(403),
            "forbidden"
        );
    }
    let wrong = json!({"decision": "maybe", "digest": "none"});
    let reply = world.authority.post(&decisions, wrong).await;
    assert_eq!(reply.pointers(), ["/decision", "/digest"]);
    reply.problem(422);
    assert_eq!(
        world.authority.get(&path).await.expect(200)["decisions"],
        json!([])
    );

    let approved = world
        .authority
        .post(&decisions, decide(&request["digest"]))
        .await
        .expect(200);
    assert_eq!(
        (&approved["state"], &approved["decisions"][0]["by"]),
        (&json!("approved"), &json!("ada"))
    );
    assert_eq!(
        world
            .authority
            .post(&decisions, decide(&request["digest"]))
            .await
            .problem(409),
        "approval-state"
    );
    let now = format!("/v1/deployments/{}", deployment["id"].as_str().unwrap());
    assert_eq!(world.viewer.get(&now).await.expect(200)["state"], "queued");
}

#[tokio::test]
async fn whoever_had_a_hand_in_it_does_not_approve_even_with_the_role() {
    let app = TestApp::start().await;
    let mut world = World::shop(&app).await;
    world.manager = app.person("mia", &["manager", "authority"]).await;
    let (_, path) = waiting(&world).await;
    let request = world.manager.get(&path).await.expect(200);
    assert_eq!(request["mine"], false);
    let decision = json!({"decision": "approve", "digest": request["digest"]});
    let reply = world.manager.post(&format!("{path}/decisions"), decision).await;
    assert_eq!(reply.problem(403), "separation-of-duties");
}

#[tokio::test]
async fn machines_and_api_tokens_never_approve() {
    let app = TestApp::start().await;
    let world = World::shop(&app).await;
    let (_, path) = waiting(&world).await;
    let both = app.person("bea", &["authority", "viewer"]).await;
    let token = json!({"name": "bot", "roles": ["viewer"], "expires_in": "PT10M"});
    let token = both.post("/v1/tokens", token).await.expect(201);
    let bot = both.with_token(token["secret"].as_str().unwrap());
    let request = bot.get(&path).await.expect(200);
    let decision = json!({"decision": "approve", "digest": request["digest"]});
    let reply = bot.post(&format!("{path}/decisions"), decision).await;
    assert_eq!(reply.status, 403, "{:#}", reply.body);
    assert_eq!(world.viewer.get(&path).await.expect(200)["decisions"], json!([]));
}

#[tokio::test]
async fn a_rejection_ends_the_deployment_and_a_cancelled_one_is_not_approved() {
    let app = TestApp::start().await;
    let world = World::shop(&app).await;
    let (deployment, path) = waiting(&world).await;
    let request = world.authority.get(&path).await.expect(200);
    let answer = |decision: &str| json!({"decision": decision, "digest": request["digest"]});
    let rejected = world
        .authority
        .post(&format!("{path}/decisions"), answer("reject"))
        .await
        .expect(200);
    assert_eq!(rejected["state"], "rejected");
    let ended = format!("/v1/deployments/{}", deployment["id"].as_str().unwrap());
    assert_eq!(world.viewer.get(&ended).await.expect(200)["state"], "rejected");
    assert_eq!(
        world.operator.act(&format!("{ended}/retry")).await.problem(409),
        "deployment-state"
    );

    let second = world.deploy("storefront@1.0.0", "guarded").await;
    world
        .operator
        .act(&format!(
            "/v1/deployments/{}/cancel",
            second["id"].as_str().unwrap()
        ))
        .await
        .expect(200);
    let late = format!("/v1/approvals/{}/decisions", second["approval"].as_str().unwrap());
    assert_eq!(
        world.authority.post(&late, answer("approve")).await.problem(409),
        "approval-state"
    );
    let shown = format!("/v1/deployments/{}", second["id"].as_str().unwrap());
    assert_eq!(world.viewer.get(&shown).await.expect(200)["state"], "cancelled");
}
