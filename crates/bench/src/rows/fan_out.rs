//! Row 5: one deployment to a hundred targets on four clusters, beside a loop of kubectl and beside the same client applying
//! the same objects without anything else.

use crate::{
    kubectl::Kubectl,
    places::{self, CLUSTERS, Places},
    process,
    seen::Seen,
    stats::{count, median, paired_ratio, sides},
    table::{Goal, Line, Measured},
};
use anyhow::{Context as _, Result};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use kube::Client;
use serde_json::{Value, json};
use slipway_testkit::live::{Namespace, ServerOptions, World, text};
use std::time::{Duration, Instant};

const TARGETS: usize = 100;
/// Targets at once, ours by default; requests at once on the other side.
const AT_ONCE: usize = 64;
const ROUNDS: usize = 3;
const PATIENCE: Duration = Duration::from_mins(3);

/// What every target gets.
fn objects() -> Vec<Value> {
    let mut objects: Vec<Value> = (0..8)
        .map(|n| {
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": format!("settings-{n}")},
                "data": {"colour": "blue", "number": n.to_string()}})
        })
        .collect();
    objects.push(
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"},
        "spec": {"selector": {"app": "web"}, "ports": [{"port": 80, "protocol": "TCP"}]}}),
    );
    objects.push(
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
        "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "web"}}, "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "web", "image": "registry.example/shop/web:1"}]}}}}),
    );
    objects
}

/// As one file: JSON is YAML.
fn manifests() -> String {
    // What begins with a separator is YAML to kubectl too; what begins with a brace is JSON, which has none.
    let documents: Vec<String> = objects()
        .iter()
        .map(|object| format!("---\n{object}\n"))
        .collect();
    documents.concat()
}

fn cluster_of(target: usize) -> &'static str {
    CLUSTERS[target % CLUSTERS.len()]
}

/// Measures the row.
pub(crate) async fn measure(places: &mut Places) -> Result<Measured> {
    let kubeconfig = places.kubeconfig().await;
    let database = places.database().await?;
    let options = ServerOptions::default().settings(places::SETTINGS);
    let mut world = World::empty_with("bench", database, &[options]).await;
    let mut clients = Vec::new();
    for cluster in CLUSTERS {
        world.cluster_at(cluster, &kubeconfig, cluster).await;
        clients.push(Namespace::on(&kubeconfig, cluster, "default").await.client());
    }
    world.environment("staging", &CLUSTERS, json!({})).await;
    world.version("1.0.0", &manifests()).await;
    let kubectl = Kubectl::with(&kubeconfig, &world.dir)?;
    let (mut rates, mut walls, mut firsts) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let (ours, raw);
        if round % 2 == 0 {
            ours = fanned_out(&world, &clients, round).await?;
            raw = applied_raw(&world, &clients, round).await?;
        } else {
            raw = applied_raw(&world, &clients, round).await?;
            ours = fanned_out(&world, &clients, round).await?;
        }
        let total = count(TARGETS * objects().len());
        eprintln!(
            "  ours {:?} (first object after {:?}), raw {raw:?}",
            ours.1, ours.0
        );
        rates.push((total / ours.1.as_secs_f64(), total / raw.as_secs_f64()));
        walls.push(ours.1.as_secs_f64());
        firsts.push(ours.0.as_secs_f64() * 1000.0);
    }
    let busy = process::peak_mb(world.servers[0].pid())?;
    let sequential = looped(&world, &kubectl, &clients).await?;
    let wall = median(&walls).context("no rounds")?;
    let (ours, raw) = sides(&rates);
    let rate = |values: &[f64]| median(values).map(|rate| format!("{rate:.0} objects/s"));
    let measured = Measured {
        lines: vec![
            Line {
                row: 5,
                what: format!("fan-out to {TARGETS} targets over a sequential kubectl loop"),
                ours: format!("{wall:.1} s"),
                baseline: format!("{:.1} s", sequential.as_secs_f64()),
                value: wall / sequential.as_secs_f64(),
                unit: "",
                goal: Goal::AtMost(0.1),
            },
            Line {
                row: 5,
                what: "objects applied a second over raw concurrent server-side apply".to_owned(),
                ours: rate(&ours).context("no rounds")?,
                baseline: rate(&raw).context("no rounds")?,
                value: paired_ratio(&rates).context("no rounds")?,
                unit: "",
                goal: Goal::AtLeast(0.8),
            },
            Line {
                row: 5,
                what: "peak resident memory of the server during the fan-outs".to_owned(),
                ours: String::new(),
                baseline: String::new(),
                value: busy,
                unit: "MB",
                goal: Goal::None,
            },
        ],
        notes: vec![format!(
            "{} objects a target, {} clusters, {ROUNDS} rounds in turns (the loop once); all namespaces exist before; ours from \
             asking for the deployment until watches have shown the last object (the first came after {:.0} ms), {AT_ONCE} targets \
             at once; raw is the same kube client with {AT_ONCE} requests under way and nothing recorded or checked",
            objects().len(),
            CLUSTERS.len(),
            median(&firsts).unwrap_or(f64::NAN),
        )],
    };
    world.close().await;
    Ok(measured)
}

