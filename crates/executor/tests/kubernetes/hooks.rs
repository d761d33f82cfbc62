//! Hooks: Jobs that run once per generation, and stop the work when they fail.

use crate::world::{World, config, web};
use slipway_domain::{plan::target::Progress, work::StepOutcome};

fn migrate(annotations: &str) -> String {
    format!(
        "---
apiVersion: batch/v1
kind: Job
metadata: {{name: migrate, annotations: {{slipway.dev/hook: before}}}}
spec:
  backoffLimit: 0
  template:
    metadata: {{annotations: {{{annotations}}}}}
    spec: {{restartPolicy: Never, containers: [{{name: migrate, image: 'registry/migrate:1.0'}}]}}
"
    )
}

#[tokio::test]
async fn a_hook_runs_once_a_generation_before_workloads_and_goes_when_nobody_names_it() {
    let mut world = World::new("staging").await;
    let bundle = format!("{}{}", migrate(""), web("registry/web:1.0", 1));
    let work = world.deploy(&bundle);
    let mut resumed = work.clone();
    let finished = world.succeed(work).await;
    let hook = finished.steps.iter().position(|s| s == "hook:before:0").unwrap();
    let workloads = finished
        .steps
        .iter()
        .position(|s| s.starts_with("apply:"))
        .unwrap();
    assert!(hook < workloads, "{:?}", finished.steps);
    assert_eq!(finished.told("hook.started"), ["hook migrate (before) started"]);
    assert_eq!(
        finished.told("hook.succeeded"),
        ["hook migrate (before) succeeded"]
    );
    let job = world.path("/apis/batch/v1", "jobs/migrate");
    let uid = world.get(&job).await.unwrap()["metadata"]["uid"].clone();
    assert!(world.inventory.0.iter().all(|item| item.object.kind != "Job"));

    // All that was recorded is lost: every step is done again, and the hook is found to have run.
    resumed.progress = Progress::default();
    let finished = world.succeed(resumed).await;
    assert!(finished.told("hook.started").is_empty());
    assert_eq!(world.get(&job).await.unwrap()["metadata"]["uid"], uid);

    let work = world.deploy(&bundle);
    let finished = world.succeed(work).await;
    assert_eq!(finished.told("hook.started").len(), 1);
    assert_ne!(world.get(&job).await.unwrap()["metadata"]["uid"], uid);

    let work = world.deploy(&web("registry/web:1.0", 1));
    let finished = world.succeed(work).await;
    assert_eq!(finished.told("object.pruned"), ["deleted Job migrate"]);
    assert!(world.get(&job).await.is_none());
    world.close().await;
}

#[tokio::test]
async fn a_hook_for_two_phases_runs_in_each() {
    let mut world = World::new("eu").await;
    let hook = migrate("").replace("slipway.dev/hook: before", "slipway.dev/hook: 'before,after'");
    let work = world.deploy(&format!("{hook}{}", config("settings", "one")));
    let finished = world.succeed(work).await;
    assert_eq!(
        finished.told("hook.started"),
        ["hook migrate (before) started", "hook migrate (after) started"]
    );
    world.close().await;
}

#[tokio::test]
async fn a_failing_hook_stops_the_work_with_its_exit_code_and_no_workload_is_touched() {
    let mut world = World::new("us").await;
    let bundle = format!(
        "{}{}",
        migrate("sandbox.slipway.dev/exit-code: '3'"),
        web("registry/web:1.0", 1)
    );
    let work = world.deploy(&bundle);
    let finished = world.run(work).await;
    let told = finished.failed();
    assert!(
        told.starts_with("hook migrate failed: migrate-") && told.contains("exit code 3"),
        "{told}"
    );
    assert!(world.get(&world.deployment_path()).await.is_none());
    world.close().await;
}

#[tokio::test]
async fn a_hook_that_does_not_end_is_waited_for_until_the_deadline() {
    let mut world = World::new("staging").await;
    world.deadline = jiff::SignedDuration::from_secs(3);
    let work = world.deploy(&migrate("").replace("migrate:1.0", "migrate:1.0-broken"));
    let finished = world.run(work).await;
    let told = finished.failed();
    assert!(told.starts_with("hook migrate did not end within 3s: "), "{told}");
    assert!(told.contains("registry/migrate:1.0-broken"), "{told}");
    world.close().await;
}

#[tokio::test]
async fn a_job_of_somebody_else_is_not_taken_for_a_hook() {
    let mut world = World::new("eu").await;
    world.create_namespace().await;
    let job: serde_json::Value = serde_json::json!({
        "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "migrate"},
        "spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "m", "image": "m:1"}]}}},
    });
    world
        .send(
            "POST",
            &world.path("/apis/batch/v1", "jobs"),
            "application/json",
            &job,
        )
        .await
        .unwrap();
    let work = world.deploy(&migrate(""));
    let finished = world.run(work).await;
    assert_eq!(
        finished.errored(),
        "Job migrate is there already and is not this service's"
    );
    assert!(matches!(finished.outcome, StepOutcome::Errored { .. }));
    world.close().await;
}
