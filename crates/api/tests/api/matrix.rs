//! Route × role: every operation asks for the permission that it states, of everybody.

use axum::http::Method;
use serde_json::Value;
use slipway_domain::identity::Role;
use slipway_testkit::{Person, Reply, TestApp, World, json};
use std::collections::HashMap;

struct Operation {
    id: String,
    method: Method,
    path: String,
    permission: String,
    body: Option<Value>,
}

/// Every operation under `/v1` that answers and ends, with the example of its body.
fn operations() -> Vec<Operation> {
    let document = slipway_api::openapi_document();
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let id = operation["operationId"].as_str().unwrap().to_owned();
            if !path.starts_with("/v1/") || id == "watch_events" {
                continue;
            }
            all.push(Operation {
                id,
                method: method.to_uppercase().parse().unwrap(),
                path: path.clone(),
                permission: operation["x-slipway-permission"].as_str().unwrap().to_owned(),
                body: operation
                    .get("requestBody")
                    .map(|body| body["content"]["application/json"]["example"].clone()),
            });
        }
    }
    all
}

/// What the parameters in paths stand for.
async fn things(app: &TestApp, world: &World) -> HashMap<&'static str, String> {
    let policy = json!({"name": "guard", "document": {
        "scope": {"tiers": ["production"]},
        "rules": [{"name": "calm", "expression": "risk.score < 101", "message": {"text": "no"}, "effect": "warn"}],
    }});
    // By somebody else: nobody puts in force what they wrote.
    let author = app.person("abe", &["authority"]).await;
    author.post("/v1/policies", policy).await.expect(201);
    let guarded = json!({
        "name": "guarded", "tier": "production", "clusters": ["eu"],
        "settings": {"approvals": {"count": 1, "role": "authority"}},
    });
    world.admin.post("/v1/environments", guarded).await.expect(201);
    world.sealed("1.0.0").await;
    let waiting = world.deploy("storefront@1.0.0", "guarded").await;
    world.version("2.0.0", "red").await;
    world.draft("2.0.0").await;
    let stated = json!({"kind": "test_report", "name": "e2e", "document": "<testsuite><testcase name=\"adds\"/></testsuite>"});
    let stated = world
        .engineer
        .post("/v1/components/web/versions/1.0.0/evidence", stated);
    let stated = stated.await.expect(201);
    let signer = slipway_testkit::signer::Signer::new();
    let key = json!({"name": "ci", "pem": signer.pem()});
    author.post("/v1/evidence-keys", key).await.expect(201);
    let way = json!({"name": "way", "service": "storefront", "document": {"stages": [{"name": "all", "place": "any"}]}});
    let writer = app.person("wes", &["engineer"]).await;
    writer.post("/v1/processes", way).await.expect(201);
    let schema = json!({"name": "latency", "schema": {"type": "object"}});
    author.post("/v1/evidence-schemas", schema).await.expect(201);
    let target =
        json!({"service": "storefront", "environment": "staging", "cluster": "eu", "namespace": "front"});
    let target = world.engineer.post("/v1/targets", target).await.expect(201);
    let binding = json!({"principal": {"subject": "extra"}, "role": "viewer"});
    let binding = world.admin.post("/v1/role-bindings", binding).await.expect(201);
    let token = json!({"name": "t", "roles": ["admin"], "expires_in": "PT10M"});
    let token = world.admin.post("/v1/tokens", token).await.expect(201);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    HashMap::from([
        ("team", "shop".to_owned()),
        ("service", "storefront".to_owned()),
        ("environment", "staging".to_owned()),
        ("cluster", "eu".to_owned()),
        ("component", "web".to_owned()),
        ("version", "1.0.0".to_owned()),
        ("release", "storefront@2.0.0".to_owned()),
        ("deployment", text(&waiting["id"])),
        ("approval", text(&waiting["approval"])),
        ("policy", "guard".to_owned()),
        ("number", "1".to_owned()),
        ("evidence", text(&stated["id"])),
        ("key", "ci".to_owned()),
        ("schema", "latency".to_owned()),
        ("process", "way".to_owned()),
        ("target", text(&target["id"])),
        ("binding", text(&binding["id"])),
        ("token", text(&token["token"]["id"])),
    ])
}

