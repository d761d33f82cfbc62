//! Preview: the API server's own answer to "what would change", and nothing changes.

use crate::world::{World, config, web};
use serde_json::json;
use slipway_domain::{
    plan::target::Intent,
    ports::{ClusterFault, ClusterProbe as _, ObjectPreview, PreviewRequest, TargetPreview},
    render::Change,
};
use slipway_executor::{Clients, Probe};
use std::sync::Arc;

pub(crate) async fn ask(world: &World, yaml: &str) -> Result<TargetPreview, ClusterFault> {
    let request = PreviewRequest {
        connection: world.connection.clone(),
        grants: world.grants.clone(),
        namespace: world.namespace.clone(),
        service: world.service.clone(),
        environment: "staging".parse().unwrap(),
        intent: Intent::Apply,
        force_conflicts: false,
        rendering: Arc::new(world.render(yaml)),
        inventory: world.inventory.clone(),
    };
    Probe::new(Clients::default()).preview(&request).await
}

fn of<'a>(preview: &'a TargetPreview, name: &str) -> &'a ObjectPreview {
    preview
        .objects
        .iter()
        .find(|o| o.object.name == name)
        .unwrap_or_else(|| panic!("no {name}"))
}

const HOOK: &str = "---
apiVersion: batch/v1
kind: Job
metadata: {name: migrate, annotations: {slipway.dev/hook: before}}
spec: {template: {spec: {restartPolicy: Never, containers: [{name: m, image: 'm:1'}]}}}
";

#[tokio::test]
async fn every_object_is_shown_with_what_would_change_and_nothing_changes() {
    let mut world = World::new("staging").await;
    let secret =
        "---\napiVersion: v1\nkind: Secret\nmetadata: {name: login}\nstringData: {password: hunter-two}\n";
    let bundle = format!(
        "{}{}{secret}{}",
        config("same", "1"),
        config("gone", "1"),
        web("registry/web:1.0", 1)
    );
    let work = world.deploy(&bundle);
    world.succeed(work).await;
    let before = world.get(&world.deployment_path()).await.unwrap();

    let next = format!(
        "{}{}{}{}{HOOK}",
        config("same", "1"),
        config("new", "1"),
        secret.replace("hunter-two", "hunter-three"),
        web("registry/web:1.1", 1)
    );
    let preview = ask(&world, &next).await.unwrap();
    assert!(!preview.creates_namespace);
    let change = |name: &str| of(&preview, name).diff.change;
    assert_eq!(
        [
            change("same"),
            change("new"),
            change("gone"),
            change("web"),
            change("login"),
            change("migrate")
        ],
        [
            Change::Unchanged,
            Change::Created,
            Change::Pruned,
            Change::Updated,
            Change::Updated,
            Change::Created
        ]
    );
    let paths = &of(&preview, "web").diff.paths;
    assert_eq!(paths.len(), 1, "{paths:?}");
    assert_eq!(paths[0].pointer, "/spec/template/spec/containers/0/image");
    assert_eq!(paths[0].to, Some(json!("registry/web:1.1")));
    assert!(of(&preview, "migrate").hook && !of(&preview, "web").hook);
    assert!(preview.objects.iter().all(|o| o.problem.is_none()));
    let shown = format!("{:?}", preview.objects);
    assert!(
        !shown.contains("hunter") && !shown.contains("aHVudGVy"),
        "a secret is shown"
    );

    let after = world.get(&world.deployment_path()).await.unwrap();
    assert_eq!(
        after["metadata"]["resourceVersion"],
        before["metadata"]["resourceVersion"]
    );
    assert!(
        world
            .get(&world.path("/api/v1", "configmaps/new"))
            .await
            .is_none()
    );
    assert!(
        world
            .get(&world.path("/api/v1", "configmaps/gone"))
            .await
            .is_some()
    );
    world.close().await;
}

#[tokio::test]
async fn conflicts_and_refusals_are_shown_where_they_are() {
    let mut world = World::new("eu").await;
    let work = world.deploy(&web("registry/web:1.0", 1));
    world.succeed(work).await;
    let path = format!("{}?fieldManager=kubectl-scale", world.deployment_path());
    world.merge(&path, &json!({"spec": {"replicas": 2}})).await;
    let bad = "---\napiVersion: v1\nkind: Service\nmetadata: {name: bad}\nspec: {ports: [{port: 99999}]}\n";
    let preview = ask(&world, &format!("{}{bad}", web("registry/web:1.0", 3)))
        .await
        .unwrap();
    let problem = of(&preview, "web").problem.as_ref().unwrap();
    assert!(
        problem.contains("kubectl-scale") && problem.contains(".spec.replicas"),
        "{problem}"
    );
    let paths = &of(&preview, "web").diff.paths;
    assert!(
        paths
            .iter()
            .any(|p| p.pointer == "/spec/replicas" && p.to == Some(json!(3))),
        "{paths:?}"
    );
    assert!(of(&preview, "bad").problem.as_ref().unwrap().contains("port"));
    world.close().await;
}

#[tokio::test]
async fn where_there_is_no_namespace_everything_is_new_and_it_is_said_that_nobody_could_be_asked() {
    let world = World::new("us").await;
    let preview = ask(&world, &config("settings", "one")).await.unwrap();
    assert!(preview.creates_namespace);
    assert_eq!(of(&preview, "settings").diff.change, Change::Created);
    assert!(
        preview.notes[0].contains("is not there yet"),
        "{:?}",
        preview.notes
    );
    assert!(
        world
            .get(&format!("/api/v1/namespaces/{}", world.namespace))
            .await
            .is_none()
    );
}

#[tokio::test]
async fn unknown_kinds_are_all_named() {
    let world = World::new("us").await;
    let fault = ask(
        &world,
        "apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: one}\n",
    )
    .await
    .unwrap_err();
    let ClusterFault::Kinds { problems, .. } = fault else {
        panic!("{fault}")
    };
    assert_eq!(
        problems,
        ["Widget one: it does not serve Widget of example.com/v1"]
    );
}
