//! Servers in any split of their roles, that come and go while a deployment is under way.

use jiff::{SignedDuration, Timestamp};
use rustix::process::Signal;
use serde_json::Value;
use slipway_domain::clock::process_now;
use slipway_testkit::live::{
    ALL, LEASE_SECONDS, Namespace, Server, ServerOptions, World,
    manifests::{GOOD, config, deployment, hook},
    text, within,
};
use std::{collections::BTreeMap, time::Duration};

/// Many objects, and a hook that takes a while before the workloads.
fn bundle(objects: usize, hook_image: &str) -> String {
    let mut bundle = hook("migrate", hook_image);
    for i in 0..objects {
        bundle.push_str(&config(&format!("settings-{i}"), "x"));
    }
    for name in ["web", "worker"] {
        bundle.push_str(&deployment(name, GOOD));
    }
    bundle
}

/// Every object is there with this deployment's mark, was applied by it, and the hook ran once.
async fn check_all_applied_once(world: &World, namespace: &Namespace, id: &str, objects: usize) {
    let mut live = namespace.list("ConfigMap").await;
    live.retain(|name, _| name.starts_with("settings-"));
    assert_eq!(live.len(), objects);
    live.extend(namespace.list("Deployment").await);
    assert_eq!(live.len(), objects + 2);
    for (name, object) in &live {
        assert_eq!(
            object["metadata"]["annotations"]["slipway.dev/deployment"], id,
            "{name}"
        );
    }
    let mut applied = BTreeMap::new();
    for activity in world.activities(id).await {
        for object in activity["data"]["objects"].as_array().into_iter().flatten() {
            *applied.entry(text(&object["name"])).or_insert(0) += 1;
        }
    }
    assert_eq!(
        applied.keys().collect::<Vec<_>>(),
        live.keys().collect::<Vec<_>>()
    );
    let jobs = namespace.list("Job").await;
    assert_eq!(jobs.keys().collect::<Vec<_>>(), ["migrate"]);
    let runs = namespace.list("Pod").await;
    let runs: Vec<&Value> = runs
        .values()
        .filter(|pod| pod["metadata"]["labels"]["job-name"] == "migrate")
        .collect();
    assert_eq!(runs.len(), 1, "the hook ran more than once: {runs:#?}");
    assert_eq!(world.told(id, "hook.started").await.len(), 1);
}

#[tokio::test]
async fn one_process_for_each_role_carries_a_deployment() {
    let mut world = World::start_as("split", &["api", "scheduler"]).await;
    let namespace = world.namespace("staging").await;
    world.sealed("1.0.0", &bundle(3, GOOD)).await;
    let id = world.deploy("1.0.0", "staging").await;
    let waiting = world.deployment(&id).await;
    assert_eq!(waiting["state"], "queued", "{waiting:#}");
    assert_eq!(waiting["blockers"][0]["kind"], "executor", "{waiting:#}");
    assert!(!namespace.exists().await, "nobody could have done this");
    let executor = Server::start(
        &world.dir,
        "executor",
        &world.database,
        &ServerOptions::roles("executor"),
    )
    .await;
    world.servers.push(executor);
    world.ends(&id, "succeeded").await;
    check_all_applied_once(&world, &namespace, &id, 3).await;
    world.audit_holds();
    namespace.close().await;
    world.close().await;
}

#[tokio::test]
async fn a_server_that_is_told_to_stop_hands_over_what_it_was_doing() {
    let mut world = World::start("drain").await;
    let namespace = world.namespace("staging").await;
    world
        .sealed("1.0.0", &bundle(20, "registry.example/shop/migrate:1.0-slow"))
        .await;
    let id = world.deploy("1.0.0", "staging").await;
    let hooking = |d: &Value| text(&d["targets"][0]["step"]).starts_with("hook:");
    world.until(&id, "running its hook", hooking).await;
    let second = Server::start(&world.dir, "second", &world.database, &ServerOptions::roles(ALL)).await;
    let first = std::mem::replace(&mut world.servers[0], second);
    world.vera = world.vera.at(&world.servers[0].api);
    world.iris = world.iris.at(&world.servers[0].api);
    let mut first = first;
    let (status, took) = first.terminate().await;
    assert!(status.success(), "{status}: {}", first.log());
    assert!(took < Duration::from_secs(30), "draining took {took:?}");
    assert_eq!(world.deployment(&id).await["state"], "running");
    world.ends(&id, "succeeded").await;
    check_all_applied_once(&world, &namespace, &id, 20).await;
    assert!(
        world.told(&id, "work.rescued").await.is_empty(),
        "it gave nothing back"
    );
    world.audit_holds();
    namespace.close().await;
    world.close().await;
}

#[tokio::test]
async fn what_a_killed_executor_was_doing_is_finished_by_another_when_its_lease_ends() {
    const OBJECTS: usize = 300;
    let mut world = World::start_as("killed", &["api,scheduler"]).await;
    let namespace = world.namespace("staging").await;
    world.sealed("1.0.0", &bundle(OBJECTS, GOOD)).await;
    let mut first = Server::start(
        &world.dir,
        "first",
        &world.database,
        &ServerOptions::roles("executor"),
    )
    .await;
    let id = world.deploy("1.0.0", "staging").await;
    // It is held still while it looks as if it had the lease, so that what is seen is so when it dies.
    let leased = "SELECT count(*) FROM work WHERE state = 'leased'";
    let applying = "SELECT count(*) FROM target_steps WHERE key = 'guard' AND done_at IS NOT NULL";
    let caught = async || {
        if world.database.number(applying).await == 0 || world.database.number(leased).await == 0 {
            return false;
        }
        first.signal(Signal::STOP);
        let held = world.database.number(leased).await == 1;
        if !held {
            first.signal(Signal::CONT);
        }
        held
    };
    within(Duration::from_secs(30), "an executor holds a lease", caught).await;
    first.kill();
    let died = process_now();
    let before = world.deployment(&id).await;
    assert_eq!(before["state"], "running", "{before:#}");
    let second = Server::start(
        &world.dir,
        "second",
        &world.database,
        &ServerOptions::roles("executor"),
    )
    .await;
    world.servers.push(second);
    world.ends(&id, "succeeded").await;
    let rescued: Vec<Value> = world.activities(&id).await;
    let rescued: Vec<&Value> = rescued.iter().filter(|a| a["kind"] == "work.rescued").collect();
    assert_eq!(rescued.len(), 1, "{rescued:#?}");
    let at: Timestamp = text(&rescued[0]["at"]).parse().expect("a time");
    let idle = at.duration_since(died);
    let all = process_now().duration_since(died);
    eprintln!(
        "leases of {LEASE_SECONDS} s: taken over {idle:#} after the executor was killed, finished after {all:#}"
    );
    assert!(
        idle <= SignedDuration::from_secs(LEASE_SECONDS + 3),
        "taken over after {idle:#} only"
    );
    assert!(
        all <= SignedDuration::from_secs(LEASE_SECONDS + 20),
        "finished after {all:#} only"
    );
    check_all_applied_once(&world, &namespace, &id, OBJECTS).await;
    world.audit_holds();
    namespace.close().await;
    world.close().await;
}
