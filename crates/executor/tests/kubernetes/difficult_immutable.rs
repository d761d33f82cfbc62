//! Fields that cannot be changed: all of them found before anything is touched, and objects made anew where they say so.

use crate::{
    preview,
    queue::{Recorder, State},
    world::{Running, SERVICE, World, config, web},
};
use serde_json::{Value, json};
use slipway_domain::{plan::target::Intent, render::Change, work::StepOutcome};

fn deployment(label: &str, image: &str, annotations: &str) -> String {
    format!(
        "---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web{annotations}}}
spec:
  replicas: 1
  selector: {{matchLabels: {{app: {label}}}}}
  template:
    metadata: {{labels: {{app: {label}}}}}
    spec: {{containers: [{{name: web, image: '{image}'}}]}}
"
    )
}

const REPLACE: &str = ", annotations: {slipway.dev/on-immutable: replace}";

fn job(image: &str, annotations: &str) -> String {
    format!(
        "---
apiVersion: batch/v1
kind: Job
metadata: {{name: import{annotations}}}
spec: {{template: {{spec: {{restartPolicy: Never, containers: [{{name: x, image: '{image}'}}]}}}}}}
"
    )
}

fn set(claim: &str) -> String {
    format!(
        "---
apiVersion: apps/v1
kind: StatefulSet
metadata: {{name: db}}
spec:
  replicas: 1
  serviceName: db
  selector: {{matchLabels: {{app: db}}}}
  template: {{metadata: {{labels: {{app: db}}}}, spec: {{containers: [{{name: x, image: 'registry/x:1'}}]}}}}
  volumeClaimTemplates:
  - metadata: {{name: {claim}}}
    spec: {{accessModes: [ReadWriteOnce], resources: {{requests: {{storage: 1Gi}}}}}}
"
    )
}

fn claim(mode: &str) -> String {
    format!(
        "---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {{name: orders}}
spec: {{accessModes: [{mode}], resources: {{requests: {{storage: 1Gi}}}}}}
"
    )
}

fn fixed(value: &str) -> String {
    format!("{}immutable: true\n", config("fixed", value))
}

fn service(address: &str) -> String {
    format!(
        "---\napiVersion: v1\nkind: Service\nmetadata: {{name: web}}\nspec: {{{address}selector: {{app: web}}, ports: [{{port: 80}}]}}\n"
    )
}

#[tokio::test]
async fn every_field_that_cannot_be_changed_is_named_at_once_with_what_to_do_and_nothing_is_touched() {
    let mut world = World::new("us").await;
    let first = [
        deployment("web", "registry/web:1.0", ""),
        service(""),
        set("data"),
        claim("ReadWriteOnce"),
        job("registry/x:1", ""),
        fixed("one"),
        config("settings", "one"),
    ];
    let work = world.deploy(&first.concat());
    world.succeed(work).await;

    let second = [
        deployment("frontend", "registry/web:1.0", ""),
        service("clusterIP: None, "),
        set("files"),
        claim("ReadWriteMany"),
        job("registry/x:2", ""),
        fixed("two"),
        config("settings", "two"),
    ]
    .concat();
    let expected = [
        "Deployment web: spec.selector cannot be changed; keep it as it was, give the object another name, or annotate",
        "Service web: spec.clusterIP",
        "StatefulSet db: spec.volumeClaimTemplates cannot be changed; keep it as it was, or bring a new object under",
        "PersistentVolumeClaim orders: spec.accessModes cannot be changed; keep it as it was, or bring a new object under",
        "Job import: spec.template cannot be changed; a Job runs once: give it another name",
        "ConfigMap fixed: data",
    ];
    let shown = preview::ask(&world, &second).await.unwrap();
    let problems: Vec<&String> = shown.objects.iter().filter_map(|o| o.problem.as_ref()).collect();
    let work = world.deploy(&second);
    let finished = world.run(work).await;
    let told = finished.failed();
    assert!(told.starts_with("nothing was touched on cluster us: "), "{told}");
    for start in expected {
        assert!(told.contains(start), "{start}\nis not in\n{told}");
        assert!(
            problems.iter().any(|p| p.starts_with(start)),
            "{start}\nis not in\n{problems:#?}"
        );
    }
    assert_eq!(problems.len(), expected.len(), "{problems:#?}");
    assert!(
        !told.contains("PodTemplateSpec")
            && !told.contains(
                "StatefulSet db: spec.volumeClaimTemplates cannot be changed; keep it as it was, give"
            ),
        "{told}"
    );
    assert!(finished.steps.is_empty(), "{:?}", finished.steps);
    let settings = world
        .get(&world.path("/api/v1", "configmaps/settings"))
        .await
        .unwrap();
    assert_eq!(settings["data"]["key"], "one");
    world.close().await;
}

