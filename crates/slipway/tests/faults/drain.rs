//! Fault 25: SIGTERM with 200 targets in flight.
//!
//! Invariant: it drains, ends within 30 s, and nothing is done twice; the other server finishes the rest.

use crate::ground::{CLUSTER, finish};
use futures::{StreamExt as _, stream};
use serde_json::{Value, json};
use slipway_testkit::live::{
    Database, Fate, Gate, KubeProxy, Namespace, ServerOptions, World, kubeconfig,
    manifests::{GOOD, config, hook},
    text, within,
};
use std::{collections::BTreeMap, time::Duration};

const TARGETS: i64 = 200;

#[tokio::test]
async fn a_server_told_to_stop_with_two_hundred_targets_in_flight_hands_them_over() {
    // Two hundred hooks at once on two cores: leases as they are by default.
    let room = ServerOptions {
        lease_seconds: 15,
        ..ServerOptions::default().settings("[executor]\nmax_in_flight = 256")
    };
    let proxy = KubeProxy::before(&kubeconfig(), CLUSTER);
    let both = [room.clone(), room];
    let mut world = World::empty_with("drain", Database::create().await, &both).await;
    world.cluster_at(CLUSTER, proxy.kubeconfig(), CLUSTER).await;
    let settings = json!({"progress_deadline": "PT5M", "automatic_rollback": false});
    world.environment("staging", &[CLUSTER], settings).await;
    let world_ref = &world;
    let made = (0..TARGETS).map(|i| async move {
        let target = json!({
            "service": world_ref.service, "environment": "staging", "cluster": CLUSTER,
            "namespace": format!("{}-{i}", world_ref.service),
        });
        world_ref.admin.post("/v1/targets", target).await.expect(201);
    });
    stream::iter(made).buffer_unordered(8).collect::<Vec<()>>().await;
    world
        .sealed("1.0.0", &(hook("migrate", GOOD) + &config("settings", "blue")))
        .await;

    // Nobody gets past its first request before all are in flight: for a moment only, or executors would take the cluster for
    // away and let go of it by themselves.
    let gate = Gate::default();
    let (holds, service) = (gate.clone(), world.service.clone());
    proxy.rule(move |asked| asked.path.contains(&service).then(|| Fate::Hold(holds.clone())));
    let id = world.deploy("1.0.0", "staging").await;
    let count = "SELECT count(*) FROM work WHERE state = 'leased'";
    let all_in_flight = async || world.database.number(count).await == TARGETS;
    let took = within(
        Duration::from_secs(30),
        "all targets are in flight",
        all_in_flight,
    )
    .await;
    let leased = "SELECT holder, count(*) AS n FROM work WHERE state = 'leased' GROUP BY holder";
    let by: BTreeMap<String, i64> = world
        .database
        .rows(leased)
        .await
        .iter()
        .map(|row| (text(&row["holder"]), row["n"].as_i64().expect("a count")))
        .collect();
    assert_eq!(by.values().sum::<i64>(), TARGETS, "{by:?}");
    let (busiest, his) = by.iter().max_by_key(|(_, n)| **n).expect("a holder");
    let place = world
        .servers
        .iter()
        .position(|s| s.is_named(busiest))
        .expect("a server");
    world.turn_to(1 - place);

    // Told to stop; what hangs goes on.
    let opened = gate.clone();
    let opening = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(500)).await;
        opened.open();
    });
    let (status, took_to_drain) = world.servers[place].terminate().await;
    opening.await.expect("it opens");
    assert!(status.success(), "{status}: {}", world.servers[place].log());
    assert!(
        took_to_drain < Duration::from_secs(30),
        "draining took {took_to_drain:?}"
    );
    // Given back by itself, and not taken back from it later.
    let left = format!("SELECT count(*) FROM work WHERE holder = '{busiest}'");
    assert_eq!(world.database.count(&left).await, 0, "leases were left behind");
    world.servers.remove(place);
    let mut ended = Value::Null;
    let over = async || {
        // So much at once may leave no turn at the database for a moment: then it is asked again.
        let reply = world.vera.get(&format!("/v1/deployments/{id}")).await;
        if reply.status == 503 {
            return false;
        }
        ended = reply.expect(200);
        !ended["finished_at"].is_null()
    };
    let rest = within(Duration::from_secs(150), "the other one finishes the rest", over).await;
    assert_eq!(ended["state"], "succeeded", "{ended:#}");
    assert_eq!(ended["targets"].as_array().map(Vec::len), Some(200));
    eprintln!(
        "{TARGETS} targets in flight after {took:?}; a server with {his} of them drained in {took_to_drain:?}; \
         the other one was done {rest:?} later"
    );

    check_done_once(&world, &proxy, &id).await;
    let namespaces = (0..TARGETS).map(|i| format!("{}-{i}", world.service));
    let mut all = Vec::new();
    for name in namespaces {
        all.push(Namespace::of(CLUSTER, &name).await);
    }
    let sample = all[7].get("ConfigMap", "settings").await.unwrap_or(Value::Null);
    assert_eq!(sample["metadata"]["annotations"]["slipway.dev/deployment"], id);
    finish(world, all).await;
}

/// Nothing was lost and rescued, and nothing was done twice: one hook and one application of each object a target.
async fn check_done_once(world: &World, proxy: &KubeProxy, id: &str) {
    let mut done: BTreeMap<(String, String), usize> = BTreeMap::new();
    for activity in world.activities(id).await {
        let kind = text(&activity["kind"]);
        assert_ne!(kind, "work.rescued", "{activity:#}");
        if ["hook.started", "object.applied"].contains(&kind.as_str()) {
            *done.entry((kind, text(&activity["message"]))).or_insert(0) += 1;
        }
    }
    let count = |kind: &str| -> usize { done.iter().filter(|((k, _), _)| k == kind).map(|(_, n)| n).sum() };
    assert_eq!(
        (count("hook.started"), count("object.applied")),
        (200, 200),
        "{done:#?}"
    );
    let mut runs: BTreeMap<String, usize> = BTreeMap::new();
    for one in proxy.log() {
        let makes_a_job = one.path.contains("/jobs") && ["POST", "PATCH"].contains(&one.method.as_str());
        if makes_a_job && one.code == Some(201) {
            let namespace = one.path.split('/').nth(5).unwrap_or_default();
            *runs.entry(namespace.to_owned()).or_insert(0) += 1;
        }
    }
    assert_eq!(runs.len(), 200);
    assert!(runs.values().all(|n| *n == 1), "{runs:?}");
}
