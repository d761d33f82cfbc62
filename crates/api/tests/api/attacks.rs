//! Attacks that rules and proofs must withstand, by their numbers in the design (`quality.md`). Each goes through the API, as
//! whoever attacks would.

use slipway_testkit::{Person, TestApp, Value, World, json, signer::Signer};

const OF_WEB: &str = "/v1/components/web/versions/1.0.0/evidence";

/// A policy for staging of one rule, written by `ada`, put in force by `abe`.
async fn rule(app: &TestApp, world: &World, rule: Value) {
    let document = json!({"scope": {"tiers": ["staging"]}, "rules": [rule]});
    let body = json!({"name": "guard", "document": document});
    world.authority.post("/v1/policies", body).await.expect(201);
    let other = app.person("abe", &["authority"]).await;
    other
        .act("/v1/policies/guard/versions/1/activate")
        .await
        .expect(200);
}

fn requires(kind: &str, signed: bool) -> Value {
    json!({"name": "proven", "message": {"text": "proven"},
        "effect": {"require_evidence": {"kind": kind, "of": "every_component", "signed": signed}}})
}

fn refuses(expression: &str) -> Value {
    json!({"name": "only", "expression": expression, "message": {"text": "only that"}, "effect": "refuse"})
}

async fn state(by: &Person, path: &str, kind: &str, document: &str) -> slipway_testkit::Reply {
    let body = json!({"kind": kind, "name": "proof", "document": document});
    by.post(path, body).await
}

#[tokio::test]
async fn attack_15_skipped_counts_as_passed() {
    let app = TestApp::start().await;
    let world = World::shop(&app).await;
    world.sealed("1.0.0").await;
    rule(&app, &world, requires("test_report", false)).await;
    let waiting = world.deploy("storefront@1.0.0", "staging").await;
    assert_eq!(waiting["state"], "pending");
    let path = format!("/v1/deployments/{}", waiting["id"].as_str().unwrap());
    for document in [
        "<testsuite><testcase name=\"a\"><skipped/></testcase></testsuite>",
        "<testsuite/>",
        "<testsuite tests=\"5\" failures=\"0\"/>",
    ] {
        let reply = state(&world.engineer, OF_WEB, "test_report", document).await;
        if reply.status == 201 {
            assert_eq!(reply.body["passed"], false, "{document}");
        }
        app.look().await;
        assert_eq!(
            world.viewer.get(&path).await.expect(200)["state"],
            "pending",
            "{document}"
        );
    }
    let skipped = json!({"who": "eve", "what": "looked", "result": "skipped"}).to_string();
    let check = state(&world.engineer, OF_WEB, "manual_check", &skipped)
        .await
        .expect(201);
    assert_eq!(check["passed"], false);
    let passed = "<testsuite><testcase name=\"a\"/></testsuite>";
    state(&world.engineer, OF_WEB, "test_report", passed)
        .await
        .expect(201);
    app.look().await;
    assert_eq!(world.viewer.get(&path).await.expect(200)["state"], "queued");
}

#[tokio::test]
async fn attack_17_a_developer_edits_the_rules_of_a_protected_environment() {
    let app = TestApp::start().await;
    let world = World::shop(&app).await;
    let document = json!({"stages": [{"name": "all", "place": "any"}]});
    let way = json!({"name": "way", "service": "storefront", "document": document});
    world.engineer.post("/v1/processes", way).await.expect(201);
    let lax = json!({"scope": {}, "rules": [{"name": "lax", "message": {"text": "fine"}, "effect": "warn"}]});
    let policy = json!({"name": "guard", "document": lax});
    world
        .authority
        .post("/v1/policies", policy.clone())
        .await
        .expect(201);
    for person in [
        &world.engineer,
        &world.operator,
        &world.manager,
        &world.viewer,
        &world.auditor,
        &world.admin,
    ] {
        for path in [
            "/v1/processes/way/versions/1/activate",
            "/v1/policies/guard/versions/1/activate",
        ] {
            assert_eq!(person.act(path).await.problem(403), "forbidden", "{path}");
        }
        assert_eq!(
            person.post("/v1/policies", policy.clone()).await.problem(403),
            "forbidden"
        );
        let away = json!({"reason": "in my way"});
        assert_eq!(
            person
                .post("/v1/policies/guard/retire", away.clone())
                .await
                .problem(403),
            "forbidden"
        );
        assert_eq!(
            person
                .post("/v1/processes/default/retire", away)
                .await
                .problem(403),
            "forbidden"
        );
    }
    // Nor whoever may, of what they wrote themselves.
    let own = world
        .authority
        .act("/v1/policies/guard/versions/1/activate")
        .await;
    assert_eq!(own.problem(403), "separation-of-duties");
    let open = json!({"settings": {"approvals": null}});
    let patched = world
        .engineer
        .request(axum::http::Method::PATCH, "/v1/environments/production")
        .header("if-match", "*")
        .json(&open)
        .send()
        .await;
    assert_eq!(patched.problem(403), "forbidden");
}

