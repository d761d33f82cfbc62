//! Who may write: an older generation, a stale fence and an executor whose lease runs out may not.

use crate::{
    queue::{Recorder, State},
    world::{Running, World, config, web},
};
use slipway_domain::{
    ids::TargetId,
    plan::target::{Step, StepKey, StepRecord},
    work::StepOutcome,
};
use slipway_executor::ClientSettings;
use std::{num::NonZeroU32, sync::atomic::Ordering::SeqCst, time::Duration};

#[tokio::test]
async fn an_older_generation_is_refused_and_writes_nothing() {
    let mut world = World::new("staging").await;
    let old = world.deploy(&web("registry/web:0.9", 1));
    let new = world.deploy(&web("registry/web:1.0", 1));
    world.succeed(new).await;
    let before = world.get(&world.deployment_path()).await.unwrap();
    let finished = world.run(old).await;
    assert!(
        finished.errored().starts_with("a newer deployment (dep_"),
        "{}",
        finished.errored()
    );
    let after = world.get(&world.deployment_path()).await.unwrap();
    assert_eq!(
        after["metadata"]["resourceVersion"],
        before["metadata"]["resourceVersion"]
    );
    world.close().await;
}

#[tokio::test]
async fn an_older_generation_that_passed_the_guard_before_is_refused_too() {
    let mut world = World::new("eu").await;
    let mut old = world.deploy(&web("registry/web:0.9", 1));
    let new = world.deploy(&web("registry/web:1.0", 1));
    world.succeed(new).await;
    // It was claimed again, after its guard step had been recorded as done.
    for step in [Step::Preflight, Step::Namespace, Step::Guard] {
        let record = StepRecord {
            begun_at: old.now,
            done_at: Some(old.now),
            output: serde_json::Value::Null,
        };
        old.progress.0.insert(StepKey::from(step), record);
    }
    let finished = world.run(old).await;
    assert!(
        finished.errored().starts_with("a newer deployment (dep_"),
        "{}",
        finished.errored()
    );
    let live = world.get(&world.deployment_path()).await.unwrap();
    assert_eq!(live["metadata"]["annotations"]["slipway.dev/generation"], "2");
    world.close().await;
}

#[tokio::test]
async fn two_targets_do_not_share_a_namespace_for_the_same_service() {
    let mut world = World::new("us").await;
    let work = world.deploy(&config("settings", "one"));
    world.succeed(work).await;
    let mut other = world.deploy(&config("settings", "two"));
    other.target = TargetId::new();
    let finished = world.run(other).await;
    assert!(
        finished.errored().contains("for environment staging already"),
        "{}",
        finished.errored()
    );
    let live = world
        .get(&world.path("/api/v1", "configmaps/settings"))
        .await
        .unwrap();
    assert_eq!(live["data"]["key"], "one");
    world.close().await;
}

#[tokio::test]
async fn an_executor_whose_heartbeats_fail_stops_writing_before_its_lease_ends() {
    let mut world = World::new("staging").await;
    let many: String = (0..60).map(|i| config(&format!("c{i}"), "one")).collect();
    let work = world.deploy(&many);
    let (queue, target) = (Recorder::default(), work.deployment_target);
    queue.0.mute.store(true, SeqCst);
    queue.add(work);
    // Twenty requests a second: applying takes three seconds, the lease two.
    let slow = ClientSettings {
        rate: NonZeroU32::new(20).unwrap(),
        ..ClientSettings::default()
    };
    let running = Running::start_with(&queue, slow, |settings| {
        settings.lease = jiff::SignedDuration::from_secs(2);
        settings.poll = jiff::SignedDuration::from_secs(60);
    });
    let begun = StepKey("apply:3".to_owned());
    queue
        .until(target, |e| {
            e.reports.iter().any(|r| r.step.0.starts_with("apply:"))
        })
        .await;
    // It has stopped when draining ends; the lease is still the recorder's to give away.
    running.stop().await;
    let left = queue.with(target, |e| match e.state {
        State::Leased(until) => until.duration_since(slipway_domain::clock::process_now()),
        ref other => panic!("{begun}: {other:?}"),
    });
    assert!(
        left > jiff::SignedDuration::ZERO,
        "it acted beyond its lease by {left:#}"
    );
    let list = world.path("/api/v1", "configmaps");
    let count = async || world.get(&list).await.unwrap()["items"].as_array().unwrap().len();
    let before = count().await;
    assert!(before < 60, "all were written: the lease did not stop anything");
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(
        count().await,
        before,
        "something was written after it had stopped"
    );
    world.close().await;
}

#[tokio::test]
async fn a_worker_that_is_told_to_stop_gives_its_work_back_at_once() {
    let mut world = World::new("eu").await;
    let many: String = (0..60).map(|i| config(&format!("c{i}"), "one")).collect();
    let work = world.deploy(&format!("{many}{}", web("registry/web:1.0", 1)));
    let (queue, target) = (Recorder::default(), work.deployment_target);
    queue.add(work);
    let slow = ClientSettings {
        rate: NonZeroU32::new(20).unwrap(),
        ..ClientSettings::default()
    };
    // The step under way takes longer than the lease: that is kept until the step is over.
    let running = Running::start_with(&queue, slow, |settings| {
        settings.lease = jiff::SignedDuration::from_secs(2);
        settings.heartbeat_every = Duration::from_millis(200);
    });
    queue
        .until(target, |e| {
            e.reports.iter().any(|r| r.step.0.starts_with("apply:"))
        })
        .await;
    running.stop().await;
    let last = queue.with(target, |e| e.reports.last().unwrap().outcome.clone());
    assert_eq!(last, StepOutcome::NotYet(jiff::SignedDuration::ZERO));
    let done = queue.with(target, |e| {
        e.reports
            .iter()
            .filter(|r| r.step.0.starts_with("apply:"))
            .count()
    });
    assert!(done >= 2, "the step under way was finished");

    // Another executor goes on where it stopped.
    let running = Running::start(&queue);
    queue
        .until(target, |e| e.state == State::Over(StepOutcome::Succeeded))
        .await;
    running.stop().await;
    world.close().await;
}

#[tokio::test]
async fn a_stored_rendering_that_is_not_what_was_approved_is_not_applied() {
    let mut world = World::new("us").await;
    let mut work = world.deploy(&config("settings", "one"));
    work.rendering_digest = slipway_domain::Digest::of_bytes(b"something else");
    let finished = world.run(work).await;
    assert!(
        finished.errored().contains("is not what was approved"),
        "{}",
        finished.errored()
    );
    assert!(
        world
            .get(&format!("/api/v1/namespaces/{}", world.namespace))
            .await
            .is_none()
    );
}
