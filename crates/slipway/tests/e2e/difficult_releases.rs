//! Releases of several components, with a Secret, with an autoscaler, and as large as they may be.

use serde_json::{Value, json};
use slipway_testkit::live::{
    World,
    manifests::{GOOD, config, deployment},
    text,
};
use std::time::Instant;

#[tokio::test]
async fn a_component_that_a_release_leaves_out_is_pruned_and_an_object_in_two_is_refused() {
    let world = World::start("parts").await;
    let namespace = world.namespace("staging").await;
    let other = format!("{}-extra", world.service);
    world
        .ana
        .post("/v1/components", json!({"name": other, "team": "shop"}))
        .await
        .expect(201);
    let versions = format!("/v1/components/{other}/versions");
    let extra = |version: &str, manifests: &str| json!({"version": version, "manifests": manifests});
    world
        .ana
        .post(&versions, extra("1.0.0", &config("extra", "one")))
        .await
        .expect(201);
    world
        .ana
        .post(&versions, extra("2.0.0", &config("settings", "mine")))
        .await
        .expect(201);
    world
        .version("1.0.0", &(deployment("web", GOOD) + &config("settings", "one")))
        .await;
    let release = |version: &str, parts: &[(&str, &str)]| {
        let components: Vec<Value> = parts
            .iter()
            .map(|(name, version)| json!({"name": name, "version": version}))
            .collect();
        json!({"service": world.service, "version": version, "components": components})
    };
    let both = [(world.service.as_str(), "1.0.0"), (other.as_str(), "1.0.0")];
    world
        .ana
        .post("/v1/releases", release("1.0.0", &both))
        .await
        .expect(201);
    world.seal("1.0.0").await;
    let first = world.deploy("1.0.0", "staging").await;
    world.ends(&first, "succeeded").await;
    assert!(namespace.get("ConfigMap", "extra").await.is_some());

    let twice = [(world.service.as_str(), "1.0.0"), (other.as_str(), "2.0.0")];
    world
        .ana
        .post("/v1/releases", release("1.5.0", &twice))
        .await
        .expect(201);
    world.seal("1.5.0").await;
    world
        .changes_nothing(world.ask("1.5.0", "staging"))
        .await
        .problem(422, "validation")
        .says("is in component");

    world
        .ana
        .post("/v1/releases", release("2.0.0", &both[..1]))
        .await
        .expect(201);
    world.seal("2.0.0").await;
    let second = world.deploy("2.0.0", "staging").await;
    world.ends(&second, "succeeded").await;
    assert_eq!(
        world.told(&second, "object.pruned").await,
        ["deleted ConfigMap extra"]
    );
    assert!(namespace.get("ConfigMap", "extra").await.is_none());
    assert!(namespace.get("ConfigMap", "settings").await.is_some());
    // And back: what was left out is there again.
    let undone = world.steer(&second, "rollback").await.expect(201);
    world.ends(&text(&undone["id"]), "succeeded").await;
    assert!(namespace.get("ConfigMap", "extra").await.is_some());
    namespace.close().await;
    world.close().await;
}

#[tokio::test]
async fn an_autoscaler_is_warned_of_and_a_field_that_cannot_be_changed_is_told_with_what_to_do() {
    let world = World::start("warned").await;
    let namespace = world.namespace("staging").await;
    let scaler = "---
apiVersion: autoscaling/v1
kind: HorizontalPodAutoscaler
metadata: {name: web}
spec: {scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}, minReplicas: 1, maxReplicas: 3}
";
    let fixed = deployment("web", GOOD).replace("spec:\n  selector", "spec:\n  replicas: 2\n  selector");
    let made = world.version("0.9.0", &format!("{fixed}{scaler}")).await;
    assert_eq!(
        made["warnings"][0]["pointer"], "/objects/0/spec/replicas",
        "{made:#}"
    );
    assert!(
        text(&made["warnings"][0]["detail"]).contains("leave `replicas` out of Deployment web"),
        "{made:#}"
    );
    let path = format!("/v1/components/{}/versions/0.9.0", world.service);
    assert_eq!(
        world.vera.get(&path).await.expect(200)["warnings"],
        made["warnings"]
    );
    let quiet = world
        .version("0.9.1", &format!("{}{scaler}", deployment("web", GOOD)))
        .await;
    assert_eq!(quiet["warnings"], json!([]));

    world.sealed("1.0.0", &deployment("web", GOOD)).await;
    let first = world.deploy("1.0.0", "staging").await;
    world.ends(&first, "succeeded").await;
    let before = namespace.get("Deployment", "web").await.expect("it is there");
    let changed = deployment("web", GOOD).replace("app: web", "app: frontend");
    world.sealed("2.0.0", &changed).await;
    let second = world.deploy("2.0.0", "staging").await;
    let failed = world.ends(&second, "failed").await;
    let told = text(&failed["reason"]);
    assert!(
        told.contains(
            "nothing was touched on cluster staging: Deployment web: spec.selector cannot be changed"
        ),
        "{told}"
    );
    assert!(told.contains("slipway.dev/on-immutable: replace"), "{told}");
    let preview = world
        .vera
        .get(&format!("/v1/deployments/{second}/preview"))
        .await
        .expect(200);
    assert!(
        text(&preview["targets"][0]["objects"][0]["problem"]).contains("spec.selector cannot be changed"),
        "{preview:#}"
    );

    let willing = changed.replace(
        "metadata: {name: web}",
        "metadata: {name: web, annotations: {slipway.dev/on-immutable: replace}}",
    );
    world.sealed("3.0.0", &willing).await;
    let preview = world.deploy("3.0.0", "staging").await;
    let third = preview.clone();
    world.ends(&third, "succeeded").await;
    let after = namespace.get("Deployment", "web").await.expect("it is there");
    assert_ne!(before["metadata"]["uid"], after["metadata"]["uid"]);
    let told = world.told(&third, "object.replaced").await;
    assert_eq!(
        told,
        ["deleted Deployment web to make it anew: spec.selector cannot be changed"]
    );
    world.audit_holds();
    world.examine().await;
    namespace.close().await;
    world.close().await;
}

