//! What a live server says of itself: every metric of the catalogue, as dashboard and alert rules expect it.

use serde_json::json;
use slipway_telemetry::catalogue::{self, ALL, Kind, of_series};
use slipway_testkit::live::{
    World,
    manifests::{GOOD, config, deployment},
    text, within,
};
use std::{collections::BTreeSet, time::Duration};

/// Metrics that only show themselves where something happens that does not happen here.
const SELDOM: [&str; 5] = [
    catalogue::DRIFT_WATCHES,
    catalogue::DRIFT_COMPARISON,
    catalogue::DRIFT_FAULTS,
    // Of issuers whose keys are fetched, which the development issuer's are not.
    catalogue::ISSUER_KEYS_STALE,
    catalogue::ISSUER_FETCHES,
];

fn names(metrics: &str) -> BTreeSet<&str> {
    let series = metrics
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty());
    series.filter_map(|line| line.split(['{', ' ']).next()).collect()
}

#[tokio::test]
async fn a_live_server_exposes_every_metric_and_nothing_that_is_not_described() {
    let mut world = World::start("metrics").await;
    let namespace = world.namespace("staging").await;
    let settings = json!({"approvals": {"count": 1, "role": "authority"}, "progress_deadline": "PT40S"});
    world.environment("guarded", &["staging"], settings).await;
    let bundle = format!("{}{}", config("settings", "x"), deployment("web", GOOD));
    world.sealed("1.0.0", &bundle).await;
    let asked = world.ask("1.0.0", "guarded").await.expect(201);
    let digest = world.ada.looks_at(&text(&asked["approval"])).await;
    world
        .ada
        .decide(&text(&asked["approval"]), "approve", &digest)
        .await
        .expect(200);
    world.ends(&text(&asked["id"]), "succeeded").await;

    let mut metrics = String::new();
    let url = format!("{}/metrics", world.servers[0].api);
    let all_said = async || {
        let answer = world.vera.client.get(&url).send().await.expect("an answer");
        metrics = answer.text().await.expect("a text");
        let said: BTreeSet<_> = names(&metrics)
            .into_iter()
            .filter_map(of_series)
            .map(|m| m.name)
            .collect();
        ALL.iter()
            .all(|m| said.contains(m.name) || SELDOM.contains(&m.name))
    };
    // The scheduler measures every five seconds.
    let began = std::time::Instant::now();
    let mut complete = false;
    let mut look = all_said;
    while !complete && began.elapsed() < Duration::from_secs(20) {
        complete = look().await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let said: BTreeSet<_> = names(&metrics)
        .into_iter()
        .filter_map(of_series)
        .map(|m| m.name)
        .collect();
    let silent: Vec<_> = ALL
        .iter()
        .map(|m| m.name)
        .filter(|n| !said.contains(n) && !SELDOM.contains(n))
        .collect();
    assert!(silent.is_empty(), "nothing is said of {silent:?}:\n{metrics}");
    let unknown: Vec<_> = names(&metrics)
        .into_iter()
        .filter(|name| of_series(name).is_none())
        .collect();
    assert!(unknown.is_empty(), "not in the catalogue: {unknown:?}");
    for metric in ALL.iter().filter(|m| said.contains(m.name)) {
        let kind = match metric.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Seconds | Kind::Wait => "histogram",
        };
        assert!(
            metrics.contains(&format!("# TYPE {} {kind}\n", metric.name)),
            "{}",
            metric.name
        );
        assert!(
            metrics.contains(&format!("# HELP {} {}\n", metric.name, metric.help)),
            "{}",
            metric.name
        );
    }

    // What has happened is counted, once; what has not is 0 and not silent.
    let has = |line: &str| metrics.lines().any(|l| l == line);
    assert!(
        has("slipway_deployments_ended_total{kind=\"deploy\",outcome=\"succeeded\"} 1"),
        "{metrics}"
    );
    assert!(
        has("slipway_deployments_ended_total{kind=\"deploy\",outcome=\"errored\"} 0"),
        "{metrics}"
    );
    assert!(
        has("slipway_gate_wait_seconds_count{gate=\"approval\"} 1"),
        "{metrics}"
    );
    assert!(has("slipway_approval_to_applied_seconds_count 1"), "{metrics}");
    assert!(
        has("slipway_executor_health_seconds_count{cluster=\"staging\"} 1"),
        "{metrics}"
    );
    assert!(
        has("slipway_executor_breaker_open{cluster=\"staging\"} 0"),
        "{metrics}"
    );
    assert!(
        has("slipway_executor_lease_losses_total{cluster=\"staging\"} 0"),
        "{metrics}"
    );
    assert!(
        has("slipway_queue_depth{cluster=\"staging\",state=\"ready\"} 0"),
        "{metrics}"
    );
    namespace.close().await;
    world.close().await;
}

#[tokio::test]
async fn a_cluster_that_is_away_is_counted_by_kind_of_fault_and_its_breaker_is_shown() {
    let mut world = World::empty("faulty", &["api,scheduler,executor"]).await;
    // A port where nobody listens.
    let nowhere = format!("https://127.0.0.1:{}", slipway_testkit::live::free_port());
    let kubeconfig = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "away",
        "clusters": [{"name": "away", "cluster": {"server": nowhere}}],
        "users": [{"name": "away", "user": {"token": "nobody"}}],
        "contexts": [{"name": "away", "context": {"cluster": "away", "user": "away"}}],
    });
    world.cluster_at("away", &kubeconfig.to_string(), "away").await;
    world
        .environment("lost", &["away"], json!({"progress_deadline": "PT40S"}))
        .await;
    world.sealed("1.0.0", &config("settings", "x")).await;
    world.deploy("1.0.0", "lost").await;
    let url = format!("{}/metrics", world.servers[0].api);
    let counted = async || {
        let answer = world.vera.client.get(&url).send().await.expect("an answer");
        let metrics = answer.text().await.expect("a text");
        let line = |start: &str| {
            metrics
                .lines()
                .find_map(|l| l.strip_prefix(start).map(str::to_owned))
        };
        let faults = line("slipway_executor_faults_total{cluster=\"away\",kind=\"unreachable\"} ");
        let open = line("slipway_executor_breaker_open{cluster=\"away\"} ");
        faults.is_some_and(|n| n.parse::<f64>().is_ok_and(|n| n >= 1.0)) && open.as_deref() == Some("1")
    };
    within(
        Duration::from_mins(1),
        "the faults are counted and the breaker is open",
        counted,
    )
    .await;
    world.close().await;
}