#[tokio::test]
async fn attack_18_a_tag_moves_between_verification_and_apply() {
    let app = TestApp::start().await;
    let world = World::shop(&app).await;
    let signer = Signer::new();
    let key = json!({"name": "ci", "pem": signer.pem()});
    world.authority.post("/v1/evidence-keys", key).await.expect(201);
    rule(&app, &world, requires("provenance", true)).await;
    // One tag, two images: what it named when it was verified, and what it names later.
    let image = |digit: &str| format!("sha256:{}", digit.repeat(64));
    for (version, digit) in [("2.0.0", "a"), ("3.0.0", "b")] {
        let body = json!({
            "version": version, "manifests": World::manifests(version),
            "images": [{"image": "registry.example/shop/web", "digest": image(digit), "tag": "1"}],
        });
        world
            .engineer
            .post("/v1/components/web/versions", body)
            .await
            .expect(201);
        world.sealed(version).await;
    }
    let verified = signer.provenance(&image("a"), "https://ci.example").to_string();
    let of = |version: &str| format!("/v1/components/web/versions/{version}/evidence");
    state(&world.engineer, &of("2.0.0"), "provenance", &verified)
        .await
        .expect(201);
    let moved = state(&world.engineer, &of("3.0.0"), "provenance", &verified).await;
    assert_eq!(
        moved.status, 422,
        "it is about the image that the tag named before"
    );
    let good = world.deploy("storefront@2.0.0", "staging").await;
    assert_eq!(good["state"], "queued");
    let other = world.deploy("storefront@3.0.0", "staging").await;
    assert_eq!(
        other["state"], "pending",
        "what was verified is not what would run"
    );
}

#[tokio::test]
async fn attack_19_inline_manifests_bypass_the_approved_source() {
    let app = TestApp::start().await;
    let world = World::shop(&app).await;
    world.sealed("1.0.0").await;
    let manifests = World::manifests("red");
    for extra in [
        json!({"manifests": manifests}),
        json!({"components": [{"name": "web", "manifests": manifests}]}),
        json!({"config": [{"target": {"kind": "Deployment"}, "merge": {}}]}),
    ] {
        let mut body = json!({"release": "storefront@1.0.0", "environment": "staging"});
        body.as_object_mut()
            .unwrap()
            .extend(extra.as_object().unwrap().clone());
        let reply = world.operator.post("/v1/deployments", body).await;
        assert_eq!(reply.status, 422, "{:#}", reply.body);
    }
    // What does not come from the approved source is seen by policies, and a component that names none is refused by them.
    let only = "components.all(c, has(c.source) && c.source.repository.startsWith(\"https://git.example/\"))";
    rule(&app, &world, refuses(only)).await;
    let refused = world.deploy("storefront@1.0.0", "staging").await;
    assert_eq!(refused["state"], "rejected");
}

