//! Delegations: who may, for what, and who takes them back.

use super::{hence, machine, recorded};
use slipway_testkit::{Person, TestApp, Value, World, json};

#[tokio::test]
async fn an_authority_has_somebody_decide_in_their_place_and_takes_it_back() {
    let app = TestApp::start().await;
    let world = World::shop(&app).await;
    let ada = &world.authority;
    let ends = hence(48);
    let body = json!({"to": {"subject": "otto"}, "ends": ends, "reason": "At the sea."});
    let made = ada.post("/v1/delegations", body).await.ok(201);
    let path = made.header("location").to_owned();
    assert_eq!(
        (&made.body["from"]["subject"], &made.body["to"]["subject"]),
        (&json!("ada"), &json!("otto"))
    );
    assert!(made.body.get("scope").is_none() && made.body.get("revoked_at").is_none());
    assert_eq!(made.body["state"], "in_force");
    assert_eq!(made.body["starts"], made.body["created_at"]);
    for (scope, starts) in [
        (json!({"environment": "production"}), hence(1)),
        (json!({"team": "shop"}), hence(2)),
    ] {
        let body = json!({
            "to": {"subject": "ana"}, "starts": starts, "ends": ends, "scope": scope, "reason": "At the sea.",
        });
        let made = ada.post("/v1/delegations", body).await.expect(201);
        assert_eq!((&made["scope"], &made["state"]), (&scope, &json!("to_come")));
    }

    let count = async |person: &Person, path: &str| {
        person.get(path).await.expect(200)["items"]
            .as_array()
            .unwrap()
            .len()
    };
    for (person, all, mine) in [
        (ada, 3, 3),
        (&world.operator, 1, 1),
        (&world.manager, 2, 2),
        (&world.viewer, 0, 0),
        (&world.stranger, 0, 0),
        (&world.auditor, 3, 0),
        (&world.admin, 3, 0),
    ] {
        assert_eq!(count(person, "/v1/delegations").await, all);
        assert_eq!(count(person, "/v1/delegations?mine=true").await, mine);
    }
    let page = ada.get("/v1/delegations?limit=2").await.expect(200);
    let next = format!(
        "/v1/delegations?limit=2&cursor={}",
        page["next"].as_str().unwrap()
    );
    assert_eq!(count(ada, &next).await, 1);

    for person in [&world.viewer, &world.manager] {
        assert_eq!(person.get(&path).await.problem(404), "not-found");
        assert_eq!(person.delete(&path).await.problem(404), "not-found");
    }
    // Who sees it may not take it back for that.
    for person in [&world.operator, &world.auditor] {
        person.get(&path).await.expect(200);
        assert_eq!(person.delete(&path).await.problem(403), "forbidden");
    }
    assert!(ada.get(&path).await.expect(200).get("revoked_at").is_none());
    ada.delete(&path).await.expect(204);
    let shown = ada.get(&path).await.expect(200);
    assert_eq!(shown["state"], "revoked");
    let revoked = shown["revoked_at"].clone();
    assert!(revoked.is_string());
    ada.delete(&path).await.expect(204);
    assert_eq!(ada.get(&path).await.expect(200)["revoked_at"], revoked);
    let others = page["items"][0]["id"].as_str().unwrap();
    world
        .admin
        .delete(&format!("/v1/delegations/{others}"))
        .await
        .expect(204);

    let entries = recorded(&app, &world, "delegation.revoke").await;
    let actors: Vec<_> = entries.iter().map(|entry| &entry["actor"]).collect();
    assert_eq!(actors, ["ada", "root"], "{entries:#?}");
    let entries = recorded(&app, &world, "delegation.create").await;
    assert_eq!(entries.len(), 3);
    assert_eq!(entries[0]["data"]["data"]["reason"], "At the sea.");
}

#[tokio::test]
async fn only_who_may_decide_delegates() {
    let app = TestApp::start().await;
    let world = World::people(&app).await;
    let body = json!({"to": {"subject": "ana"}, "ends": hence(48), "reason": "At the sea."});
    for person in [
        &world.viewer,
        &world.operator,
        &world.engineer,
        &world.manager,
        &world.auditor,
        &world.admin,
        &world.stranger,
    ] {
        let reply = person.post("/v1/delegations", body.clone()).await;
        assert_eq!(reply.problem(403), "forbidden");
    }
    // A machine cannot be granted the role; one that was a person when it was granted has nothing of it.
    app.person("robot", &["authority"]).await;
    let machine = machine(&app).await;
    let reply = machine.post("/v1/delegations", body).await;
    assert_eq!(reply.problem(403), "forbidden");
}