#[tokio::test]
async fn what_says_so_is_deleted_and_made_anew_and_the_preview_says_that_it_will_be() {
    let mut world = World::new("staging").await;
    let work = world.deploy(&[deployment("web", "registry/web:1.0", ""), job("registry/x:1", "")].concat());
    world.succeed(work).await;
    let job_path = world.path("/apis/batch/v1", "jobs/import");
    let uid = |object: &Value| object["metadata"]["uid"].clone();
    let (web_before, job_before) = (
        uid(&world.get(&world.deployment_path()).await.unwrap()),
        uid(&world.get(&job_path).await.unwrap()),
    );

    let next = [
        deployment("frontend", "registry/web:1.0", REPLACE),
        job("registry/x:2", REPLACE),
    ]
    .concat();
    let shown = preview::ask(&world, &next).await.unwrap();
    for object in &shown.objects {
        assert_eq!(object.diff.change, Change::Replaced, "{}", object.object);
        assert_eq!(object.problem, None);
        assert!(!object.diff.paths.is_empty());
    }
    let notes = shown.notes.join("\n");
    assert!(
        notes.contains("Deployment web will be deleted and made anew: spec.selector cannot be changed"),
        "{notes}"
    );
    assert_eq!(
        uid(&world.get(&world.deployment_path()).await.unwrap()),
        web_before,
        "a preview changes nothing"
    );

    let work = world.deploy(&next);
    let finished = world.succeed(work).await;
    assert_eq!(finished.told("object.to_be_replaced").len(), 2);
    let replaced = finished.told("object.replaced");
    assert!(
        replaced.contains(&"deleted Deployment web to make it anew: spec.selector cannot be changed"),
        "{replaced:?}"
    );
    let live = world.get(&world.deployment_path()).await.unwrap();
    assert_ne!(uid(&live), web_before);
    assert_eq!(live["spec"]["selector"]["matchLabels"]["app"], "frontend");
    assert_ne!(uid(&world.get(&job_path).await.unwrap()), job_before);
    // The inventory knows the new ones: a later release without them takes them away.
    for item in &world.inventory.0 {
        assert!(item.uid.is_some());
    }
    assert!(
        world
            .inventory
            .0
            .iter()
            .any(|item| item.uid.as_deref() == uid(&live).as_str())
    );

    // Going back: what runs says that it may be replaced, and what it goes back to could not know.
    let rendering =
        world.render(&[deployment("web", "registry/web:1.0", ""), job("registry/x:1", "")].concat());
    let work = world.assign(Intent::RollBack, rendering);
    world.succeed(work).await;
    let live = world.get(&world.deployment_path()).await.unwrap();
    assert_eq!(live["spec"]["selector"]["matchLabels"]["app"], "web");
    let work = world.deploy(&config("settings", "one"));
    let finished = world.succeed(work).await;
    assert_eq!(finished.told("object.pruned").len(), 2, "{:?}", finished.notes);
    world.close().await;
}