/// What nobody may ever see, plain and as Secrets keep it.
const SECRETS: [&str; 4] = [
    "hunter-two-correct",
    "hunter-six-battery",
    "aHVudGVyLXR3by1jb3JyZWN0",
    "aHVudGVyLXNpeC1iYXR0ZXJ5",
];

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "one story, told in its order")]
async fn values_of_a_secret_go_to_the_cluster_and_nowhere_else() {
    let world = World::start("secret").await;
    let namespace = world.namespace("staging").await;
    let secret = |value: &str, more: &str| {
        format!(
            "---\napiVersion: v1\nkind: Secret\nmetadata: {{name: login}}\nstringData: {{password: {value}}}\n{more}"
        )
    };
    // In every way that text can be wrong, too.
    let path = format!("/v1/components/{}/versions", world.service);
    for bad in [
        secret("hunter-two-correct", "immutable: true\nimmutable: true\n"),
        secret("hunter-two-correct", "  bad: [\n"),
        secret("[hunter-two-correct", ""),
        secret("\"hunter-two-correct \\0\"", ""),
        secret(
            "hunter-two-correct",
            "metadata: {labels: {a: hunter-two-correct, b: 1}}\n",
        ),
        format!(
            "apiVersion: v1\nkind: SecretList\nitems:\n- metadata: {{name: a}}\n  data: {{password: {}}}\n- hunter-two-correct\n",
            SECRETS[2]
        ),
    ] {
        let body = json!({"version": "0.1.0", "manifests": bad});
        let refused = world.ana.post(&path, body).await;
        assert_eq!(refused.status.as_u16(), 422, "{bad}\n{:#}", refused.body);
    }
    world
        .sealed("1.0.0", &(secret(SECRETS[0], "") + &config("settings", "one")))
        .await;
    let first = world.deploy("1.0.0", "staging").await;
    world.ends(&first, "succeeded").await;
    let live = namespace.get("Secret", "login").await.expect("it is there");
    assert_eq!(live["data"]["password"], SECRETS[2]);

    // Changed, with something in the way each time: another manager, a type that checks, a field that cannot be changed.
    let edited = format!(
        "/api/v1/namespaces/{}/secrets/login?fieldManager=their-tool",
        namespace.name
    );
    namespace
        .send("PATCH", &edited, &json!({"data": {"password": SECRETS[3]}}))
        .await;
    world
        .sealed(
            "2.0.0",
            &(secret(SECRETS[0], "immutable: true\n") + &config("settings", "one")),
        )
        .await;
    let second = world.deploy("2.0.0", "staging").await;
    let failed = world.ends(&second, "failed").await;
    assert!(
        text(&failed["reason"]).contains("Secret login: .data.password is owned by"),
        "{failed:#}"
    );
    world
        .sealed(
            "3.0.0",
            &(secret(SECRETS[1], "type: kubernetes.io/tls\n") + &config("settings", "one")),
        )
        .await;
    let third = world.deploy("3.0.0", "staging").await;
    world.ends(&third, "failed").await;

    for id in [&first, &second, &third] {
        for part in [
            "",
            "/preview",
            "/manifests",
            "/activities?limit=200",
            "/explain",
            "/gates",
            "/targets",
        ] {
            world
                .vera
                .get(&format!("/v1/deployments/{id}{part}"))
                .await
                .expect(200);
        }
        let said = world.slipway(&world.vera, &["deploy", "manifests", id]);
        let said = String::from_utf8_lossy(&said.stdout).into_owned();
        assert!(said.contains("redacted"), "{said}");
        assert!(SECRETS.iter().all(|secret| !said.contains(secret)), "{said}");
    }
    world
        .vera
        .get(&world.release_path("2.0.0", &format!("/diff?against={}", world.release("3.0.0"))))
        .await
        .expect(200);
    world.iris.get("/v1/audit/entries?limit=200").await.expect(200);
    world.vera.get(&format!("{path}/1.0.0")).await.expect(200);

    let seen = world.seen.lock().expect("no panic").clone();
    let log = world.servers[0].log();
    for secret in SECRETS {
        let shown: Vec<&String> = seen.iter().filter(|body| body.contains(secret)).collect();
        assert!(shown.is_empty(), "{secret} is in {shown:#?}");
        assert!(!log.contains(secret), "{secret} is in the log");
        // Where it must be for being applied, and for being rolled back to.
        let tables = world.database.tables_with(secret).await;
        assert!(
            tables
                .iter()
                .all(|t| ["bundles", "renderings"].contains(&t.as_str())),
            "{secret} is in {tables:?}"
        );
    }
    assert_eq!(
        world.database.tables_with(SECRETS[0]).await,
        ["bundles", "renderings"],
        "the search finds what is there"
    );
    namespace.close().await;
    world.close().await;
}

