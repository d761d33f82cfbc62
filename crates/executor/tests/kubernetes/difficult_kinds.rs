//! One bundle with all kinds of kinds: applied in order, healthy, the same again changes nothing, and gone again.

use crate::{
    preview,
    world::{World, config, unique},
};
use serde_json::json;
use slipway_domain::render::Change;

/// Everything a team may put into one bundle; `group` is the group of a definition of its own.
fn everything(group: &str) -> String {
    let pods = "{metadata: {labels: {app: x}}, spec: {containers: [{name: x, image: 'registry/x:1'}]}}";
    format!(
        "---
apiVersion: v1
kind: ServiceAccount
metadata: {{name: runner}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {{name: reader}}
rules: [{{apiGroups: [''], resources: [configmaps], verbs: [get]}}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: reader}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}}
subjects: [{{kind: ServiceAccount, name: runner}}]
---
apiVersion: v1
kind: Secret
metadata: {{name: login}}
stringData: {{password: hunter-two}}
---
apiVersion: v1
kind: Service
metadata: {{name: db}}
spec: {{clusterIP: None, selector: {{app: db}}, ports: [{{port: 5432}}]}}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {{name: db}}
spec:
  replicas: 2
  serviceName: db
  selector: {{matchLabels: {{app: x}}}}
  template: {pods}
  volumeClaimTemplates:
  - metadata: {{name: data}}
    spec: {{accessModes: [ReadWriteOnce], resources: {{requests: {{storage: 1Gi}}}}}}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {{name: agent}}
spec: {{selector: {{matchLabels: {{app: x}}}}, template: {pods}}}
---
apiVersion: batch/v1
kind: Job
metadata: {{name: import}}
spec: {{template: {{spec: {{restartPolicy: Never, containers: [{{name: x, image: 'registry/x:1'}}]}}}}}}
---
apiVersion: batch/v1beta1
kind: CronJob
metadata: {{name: nightly}}
spec:
  schedule: '0 3 * * *'
  jobTemplate: {{spec: {{template: {{spec: {{restartPolicy: Never, containers: [{{name: x, image: 'registry/x:1'}}]}}}}}}}}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {{name: web}}
spec: {{defaultBackend: {{service: {{name: db, port: {{number: 5432}}}}}}}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {{name: closed}}
spec: {{podSelector: {{}}, policyTypes: [Ingress]}}
---
apiVersion: policy/v1beta1
kind: PodDisruptionBudget
metadata: {{name: db}}
spec: {{maxUnavailable: 1, selector: {{matchLabels: {{app: x}}}}}}
---
apiVersion: v1
kind: List
items:
- {{apiVersion: v1, kind: ConfigMap, metadata: {{name: of-a-list}}, data: {{a: '1'}}}}
- {{apiVersion: v1, kind: ConfigMap, metadata: {{name: of-a-list-too}}, data: {{a: '1'}}}}
---
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
    schema: {{openAPIV3Schema: {{type: object, properties: {{spec: {{type: object, properties: {{size: {{type: integer}}}}}}}}}}}}
---
apiVersion: {group}/v1
kind: Widget
metadata: {{name: first}}
spec: {{size: 3}}
"
    )
}

