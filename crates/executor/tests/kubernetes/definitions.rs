//! Kinds that a cluster does not serve, and kinds that a release brings itself.

use crate::world::{World, config, unique};
use slipway_domain::registry::ClusterGrants;

#[tokio::test]
async fn unknown_kinds_are_all_named_and_nothing_is_written() {
    let mut world = World::new("staging").await;
    let unknown = "---\napiVersion: example.com/v1\nkind: Widget\nmetadata: {name: one}\n---\napiVersion: apps/v9\nkind: Deployment\nmetadata: {name: two}\n";
    let work = world.deploy(&format!("{}{unknown}", config("settings", "one")));
    let finished = world.run(work).await;
    let told = finished.failed();
    assert!(
        told.contains("Widget one: it does not serve Widget of example.com/v1"),
        "{told}"
    );
    assert!(
        told.contains("Deployment two: it does not serve Deployment of apps/v9"),
        "{told}"
    );
    assert!(
        world
            .get(&format!("/api/v1/namespaces/{}", world.namespace))
            .await
            .is_none()
    );
}

#[tokio::test]
async fn a_cluster_scoped_kind_needs_a_grant() {
    let mut world = World::new("eu").await;
    let name = unique("reader");
    let role = format!(
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {{name: {name}}}\nrules: []\n"
    );
    let work = world.deploy(&role);
    let finished = world.run(work).await;
    assert!(
        finished
            .failed()
            .contains("`ClusterRole.rbac.authorization.k8s.io`"),
        "{}",
        finished.failed()
    );
    let path = format!("/apis/rbac.authorization.k8s.io/v1/clusterroles/{name}");
    assert!(world.get(&path).await.is_none());

    world.grants = ClusterGrants {
        cluster_scoped_kinds: vec!["ClusterRole.rbac.authorization.k8s.io".to_owned()],
    };
    let work = world.deploy(&role);
    world.succeed(work).await;
    assert!(world.get(&path).await.is_some());
    let work = world.deploy(&config("settings", "one"));
    world.succeed(work).await;
    assert!(world.get(&path).await.is_none(), "pruned, cluster-scoped or not");
    world.close().await;
}

#[tokio::test]
async fn a_release_may_bring_a_kind_and_objects_of_it() {
    let mut world = World::new("us").await;
    world.grants = ClusterGrants {
        cluster_scoped_kinds: vec!["*".to_owned()],
    };
    let group = format!("{}.example.com", unique("g"));
    let bundle = format!(
        "---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {{name: widgets.{group}}}
spec:
  group: {group}
  scope: Namespaced
  names: {{kind: Widget, plural: widgets, singular: widget}}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {{openAPIV3Schema: {{type: object, x-kubernetes-preserve-unknown-fields: true}}}}
---
apiVersion: {group}/v1
kind: Widget
metadata: {{name: one}}
spec: {{size: 3}}
"
    );
    let work = world.deploy(&bundle);
    let finished = world.succeed(work).await;
    assert!(finished.steps.iter().any(|s| s == "await_definitions"));
    let widget = world.path(&format!("/apis/{group}/v1"), "widgets/one");
    assert_eq!(world.get(&widget).await.unwrap()["spec"]["size"], 3);
    let work = world.deploy(&config("settings", "one"));
    let finished = world.succeed(work).await;
    assert!(world.get(&widget).await.is_none(), "the object is pruned");
    // The definition is not: every object of that kind, whoever made it, would go with it.
    let definition = format!("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/widgets.{group}");
    assert!(world.get(&definition).await.is_some());
    let kept = finished.told("object.kept").join("\n");
    assert!(kept.contains("what it holds would be lost with it"), "{kept}");
    world.close().await;
}
