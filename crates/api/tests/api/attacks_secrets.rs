//! Attacks on secrets, by their numbers in the design (`quality.md`): whatever went in is looked for in whatever comes out, as it is
//! and encoded. What real processes and clusters show of secrets, and what they log, is looked at in `slipway/tests/e2e/secrets.rs`.

use crate::matrix::{Things, operations, things};
use axum::http::Method;
use slipway_testkit::{Person, Planted, Reply, TestApp, Value, World, json};

/// Everything that came back.
#[derive(Default)]
struct Seen(Vec<(String, String)>);

impl Seen {
    fn keep(&mut self, what: impl Into<String>, reply: &Reply) {
        let text = match &reply.body {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        self.0.push((what.into(), format!("{:?} {text}", reply.headers)));
    }

    /// Asserts that not one of these is in any of it.
    fn assert_lacks(&self, planted: &[Planted]) {
        for (what, text) in &self.0 {
            for secret in planted {
                if let Some(found) = secret.found_in(text) {
                    panic!("{what} shows the secret of {found}");
                }
            }
        }
    }
}

/// Asks everything that can be read, as everybody, about these things.
async fn read_everything(app: &TestApp, world: &World, things: &Things, seen: &mut Seen) -> usize {
    let mut answered = 0;
    let people = [
        (&world.admin, "an admin"),
        (&world.engineer, "an engineer"),
        (&world.manager, "a manager"),
        (&world.operator, "an operator"),
        (&world.authority, "an authority"),
        (&world.auditor, "an auditor"),
        (&world.viewer, "a viewer"),
        (&world.stranger, "a stranger"),
    ];
    let mut paths: Vec<String> = [
        "/healthz",
        "/readyz?verbose",
        "/metrics",
        "/openapi.json",
        "/problems",
    ]
    .map(str::to_owned)
    .into();
    for operation in operations()
        .iter()
        .filter(|operation| operation.method == Method::GET)
    {
        let queries: &[&[(&str, &str)]] = match operation.id.as_str() {
            "diff_release" => &[
                &[("against", "storefront@1.0.0")],
                &[("against", "storefront@3.0.0")],
            ],
            "get_compliance_report" => &[&[("release", "storefront@1.0.0")]],
            "get_audit_checkpoint" => &[&[("verify", "true")]],
            "list_tokens" => &[&[], &[("all", "true")]],
            _ => &[&[]],
        };
        for query in queries {
            paths.push(operation.path_to(things, query));
        }
        if operation.query.iter().any(|name| name == "limit") {
            paths.push(operation.path_to(things, &[("limit", "200")]));
        }
    }
    for path in &paths {
        for (who, called) in people {
            let reply = who.get(path).await;
            answered += usize::from(reply.status.is_success());
            seen.keep(format!("GET {path} as {called}"), &reply);
        }
        seen.keep(format!("GET {path} as nobody"), &app.nobody().get(path).await);
    }
    answered
}

fn kubeconfig(token: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: kc\n\
         clusters: [{{name: kc, cluster: {{server: 'https://kc.example:6443'}}}}]\n\
         users: [{{name: me, user: {{token: '{token}'}}}}]\n\
         contexts: [{{name: kc, context: {{cluster: kc, user: me}}}}]\n"
    )
}

/// Secrets in every way that a bundle can have them, and the version of the bundle.
fn bundle(
    version: &str,
    plain: &Planted,
    data: &Planted,
    old: &Planted,
    listed: &Planted,
    inner: &Planted,
) -> Value {
    let copy = json!({"kind": "Secret", "stringData": {"password": old.secret}}).to_string();
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": "login", "annotations": {
            "kubectl.kubernetes.io/last-applied-configuration": copy, "tool.example/original": copy,
        }},
        "stringData": {"password": plain.secret}, "data": {"key": data.base64()},
    });
    let list = json!({
        "apiVersion": "v1", "kind": "SecretList",
        "items": [{"metadata": {"name": "listed"}, "data": {"password": listed.base64()}}],
    });
    let nested = json!({
        "apiVersion": "example.org/v1", "kind": "Template", "metadata": {"name": "holder"},
        "spec": {"objects": [{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "inner"},
            "stringData": {"password": inner.secret}}]},
    });
    let odd = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "odd"}, "value": plain.secret,
        "stringData": {"list": [plain.secret], "map": {"a": {"b": plain.secret}}}, "data": plain.secret,
    });
    let bare = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "bare"}, "stringData": plain.secret});
    let all = [secret, list, nested, odd, bare]
        .map(|object| object.to_string())
        .join("\n---\n");
    json!({"version": version, "manifests": format!("{}---\n{all}\n", World::manifests(version))})
}

