//! Policies over the API: written, refused with every fault at once, tried, put in force.

use slipway_testkit::{Person, TestApp, Value, World, json};

fn document() -> Value {
    json!({
        "description": "Calm.", "scope": {"tiers": ["staging"]},
        "rules": [{
            "name": "images-pinned", "expression": "components.all(c, c.images.all(i, i.pinned))",
            "message": {"text": "every image is named by its digest"}, "effect": "refuse",
        }],
    })
}

async fn other_authority(app: &TestApp) -> Person {
    app.person("abe", &["authority"]).await
}

/// Written by `ada`, put in force by `abe`.
async fn in_force(app: &TestApp, world: &World) {
    let body = json!({"name": "careful", "document": document()});
    world.authority.post("/v1/policies", body).await.expect(201);
    let other = other_authority(app).await;
    other
        .act("/v1/policies/careful/versions/1/activate")
        .await
        .expect(200);
}

#[tokio::test]
async fn a_policy_is_a_draft_until_another_authority_puts_it_in_force() {
    let app = TestApp::start().await;
    let world = World::shop(&app).await;
    let body = json!({"name": "careful", "document": document()});
    let reply = world.authority.post("/v1/policies", body.clone()).await;
    assert!(reply.header("location").starts_with("/v1/policies/pol_"));
    let made = reply.expect(201);
    assert_eq!(made["version"]["state"], "draft");
    assert_eq!(made.get("in_force"), None);
    assert_eq!(made["version"]["document"]["rules"], document()["rules"]);
    assert_eq!(
        world.authority.post("/v1/policies", body).await.problem(409),
        "exists"
    );
    let activate = "/v1/policies/careful/versions/1/activate";
    assert_eq!(
        world.authority.act(activate).await.problem(403),
        "separation-of-duties"
    );
    let other = other_authority(&app).await;
    let active = other.act(activate).await.expect(200);
    assert_eq!(
        (&active["in_force"], &active["version"]["state"]),
        (&json!(1), &json!("in_force"))
    );
    assert_eq!(active["version"]["activated_by"], "abe");
    assert_eq!(other.act(activate).await.problem(409), "policy-state");
    let second = json!({"document": document()});
    let second = world
        .authority
        .post("/v1/policies/careful/versions", second)
        .await
        .expect(201);
    assert_eq!(
        (&second["version"], &second["state"]),
        (&json!(2), &json!("draft"))
    );
    let shown = world.viewer.get("/v1/policies/careful").await;
    let tag = shown.header("etag").to_owned();
    assert_eq!(shown.expect(200)["version"]["version"], 1);
    let again = world
        .viewer
        .request(axum::http::Method::GET, "/v1/policies/careful")
        .header("if-none-match", &tag)
        .send()
        .await;
    assert_eq!(again.status, 304);
    let versions = world
        .viewer
        .get("/v1/policies/careful/versions?limit=1")
        .await
        .expect(200);
    assert_eq!(versions["items"][0]["version"], 2);
    let next = versions["next"].as_str().unwrap();
    let path = format!("/v1/policies/careful/versions?limit=1&cursor={next}");
    let rest = world.viewer.get(&path).await.expect(200);
    assert_eq!(
        (&rest["items"][0]["version"], rest.get("next")),
        (&json!(1), None)
    );
    let old = world
        .viewer
        .get("/v1/policies/careful/versions/1")
        .await
        .expect(200);
    assert_eq!(old["state"], "in_force");
    let listed = world.viewer.get("/v1/policies").await.expect(200);
    assert_eq!(listed["items"][0]["name"], "careful");
    let retire = "/v1/policies/careful/retire";
    assert_eq!(world.authority.act(retire).await.problem(422), "validation");
    let reason = json!({"reason": "done with"});
    let retired = world.authority.post(retire, reason.clone()).await.expect(200);
    assert_eq!(retired.get("in_force"), None);
    assert_eq!(
        world.authority.post(retire, reason).await.problem(409),
        "policy-state"
    );
    for missing in ["/v1/policies/none", "/v1/policies/careful/versions/9"] {
        assert_eq!(world.viewer.get(missing).await.problem(404), "not-found");
    }
}