#[tokio::test]
async fn attack_21_a_multi_document_yaml_carries_kinds_beyond_the_grant() {
    let app = TestApp::start().await;
    let world = World::shop(&app).await;
    let kinds = "components.all(c, c.kinds.all(k, k in [\"v1/ConfigMap\", \"apps/v1/Deployment\"]))";
    rule(&app, &world, refuses(kinds)).await;
    world.sealed("1.0.0").await;
    let fine = world.deploy("storefront@1.0.0", "staging").await;
    assert_eq!(fine["state"], "queued");
    // The last of many documents, after an empty one, and inside of a list.
    let binding = "apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {name: mine}\n\
        roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}\n\
        subjects: [{kind: ServiceAccount, name: default, namespace: default}]\n";
    let list = "apiVersion: v1\nkind: List\nitems:\n- apiVersion: rbac.authorization.k8s.io/v1\n  kind: RoleBinding\n  \
        metadata: {name: mine}\n  roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}\n";
    for (version, hidden) in [
        ("2.0.0", format!("---\n---\n# nothing\n---\n{binding}")),
        ("3.0.0", format!("---\n{list}")),
    ] {
        let manifests = format!("{}{hidden}", World::manifests(version));
        let body = json!({"version": version, "manifests": manifests});
        world
            .engineer
            .post("/v1/components/web/versions", body)
            .await
            .expect(201);
        world.sealed(version).await;
        let refused = world.deploy(&format!("storefront@{version}"), "staging").await;
        assert_eq!(refused["state"], "rejected", "{refused:#}");
        assert!(
            refused["reason"].as_str().unwrap().contains("only that"),
            "{refused:#}"
        );
    }
}

#[tokio::test]
async fn attack_30_text_becomes_a_page_a_cursor_becomes_sql_an_expression_runs_away() {
    let app = TestApp::start().await;
    let world = World::shop(&app).await;
    // A page: what users wrote is never sent as something that a browser would show as a page.
    let script = "<testsuite name=\"&lt;script&gt;\"><testcase name=\"&lt;img src=x onerror=alert(1)&gt;\"/></testsuite>";
    let made = state(&world.engineer, OF_WEB, "test_report", script)
        .await
        .expect(201);
    let path = format!("/v1/evidence/{}/document", made["id"].as_str().unwrap());
    let reply = world.viewer.get(&path).await;
    assert_eq!(reply.header("content-type"), "application/octet-stream");
    assert_eq!(reply.header("x-content-type-options"), "nosniff");
    let evil = "</text><script>alert(1)</script>\"]; click a href \"javascript:alert(1)\"\n%%{init: {}}%%";
    let stages = json!([{"name": "all", "place": "any",
        "checklist": [{"name": "c", "what": evil.replace('\n', " "), "role": "operator"}]}]);
    let way = json!({"name": "way", "document": {"description": "d", "stages": stages}});
    world.engineer.post("/v1/processes", way).await.expect(201);
    let drawn = world.viewer.get("/v1/processes/way/versions/1/diagram").await;
    assert_eq!(drawn.header("content-type"), "text/plain; charset=utf-8");
    let text = drawn.body.as_str().unwrap().to_owned();
    for mark in ["<script", "</text", "javascript:", "%%{"] {
        assert!(!text.contains(mark), "{mark}: {text}");
    }
    // SQL: a cursor is opaque, and is refused when it is not one of ours.
    for cursor in [
        "'; DROP TABLE releases; --",
        "MScgT1IgJzEnPScx",
        "evd_0' OR '1'='1",
        "%00",
    ] {
        for list in ["/v1/processes", "/v1/policies", OF_WEB, "/v1/releases"] {
            let query = url::form_urlencoded::Serializer::new(String::new())
                .append_pair("cursor", cursor)
                .finish();
            let reply = world.viewer.get(&format!("{list}?{query}")).await;
            assert_eq!(reply.problem(400), "malformed", "{list} {cursor}");
        }
    }
    // An expression: refused when it is written, or not judged at all, which refuses; never waited for.
    let mut nested = "components".to_owned();
    for _ in 0..12 {
        nested = format!("components.map(a, {nested}.map(b, b))");
    }
    let runaway = json!({"document": {"rules": [refuses(&format!("size({nested}) > 0"))]}, "days": 1});
    let begun = std::time::Instant::now();
    let refused = world.viewer.post("/v1/policies/report", runaway).await;
    assert_eq!(refused.status, 422, "{:#}", refused.body);
    assert!(begun.elapsed().as_secs() < 20);
}