async fn namespaces(clients: &[Client], name: impl Fn(usize) -> String) -> Result<()> {
    let all: Vec<(usize, String)> = (0..TARGETS).map(|n| (n, name(n))).collect();
    stream::iter(all)
        .map(|(n, name)| async move {
            let body = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
            let request = http::Request::post("/api/v1/namespaces")
                .header("content-type", "application/json")
                .body(body.to_string().into_bytes())?;
            clients[n % CLUSTERS.len()].request::<Value>(request).await?;
            anyhow::Ok(())
        })
        .buffer_unordered(16)
        .try_collect::<Vec<()>>()
        .await?;
    // Their controllers put things into every new namespace.
    tokio::time::sleep(Duration::from_secs(3)).await;
    Ok(())
}

/// Ours: when the first object was there, and the last, from asking.
async fn fanned_out(world: &World, clients: &[Client], round: usize) -> Result<(Duration, Duration)> {
    let name = format!("{}-{round}", world.service);
    let service = json!({"name": name, "team": "shop", "criticality": "high"});
    world.ana.post("/v1/services", service).await.expect(201);
    for n in 0..TARGETS {
        let target = json!({"service": name, "environment": "staging", "cluster": cluster_of(n),
            "namespace": format!("{name}-{n}")});
        world.admin.post("/v1/targets", target).await.expect(201);
    }
    let components = json!([{"name": world.service, "version": "1.0.0"}]);
    let release = json!({"service": name, "version": "1.0.0", "components": components});
    world.ana.post("/v1/releases", release).await.expect(201);
    world
        .ana
        .act(&format!("/v1/releases/{name}@1.0.0/seal"))
        .await
        .expect(200);
    namespaces(clients, |n| format!("{name}-{n}")).await?;
    let mut seen = Seen::watch(clients, &format!("slipway.dev/service={name}")).await?;
    let begun = Instant::now();
    let ask = json!({"release": format!("{name}@1.0.0"), "environment": "staging"});
    let asked = world.otto.post("/v1/deployments", ask).await.expect(201);
    let (first, last) = seen.all(TARGETS * objects().len(), PATIENCE).await?;
    world.ends(&text(&asked["id"]), "succeeded").await;
    Ok((first.duration_since(begun), last.duration_since(begun)))
}

/// The same objects by the same client, and nothing else.
async fn applied_raw(world: &World, clients: &[Client], round: usize) -> Result<Duration> {
    let name = |n| format!("{}-raw-{round}-{n}", world.service);
    namespaces(clients, name).await?;
    let all: Vec<(usize, Value)> = (0..TARGETS)
        .flat_map(|n| objects().into_iter().map(move |object| (n, object)))
        .collect();
    let begun = Instant::now();
    stream::iter(all)
        .map(|(n, object)| async move { apply(&clients[n % CLUSTERS.len()], &name(n), &object).await })
        .buffer_unordered(AT_ONCE)
        .try_collect::<Vec<()>>()
        .await?;
    let took = begun.elapsed();
    tokio::time::sleep(Duration::from_secs(3)).await;
    Ok(took)
}

async fn apply(client: &Client, namespace: &str, object: &Value) -> Result<()> {
    let (root, plural) = match object["kind"].as_str() {
        Some("Deployment") => ("/apis/apps/v1", "deployments"),
        Some("Service") => ("/api/v1", "services"),
        _ => ("/api/v1", "configmaps"),
    };
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    let path = format!("{root}/namespaces/{namespace}/{plural}/{name}?fieldManager=raw");
    let request = http::Request::patch(path)
        .header("content-type", "application/apply-patch+yaml")
        .body(object.to_string().into_bytes())?;
    client.request::<Value>(request).await?;
    Ok(())
}

/// As a script would: one kubectl after the other.
async fn looped(world: &World, kubectl: &Kubectl, clients: &[Client]) -> Result<Duration> {
    let name = |n| format!("{}-loop-{n}", world.service);
    namespaces(clients, name).await?;
    let file = world.dir.join("manifests.yaml");
    std::fs::write(&file, manifests())?;
    let begun = Instant::now();
    for n in 0..TARGETS {
        kubectl.apply(cluster_of(n), &name(n), &file).await?;
    }
    Ok(begun.elapsed())
}
