//! Row 1: from a person's approval to the last object on the cluster, beside `kubectl apply --server-side` of the same
//! objects.

use crate::{
    kubectl::Kubectl,
    places::{self, CLUSTERS, Places},
    process,
    seen::Seen,
    stats::{percentile, sides},
    table::{Goal, Line, Measured},
};
use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use slipway_testkit::live::{Namespace, ServerOptions, World, text};
use std::time::{Duration, Instant};

const ROUNDS: usize = 20;
/// What is applied: a published application.
const FIXTURE: &str = include_str!("../../../../tests/fixtures/online-boutique.yaml");
/// The application, as either side can apply it: kubectl leaves out what Slipway fills in, and an API server as old as the
/// sandbox's needs it said.
fn application() -> String {
    let lines = FIXTURE.lines().map(|line| match line.find("targetPort:") {
        Some(indent) => format!("{line}\n{}protocol: TCP", " ".repeat(indent)),
        None => line.to_owned(),
    });
    lines.collect::<Vec<_>>().join("\n") + "\n"
}

/// Objects in it.
const OBJECTS: usize = 35;
const PATIENCE: Duration = Duration::from_mins(1);

/// Measures the row.
pub(crate) async fn measure(places: &mut Places) -> Result<Measured> {
    let kubeconfig = places.kubeconfig().await;
    let database = places.database().await?;
    let options = ServerOptions::default().settings(places::SETTINGS);
    let mut world = World::empty_with("bench", database, &[options]).await;
    world.cluster_at("c1", &kubeconfig, CLUSTERS[0]).await;
    let approvals = json!({"approvals": {"count": 1, "role": "authority"}});
    world.environment("staging", &["c1"], approvals).await;
    world.version("1.0.0", &application()).await;
    let client = Namespace::on(&kubeconfig, CLUSTERS[0], "default").await.client();
    let kubectl = Kubectl::with(&kubeconfig, &world.dir)?;
    let mut rounds = Vec::new();
    // The first of either is not counted: caches of whoever is asked fill.
    for round in 0..=ROUNDS {
        let (ours, other);
        if round % 2 == 0 {
            ours = approved(&world, &client, round).await?;
            other = applied(&world, &kubectl, round).await?;
        } else {
            other = applied(&world, &kubectl, round).await?;
            ours = approved(&world, &client, round).await?;
        }
        eprintln!("  {ours:.0} ms, kubectl {other:.0} ms");
        if round > 0 {
            rounds.push((ours, other));
        }
    }
    let idle = process::resident_mb(world.servers[0].pid())?;
    let measured = Measured {
        lines: vec![
            line(&rounds, 0.5, 0.5).context("no rounds")?,
            line(&rounds, 0.99, 1.0).context("no rounds")?,
        ],
        notes: vec![format!(
            "{OBJECTS} objects (Online Boutique), {ROUNDS} rounds in turns, each in a new namespace; ours from sending the decision \
             until a watch has shown the last object, kubectl's from its start to its end. Resident memory of the server after it: \
             {idle:.0} MB"
        )],
    };
    world.close().await;
    Ok(measured)
}

fn line(rounds: &[(f64, f64)], share: f64, most: f64) -> Option<Line> {
    let (ours, other) = sides(rounds);
    let (ours, other) = (percentile(&ours, share)?, percentile(&other, share)?);
    let which = if share < 0.6 { "p50" } else { "p99" };
    Some(Line {
        row: 1,
        what: format!("approve → applied over `kubectl apply --server-side`, {which}"),
        ours: format!("{ours:.0} ms"),
        baseline: format!("{other:.0} ms"),
        value: ours / other,
        unit: "",
        goal: Goal::AtMost(most),
    })
}

/// Ours: milliseconds from the decision to the last object.
async fn approved(world: &World, client: &kube::Client, round: usize) -> Result<f64> {
    let name = format!("{}-{round}", world.service);
    let service = json!({"name": name, "team": "shop", "criticality": "high"});
    world.ana.post("/v1/services", service).await.expect(201);
    let components = json!([{"name": world.service, "version": "1.0.0"}]);
    let release = json!({"service": name, "version": "1.0.0", "components": components});
    world.ana.post("/v1/releases", release).await.expect(201);
    world
        .ana
        .act(&format!("/v1/releases/{name}@1.0.0/seal"))
        .await
        .expect(200);
    let ask = json!({"release": format!("{name}@1.0.0"), "environment": "staging"});
    let asked = world.otto.post("/v1/deployments", ask).await.expect(201);
    let id = text(&asked["id"]);
    let waiting = world
        .ada
        .get(&format!("/v1/approvals?deployment={id}"))
        .await
        .expect(200);
    let approval = text(&waiting["items"][0]["id"]);
    ensure!(!approval.is_empty(), "nobody is asked for approval: {waiting:#}");
    let digest = world.ada.looks_at(&approval).await;
    let clients = [client.clone()];
    let mut seen = Seen::watch(&clients, &format!("slipway.dev/service={name}")).await?;
    let decided = Instant::now();
    world.ada.decide(&approval, "approve", &digest).await.expect(200);
    let (_, last) = seen.all(OBJECTS, PATIENCE).await?;
    world.ends(&id, "succeeded").await;
    Ok(last.duration_since(decided).as_secs_f64() * 1000.0)
}

/// Theirs: milliseconds of the process.
async fn applied(world: &World, kubectl: &Kubectl, round: usize) -> Result<f64> {
    let name = format!("{}-kubectl-{round}", world.service);
    let file = world.dir.join("boutique.yaml");
    let namespace = format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: {name}}}\n---\n");
    std::fs::write(&file, namespace + &application())?;
    let took = kubectl.apply(CLUSTERS[0], &name, &file).await?;
    // Both sides leave a machine that is at rest.
    tokio::time::sleep(Duration::from_secs(2)).await;
    Ok(took.as_secs_f64() * 1000.0)
}
