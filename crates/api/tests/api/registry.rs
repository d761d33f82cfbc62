//! Teams, services, environments, clusters, targets.

use slipway_domain::ports::ClusterFault;
use slipway_testkit::{TestApp, World, json};

#[tokio::test]
async fn a_name_is_taken_once() {
    let app = TestApp::start().await;
    let world = World::shop(&app).await;
    assert_eq!(
        world
            .admin
            .post("/v1/teams", json!({"name": "shop"}))
            .await
            .problem(409),
        "exists"
    );
    let service = json!({"name": "storefront", "team": "shop"});
    assert_eq!(
        world.engineer.post("/v1/services", service).await.problem(409),
        "exists"
    );
    let component = json!({"name": "web", "team": "shop"});
    assert_eq!(
        world
            .engineer
            .post("/v1/components", component)
            .await
            .problem(409),
        "exists"
    );
}

#[tokio::test]
async fn what_belongs_to_another_team_is_not_there() {
    let app = TestApp::start().await;
    let world = World::shop(&app).await;
    world
        .admin
        .post("/v1/teams", json!({"name": "bank"}))
        .await
        .expect(201);
    let binding = json!({"principal": {"subject": "bob"}, "role": "engineer", "team": "bank"});
    world.admin.post("/v1/role-bindings", binding).await.expect(201);
    let bob = app.as_("bob");
    for path in [
        "services/storefront",
        "components/web",
        "components/web/versions/1.0.0",
    ] {
        assert_eq!(
            bob.get(&format!("/v1/{path}")).await.problem(404),
            "not-found",
            "{path}"
        );
    }
    assert_eq!(bob.get("/v1/services").await.expect(200)["items"], json!([]));
    let steal = bob
        .patch("/v1/services/storefront", "*", json!({"team": "bank"}))
        .await;
    assert_eq!(steal.problem(404), "not-found");
    let mine = json!({"name": "ledger", "team": "shop"});
    assert_eq!(bob.post("/v1/services", mine).await.problem(403), "forbidden");
}

#[tokio::test]
async fn an_environment_is_made_shown_and_changed() {
    let app = TestApp::start().await;
    let world = World::shop(&app).await;
    let production = world.viewer.get("/v1/environments/production").await.ok(200);
    assert_eq!(production.body["promotes_from"], "staging");
    assert_eq!(production.body["clusters"], json!(["eu", "us"]));
    assert_eq!(
        production.body["settings"]["approvals"],
        json!({"count": 1, "role": "authority"})
    );
    assert!(production.body["settings"]["progress_deadline"].is_string());
    let change =
        json!({"settings": {"waves": [{"name": "eu", "match_labels": {"region": "eu"}, "soak": "PT5M"}]}});
    let changed = world
        .admin
        .patch("/v1/environments/production", &production.etag(), change)
        .await
        .expect(200);
    assert_eq!(changed["settings"]["waves"][0]["soak"], "PT5M");
    assert_eq!(changed["settings"]["approvals"]["count"], 1);
    let open = json!({"settings": {"approvals": null}});
    let opened = world
        .admin
        .patch("/v1/environments/production", "*", open)
        .await
        .expect(200);
    assert!(opened["settings"].get("approvals").is_none(), "{opened:#}");
    assert_eq!(opened["settings"]["waves"], changed["settings"]["waves"]);
    let wrong = json!({"name": "x", "tier": "moon", "clusters": ["eu", "mars"], "settings": {"expires_after": "soon"}});
    let reply = world.admin.post("/v1/environments", wrong).await;
    let mut pointers = reply.pointers();
    pointers.sort();
    assert_eq!(pointers, ["/clusters/1", "/settings/expires_after", "/tier"]);
    reply.problem(422);
    let engineer = world
        .engineer
        .patch("/v1/environments/production", "*", json!({"clusters": ["eu"]}))
        .await;
    assert!(
        engineer.body["detail"]
            .as_str()
            .unwrap()
            .contains("environment.write"),
        "{:#}",
        engineer.body
    );
    assert_eq!(engineer.problem(403), "forbidden");
}

