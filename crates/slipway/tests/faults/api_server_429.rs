//! Fault 17: the API server answers 429. `Retry-After` is honoured for everything that is meant for that cluster, no attempt
//! is spent, and the deployment says why it waits.

use crate::cluster_scene::{Scene, blocked, meanwhile};
use slipway_testkit::live::{
    Answer, Fate, WatchEnd,
    manifests::{config, deployment},
};
use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

/// What the cluster asks for.
const PAUSE: Duration = Duration::from_secs(8);

#[tokio::test]
async fn a_cluster_that_asks_to_wait_is_left_alone_and_that_costs_no_attempt() {
    let scene = Scene::start("busy", "eu").await;
    let world = &scene.world;
    world
        .sealed("1.0.0", &(config("one", "1") + &config("two", "2")))
        .await;
    let mut neighbours = Vec::new();
    for number in 1..=3 {
        neighbours.push(scene.neighbour(number, &config("three", "3")).await);
    }
    // Somebody's pods are watched all the while: a watch that ends is not begun anew before the time either.
    let broken = deployment("web", "registry.example/shop/web:1.0-broken");
    let follower = scene.neighbour(4, &broken).await;
    let follower = scene.deploy_neighbour(&follower).await;
    let follows = |d: &serde_json::Value| blocked(d).contains("web-");
    world.until(&follower, "waiting for its pod", follows).await;
    // From the first write on everything is refused, until the time it says.
    let until = Arc::new(Mutex::new(None::<Instant>));
    scene.proxy.rule(move |asked| {
        let mut until = until.lock().unwrap();
        if until.is_none() && asked.is_write() {
            *until = Some(Instant::now() + PAUSE);
        }
        let left = (*until)?.saturating_duration_since(Instant::now());
        // Whole seconds, as the header has it: never less than what is left.
        let seconds = left.as_secs() + 1;
        (!left.is_zero()).then(|| Fate::Answer(Answer::too_many_requests(seconds)))
    });
    let began = Instant::now();
    let mine = world.deploy("1.0.0", "staging").await;
    let waits = |d: &serde_json::Value| blocked(d).contains("asks to wait");
    let waiting = world.until(&mine, "waiting for the cluster", waits).await;
    assert!(
        blocked(&waiting).starts_with("eu: cluster eu asks to wait"),
        "{waiting:#}"
    );
    assert_eq!(
        world
            .database
            .number("SELECT coalesce(max(attempts), 0)::bigint FROM work")
            .await,
        0
    );
    scene.proxy.end_watches(WatchEnd::Broken);
    // What others want of the cluster meanwhile waits too, whoever takes it on.
    let mut others = Vec::new();
    for neighbour in &neighbours {
        others.push(scene.deploy_neighbour(neighbour).await);
        meanwhile(Duration::from_millis(500)).await;
    }
    for id in others.iter().chain([&mine]) {
        world.ends(id, "succeeded").await;
    }
    world.steer(&follower, "cancel").await.expect(200);
    world.ends(&follower, "cancelled").await;

    let mut asked_to_wait = 0;
    for (agent, log) in scene.since(began) {
        let refused: Vec<_> = log.iter().filter(|l| l.code == Some(429)).collect();
        let Some(first) = refused.iter().filter_map(|l| l.answered).min() else {
            continue;
        };
        asked_to_wait += 1;
        // What was on its way when the answer came is nobody's fault.
        let on_its_way = first + Duration::from_millis(100);
        let over = refused.iter().map(|l| l.at).min().unwrap_or(first) + PAUSE;
        let early: Vec<_> = log
            .iter()
            .filter(|l| l.at > on_its_way && l.at + Duration::from_secs(1) < over)
            .collect();
        assert!(early.is_empty(), "{agent} did not wait: {early:#?}");
    }
    assert!(asked_to_wait > 0, "nobody was asked to wait");
    let told = world.told(&mine, "target.retry").await;
    assert!(
        told.iter().any(|message| message.contains("asks to wait")),
        "{told:#?}"
    );
    let namespace = world.namespace("eu").await;
    assert_eq!(
        namespace.get("ConfigMap", "one").await.expect("it is there")["data"]["key"],
        "1"
    );
    scene.close(&["eu"]).await;
}
