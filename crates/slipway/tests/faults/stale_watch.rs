//! Fault 19: a watch expires (410), or falls silent on an open connection. It is begun anew from a list, and what people are
//! told is right within 30 s.

use crate::cluster_scene::{Scene, blocked, meanwhile};
use slipway_testkit::live::{
    Fate, Server, WatchEnd,
    manifests::{GOOD, deployment},
    within,
};
use std::time::{Duration, Instant};

/// How long a wrong status may last.
const RIGHT_WITHIN: Duration = Duration::from_secs(30);

#[tokio::test]
async fn a_watch_that_is_open_and_silent_is_found_out_and_the_status_is_right_in_time() {
    let scene = Scene::start_alone("silent", "eu").await;
    let world = &scene.world;
    world
        .sealed(
            "1.0.0",
            &deployment("web", "registry.example/shop/web:1.0-broken"),
        )
        .await;
    scene
        .proxy
        .rule(|asked| (asked.is_watch() && asked.path.ends_with("/pods")).then_some(Fate::Silence));
    let id = world.deploy("1.0.0", "staging").await;
    world
        .until(&id, "told which pod it waits for", |d| {
            blocked(d).contains("web-")
        })
        .await;
    let namespace = world.namespace("eu").await;
    let first = namespace.pods().await.into_keys().next().expect("its pod");
    // Another pod takes its place, and the watch says nothing of it.
    let path = format!("/api/v1/namespaces/{}/pods/{first}", world.service);
    namespace
        .send("DELETE", &path, &serde_json::json!({"gracePeriodSeconds": 0}))
        .await;
    let mut second = None;
    let replaced = async || {
        second = namespace.pods().await.into_keys().find(|name| *name != first);
        second.is_some()
    };
    within(RIGHT_WITHIN, "another pod is there", replaced).await;
    let (second, really) = (second.expect("a pod"), Instant::now());
    world
        .until(&id, "told of the other pod", |d| blocked(d).contains(&second))
        .await;
    let took = really.elapsed();
    assert!(took < RIGHT_WITHIN, "the status was wrong for {took:?}");
    eprintln!("a silent watch: right after {took:?}");
    assert!(
        world
            .servers
            .iter()
            .any(|s| s.log().contains("a watch had fallen silent"))
    );
    world.steer(&id, "cancel").await.expect(200);
    world.ends(&id, "cancelled").await;
    scene.close(&["eu"]).await;
}

#[tokio::test]
async fn an_expired_watch_begins_anew_from_a_list_and_the_status_is_right_in_time() {
    // One executor: what begins anew is his watch, and not another's first.
    let scene = Scene::start_alone("expired", "us").await;
    let world = &scene.world;
    // Ready after the watches have expired.
    let late = deployment("web", GOOD).replace(
        "labels: {app: web}}",
        "labels: {app: web}, annotations: {sandbox.slipway.dev/ready-after: PT7S}}",
    );
    world.sealed("1.0.0", &late).await;
    let id = world.deploy("1.0.0", "staging").await;
    world
        .until(&id, "waiting for its pod", |d| blocked(d).contains("web: 0 of 1"))
        .await;
    let pods = format!("/api/v1/namespaces/{}/pods", world.service);
    let asked = |watch: bool| {
        let log = scene.proxy.log();
        let of_pods = log.iter().filter(|l| l.path == pods);
        of_pods.filter(|l| l.query.contains("watch") == watch).count()
    };
    meanwhile(Duration::from_secs(1)).await;
    let (lists, watches) = (asked(false), asked(true));
    scene.proxy.end_watches(WatchEnd::Expired);
    within(
        Duration::from_secs(10),
        "pods are listed and watched again",
        async || asked(false) > lists && asked(true) > watches,
    )
    .await;
    // Because it had expired: nobody had to find out by its silence.
    let found_silent = |s: &Server| s.log().contains("a watch had fallen silent");
    assert!(!world.servers.iter().any(found_silent));
    let namespace = world.namespace("us").await;
    let is_ready = async || {
        let web = namespace.get("Deployment", "web").await.expect("it is there");
        web["status"]["availableReplicas"] == 1
    };
    within(RIGHT_WITHIN, "the pod is ready", is_ready).await;
    let really = Instant::now();
    world.ends(&id, "succeeded").await;
    let took = really.elapsed();
    assert!(took < RIGHT_WITHIN, "the status was wrong for {took:?}");
    eprintln!("an expired watch: right after {took:?}");
    scene.close(&["us"]).await;
}
