//! Processes over the API: written, refused with every fault at once, drawn, put in force, pinned.

use slipway_testkit::{TestApp, Value, World, json};

fn document() -> Value {
    json!({"description": "How the shop goes live.", "stages": [
        {"name": "rehearsal", "place": {"environment": "staging"}, "promotion": "manual", "soak": "PT0S",
            "success_share": 100, "evidence": [], "checklist": [], "handover": false},
        {"name": "live", "place": {"tier": "production"}, "promotion": "automatic", "soak": "PT1H", "success_share": 50,
            "evidence": [{"kind": "test_report", "name": "unit", "of": "every_component", "max_age": "PT168H", "signed": false}],
            "approvals": {"role": "authority", "count": 2},
            "checklist": [{"name": "support-told", "what": "support <b>knows</b>", "role": "operator"}],
            "strategy": {"waves": [{"name": "eu", "match_labels": {"region": "eu"}, "max_parallel": 1, "max_failures": 0, "soak": "PT5M"}],
                "progress_deadline": "PT10M", "automatic_rollback": false},
            "handover": true},
    ]})
}

#[tokio::test]
async fn a_process_is_written_drawn_put_in_force_by_somebody_else_and_pinned_by_sealing() {
    let app = TestApp::start().await;
    let world = World::shop(&app).await;
    let body = json!({"name": "way", "service": "storefront", "document": document()});
    let reply = world.engineer.post("/v1/processes", body.clone()).await;
    assert!(reply.header("location").starts_with("/v1/processes/prc_"));
    let made = reply.expect(201);
    assert_eq!(
        (&made["service"], &made["version"]["state"]),
        (&json!("storefront"), &json!("draft"))
    );
    assert_eq!(made["version"]["document"], document());
    assert_eq!(
        world.engineer.post("/v1/processes", body).await.problem(409),
        "exists"
    );
    let activate = "/v1/processes/way/versions/1/activate";
    assert_eq!(world.engineer.act(activate).await.problem(403), "forbidden");
    let active = world.authority.act(activate).await.expect(200);
    assert_eq!(
        (&active["in_force"], &active["version"]["activated_by"]),
        (&json!(1), &json!("ada"))
    );
    assert_eq!(world.authority.act(activate).await.problem(409), "process-state");
    let drawn = world.viewer.get("/v1/processes/way/versions/1/diagram").await;
    assert_eq!(drawn.status, 200);
    assert_eq!(drawn.header("content-type"), "text/plain; charset=utf-8");
    let shown = world.viewer.get("/v1/processes/way").await;
    let tag = shown.header("etag").to_owned();
    shown.expect(200);
    let again = world
        .viewer
        .request(axum::http::Method::GET, "/v1/processes/way")
        .header("if-none-match", &tag)
        .send()
        .await;
    assert_eq!(again.status, 304);
    let sealed = world.sealed("1.0.0").await;
    assert_eq!(sealed["process"], json!({"name": "way", "version": 1}));
    let second = json!({"document": document()});
    let second = world
        .engineer
        .post("/v1/processes/way/versions", second)
        .await
        .expect(201);
    assert_eq!(second["version"], 2);
    let ana = app.person("abe", &["authority"]).await;
    ana.act("/v1/processes/way/versions/2/activate").await.expect(200);
    let old = world
        .viewer
        .get("/v1/processes/way/releases?old=true")
        .await
        .expect(200);
    assert_eq!(
        (
            &old["items"][0]["release"],
            &old["items"][0]["version"],
            &old["items"][0]["in_force"]
        ),
        (&json!("storefront@1.0.0"), &json!(1), &json!(false))
    );
    let versions = world
        .viewer
        .get("/v1/processes/way/versions?limit=1")
        .await
        .expect(200);
    assert_eq!(versions["items"][0]["version"], 2);
    assert!(versions["next"].is_string());
    let first = world.viewer.get("/v1/processes/way/versions/1").await.expect(200);
    assert_eq!(first["state"], "retired");
    let listed = world.viewer.get("/v1/processes").await.expect(200);
    let names: Vec<_> = listed["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["name"])
        .collect();
    assert_eq!(names, [&json!("way"), &json!("default")]);
    let retire = "/v1/processes/way/retire";
    assert_eq!(world.authority.act(retire).await.problem(422), "validation");
    let reason = json!({"reason": "done with"});
    assert_eq!(
        world.engineer.post(retire, reason.clone()).await.problem(403),
        "forbidden"
    );
    let retired = world.authority.post(retire, reason).await.expect(200);
    assert_eq!(retired.get("in_force"), None);
    for missing in ["/v1/processes/none", "/v1/processes/way/versions/9"] {
        assert_eq!(world.viewer.get(missing).await.problem(404), "not-found");
    }
    let out = world.deploy("storefront@1.0.0", "staging").await;
    let gates = out["gates"].as_array().unwrap();
    assert!(gates.iter().any(|gate| gate["name"] == "process"));
}

#[tokio::test]
async fn every_fault_of_a_process_is_told_at_once_and_nothing_is_kept() {
    let app = TestApp::start().await;
    let world = World::shop(&app).await;
    let told = |reply: slipway_testkit::Reply| -> Vec<String> {
        assert_eq!(reply.status, 422, "{:#}", reply.body);
        let all = reply.body["errors"].as_array().unwrap().iter();
        all.map(|fault| fault["pointer"].as_str().unwrap().to_owned())
            .collect()
    };
    let unreadable = json!({"name": "way", "service": "none", "document": {"stages": [
        {"name": "a", "place": {"tier": "moon"}, "promotion": "soon", "soak": "an hour",
            "checklist": [{"name": "c", "what": "w", "role": "king"}]},
    ]}});
    let all = told(world.engineer.post("/v1/processes", unreadable).await);
    for pointer in [
        "/service",
        "/document/stages/0/place/tier",
        "/document/stages/0/promotion",
        "/document/stages/0/soak",
        "/document/stages/0/checklist/0/role",
    ] {
        assert!(all.iter().any(|told| told == pointer), "{pointer}: {all:?}");
    }
    let wrong = json!({"name": "way", "document": {"stages": [
        {"name": "a", "place": {"tier": "test"}, "success_share": 100, "soak": "P91D"},
        {"name": "a", "place": {"tier": "test"}, "approvals": {"role": "authority", "count": 10}},
    ]}});
    let all = told(world.engineer.post("/v1/processes", wrong).await);
    for pointer in [
        "/document/stages/0/soak",
        "/document/stages/1/name",
        "/document/stages/1/place",
    ] {
        assert!(all.iter().any(|told| told == pointer), "{pointer}: {all:?}");
    }
    let listed = world.viewer.get("/v1/processes").await.expect(200);
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
}
