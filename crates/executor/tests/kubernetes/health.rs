//! Health: the real reason of real pods, told while waiting and at the deadline; watches wake what waits.

use crate::{
    queue::{Recorder, State},
    world::{Running, World, web},
};
use slipway_domain::{plan::target::RELOOK, work::StepOutcome};
use std::{sync::atomic::Ordering::SeqCst, time::Instant};

#[tokio::test]
async fn an_image_that_cannot_be_pulled_is_the_reason_at_the_deadline() {
    let mut world = World::new("staging").await;
    world.deadline = jiff::SignedDuration::from_secs(4);
    let work = world.deploy(&web("registry/web:1.2-broken", 1));
    let finished = world.run(work).await;
    let told = finished.failed();
    assert!(
        told.starts_with("not healthy within 4s: web: 0 of 1 pods ready; web-"),
        "{told}"
    );
    assert!(
        told.contains("ImagePullBackOff registry/web:1.2-broken"),
        "{told}"
    );
    let seen = finished.told("health.changed").join("\n");
    assert!(
        seen.contains("registry/web:1.2-broken"),
        "told while waiting too: {seen}"
    );
    let last = finished.readiness.last().unwrap();
    assert_eq!((last.ready, last.total), (0, 1));
    world.close().await;
}

#[tokio::test]
async fn a_crashing_container_is_the_reason() {
    let mut world = World::new("eu").await;
    world.deadline = jiff::SignedDuration::from_secs(6);
    let work = world.deploy(&web("registry/web:1.2-crash", 1));
    let finished = world.run(work).await;
    let told = finished.failed();
    assert!(
        told.contains("CrashLoopBackOff") && told.contains("exit code"),
        "{told}"
    );
    world.close().await;
}

#[tokio::test]
async fn a_change_on_the_cluster_wakes_the_work_and_no_lease_is_held_while_it_waits() {
    let mut world = World::new("us").await;
    let slow = web("registry/web:1.0", 2).replace(
        "{labels: {app: web}}",
        "{labels: {app: web}, annotations: {sandbox.slipway.dev/ready-after: 2s}}",
    );
    let work = world.deploy(&slow);
    let (queue, target) = (Recorder::default(), work.deployment_target);
    queue.add(work);
    let began = Instant::now();
    let running = Running::start(&queue);
    queue
        .until(target, |e| {
            e.reports
                .iter()
                .any(|r| matches!(r.outcome, StepOutcome::NotYet(_)))
        })
        .await;
    let mut waited = false;
    queue
        .until(target, |e| {
            waited |= matches!(e.state, State::Ready(_));
            e.state == State::Over(StepOutcome::Succeeded)
        })
        .await;
    running.stop().await;
    assert!(waited, "the lease was given back");
    assert!(queue.0.wakes.load(SeqCst) > 0, "nothing woke it");
    let relook = std::time::Duration::try_from(RELOOK).unwrap();
    assert!(
        began.elapsed() < relook,
        "took {:?}: the next look, not a wake, ended it",
        began.elapsed()
    );
    world.close().await;
}

#[tokio::test]
async fn readiness_is_reported_when_it_changes_and_not_otherwise() {
    let mut world = World::new("staging").await;
    let work = world.deploy(&web("registry/web:1.0", 2));
    let finished = world.succeed(work).await;
    assert!(
        finished.readiness.windows(2).all(|pair| pair[0] != pair[1]),
        "{:#?}",
        finished.readiness
    );
    assert_eq!(finished.readiness.last().unwrap().reason, None);
    world.close().await;
}
