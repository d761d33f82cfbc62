//! Attack 8, a second surface lacks the check: route × method × role. Every operation asks for the permission that it states, of
//! everybody, and nothing answers that states none. All of it is taken from the `OpenAPI` document, which the router itself makes.

use crate::drift;
use axum::http::Method;
use serde_json::Value;
use slipway_domain::identity::Role;
use slipway_testkit::{Person, Reply, TestApp, World, json};
use std::collections::HashMap;

/// What the document says of an operation.
pub(crate) struct Operation {
    pub(crate) id: String,
    pub(crate) method: Method,
    pub(crate) path: String,
    /// Names of its query parameters.
    pub(crate) query: Vec<String>,
    permission: String,
    body: Option<Value>,
}

/// Every operation under `/v1` that answers and ends, with the example of its body.
pub(crate) fn operations() -> Vec<Operation> {
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
                query: operation["parameters"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .filter(|parameter| parameter["in"] == "query")
                    .map(|parameter| parameter["name"].as_str().unwrap().to_owned())
                    .collect(),
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
pub(crate) type Things = HashMap<&'static str, String>;

/// One of each, there.
pub(crate) async fn things(app: &TestApp, world: &World) -> Things {
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
    drift::drifted(app, world).await;
    let drifts = world.viewer.get("/v1/drift").await.expect(200);
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
    let group = json!({"name": "approvers"});
    world.admin.post("/v1/groups", group).await.expect(201);
    let ends = slipway_domain::clock::process_now() + jiff::SignedDuration::from_hours(48);
    let absence = world.admin.post("/v1/absences", json!({"ends": ends}));
    let absence = absence.await.expect(201);
    let delegation = json!({"to": {"subject": "root"}, "ends": ends, "reason": "At the sea."});
    let delegation = author.post("/v1/delegations", delegation).await.expect(201);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    // As an emergency would open it.
    let opened = app.damage(
        "INSERT INTO reviews (id, deployment_id, because) SELECT gen_random_uuid(), d.id, 'an emergency' FROM deployments d \
         JOIN environments e ON e.id = d.environment_id WHERE e.name = 'guarded' LIMIT 1",
    );
    opened.await.unwrap();
    let reviews = world.viewer.get("/v1/reviews").await.expect(200);
    let review = text(&reviews["items"][0]["id"]);
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
        ("review", review),
        ("policy", "guard".to_owned()),
        ("number", "1".to_owned()),
        ("evidence", text(&stated["id"])),
        ("key", "ci".to_owned()),
        ("schema", "latency".to_owned()),
        ("process", "way".to_owned()),
        ("target", text(&target["id"])),
        ("drift", text(&drifts["items"][0]["id"])),
        ("binding", text(&binding["id"])),
        ("token", text(&token["token"]["id"])),
        ("group", "approvers".to_owned()),
        ("absence", text(&absence["id"])),
        ("delegation", text(&delegation["id"])),
    ])
}

/// Does an operation to these things, with its example.
async fn send(person: &Person, operation: &Operation, things: &Things) -> Reply {
    let query: &[(&str, &str)] = match operation.id.as_str() {
        "diff_release" => &[("against", "storefront@1.0.0")],
        "get_compliance_report" => &[("release", "storefront@1.0.0")],
        _ => &[],
    };
    let path = operation.path_to(things, query);
    let mut request = person.request(operation.method.clone(), &path);
    if operation.method == Method::PATCH {
        request = request.header("if-match", "*");
    }
    match &operation.body {
        Some(body) => request.json(body).send().await,
        None => request.send().await,
    }
}

impl Operation {
    /// Its path to these things, with this query.
    pub(crate) fn path_to(&self, things: &Things, query: &[(&str, &str)]) -> String {
        let mut path = self.path.clone();
        for (name, value) in things {
            path = path.replace(&format!("{{{name}}}"), value);
        }
        if query.is_empty() {
            return path;
        }
        let query = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(query)
            .finish();
        format!("{path}?{query}")
    }