async fn send(person: &Person, operation: &Operation, things: &HashMap<&str, String>) -> Reply {
    let mut path = operation.path.clone();
    for (name, value) in things {
        path = path.replace(&format!("{{{name}}}"), value);
    }
    if operation.id == "diff_release" {
        path.push_str("?against=storefront@1.0.0");
    }
    if operation.id == "get_compliance_report" {
        path.push_str("?release=storefront@1.0.0");
    }
    let mut request = person.request(operation.method.clone(), &path);
    if operation.method == Method::PATCH {
        request = request.header("if-match", "*");
    }
    match &operation.body {
        Some(body) => request.json(body).send().await,
        None => request.send().await,
    }
}

#[tokio::test]
async fn nothing_under_v1_answers_without_a_token() {
    let app = TestApp::start().await;
    let operations = operations();
    assert!(operations.len() >= 50, "only {} operations", operations.len());
    for operation in operations {
        let reply = send(&app.nobody(), &operation, &HashMap::new()).await;
        assert_eq!(reply.problem(401), "unauthenticated", "{}", operation.id);
    }
    assert_eq!(
        app.nobody().get("/v1/events").await.problem(401),
        "unauthenticated"
    );
}

#[tokio::test]
async fn every_role_may_what_its_permissions_say_and_nothing_else() {
    let app = TestApp::start().await;
    let world = World::shop(&app).await;
    let things = things(&app, &world).await;
    let people = [
        (Role::Viewer, &world.viewer),
        (Role::Operator, &world.operator),
        (Role::Engineer, &world.engineer),
        (Role::Manager, &world.manager),
        (Role::Authority, &world.authority),
        (Role::Auditor, &world.auditor),
        (Role::Admin, &world.admin),
    ];
    let (mut allowed, mut refused) = (0, 0);
    // Those who may not first, so that nothing has changed yet when they try; what deletes comes last.
    let mut operations = operations();
    operations.sort_by_key(|operation| operation.method == Method::DELETE);
    for may in [false, true] {
        for operation in operations
            .iter()
            .filter(|operation| operation.permission != "none")
        {
            for (role, person) in &people {
                let permissions = role.permissions();
                if permissions.iter().any(|p| p.as_str() == operation.permission) != may {
                    continue;
                }
                let reply = send(person, operation, &things).await;
                let status = reply.status.as_u16();
                let what = format!("{} as {role} answered {status}: {:#}", operation.id, reply.body);
                if may {
                    allowed += 1;
                    assert!(![401, 403, 405, 415, 500].contains(&status), "{what}");
                } else {
                    refused += 1;
                    assert_eq!(status, 403, "{what}");
                    assert!(
                        reply.body["detail"]
                            .as_str()
                            .unwrap()
                            .contains(&operation.permission),
                        "{what}"
                    );
                }
            }
        }
    }
    assert!(
        allowed >= 150 && refused >= 150,
        "{allowed} allowed, {refused} refused"
    );
}

#[tokio::test]
async fn whoever_holds_no_role_sees_and_changes_nothing() {
    let app = TestApp::start().await;
    let world = World::shop(&app).await;
    let things = things(&app, &world).await;
    for operation in operations()
        .iter()
        .filter(|operation| operation.permission != "none")
    {
        let reply = send(&world.stranger, operation, &things).await;
        let status = reply.status.as_u16();
        let is_empty_list = status == 200 && reply.body["items"] == json!([]);
        let what = format!("{} answered {status}: {:#}", operation.id, reply.body);
        // A body that names what may not be seen is told the same as one that names what is not there.
        let names_nothing = status == 422
            && reply.body["errors"]
                .as_array()
                .unwrap()
                .iter()
                .all(|fault| fault["detail"].as_str().unwrap().ends_with("that you may see"));
        let changes = operation.method != Method::GET;
        assert!(
            status == 403 || status == 404 || (is_empty_list && !changes) || (names_nothing && changes),
            "{what}"
        );
    }
}
