//! Groups: who is in them, and who says so; and the point of escalation of a service.

use super::{machine, people, recorded, token};
use slipway_testkit::{TestApp, Value, World, json};

fn subjects(group: &Value) -> Vec<String> {
    let members = group["members"].as_array().unwrap();
    let subject = |member: &Value| member["subject"].as_str().unwrap().to_owned();
    members.iter().map(subject).collect()
}

#[tokio::test]
async fn an_admin_says_who_is_in_a_group_and_everybody_can_read_it() {
    let app = TestApp::start().await;
    let world = World::people(&app).await;
    let admin = &world.admin;
    let body = json!({"name": "risk", "description": "Who answers for money."});
    let made = admin.post("/v1/groups", body.clone()).await.ok(201);
    let path = made.header("location").to_owned();
    assert!(path.starts_with("/v1/groups/grp_"), "{path}");
    assert_eq!(
        (&made.body["size"], &made.body["members"]),
        (&json!(0), &json!([]))
    );
    assert_eq!(admin.post("/v1/groups", body).await.problem(409), "exists");

    let add = json!({"add": people(&["ada", "otto", "nobody-yet"])});
    let changed = admin
        .patch("/v1/groups/risk", &made.etag(), add.clone())
        .await
        .ok(200);
    assert_eq!(subjects(&changed.body), ["ada", "nobody-yet", "otto"]);
    let late = admin.patch("/v1/groups/risk", &made.etag(), add.clone()).await;
    assert_eq!(late.problem(412), "stale");
    // Who is in it already stays, and nothing has changed then.
    let again = admin.patch("/v1/groups/risk", &changed.etag(), add).await.ok(200);
    assert_eq!(again.etag(), changed.etag());
    let body = json!({"remove": people(&["otto"]), "add": people(&["aud"]), "description": "Says no."});
    admin.patch(&path, "*", body).await.expect(200);

    for person in [&world.viewer, &world.authority] {
        let shown = person.get("/v1/groups/risk").await.ok(200);
        assert_eq!(subjects(&shown.body), ["ada", "aud", "nobody-yet"]);
        assert_eq!(shown.body["description"], "Says no.");
        let listed = person.get("/v1/groups").await.expect(200);
        assert_eq!(
            (&listed["items"][0]["name"], &listed["items"][0]["size"]),
            (&json!("risk"), &json!(3))
        );
        assert!(listed["items"][0].get("members").is_none());
    }
    assert_eq!(
        world.viewer.get("/v1/groups/none").await.problem(404),
        "not-found"
    );
    for path in ["/v1/groups", "/v1/groups/risk"] {
        assert_eq!(world.stranger.get(path).await.problem(403), "forbidden");
    }

    let entries = recorded(&app, &world, "group.update").await;
    let told: Vec<_> = entries.iter().map(|entry| &entry["data"]["message"]).collect();
    assert_eq!(told.len(), 2, "{entries:#?}");
    let last = entries
        .iter()
        .find(|entry| !entry["data"]["data"]["went"].as_array().unwrap().is_empty())
        .unwrap_or_else(|| panic!("{entries:#?}"));
    assert_eq!(
        last["data"]["message"],
        "put aud into the group risk and took otto out of the group risk"
    );
    let data = &last["data"]["data"];
    assert_eq!(
        (&data["came"][0]["subject"], &data["went"][0]["subject"]),
        (&json!("aud"), &json!("otto"))
    );
    assert_eq!(data["description"], "Says no.");
}

#[tokio::test]
async fn nobody_puts_themselves_into_a_group_or_takes_themselves_out() {
    let app = TestApp::start().await;
    let world = World::people(&app).await;
    let (root, other) = (&world.admin, app.person("rita", &["admin"]).await);
    root.post("/v1/groups", json!({"name": "risk"})).await.expect(201);
    let with_token = token(root, "admin").await;
    for person in [root, &with_token] {
        let body = json!({"add": people(&["ada", "root"])});
        let refused = person.patch("/v1/groups/risk", "*", body).await;
        let detail = refused.body["detail"].as_str().unwrap_or_default().to_owned();
        assert_eq!(refused.problem(403), "separation-of-duties");
        assert!(detail.contains("another admin"), "{detail}");
    }
    let now = root.get("/v1/groups/risk").await.expect(200);
    assert_eq!(subjects(&now), Vec::<String>::new(), "nothing of it was done");
    let body = json!({"add": people(&["root"])});
    other.patch("/v1/groups/risk", "*", body).await.expect(200);
    let body = json!({"remove": people(&["root"])});
    let refused = root.patch("/v1/groups/risk", "*", body.clone()).await;
    assert_eq!(refused.problem(403), "separation-of-duties");
    // They may see to others meanwhile, and be named where nothing changes for them.
    let others = json!({"add": people(&["ada", "root"])});
    root.patch("/v1/groups/risk", "*", others).await.expect(200);
    let left = other.patch("/v1/groups/risk", "*", body).await.expect(200);
    assert_eq!(subjects(&left), ["ada"]);
}