#[tokio::test]
async fn what_would_not_be_taken_anew_is_not_deleted() {
    let mut world = World::new("eu").await;
    let work = world.deploy(&deployment("web", "registry/web:1.0", ""));
    world.succeed(work).await;
    let before = world.get(&world.deployment_path()).await.unwrap();
    // The selector changes, and the new one does not fit the pods: only making it shows that.
    let bad = deployment("frontend", "registry/web:1.0", REPLACE).replace(
        "template:\n    metadata: {labels: {app: frontend}}",
        "template:\n    metadata: {labels: {app: other}}",
    );
    let work = world.deploy(&bad);
    let finished = world.run(work).await;
    assert!(
        finished.failed().contains("Deployment web"),
        "{}",
        finished.failed()
    );
    let after = world.get(&world.deployment_path()).await.unwrap();
    assert_eq!(after["metadata"]["uid"], before["metadata"]["uid"]);
    world.close().await;
}

#[tokio::test]
async fn an_executor_that_dies_between_deleting_and_making_is_followed_by_one_that_makes_it() {
    let mut world = World::new("us").await;
    let work = world.deploy(&format!("{SERVICE}{}", deployment("web", "registry/web:1.0", "")));
    world.succeed(work).await;
    let before = world.get(&world.deployment_path()).await.unwrap();
    // Something of its own keeps the old one from going: the executor dies while it waits for that.
    world
        .merge(
            &world.deployment_path(),
            &json!({"metadata": {"finalizers": ["example.com/hold"]}}),
        )
        .await;
    let work = world.deploy(&format!(
        "{SERVICE}{}",
        deployment("frontend", "registry/web:1.0", REPLACE)
    ));
    let target = work.deployment_target;
    let queue = Recorder::default();
    queue.add(work);
    let first = Running::start(&queue);
    queue
        .until(target, |entry| {
            entry
                .reports
                .iter()
                .filter_map(|r| r.readiness.as_ref())
                .any(|r| {
                    r.reason.as_deref().is_some_and(|reason| {
                        reason.starts_with("Deployment web (held by its finalizer")
                            && reason.contains("example.com/hold")
                    })
                })
        })
        .await;
    first.stop().await;
    let live = world.get(&world.deployment_path()).await.unwrap();
    assert!(live["metadata"]["deletionTimestamp"].is_string());
    world
        .merge(
            &world.deployment_path(),
            &json!({"metadata": {"finalizers": null}}),
        )
        .await;
    let second = Running::start(&queue);
    queue
        .until(target, |entry| matches!(entry.state, State::Over(_)))
        .await;
    second.stop().await;
    queue.with(target, |entry| {
        assert_eq!(entry.state, State::Over(StepOutcome::Succeeded));
    });
    let live = world.get(&world.deployment_path()).await.unwrap();
    assert_ne!(live["metadata"]["uid"], before["metadata"]["uid"]);
    assert_eq!(live["spec"]["selector"]["matchLabels"]["app"], "frontend");
    let uid = live["metadata"]["uid"].as_str().map(str::to_owned);
    queue.with(target, |entry| {
        assert!(
            entry.work.inventory.0.iter().any(|item| item.uid == uid),
            "the inventory knows the new one"
        );
    });
    world.close().await;
}

#[tokio::test]
async fn an_object_that_is_not_ours_is_never_deleted_to_be_made_anew() {
    let mut world = World::new("staging").await;
    world.create_namespace().await;
    let theirs = world.render(&web("registry/web:1.0", 1)).objects.remove(0);
    let mut theirs = theirs;
    theirs["metadata"].as_object_mut().unwrap().remove("labels");
    let path = world.path("/apis/apps/v1", "deployments");
    let made = world
        .send("POST", &path, "application/json", &theirs)
        .await
        .unwrap();
    let work = world.deploy(&deployment("frontend", "registry/web:1.0", REPLACE));
    let finished = world.run(work).await;
    assert!(
        finished.failed().contains("Deployment web: "),
        "{}",
        finished.failed()
    );
    let live = world.get(&world.deployment_path()).await.unwrap();
    assert_eq!(live["metadata"]["uid"], made["metadata"]["uid"]);
    world.close().await;
}