#[tokio::test]
async fn every_fault_of_a_policy_is_told_at_once_and_nothing_is_kept() {
    let app = TestApp::start().await;
    let world = World::shop(&app).await;
    let rule = |name: &str, expression: &str| json!({"name": name, "expression": expression, "message": {"text": "no"}, "effect": "warn"});
    let faults = |reply: slipway_testkit::Reply| -> Vec<String> {
        assert_eq!(reply.status, 422, "{:#}", reply.body);
        let all = reply.body["errors"].as_array().unwrap().iter();
        all.map(|fault| fault["pointer"].as_str().unwrap().to_owned())
            .collect()
    };
    let unreadable = json!({"name": "Careful!", "document": {
        "scope": {"tiers": ["prod"], "kinds": ["heal"]}, "rules": [rule("Bad Name", "true")],
    }});
    let told = faults(world.authority.post("/v1/policies", unreadable).await);
    for pointer in ["/name", "/document/rules/0/name"] {
        assert!(told.iter().any(|told| told == pointer), "{pointer}: {told:?}");
    }
    let wrong = json!({"name": "careful", "document": {
        "rules": [
            rule("typo", "risk.colour == 'red'"), rule("typo", "1 + 1"),
            {"name": "text", "message": {"expression": "risk.score"}, "expression": "true", "effect": "refuse"},
            {"name": "crowd", "message": {"text": "no"}, "effect": {"require_approval": {"role": "viewer", "count": 2}}},
        ],
        "examples": [{"name": "e", "facts": {}, "expect": {"verdict": "refuse", "rules": ["none"]}}],
    }});
    let told = faults(world.authority.post("/v1/policies", wrong).await);
    for pointer in [
        "/document/rules/0/expression",
        "/document/rules/1/expression",
        "/document/rules/1/name",
        "/document/rules/2/message/expression",
        "/document/rules/3/effect/require_approval/role",
        "/document/examples/0/facts/release",
        "/document/examples/0/expect/rules/0",
    ] {
        assert!(told.iter().any(|told| told == pointer), "{pointer}: {told:?}");
    }
    let mut odd = rule("odd", "true");
    odd["effect"] = json!("explode");
    let body = json!({"name": "careful", "document": {"rules": [odd]}});
    let reply = world.authority.post("/v1/policies", body).await;
    assert_eq!(reply.status, 422);
    assert_eq!(reply.body["errors"][0]["pointer"], "/document/rules/0/effect");
    assert_eq!(
        reply.body["errors"][0]["detail"],
        "must be one of `refuse`, `warn`, an object"
    );
    let nobody = world.viewer.get("/v1/policies").await.expect(200);
    assert_eq!(nobody["items"], json!([]));
}

#[tokio::test]
async fn a_refusal_explains_itself_in_the_gate_and_when_the_policy_is_tried() {
    let app = TestApp::start().await;
    let world = World::shop(&app).await;
    world.sealed("1.0.0").await;
    in_force(&app, &world).await;
    let refused = world.deploy("storefront@1.0.0", "staging").await;
    assert_eq!(refused["state"], "rejected");
    assert_eq!(
        refused["reason"],
        "policy: images-pinned (careful version 1): every image is named by its digest"
    );
    let gates = refused["gates"].as_array().unwrap();
    let gate = gates.iter().find(|gate| gate["name"] == "policy").unwrap();
    assert_eq!(gate["verdict"], "refused");
    let id = refused["id"].as_str().unwrap();
    let tried = json!({"deployment": id});
    let judged = world
        .viewer
        .post("/v1/policies/evaluate", tried)
        .await
        .expect(200);
    assert_eq!(judged["verdict"], "refuse");
    let rule = &judged["rules"][0];
    assert_eq!(
        (&rule["policy"], &rule["kept"]),
        (&json!("careful"), &json!("not_kept"))
    );
    let saw = rule["because"][0]["saw"].to_string();
    assert!(saw.contains("registry.example/shop/web:1"), "{rule:#}");
    let report = json!({"document": document(), "days": 7});
    let report = world.viewer.post("/v1/policies/report", report).await.expect(200);
    assert_eq!(report["verdicts"], json!({"refuse": 1}));
    assert_eq!(report["deployments"][0]["deployment"], id);
    let either = world.viewer.post("/v1/policies/evaluate", json!({})).await;
    assert_eq!(either.problem(422), "validation");
    let schema = world.viewer.get("/v1/schemas/policy-facts").await.expect(200);
    assert_eq!(
        schema["properties"]["risk"]["properties"]["score"]["type"],
        "integer"
    );
}