#[tokio::test]
#[expect(
    clippy::too_many_lines,
    reason = "one story, from planting to looking everywhere"
)]
async fn attack_25_a_read_returns_what_was_secret() {
    let app = TestApp::start().await;
    let world = World::shop(&app).await;
    let mut seen = Seen::default();
    let [token, key, of_kubeconfig, replaced] = [
        "a cluster's token",
        "a client key",
        "a kubeconfig",
        "a token that was replaced",
    ]
    .map(Planted::new);
    let [plain, data, old, listed, inner, changed] = [
        "stringData of a Secret",
        "data of a Secret",
        "a copy in an annotation",
        "a Secret in a list",
        "a Secret inside of another object",
        "a Secret that changes",
    ]
    .map(Planted::new);
    // Clusters.
    let pem = |what: &str, body: &str| format!("-----BEGIN {what}-----\n{body}\n-----END {what}-----\n");
    let change = json!({"credential": {"token": replaced.secret}});
    seen.keep(
        "a replaced token",
        &world.admin.patch("/v1/clusters/eu", "*", change).await.ok(200),
    );
    let change = json!({"credential": {"token": token.secret}});
    seen.keep(
        "a token",
        &world.admin.patch("/v1/clusters/eu", "*", change).await.ok(200),
    );
    let pair = json!({"client_certificate": pem("CERTIFICATE", "QUJD"), "client_key": pem("PRIVATE KEY", &key.secret)});
    let change = json!({"credential": pair});
    seen.keep(
        "a client key",
        &world.admin.patch("/v1/clusters/us", "*", change).await.ok(200),
    );
    let cluster = json!({"name": "kc", "credential": {"kubeconfig": kubeconfig(&of_kubeconfig.secret)}});
    let request = world
        .admin
        .request(Method::POST, "/v1/clusters")
        .header("idempotency-key", "kc-1");
    seen.keep("a kubeconfig", &request.json(&cluster).send().await.ok(201));
    // Bundles, two of them with different secrets, and what is made of them.
    for (version, first) in [("1.1.0", &plain), ("3.0.0", &changed)] {
        let body = bundle(version, first, &data, &old, &listed, &inner);
        let request = world
            .engineer
            .request(Method::POST, "/v1/components/web/versions");
        let request = request.header("idempotency-key", version).json(&body);
        seen.keep("a version", &request.send().await.ok(201));
        world.sealed(version).await;
    }
    let mut things = things(&app, &world).await;
    for version in ["1.1.0", "3.0.0"] {
        let body = json!({"release": format!("storefront@{version}"), "environment": "guarded"});
        let deployment = world.operator.post("/v1/deployments", body).await.ok(201);
        seen.keep("a deployment", &deployment);
        things.insert("deployment", deployment.body["id"].as_str().unwrap().to_owned());
        things.insert(
            "approval",
            deployment.body["approval"].as_str().unwrap().to_owned(),
        );
        things.insert("release", format!("storefront@{version}"));
        things.insert("version", version.to_owned());
        app.look().await;
        app.sign().await;
        let answered = read_everything(&app, &world, &things, &mut seen).await;
        assert!(answered > 250, "only {answered} answers");
    }
    let manifests = format!("/v1/deployments/{}/manifests", things["deployment"]);
    let shown = world.viewer.get(&manifests).await.expect(200).to_string();
    assert!(shown.contains("(redacted)") && shown.contains("login"), "{shown}");
    // Tokens: the secret of one is in the answer that made it, and the proof of the others in no answer.
    let body = json!({"name": "t", "roles": ["viewer"], "expires_in": "PT10M"});
    let request = world
        .viewer
        .request(Method::POST, "/v1/tokens")
        .header("idempotency-key", "t-1");
    let made = request.json(&body).send().await.expect(201);
    let request = world
        .viewer
        .request(Method::POST, "/v1/tokens")
        .header("idempotency-key", "t-1");
    seen.keep("a token again", &request.json(&body).send().await);
    let secret = made["secret"].as_str().unwrap();
    let of_token = Planted::of("an API token", secret);
    let bearer = Planted::of("a bearer token", world.viewer.token.as_deref().unwrap());
    things.insert("token", made["token"]["id"].as_str().unwrap().to_owned());
    app.settle().await;
    read_everything(&app, &world, &things, &mut seen).await;
    let credentials = [token, key, of_kubeconfig, replaced, of_token, bearer];
    let of_bundles = [plain, data, old, listed, inner, changed];
    seen.assert_lacks(&credentials);
    seen.assert_lacks(&of_bundles);
    for secret in &credentials {
        let tables = app.tables_with(&secret.secret).await;
        assert!(tables.is_empty(), "{} can be read in {tables:?}", secret.place);
    }
    // Where it must be for being applied, and for being rolled back to; nowhere else.
    for secret in &of_bundles {
        for form in [&secret.secret, &secret.base64()] {
            let mut tables = app.tables_with(form).await;
            tables.retain(|table| !["bundles", "renderings"].contains(&table.as_str()));
            assert!(tables.is_empty(), "{} can be read in {tables:?}", secret.place);
        }
    }
    let there = app.tables_with(&of_bundles[0].secret).await;
    assert!(!there.is_empty(), "the search finds what is there");
}