#[tokio::test]
async fn all_that_is_wrong_with_a_delegation_comes_at_once() {
    let app = TestApp::start().await;
    let world = World::shop(&app).await;
    let ada = &world.authority;
    let faults = async |body: Value| {
        let reply = ada.post("/v1/delegations", body).await;
        let mut pointers = reply.pointers();
        pointers.sort();
        reply.problem(422);
        pointers
    };
    let body = json!({
        "to": {"subject": "never-seen"}, "starts": hence(-1), "ends": hence(-2),
        "scope": {"team": "shop", "environment": "staging"}, "reason": " ",
    });
    assert_eq!(
        faults(body).await,
        ["/ends", "/ends", "/reason", "/scope", "/starts", "/to"]
    );
    let good = |change: Value| {
        let mut body = json!({"to": {"subject": "ana"}, "ends": hence(48), "reason": "At the sea."});
        for (key, value) in change.as_object().unwrap() {
            body[key] = value.clone();
        }
        body
    };
    let cases = [
        (json!({"to": {"subject": "ada"}}), "/to"),
        (
            json!({"to": {"subject": "ana", "issuer": "https://evil.test"}}),
            "/to/issuer",
        ),
        (json!({"to": {"subject": "a\nb"}}), "/to/subject"),
        (json!({"ends": hence(24 * 90 + 1)}), "/ends"),
        (json!({"starts": hence(-1)}), "/starts"),
        (json!({"scope": {}}), "/scope"),
        (json!({"scope": {"team": "none"}}), "/scope/team"),
        (json!({"scope": {"environment": "none"}}), "/scope/environment"),
        (json!({"scope": {"approval": "none"}}), "/scope/approval"),
        (json!({"reason": "a\u{0}b"}), "/reason"),
        (json!({"reason": "x".repeat(501)}), "/reason"),
    ];
    for (change, pointer) in cases {
        assert_eq!(faults(good(change.clone())).await, [pointer], "{change}");
    }
    machine(&app).await;
    assert_eq!(faults(good(json!({"to": {"subject": "robot"}}))).await, ["/to"]);
    let mine = ada.get("/v1/delegations").await.expect(200);
    assert_eq!(mine["items"], json!([]), "nothing of it was kept");
}

#[tokio::test]
async fn one_approval_is_delegated_by_who_may_decide_on_it_to_who_may() {
    let app = TestApp::start().await;
    let world = World::shop(&app).await;
    let guarded = json!({
        "name": "guarded", "tier": "production", "clusters": ["eu"],
        "settings": {"approvals": {"count": 1, "role": "authority"}},
    });
    world.admin.post("/v1/environments", guarded).await.expect(201);
    world.sealed("1.0.0").await;
    let waiting = world.deploy("storefront@1.0.0", "guarded").await;
    let approval = waiting["approval"].as_str().unwrap();
    let ask = |to: &str| {
        json!({
            "to": {"subject": to}, "ends": hence(48), "scope": {"approval": approval}, "reason": "At the sea.",
        })
    };
    // Who composed and sealed it, and who asked for it.
    for involved in ["ana", "otto"] {
        let reply = world.authority.post("/v1/delegations", ask(involved)).await;
        assert_eq!(reply.pointers(), ["/to"], "{involved}");
    }
    // An authority elsewhere may see it for another role, and has nothing to delegate.
    let zoe = app.person("zoe", &["viewer"]).await;
    let elsewhere = json!({"principal": {"subject": "zoe"}, "role": "authority", "environment": "staging"});
    world.admin.post("/v1/role-bindings", elsewhere).await.expect(201);
    let reply = zoe.post("/v1/delegations", ask("eve")).await;
    assert_eq!(reply.pointers(), ["/scope/approval"]);
    // One who cannot see it is told that there is none.
    let yan = app.as_("yan");
    let elsewhere = json!({"principal": {"subject": "yan"}, "role": "authority", "environment": "staging"});
    world.admin.post("/v1/role-bindings", elsewhere).await.expect(201);
    let reply = yan.post("/v1/delegations", ask("eve")).await;
    assert_eq!(reply.pointers(), ["/scope/approval"]);
    assert!(
        reply.body.to_string().contains("that you may see"),
        "{:#}",
        reply.body
    );

    let made = world
        .authority
        .post("/v1/delegations", ask("eve"))
        .await
        .expect(201);
    assert_eq!(made["scope"], json!({"approval": approval}));
    world
        .operator
        .act(&format!(
            "/v1/deployments/{}/cancel",
            waiting["id"].as_str().unwrap()
        ))
        .await
        .expect(200);
    let reply = world.authority.post("/v1/delegations", ask("eve")).await;
    assert_eq!(reply.pointers(), ["/scope/approval"], "it waits no more");
}
