//! Pause, resume, cancel and retry, while real work is under way.

use serde_json::Value;
use slipway_testkit::live::{
    World,
    manifests::{GOOD, deployment, hook},
    text, within,
};
use std::time::Duration;

const SLOW_HOOK: &str = "registry.example/shop/migrate:1.0-slow";

fn bundle(hook_image: &str, image: &str) -> String {
    hook("migrate", hook_image) + &deployment("web", image)
}

fn is_hooking(deployment: &Value) -> bool {
    text(&deployment["targets"][0]["step"]).starts_with("hook:")
}

fn image(deployment: &Value) -> String {
    text(&deployment["spec"]["template"]["spec"]["containers"][0]["image"])
}

#[tokio::test]
async fn a_paused_deployment_finishes_its_step_and_waits_until_it_is_resumed() {
    let world = World::start("pause").await;
    let namespace = world.namespace("staging").await;
    world.sealed("1.0.0", &bundle(SLOW_HOOK, GOOD)).await;
    let id = world.deploy("1.0.0", "staging").await;
    world.until(&id, "running its hook", is_hooking).await;
    world
        .steer(&id, "resume")
        .await
        .problem(409, "deployment-state")
        .says("running");
    world.steer(&id, "pause").await.expect(200);
    let done = async || {
        let job = namespace.get("Job", "migrate").await;
        job.is_some_and(|job| job["status"]["succeeded"] == 1)
    };
    within(Duration::from_secs(20), "the hook ends by itself", done).await;
    let parked = async || {
        world
            .database
            .number("SELECT count(*) FROM work WHERE state = 'parked'")
            .await
            == 1
    };
    within(Duration::from_secs(10), "its work is parked", parked).await;
    let paused = world.deployment(&id).await;
    assert_eq!(paused["state"], "paused", "{paused:#}");
    assert_eq!(paused["blockers"][0]["kind"], "pause", "{paused:#}");
    assert!(namespace.list("Deployment").await.is_empty(), "it went on");
    world
        .changes_nothing(world.steer(&id, "pause"))
        .await
        .problem(409, "deployment-state")
        .says("paused");
    world.steer(&id, "resume").await.expect(200);
    world.ends(&id, "succeeded").await;
    assert_eq!(
        world.told(&id, "hook.started").await.len(),
        1,
        "the hook ran again"
    );
    world
        .changes_nothing(world.steer(&id, "pause"))
        .await
        .problem(409, "deployment-state")
        .says("succeeded");
    world.audit_holds();
    namespace.close().await;
    world.close().await;
}

#[tokio::test]
async fn a_cancelled_deployment_stops_and_can_be_tried_again() {
    let world = World::start("cancel").await;
    let namespace = world.namespace("staging").await;
    world.sealed("1.0.0", &deployment("web", GOOD)).await;
    let first = world.deploy("1.0.0", "staging").await;
    world.ends(&first, "succeeded").await;
    world
        .changes_nothing(world.steer(&first, "retry"))
        .await
        .problem(409, "deployment-state");

    let new = "registry.example/shop/web:2.0";
    world.sealed("2.0.0", &bundle(SLOW_HOOK, new)).await;
    let id = world.deploy("2.0.0", "staging").await;
    world.until(&id, "running its hook", is_hooking).await;
    world.steer(&id, "cancel").await.expect(200);
    world.ends(&id, "cancelled").await;
    let idle = async || world.database.number("SELECT count(*) FROM work").await == 0;
    within(Duration::from_secs(20), "nobody works on it", idle).await;
    let live = namespace.get("Deployment", "web").await.expect("it is there");
    assert_eq!(image(&live), GOOD, "it went on");
    world
        .changes_nothing(world.steer(&id, "cancel"))
        .await
        .problem(409, "deployment-state")
        .says("cancelled");

    let again = world.steer(&id, "retry").await.expect(201);
    assert_eq!(again["retries"], id.as_str(), "{again:#}");
    let again = text(&again["id"]);
    world.ends(&again, "succeeded").await;
    let live = namespace.get("Deployment", "web").await.expect("it is there");
    assert_eq!(image(&live), new);
    assert_eq!(world.deployment(&id).await["state"], "cancelled");
    world.audit_holds();
    namespace.close().await;
    world.close().await;
}
