//! Two versions of a bundle with an object for every phase and a hook for every kind, and what is on the cluster of them.

use crate::world::{World, web};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What is of interest of an object: its content, and its uid.
pub(crate) type Contents = BTreeMap<(String, String), (Value, String)>;

fn object(api_version: &str, kind: &str, name: &str, rest: &str) -> String {
    format!("---\napiVersion: {api_version}\nkind: {kind}\nmetadata: {{name: {name}}}\n{rest}\n")
}

fn job(name: &str, hook: &str) -> String {
    format!(
        "---
apiVersion: batch/v1
kind: Job
metadata: {{name: {name}, annotations: {{slipway.dev/hook: {hook}}}}}
spec: {{template: {{spec: {{restartPolicy: Never, containers: [{{name: m, image: 'registry/{name}:1.0'}}]}}}}}}
"
    )
}

/// Version `a` or `b`: they share one object of every phase, and each has objects that the other has not.
pub(crate) fn bundle(world: &World, version: char) -> String {
    let unique = &world.namespace;
    let definition = format!(
        "spec:
  group: {unique}.example.com
  scope: Namespaced
  names: {{kind: Widget, plural: widgets, singular: widget}}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {{openAPIV3Schema: {{type: object, x-kubernetes-preserve-unknown-fields: true}}}}"
    );
    let widgets = format!("{unique}.example.com/v1");
    let crd = format!("widgets.{unique}.example.com");
    let only = format!("only-{version}");
    let none = "spec: {selector: {app: none}, ports: [{port: 80}]}";
    [
        object("v1", "Namespace", &format!("{unique}-more"), ""),
        object(
            "apiextensions.k8s.io/v1",
            "CustomResourceDefinition",
            &crd,
            &definition,
        ),
        object("v1", "ServiceAccount", "robot", ""),
        object("rbac.authorization.k8s.io/v1", "Role", &only, "rules: []"),
        object(
            "v1",
            "ConfigMap",
            "settings",
            &format!("data: {{version: {version}}}"),
        ),
        object("v1", "ConfigMap", &only, "data: {key: value}"),
        object(
            "v1",
            "PersistentVolumeClaim",
            "data",
            "spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}",
        ),
        object(
            "v1",
            "Service",
            "web",
            "spec: {selector: {app: web}, ports: [{port: 80}]}",
        ),
        object("v1", "Service", &only, none),
        web("registry/web:1.0", 1),
        web("registry/web:1.0", 0).replace("web", &only),
        object(
            &widgets,
            "Widget",
            "one",
            &format!("spec: {{version: {version}}}"),
        ),
        object(&widgets, "Widget", &only, ""),
        job("migrate", "before"),
        job("announce", "after"),
        job("undo", "rollback"),
    ]
    .concat()
}

/// Paths of the collections that the bundle's objects are in, with their kinds.
fn collections(world: &World) -> Vec<(&'static str, String)> {
    let widgets = format!("/apis/{}.example.com/v1", world.namespace);
    [
        ("ServiceAccount", "/api/v1", "serviceaccounts"),
        ("Role", "/apis/rbac.authorization.k8s.io/v1", "roles"),
        ("ConfigMap", "/api/v1", "configmaps"),
        ("PersistentVolumeClaim", "/api/v1", "persistentvolumeclaims"),
        ("Service", "/api/v1", "services"),
        ("Deployment", "/apis/apps/v1", "deployments"),
        ("Job", "/apis/batch/v1", "jobs"),
        ("Widget", widgets.as_str(), "widgets"),
    ]
    .map(|(kind, root, plural)| (kind, world.path(root, plural)))
    .into()
}

/// Everything of the service on the cluster, but the guard.
pub(crate) async fn contents(world: &World) -> Contents {
    let mut all = Contents::new();
    for (kind, path) in collections(world) {
        let list = world
            .get(&format!("{path}?labelSelector=slipway.dev/service=shop"))
            .await;
        let items = list.map(|mut list| list["items"].take());
        for object in items.as_ref().and_then(Value::as_array).into_iter().flatten() {
            if object["metadata"]["name"] != "slipway-shop" {
                add(&mut all, world, kind, object);
            }
        }
    }
    let cluster_scoped = [
        (
            "Namespace",
            format!("/api/v1/namespaces/{}-more", world.namespace),
        ),
        (
            "CustomResourceDefinition",
            format!(
                "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/widgets.{}.example.com",
                world.namespace
            ),
        ),
    ];
    for (kind, path) in cluster_scoped {
        if let Some(object) = world.get(&path).await {
            add(&mut all, world, kind, &object);
        }
    }
    all
}

fn add(all: &mut Contents, world: &World, kind: &str, object: &Value) {
    let metadata = &object["metadata"];
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mut annotations = metadata["annotations"].clone();
    if let Some(annotations) = annotations.as_object_mut() {
        annotations.retain(|key, _| {
            key.starts_with("slipway.dev/") && !key.ends_with("/generation") && !key.ends_with("/deployment")
        });
    }
    let mut spec = object["spec"].clone();
    for given in ["volumeName", "clusterIP", "clusterIPs", "selector", "conversion"] {
        spec.as_object_mut().and_then(|spec| spec.remove(given));
    }
    if let Some(labels) = spec
        .pointer_mut("/template/metadata/labels")
        .and_then(Value::as_object_mut)
    {
        labels.remove("controller-uid");
    }
    let content = json!({
        "labels": metadata["labels"], "annotations": annotations, "spec": spec, "data": object["data"],
        "rules": object["rules"], "terminating": metadata["deletionTimestamp"].is_string(),
    });
    // The same in every world.
    let plain = |text: &str| text.replace(world.namespace.as_str(), "unique");
    let content = serde_json::from_str(&plain(&content.to_string())).unwrap();
    let name = plain(&text(&metadata["name"]));
    all.insert((kind.to_owned(), name), (content, text(&metadata["uid"])));
}

/// Takes away what pruning never takes away.
pub(crate) async fn take_away(world: World) {
    let unique = world.namespace.clone();
    for path in [
        format!("/api/v1/namespaces/{unique}-more"),
        format!("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/widgets.{unique}.example.com"),
    ] {
        let _ = world.send("DELETE", &path, "application/json", &json!({})).await;
    }
    world.close().await;
}