/// Input with a secret in it that is refused, by the place of the secret.
fn refused(secret: &str) -> Vec<(&'static str, &'static str, Value)> {
    let cluster =
        |credential: Value| json!({"name": "bad", "server": "https://k.example", "credential": credential});
    let mut all: Vec<(&str, &str, Value)> = [
        cluster(json!(secret)),
        cluster(json!([secret])),
        cluster(json!({"token": [secret]})),
        cluster(json!({"token": {"value": secret}})),
        cluster(json!({"token": format!("{secret}\nHost: x")})),
        cluster(json!({"token": secret, "password": secret})),
        cluster(json!({"token": secret, "client_key": secret})),
        cluster(json!({"client_certificate": secret, "client_key": secret})),
        cluster(json!({"client_certificate": "-----BEGIN CERTIFICATE-----\nQUJD\n-----END CERTIFICATE-----",
            "client_key": secret})),
        cluster(json!({"kubeconfig": format!("users: [{{name: me, user: {{token: {secret}")})),
        cluster(json!({"kubeconfig": secret})),
        cluster(json!({"kubeconfig": kubeconfig(secret).replace("kind: Config", "kind: *Config")})),
        cluster(json!({"kubeconfig": kubeconfig(secret).replace("token:", "password:")})),
        cluster(json!({"kubeconfig": kubeconfig(secret).replace("token:", "exec: {command: sh}, other:")})),
        cluster(json!({"kubeconfig": kubeconfig(secret), "context": "none"})),
        json!({"name": "bad", "server": format!("https://me:{secret}@k.example"), "credential": {"token": "t"}}),
        json!({"name": "bad", "server": format!("https://k.example/?t={secret}"), "credential": {"token": "t"}}),
        json!({"name": "bad", "server": "https://k.example", "certificate_authority": secret, "credential": {"token": "t"}}),
        json!({"name": "Bad Name", "server": "https://k.example", "credential": {"token": secret}}),
        json!({"name": "eu", "server": "https://k.example", "credential": {"token": secret}}),
    ]
    .into_iter()
    .map(|body| ("a credential", "/v1/clusters", body))
    .collect();
    let secret_of = |rest: &str| format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: s}}\n{rest}\n");
    all.extend(
        [
            secret_of(&format!("stringData:\n  password: \"{secret}\n")),
            secret_of(&format!(
                "stringData:\n  password: {secret}\n  password: {secret}"
            )),
            secret_of(&format!("stringData:\n  password: *{secret}")),
            secret_of(&format!("stringData:\n\tpassword: {secret}")),
            secret_of(&format!("stringData: {{password: !!bool {secret}}}")),
            secret_of(&format!("stringData: {{password: !!null {secret}}}")),
            secret_of(&format!("stringData: {{password: {secret}}}\nunknown: [")),
            secret_of(&format!("stringData: {{{secret}: {{}}}}")).replace("name: s", "name: S!"),
        ]
        .into_iter()
        .map(|manifests| json!({"version": "9.0.0", "manifests": manifests}))
        .chain([
            json!({"version": "9.0.0", "manifests": {"kind": "Secret", "stringData": {"password": secret}}}),
            json!({"version": "9.0.0", "manifests": [secret]}),
        ])
        .map(|body| ("a bundle", "/v1/components/web/versions", body)),
    );
    let target = json!({"kind": "Secret", "name": "login"});
    for overlay in [
        json!({"target": target, "merge": {"stringData": {"password": secret}}}),
        json!({"target": target, "merge": secret}),
        json!({"target": target, "patch": [secret]}),
        json!({"target": target, "patch": [{"op": "add", "path": "/stringData/password", "value": secret}]}),
        json!({"target": target, "patch": [{"op": secret, "path": "/stringData/password"}]}),
        json!({"target": target, "patch": [{"op": "add", "path": [secret], "value": 1}]}),
        json!({"target": target, "patch": secret}),
    ] {
        let parts = json!([{"name": "web", "version": "1.0.0"}]);
        let release =
            json!({"service": "storefront", "version": "9.0.0", "components": parts, "config": [overlay]});
        all.push(("configuration", "/v1/releases", release));
        let settings = json!({"config": [overlay]});
        let environment = json!({"name": "bad", "tier": "test", "clusters": ["eu"], "settings": settings});
        all.push(("configuration", "/v1/environments", environment));
    }
    all
}