#[tokio::test]
async fn a_thousand_objects_go_all_the_way() {
    let world = World::start("thousand").await;
    let namespace = world.namespace("staging").await;
    let bundle = |changed: &str| -> String {
        let filler = "x".repeat(1_000);
        (0..1_000)
            .map(|n| config(&format!("n{n:03}"), if n == 500 { changed } else { &filler }))
            .collect()
    };
    let measured = |what: &str, since: Instant| {
        println!("{what}: {:.1} s", since.elapsed().as_secs_f64());
        assert!(
            since.elapsed().as_secs() < 60,
            "{what} took {:?}",
            since.elapsed()
        );
    };
    let size = |what: &str, body: &Value| println!("{what}: {} KB", body.to_string().len() / 1000);
    let began = Instant::now();
    let version = world.version("1.0.0", &bundle("one")).await;
    measured("registering", began);
    size("reply of the version", &version);
    world
        .ana
        .post("/v1/releases", world.composition("1.0.0"))
        .await
        .expect(201);
    world.seal("1.0.0").await;
    let began = Instant::now();
    let first = world.deploy("1.0.0", "staging").await;
    measured("asking", began);
    world.ends(&first, "succeeded").await;
    measured("first release, asked to succeeded", began);

    world.sealed("2.0.0", &bundle("two")).await;
    let began = Instant::now();
    let second = world.deploy("2.0.0", "staging").await;
    world.ends(&second, "succeeded").await;
    measured("second release with one change, asked to succeeded", began);
    let steps = world
        .database
        .rows("SELECT deployment_target_id, key, round(extract(epoch from done_at - begun_at), 1) AS seconds FROM target_steps ORDER BY begun_at")
        .await;
    for step in steps {
        println!("  {}: {} s", step["key"], step["seconds"]);
    }
    let applied = world.told(&second, "object.applied").await;
    assert_eq!(
        applied,
        ["applied 1000 objects of configuration: 1 configured, 999 unchanged"]
    );
    let began = Instant::now();
    let preview = world
        .vera
        .get(&format!("/v1/deployments/{second}/preview"))
        .await
        .expect(200);
    measured("preview", began);
    size("preview of what is there", &preview);
    let manifests = world
        .vera
        .get(&format!("/v1/deployments/{second}/manifests"))
        .await
        .expect(200);
    size("manifests", &manifests);
    size("deployment", &world.deployment(&second).await);
    let activities = world
        .vera
        .get(&format!("/v1/deployments/{second}/activities"))
        .await
        .expect(200);
    size("activities", &activities);
    let began = Instant::now();
    let undone = world.steer(&second, "rollback").await.expect(201);
    world.ends(&text(&undone["id"]), "succeeded").await;
    measured("rollback", began);
    let status =
        std::fs::read_to_string(format!("/proc/{}/status", world.servers[0].pid())).expect("it runs");
    let peak = status.lines().find(|line| line.starts_with("VmHWM"));
    println!("most memory of the server: {}", peak.unwrap_or_default());
    namespace.close().await;
    world.close().await;
}