#[tokio::test]
async fn a_clusters_credential_never_comes_out() {
    let app = TestApp::start().await;
    let world = World::shop(&app).await;
    let cluster = world.admin.get("/v1/clusters/eu").await.ok(200);
    let mut all = cluster.body.to_string();
    all.push_str(&world.admin.get("/v1/clusters").await.expect(200).to_string());
    let change = json!({"credential": {"token": "cluster-secret-2"}});
    all.push_str(
        &world
            .admin
            .patch("/v1/clusters/eu", &cluster.etag(), change)
            .await
            .expect(200)
            .to_string(),
    );
    app.settle().await;
    all.push_str(
        &world
            .auditor
            .get("/v1/audit/entries?limit=200")
            .await
            .expect(200)
            .to_string(),
    );
    assert!(!all.contains("cluster-secret"), "{all}");
}

#[tokio::test]
async fn a_new_server_needs_its_credential_again() {
    let app = TestApp::start().await;
    let world = World::shop(&app).await;
    let moved = json!({"server": "https://evil.example"});
    assert_eq!(
        world
            .admin
            .patch("/v1/clusters/eu", "*", moved)
            .await
            .problem(422),
        "validation"
    );
    for server in [
        "http://kube.example",
        "https://user:pass@kube.example",
        "ftp://kube.example",
        "https://k?x=1",
    ] {
        let body = json!({"name": "bad", "server": server, "credential": {"token": "t"}});
        let reply = world.admin.post("/v1/clusters", body).await;
        assert_eq!(reply.pointers(), ["/server"], "{server}");
        reply.problem(422);
    }
}

#[tokio::test]
async fn a_check_says_what_is_wrong_with_a_cluster() {
    let app = TestApp::start().await;
    let world = World::shop(&app).await;
    let good = world.admin.act("/v1/clusters/eu/check").await.expect(200);
    assert_eq!(
        (&good["version"], &good["missing_rights"]),
        (&json!("v1.33.2"), &json!([]))
    );
    assert!(world.viewer.get("/v1/clusters/eu").await.expect(200)["last_seen_at"].is_string());
    let us = |fault: fn(slipway_domain::Name) -> ClusterFault| app.clusters.fails("us", fault);
    us(|cluster| ClusterFault::Unreachable {
        cluster,
        detail: "connection refused".to_owned(),
    });
    assert_eq!(
        world.admin.act("/v1/clusters/us/check").await.problem(424),
        "cluster-unreachable"
    );
    us(|cluster| ClusterFault::Unauthorized { cluster });
    assert_eq!(
        world.admin.act("/v1/clusters/us/check").await.problem(424),
        "cluster-unauthorized"
    );
    us(|cluster| ClusterFault::Certificate {
        cluster,
        detail: "it expired".to_owned(),
    });
    assert_eq!(
        world.admin.act("/v1/clusters/us/check").await.problem(424),
        "cluster-certificate"
    );
    assert_eq!(
        world.admin.act("/v1/clusters/none/check").await.problem(404),
        "not-found"
    );
    assert_eq!(
        world.engineer.act("/v1/clusters/eu/check").await.problem(403),
        "forbidden"
    );
}

#[tokio::test]
async fn a_target_is_declared_listed_and_taken_back() {
    let app = TestApp::start().await;
    let world = World::shop(&app).await;
    let body = json!({"service": "storefront", "environment": "staging", "cluster": "eu", "namespace": "shop-front"});
    let made = world.engineer.post("/v1/targets", body).await.ok(201);
    let path = made.header("location").to_owned();
    assert_eq!(
        (&made.body["declared"], &made.body["namespace"]),
        (&json!(true), &json!("shop-front"))
    );
    let listed = world
        .viewer
        .get("/v1/targets?service=storefront&environment=staging")
        .await
        .expect(200);
    assert_eq!(listed["items"][0]["id"], made.body["id"]);
    let elsewhere =
        json!({"service": "storefront", "environment": "staging", "cluster": "us", "namespace": "shop"});
    let reply = world.engineer.post("/v1/targets", elsewhere).await;
    assert_eq!(reply.pointers(), ["/cluster"]);
    reply.problem(422);
    assert_eq!(world.operator.delete(&path).await.problem(403), "forbidden");
    world.engineer.delete(&path).await.expect(204);
    assert_eq!(world.engineer.delete(&path).await.problem(404), "not-found");
}