#[tokio::test]
async fn attack_26_what_is_refused_is_not_repeated_in_errors_nor_kept() {
    let app = TestApp::start().await;
    let world = World::shop(&app).await;
    // Digits alone, so that it can stand where a number does.
    let number = format!("9007{}", uuid::Uuid::now_v7().as_u128());
    for planted in [Planted::new("refused input"), Planted::of("a number", &number)] {
        is_not_repeated(&app, &world, &planted).await;
    }
}

async fn is_not_repeated(app: &TestApp, world: &World, planted: &Planted) {
    let ask = async |who: &Person, path: &str, body: &Value| {
        let request = who.request(Method::POST, path);
        request.header("idempotency-key", "again").json(body).send().await
    };
    let mut taken = Vec::new();
    for (place, path, body) in refused(&planted.secret) {
        let who = match path {
            "/v1/clusters" | "/v1/environments" => &world.admin,
            "/v1/releases" => &world.manager,
            _ => &world.engineer,
        };
        let mut seen = Seen::default();
        let reply = ask(who, path, &body).await;
        if ![409, 422].contains(&reply.status.as_u16()) {
            taken.push(format!("{} {body}", reply.status));
        }
        seen.keep(format!("the refusal of {place} in {body:#}"), &reply);
        // Those who may not are refused as well, and are told no more.
        seen.keep(
            format!("the refusal of {body:#}"),
            &ask(&world.viewer, path, &body).await,
        );
        // Nor is a body repeated that cannot be read at all.
        let text = body.to_string();
        let cut = &text[..text.rfind(&planted.secret).unwrap() + planted.secret.len()];
        for broken in [cut.to_owned(), format!("{text}}}"), text.replace(':', "=")] {
            let request = who
                .request(Method::POST, path)
                .header("content-type", "application/json");
            let reply = request.raw(broken.clone()).send().await;
            assert_eq!(reply.status, 400, "{broken}");
            seen.keep(format!("the refusal of {broken}"), &reply);
        }
        seen.assert_lacks(std::slice::from_ref(planted));
    }
    assert!(taken.is_empty(), "not refused: {taken:#?}");
    // A proof that is none.
    let mut seen = Seen::default();
    for proof in [
        planted.secret.clone(),
        format!("slp_{}", planted.secret),
        format!("a.{}.c", planted.base64()),
    ] {
        let reply = app.nobody().with_token(proof).get("/v1/me").await;
        assert_eq!(reply.status, 401);
        seen.keep("the refusal of a token", &reply);
    }
    app.settle().await;
    let entries = world.auditor.get("/v1/audit/entries?limit=200").await.ok(200);
    seen.keep("the record", &entries);
    seen.assert_lacks(std::slice::from_ref(planted));
    for form in [&planted.secret, &planted.base64()] {
        let tables = app.tables_with(form).await;
        assert!(tables.is_empty(), "what was refused can be read in {tables:?}");
    }
}