#[tokio::test]
async fn everything_in_one_bundle_is_applied_is_healthy_changes_nothing_the_second_time_and_goes_again() {
    let mut world = World::new("staging").await;
    world.grants.cluster_scoped_kinds = vec!["*".to_owned()];
    let group = format!("{}.example.com", unique("kinds"));
    let bundle = everything(&group);
    let work = world.deploy(&bundle);
    let finished = world.succeed(work).await;
    let set = world
        .get(&world.path("/apis/apps/v1", "statefulsets/db"))
        .await
        .unwrap();
    assert_eq!(
        set["status"]["readyReplicas"], 2,
        "one after the other, and waited for"
    );
    for claim in ["data-db-0", "data-db-1"] {
        let claim = world
            .get(&world.path("/api/v1", &format!("persistentvolumeclaims/{claim}")))
            .await;
        assert!(
            claim.unwrap()["metadata"]["labels"]["slipway.dev/service"].is_null(),
            "the set's, not ours"
        );
    }
    let definition = format!("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/widgets.{group}");
    let widget = world.path(&format!("/apis/{group}/v1"), "widgets/first");
    assert_eq!(world.get(&widget).await.unwrap()["spec"]["size"], 3);
    let job = world
        .get(&world.path("/apis/batch/v1", "jobs/import"))
        .await
        .unwrap();
    let told = serde_json::to_string(&finished.notes).unwrap();
    assert!(
        !told.contains("hunter") && !told.contains("aHVudGVy"),
        "a secret is told"
    );

    // The same again: everything is there as it is to be, and the Job that has run does not run again.
    let shown = preview::ask(&world, &bundle).await.unwrap();
    for object in &shown.objects {
        assert_eq!(
            object.diff.change,
            Change::Unchanged,
            "{}: {:?}",
            object.object,
            object.diff.paths
        );
        assert_eq!(object.problem, None, "{}", object.object);
    }
    let work = world.deploy(&bundle);
    let again = world.succeed(work).await;
    let applied = again.told("object.applied");
    assert!(
        applied
            .iter()
            .all(|a| a.contains("unchanged") && !a.contains("created") && !a.contains("configured")),
        "{applied:?}"
    );
    let job_now = world
        .get(&world.path("/apis/batch/v1", "jobs/import"))
        .await
        .unwrap();
    assert_eq!(job_now["metadata"]["uid"], job["metadata"]["uid"]);
    assert_eq!(job_now["status"], job["status"]);

    // Without all that: gone, but for what holds data.
    let work = world.deploy(&config("left", "one"));
    let last = world.succeed(work).await;
    let kept = last.told("object.kept").join("\n");
    assert!(
        kept.contains("CustomResourceDefinition widgets.") && kept.lines().count() == 1,
        "{kept}"
    );
    for (root, path) in [
        ("/apis/apps/v1", "statefulsets/db"),
        ("/apis/apps/v1", "daemonsets/agent"),
        ("/apis/batch/v1", "jobs/import"),
        ("/apis/networking.k8s.io/v1", "ingresses/web"),
        ("/api/v1", "secrets/login"),
        ("/api/v1", "configmaps/of-a-list"),
    ] {
        assert!(world.get(&world.path(root, path)).await.is_none(), "{path}");
    }
    assert!(world.get(&widget).await.is_none());
    let claim = world.path("/api/v1", "persistentvolumeclaims/data-db-0");
    assert!(world.get(&claim).await.is_some(), "a set's claims outlive it");
    world
        .send("DELETE", &definition, "application/json", &json!({}))
        .await
        .unwrap();
    world.close().await;
}

#[tokio::test]
async fn what_the_api_server_says_of_a_secret_never_holds_its_values() {
    let mut world = World::new("eu").await;
    world.create_namespace().await;
    let secret = |data: &str, kind: &str| {
        format!("---\napiVersion: v1\nkind: Secret\nmetadata: {{name: login}}\n{kind}{data}\n")
    };
    // Not base64; a type whose content is checked; a field that cannot be changed.
    let bad = secret("data: {password: 'hunter-two!!'}", "");
    let shown = preview::ask(&world, &bad).await.unwrap();
    let work = world.deploy(&bad);
    let finished = world.run(work).await;
    let told = format!("{:?}{:?}{:?}", shown.objects, finished.outcome, finished.notes);
    assert!(finished.failed().contains("Secret login"), "{told}");
    assert!(!told.contains("hunter-two"), "{told}");

    let bad = secret(
        "stringData: {.dockerconfigjson: 'hunter-two no JSON'}",
        "type: kubernetes.io/dockerconfigjson\n",
    );
    let shown = preview::ask(&world, &bad).await.unwrap();
    let work = world.deploy(&bad);
    let finished = world.run(work).await;
    let told = format!("{:?}{:?}{:?}", shown.objects, finished.outcome, finished.notes);
    assert!(
        !told.contains("hunter-two") && !told.contains("aHVudGVyLXR3"),
        "{told}"
    );

    let good = secret("stringData: {password: hunter-two}\nimmutable: true", "");
    let work = world.deploy(&good);
    world.succeed(work).await;
    let changed = secret("stringData: {password: hunter-three}\nimmutable: true", "");
    let shown = preview::ask(&world, &changed).await.unwrap();
    let work = world.deploy(&changed);
    let finished = world.run(work).await;
    let told = format!("{:?}{:?}{:?}", shown.objects, finished.outcome, finished.notes);
    assert!(finished.failed().contains("Secret login: data"), "{told}");
    assert!(finished.failed().contains("cannot be changed"), "{told}");
    assert!(!told.contains("hunter") && !told.contains("aHVudGVy"), "{told}");
    world.close().await;
}