#[tokio::test]
async fn all_that_is_wrong_with_a_group_comes_at_once_and_changes_nothing() {
    let app = TestApp::start().await;
    let world = World::people(&app).await;
    let admin = &world.admin;
    let long = "x".repeat(2001);
    let reply = admin
        .post("/v1/groups", json!({"name": "No Name", "description": long}))
        .await;
    let mut pointers = reply.pointers();
    pointers.sort();
    assert_eq!(pointers, ["/description", "/name"]);
    reply.problem(422);
    admin
        .post("/v1/groups", json!({"name": "risk"}))
        .await
        .expect(201);
    machine(&app).await;
    let body = json!({
        "description": "a\u{0}b",
        "add": [
            {"subject": " "}, {"subject": "robot"}, {"subject": "ada", "issuer": "https://evil.test"},
            {"subject": "newcomer"}, {"subject": "otto"},
        ],
        "remove": [{"subject": "vic"}, {"subject": "never-seen"}],
    });
    let reply = admin.patch("/v1/groups/risk", "*", body).await;
    let mut pointers = reply.pointers();
    pointers.sort();
    assert_eq!(
        pointers,
        [
            "/add/0/subject",
            "/add/1",
            "/add/2/issuer",
            "/description",
            "/remove/0",
            "/remove/1"
        ]
    );
    reply.problem(422);
    let many: Vec<_> = (0..101).map(|n| json!({"subject": format!("p{n}")})).collect();
    let reply = admin.patch("/v1/groups/risk", "*", json!({"add": many})).await;
    assert_eq!(reply.pointers(), ["/add"]);
    let both = json!({"add": people(&["ada"]), "remove": people(&["ada"])});
    let reply = admin.patch("/v1/groups/risk", "*", both).await;
    assert_eq!(reply.pointers(), ["/remove/0"], "she is not in it");
    admin
        .patch("/v1/groups/risk", "*", json!({"add": people(&["ada"])}))
        .await
        .expect(200);
    let both = json!({"add": people(&["ada"]), "remove": people(&["ada"])});
    let reply = admin.patch("/v1/groups/risk", "*", both).await;
    assert_eq!(reply.pointers(), ["/remove"]);
    let now = admin.get("/v1/groups/risk").await.expect(200);
    assert_eq!(subjects(&now), ["ada"]);
    let registered = recorded(&app, &world, "principal.register").await;
    let registered: Vec<_> = registered.iter().map(|entry| &entry["subject"]).collect();
    assert!(!registered.contains(&&json!("newcomer")), "{registered:?}");
}

#[tokio::test]
async fn a_group_has_an_end() {
    let app = TestApp::start().await;
    let world = World::people(&app).await;
    let admin = &world.admin;
    admin
        .post("/v1/groups", json!({"name": "crowd"}))
        .await
        .expect(201);
    app.damage(
        "INSERT INTO principals (id, kind, issuer, subject, name) \
         SELECT gen_random_uuid(), 'human', 'https://issuer.test', 'p' || n, 'p' || n FROM generate_series(1, 999) n; \
         INSERT INTO group_members (group_id, principal_id) \
         SELECT g.id, p.id FROM groups g, principals p WHERE p.subject LIKE 'p%'",
    )
    .await
    .unwrap();
    let reply = admin
        .patch("/v1/groups/crowd", "*", json!({"add": people(&["ada", "otto"])}))
        .await;
    assert_eq!(reply.pointers(), ["/add"]);
    let last = json!({"add": people(&["ada"])});
    let full = admin.patch("/v1/groups/crowd", "*", last).await.expect(200);
    assert_eq!(full["size"], 1000);
    // Somebody can still take another's place.
    let swapped = json!({"add": people(&["otto"]), "remove": people(&["p7"])});
    let swapped = admin.patch("/v1/groups/crowd", "*", swapped).await.expect(200);
    assert_eq!(swapped["size"], 1000);
}

#[tokio::test]
async fn a_service_says_which_group_is_asked_at_the_end() {
    let app = TestApp::start().await;
    let world = World::shop(&app).await;
    let engineer = &world.engineer;
    world
        .admin
        .post("/v1/groups", json!({"name": "on-call"}))
        .await
        .expect(201);
    let body = json!({"name": "ledger", "team": "shop", "escalation": "nobody"});
    let reply = engineer.post("/v1/services", body).await;
    assert_eq!(reply.pointers(), ["/escalation"]);
    let body = json!({"name": "ledger", "team": "shop", "escalation": "on-call"});
    let made = engineer.post("/v1/services", body).await.expect(201);
    assert_eq!(made["escalation"], "on-call");
    let path = "/v1/services/storefront";
    assert!(engineer.get(path).await.expect(200).get("escalation").is_none());
    let set = engineer.patch(path, "*", json!({"escalation": "on-call"})).await;
    assert_eq!(set.expect(200)["escalation"], "on-call");
    let reply = engineer.patch(path, "*", json!({"escalation": "nobody"})).await;
    assert_eq!(reply.pointers(), ["/escalation"]);
    let kept = engineer.patch(path, "*", json!({"criticality": "low"})).await;
    assert_eq!(kept.expect(200)["escalation"], "on-call");
    let gone = engineer.patch(path, "*", json!({"escalation": null})).await;
    assert!(gone.expect(200).get("escalation").is_none());
}
