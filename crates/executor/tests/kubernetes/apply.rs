//! Applying: everything there, marked, in order; the same again changes nothing; other managers are respected.

use crate::world::{SERVICE, World, config, web};
use serde_json::{Value, json};
use slipway_domain::work::StepOutcome;

#[tokio::test]
async fn a_first_deployment_makes_the_namespace_and_everything_in_it_and_waits_until_it_is_healthy() {
    let mut world = World::new("staging").await;
    let work = world.deploy(&format!(
        "{}{SERVICE}{}",
        config("settings", "one"),
        web("registry/web:1.0", 2)
    ));
    let finished = world.succeed(work).await;

    let phases = [
        "preflight",
        "namespace",
        "guard",
        "apply:",
        "apply:",
        "apply:",
        "await_health",
        "prune",
    ];
    assert_eq!(finished.steps.len(), phases.len(), "{:?}", finished.steps);
    assert!(
        finished
            .steps
            .iter()
            .zip(phases)
            .all(|(step, phase)| step.starts_with(phase)),
        "{:?}",
        finished.steps
    );
    assert_eq!(
        finished.told("object.applied"),
        [
            "applied 1 object of configuration: 1 created",
            "applied 1 service: 1 created",
            "applied 1 workload: 1 created"
        ]
    );
    let last = finished.readiness.last().unwrap();
    assert_eq!((last.ready, last.total, &last.reason), (2, 2, &None));
    assert!(
        finished.work.inventory.0.iter().all(|item| item.uid.is_some())
            && finished.work.inventory.0.len() == 3
    );

    let live = world.get(&world.deployment_path()).await.unwrap();
    assert_eq!(live["metadata"]["labels"]["slipway.dev/service"], "shop");
    assert_eq!(live["metadata"]["annotations"]["slipway.dev/generation"], "1");
    assert_eq!(
        live["metadata"]["annotations"]["slipway.dev/deployment"],
        finished.work.deployment.to_string()
    );
    assert_eq!(live["status"]["readyReplicas"], 2);
    let guard = world
        .get(&world.path("/api/v1", "configmaps/slipway-shop"))
        .await
        .unwrap();
    assert_eq!(guard["data"]["generation"], "1");
    let namespace = world
        .get(&format!("/api/v1/namespaces/{}", world.namespace))
        .await
        .unwrap();
    assert_eq!(namespace["metadata"]["labels"]["slipway.dev/managed"], "true");
    world.close().await;
}

#[tokio::test]
async fn the_inventory_is_written_down_before_the_first_write() {
    let mut world = World::new("eu").await;
    let mut work = world.deploy(&config("settings", "one"));
    // The cluster refuses everything that is written: only what comes before a write can be seen.
    work.rendering = std::sync::Arc::new(
        world
            .render("apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {ports: [{port: 99999}]}\n"),
    );
    work.rendering_digest = work.rendering.digest();
    let finished = world.run(work).await;
    assert!(
        finished.failed().starts_with("Service web was refused"),
        "{}",
        finished.failed()
    );
    assert!(finished.failed().contains("port"), "{}", finished.failed());
    let names: Vec<_> = finished
        .work
        .inventory
        .0
        .iter()
        .map(|i| (i.object.name.as_str(), &i.uid))
        .collect();
    assert_eq!(names, [("web", &None)]);
    world.close().await;
}

#[tokio::test]
async fn the_same_release_again_restarts_no_pod_and_a_new_one_changes_what_it_changes() {
    let mut world = World::new("us").await;
    let bundle = format!(
        "{}{}{}",
        config("settings", "one"),
        config("more", "one"),
        web("registry/web:1.0", 1)
    );
    let work = world.deploy(&bundle);
    world.succeed(work).await;
    let before = world.get(&world.deployment_path()).await.unwrap();

    let work = world.deploy(&bundle);
    let again = world.succeed(work).await;
    assert_eq!(
        again.told("object.applied"),
        [
            "applied 2 objects of configuration: 2 unchanged",
            "applied 1 workload: 1 unchanged"
        ]
    );
    let after = world.get(&world.deployment_path()).await.unwrap();
    let revision =
        |live: &Value| live["metadata"]["annotations"]["deployment.kubernetes.io/revision"].clone();
    assert_eq!(revision(&after), revision(&before), "its pods did not change");
    assert_eq!(after["metadata"]["annotations"]["slipway.dev/generation"], "2");

    let bundle = format!(
        "{}{}{}",
        config("settings", "two"),
        config("more", "one"),
        web("registry/web:1.1", 1)
    );
    let work = world.deploy(&bundle);
    let changed = world.succeed(work).await;
    assert_eq!(
        changed.told("object.applied"),
        [
            "applied 2 objects of configuration: 1 configured, 1 unchanged",
            "applied 1 workload: 1 configured"
        ]
    );
    let notes: Vec<&Value> = changed
        .notes
        .iter()
        .filter(|n| n.kind == "object.applied")
        .map(|n| &n.data)
        .collect();
    assert_eq!(
        notes[1]["objects"],
        json!([{"kind": "Deployment", "name": "web", "result": "configured"}])
    );
    world.close().await;
}

