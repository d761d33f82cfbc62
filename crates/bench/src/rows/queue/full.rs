//! The whole of a claim and its reports: gates, leases, steps, the record, events, what follows. There is nothing that this
//! is compared with; it says what a queue of targets is worth without its clusters.

use crate::places::Places;
use anyhow::{Context as _, Result};
use jiff::SignedDuration;
use serde_json::json;
use slipway_app::{App, Config, Database, SecretKey, execution::Queue};
use slipway_domain::{
    plan::target::{self, Step},
    ports::{ClaimRequest, WorkQueue as _},
    work::{Ack, Assignment, Report, StepOutcome},
};
use slipway_testkit::{
    Clusters,
    live::{ServerOptions, World},
};
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::task::JoinSet;

const TARGETS: usize = 200;
/// As many as a server has, and as many targets at once.
const CONNECTIONS: u32 = 20;
const AT_ONCE: usize = 64;
const CLUSTERS: [&str; 4] = ["c1", "c2", "c3", "c4"];

/// What it came to.
pub(super) struct Full {
    /// Targets claimed, acted on in name only, and finished, a second.
    pub(super) targets: f64,
    /// Reports a second.
    pub(super) reports: f64,
    /// Reports a target.
    pub(super) each: f64,
}

/// Measures it.
pub(super) async fn measure(places: &mut Places) -> Result<Full> {
    let database = places.database().await?;
    let world = World::empty_with("bench", database, &[ServerOptions::roles("api")]).await;
    for name in CLUSTERS {
        let cluster = json!({
            "name": name, "server": format!("https://{name}.kube.example:6443"), "credential": {"token": "nobody"},
        });
        world.admin.post("/v1/clusters", cluster).await.expect(201);
    }
    let environment = json!({"name": "staging", "tier": "staging", "clusters": CLUSTERS});
    world
        .admin
        .post("/v1/environments", environment)
        .await
        .expect(201);
    for n in 0..TARGETS {
        let target = json!({"service": world.service, "environment": "staging", "cluster": CLUSTERS[n % 4],
            "namespace": format!("target-{n}")});
        world.admin.post("/v1/targets", target).await.expect(201);
    }
    let manifests = slipway_testkit::live::manifests::config("web", "blue")
        + &slipway_testkit::live::manifests::deployment("web", slipway_testkit::live::manifests::GOOD);
    world.sealed("1.0.0", &manifests).await;

    let key = std::fs::read_to_string(world.dir.join("secret-key"))?;
    let store = Database::connect(&world.database.url, CONNECTIONS).await?;
    let config = Config::new(Vec::new(), SecretKey::parse("secret_key", key.trim())?);
    let app = App::new(store, config, Arc::new(Clusters::default()))?;
    let heartbeats = Database::connect(&world.database.url, 1).await?;
    let queue = Queue::new(app, heartbeats);
    let reports = Arc::new(AtomicU32::new(0));
    world.deploy("1.0.0", "staging").await;
    let begun = Instant::now();
    let mut acting = JoinSet::new();
    let mut taken = 0;
    while taken < TARGETS || !acting.is_empty() {
        let room = AT_ONCE - acting.len();
        let claimed = if room > 0 && taken < TARGETS {
            queue.claim(&request(room)?).await?
        } else {
            Vec::new()
        };
        taken += claimed.len();
        for work in claimed {
            let (queue, reports) = (queue.clone(), Arc::clone(&reports));
            acting.spawn(async move { act(&queue, work, &reports).await });
        }
        if let Some(ended) = acting.join_next().await {
            ended??;
        }
        anyhow::ensure!(begun.elapsed() < Duration::from_mins(2), "the targets do not end");
    }
    let took = begun.elapsed().as_secs_f64();
    let reports = f64::from(reports.load(Ordering::Relaxed));
    world.close().await;
    let targets = crate::stats::count(TARGETS);
    Ok(Full {
        targets: targets / took,
        reports: reports / took,
        each: reports / targets,
    })
}

fn request(room: usize) -> Result<ClaimRequest> {
    Ok(ClaimRequest {
        holder: "bench".to_owned(),
        max: u32::try_from(room)?,
        lease: SignedDuration::from_secs(60),
        cluster_labels: BTreeMap::new(),
    })
}

/// Reports every step as an executor does, without a cluster.
async fn act(queue: &Queue, work: Assignment, reports: &AtomicU32) -> Result<()> {
    let steps = target::steps(work.intent, &work.rendering);
    let last = *steps.last().context("no steps")?;
    for step in steps {
        if matches!(step, Step::Apply(_) | Step::Guard) {
            say(queue, &work, step, StepOutcome::Begun, reports).await?;
        }
        let done = if step == last {
            StepOutcome::Succeeded
        } else {
            StepOutcome::Done(serde_json::Value::Null)
        };
        say(queue, &work, step, done, reports).await?;
    }
    Ok(())
}

async fn say(
    queue: &Queue,
    work: &Assignment,
    step: Step,
    outcome: StepOutcome,
    reports: &AtomicU32,
) -> Result<()> {
    let report = Report {
        step: step.into(),
        outcome,
        notes: Vec::new(),
        inventory: None,
        readiness: None,
    };
    let ack = queue.report(work, report).await?;
    anyhow::ensure!(ack != Ack::Lost, "a lease was lost");
    reports.fetch_add(1, Ordering::Relaxed);
    Ok(())
}
