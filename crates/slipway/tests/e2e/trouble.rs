//! Workloads and hooks that do not fare well: the real reasons of real pods.

use serde_json::{Value, json};
use slipway_testkit::live::{
    World, content,
    manifests::{GOOD, config, deployment, hook},
    text,
};

#[tokio::test]
async fn what_is_slow_is_waited_for_and_what_crashes_or_never_starts_fails_with_its_reason() {
    let mut world = World::start("trouble").await;
    let hasty = json!({"progress_deadline": "PT6S", "automatic_rollback": false});
    world.cluster("eu").await;
    world.environment("hasty", &["eu"], hasty).await;
    let namespace = world.namespace("eu").await;
    let image = |ending: &str| format!("registry.example/shop/web:1.0{ending}");

    world.sealed("1.0.0", &deployment("late", &image("-slow"))).await;
    let slow = world.deploy("1.0.0", "staging").await;
    let waits = |d: &Value| text(&d["targets"][0]["reason"]).contains("late: 0 of 1");
    world.until(&slow, "waiting for its pod", waits).await;

    let bad = deployment("mad", &image("-crash"))
        + &deployment("mute", &image("-never"))
        + &deployment("web", GOOD);
    world.sealed("2.0.0", &bad).await;
    let failing = world.deploy("2.0.0", "hasty").await;
    let failed = world.ends(&failing, "failed").await;
    let reason = text(&failed["reason"]);
    for words in ["eu: ", "mad: 0 of 1", "CrashLoopBackOff", "mute: 0 of 1"] {
        assert!(reason.contains(words), "`{words}` is not in: {reason}");
    }
    assert!(!reason.contains("web: "), "web is healthy: {reason}");
    let pods = namespace.pods().await;
    let mad = pods
        .keys()
        .find(|name| name.starts_with("mad-"))
        .expect("its pod");
    assert!(
        reason.contains(mad.as_str()),
        "the pod {mad} is not named: {reason}"
    );
    assert_eq!(failed["targets"][0]["ready"], 1, "{failed:#}");
    // It is left as it is, and can be taken away by hand.
    let undo = world
        .ana
        .act(&format!("/v1/deployments/{failing}/rollback"))
        .await
        .expect(201);
    world.ends(&text(&undo["id"]), "succeeded").await;
    assert!(namespace.list("Deployment").await.is_empty());

    world.ends(&slow, "succeeded").await;
    world.audit_holds();
    namespace.close().await;
    world.namespace("staging").await.close().await;
    world.close().await;
}

#[tokio::test]
async fn a_hook_that_fails_stops_the_deployment_before_any_workload_is_touched() {
    let world = World::start("hooks").await;
    let namespace = world.namespace("staging").await;
    world
        .sealed("1.0.0", &(config("settings", "one") + &deployment("web", GOOD)))
        .await;
    let first = world.deploy("1.0.0", "staging").await;
    world.ends(&first, "succeeded").await;
    let was = namespace.get("Deployment", "web").await.expect("it is there");
    let pods: Vec<Value> = namespace
        .pods()
        .await
        .into_values()
        .map(|p| p["metadata"]["uid"].clone())
        .collect();

    let bad = hook("migrate", "registry.example/shop/migrate:1.0-crash");
    let new = deployment("web", "registry.example/shop/web:2.0") + &deployment("worker", GOOD);
    world
        .sealed("2.0.0", &(config("settings", "two") + &bad + &new))
        .await;
    let id = world.deploy("2.0.0", "staging").await;
    let failed = world.ends(&id, "rolled_back").await;
    let reason = text(&failed["reason"]);
    assert!(
        reason.contains("hook migrate failed: ") && reason.contains("exit code 1"),
        "{reason}"
    );
    let applied: Vec<String> = world.told(&id, "object.applied").await;
    assert!(
        applied.iter().all(|told| !told.contains("workloads")),
        "{applied:#?}"
    );

    // By itself it went back to what was there, which meant no workload either.
    let undo = world.deployment(&text(&failed["rolled_back_by"])).await;
    assert_eq!(
        (&undo["state"], &undo["kind"]),
        (&json!("succeeded"), &json!("roll_back"))
    );
    let is = namespace.get("Deployment", "web").await.expect("it is there");
    assert_eq!(namespace.list("ReplicaSet").await.len(), 1, "it rolled out again");
    assert_eq!(content(&is), content(&was));
    let now: Vec<Value> = namespace
        .list("Pod")
        .await
        .into_values()
        .filter(|pod| pod["metadata"]["labels"]["app"] == "web")
        .map(|p| p["metadata"]["uid"].clone())
        .collect();
    assert_eq!(now, pods);
    assert!(namespace.get("Deployment", "worker").await.is_none());
    let settings = namespace.get("ConfigMap", "settings").await.expect("it is there");
    assert_eq!(settings["data"]["key"], "one");
    world.audit_holds();
    namespace.close().await;
    world.close().await;
}