    /// The example of its body, about these things.
    pub(crate) fn body_about(&self, things: &Things) -> Option<Value> {
        let mut body = self.body.clone()?;
        about(&mut body, things);
        Some(body)
    }
}

/// Names in a body are those of these things: `service` of the service, a name among `components` of the component.
fn about(body: &mut Value, things: &Things) {
    match body {
        Value::Object(fields) => {
            for (field, value) in fields {
                match (field.as_str(), &mut *value) {
                    ("components", Value::Array(parts)) => {
                        for part in parts {
                            part["name"] = json!(things["component"]);
                            part["version"] = json!(things["version"]);
                        }
                    }
                    ("clusters", Value::Array(clusters)) => *clusters = vec![json!(things["cluster"])],
                    ("service" | "release" | "environment" | "team" | "cluster", Value::String(name)) => {
                        name.clone_from(&things[field.as_str()]);
                    }
                    _ => about(value, things),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| about(item, things)),
        _ => {}
    }
}

#[tokio::test]
async fn attack_08_nothing_under_v1_answers_without_a_token() {
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
async fn attack_08_every_role_may_what_its_permissions_say_and_nothing_else() {
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
async fn attack_08_whoever_holds_no_role_sees_and_changes_nothing() {
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

#[tokio::test]
async fn attack_08_a_stream_is_opened_by_nobody_who_may_read_nothing() {
    let app = TestApp::start().await;
    let world = World::people(&app).await;
    for query in ["", "?after=0"] {
        // Not read to its end: a stream that is opened has none.
        let request = world.stranger.request(Method::GET, &format!("/v1/events{query}"));
        let status = request.open().await.status();
        assert_eq!(
            status, 403,
            "a stream is held open for somebody who may read nothing: {query:?}"
        );
    }
}

#[tokio::test]
async fn attack_08_what_the_document_does_not_name_is_no_way_in() {
    let app = TestApp::start().await;
    let world = World::shop(&app).await;
    let things = things(&app, &world).await;
    let document = slipway_api::openapi_document();
    let mut asked = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        let named: Vec<Method> = item
            .as_object()
            .unwrap()
            .keys()
            .map(|method| method.to_uppercase().parse().unwrap())
            .collect();
        let mut filled = path.clone();
        for (name, value) in &things {
            filled = filled.replace(&format!("{{{name}}}"), value);
        }
        for method in [
            Method::GET,
            Method::POST,
            Method::PUT,
            Method::PATCH,
            Method::DELETE,
            Method::OPTIONS,
            Method::TRACE,
            Method::CONNECT,
        ] {
            if named.contains(&method) {
                continue;
            }
            asked += 1;
            for person in [&app.nobody(), &world.stranger, &world.admin] {
                let reply = person.request(method.clone(), &filled).send().await;
                let what = format!("{method} {filled}: {} {:#}", reply.status, reply.body);
                assert!(
                    [401, 405].contains(&reply.status.as_u16()),
                    "answered, and is not in the document: {what}"
                );
            }
        }
        if !path.starts_with("/v1/") {
            continue;
        }
        // The same by another name is another path, not the same one without its check.
        let upper = filled.replacen("/v1/", "/V1/", 1);
        for other in [
            format!("{filled}/"),
            format!("/{filled}"),
            filled.replacen("/v1/", "/v1//", 1),
            filled.replacen("/v1/", "/v1/../v1/", 1),
            filled.replacen("/v1/", "/%76%31/", 1),
            upper,
        ] {
            for person in [&app.nobody(), &world.stranger] {
                let reply = person.get(&other).await;
                assert!(
                    !reply.status.is_success(),
                    "{other} answers: {} {:#}",
                    reply.status,
                    reply.body
                );
            }
        }
        if named.contains(&Method::GET) {
            let head = app.nobody().request(Method::HEAD, &filled).send().await;
            assert_eq!(head.status, 401, "HEAD {filled}");
        }
    }
    assert!(asked > 300, "only {asked} were asked");
}