#[tokio::test]
async fn a_conflict_names_the_manager_and_the_field_and_is_forced_only_when_asked() {
    let mut world = World::new("staging").await;
    let work = world.deploy(&web("registry/web:1.0", 1));
    world.succeed(work).await;
    let path = format!("{}?fieldManager=kubectl-scale", world.deployment_path());
    world.merge(&path, &json!({"spec": {"replicas": 2}})).await;

    let work = world.deploy(&web("registry/web:1.0", 3));
    let finished = world.run(work).await;
    let told = finished.failed();
    assert!(
        told.contains("Deployment web: .spec.replicas is owned by \"kubectl-scale\""),
        "{told}"
    );
    assert_eq!(
        world.get(&world.deployment_path()).await.unwrap()["spec"]["replicas"],
        2
    );

    let mut work = world.deploy(&web("registry/web:1.0", 3));
    work.force_conflicts = true;
    world.succeed(work).await;
    assert_eq!(
        world.get(&world.deployment_path()).await.unwrap()["spec"]["replicas"],
        3
    );
    world.close().await;
}

#[tokio::test]
async fn what_does_not_fit_its_schema_is_refused_in_the_servers_words() {
    let mut world = World::new("eu").await;
    let work = world.deploy(&format!(
        "{}\n  surprise: true\n",
        web("registry/web:1.0", 1).trim_end()
    ));
    let finished = world.run(work).await;
    let told = finished.failed();
    assert!(
        told.starts_with("Deployment web was refused") && told.contains("surprise"),
        "{told}"
    );
    world.close().await;
}

#[tokio::test]
async fn what_is_being_deleted_is_waited_for_and_then_made_anew() {
    let mut world = World::new("us").await;
    let work = world.deploy(&config("settings", "one"));
    world.succeed(work).await;
    let path = world.path("/api/v1", "configmaps/settings");
    world
        .merge(&path, &json!({"metadata": {"finalizers": ["slipway.test/hold"]}}))
        .await;
    let old = world
        .send("DELETE", &path, "application/json", &json!({}))
        .await
        .unwrap()["metadata"]["uid"]
        .clone();

    let work = world.deploy(&config("settings", "two"));
    let (queue, target) = (crate::queue::Recorder::default(), work.deployment_target);
    queue.add(work);
    let running = crate::world::Running::start(&queue);
    queue
        .until(target, |e| {
            e.reports
                .iter()
                .any(|r| matches!(r.outcome, StepOutcome::NotYet(_)))
        })
        .await;
    let reason = queue.with(target, |e| {
        e.reports.iter().find_map(|r| r.readiness.clone()?.reason)
    });
    let said = "ConfigMap settings (held by its finalizer slipway.test/hold, which whoever set it has to take away) is \
                being deleted";
    assert_eq!(reason.as_deref(), Some(said));
    world
        .merge(&path, &json!({"metadata": {"finalizers": null}}))
        .await;
    queue
        .until(target, |e| {
            e.state == crate::queue::State::Over(StepOutcome::Succeeded)
        })
        .await;
    running.stop().await;
    let live = world.get(&path).await.unwrap();
    assert_ne!(live["metadata"]["uid"], old);
    assert_eq!(live["data"]["key"], "two");
    world.close().await;
}

#[tokio::test]
async fn a_namespace_that_is_being_deleted_is_waited_for_until_the_deadline() {
    let mut world = World::new("eu").await;
    let work = world.deploy(&config("settings", "one"));
    world.succeed(work).await;
    let path = world.path("/api/v1", "configmaps/settings");
    world
        .merge(&path, &json!({"metadata": {"finalizers": ["slipway.test/hold"]}}))
        .await;
    let namespace = format!("/api/v1/namespaces/{}", world.namespace);
    world
        .send("DELETE", &namespace, "application/json", &json!({}))
        .await
        .unwrap();

    world.deadline = jiff::SignedDuration::from_secs(2);
    let work = world.deploy(&config("settings", "two"));
    let finished = world.run(work).await;
    let reason = format!("namespace {} is being deleted", world.namespace);
    assert_eq!(finished.failed(), format!("{reason}, and was not gone within 2s"));
    assert_eq!(finished.readiness.last().unwrap().reason.as_ref(), Some(&reason));

    // Once it is gone, the same deployment makes it anew.
    world
        .merge(&path, &json!({"metadata": {"finalizers": null}}))
        .await;
    world.deadline = jiff::SignedDuration::from_secs(30);
    let work = world.deploy(&config("settings", "two"));
    let finished = world.succeed(work).await;
    assert_eq!(finished.told("namespace.created").len(), 1);
    world.close().await;
}
