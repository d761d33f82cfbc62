//! A real application's published manifests: in as one component, out to a cluster, changed, and brought back.

use crate::{
    kubernetes::{Namespace, content, is_available},
    person::text,
    world::{ALL, World},
};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// An object's kind and name.
type Key = (String, String);
/// Everything of the application that is on the cluster.
type Objects = BTreeMap<Key, Value>;

/// What is deployed: the file as it is published.
fn published() -> String {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../tests/fixtures/online-boutique.yaml"
    );
    std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// What changes: one image, and one Deployment that goes.
fn changed() -> String {
    let (old, new) = ("/cartservice:v0.10.6", "/cartservice:v0.10.7");
    let published = published();
    assert_eq!(published.matches(old).count(), 1);
    let documents: Vec<&str> = published.split("\n---\n").collect();
    let kept = documents
        .iter()
        .filter(|d| !(d.contains("kind: Deployment\n") && d.contains("\n  name: loadgenerator\n")));
    let kept: Vec<&str> = kept.copied().collect();
    assert_eq!(kept.len() + 1, documents.len());
    kept.join("\n---\n").replace(old, new)
}

/// What this cluster needs as an environment's configuration to take the application: its pods are probed by gRPC, which
/// Kubernetes knows from 1.24 on. On an older one the probes of those pods go; a newer one gets all of it as published.
fn configuration(minor_version: u32) -> Value {
    if minor_version >= 24 {
        return json!([]);
    }
    let published = published();
    let probed = published
        .split("\n---\n")
        .filter(|document| document.contains("kind: Deployment\n") && document.contains(" grpc:\n"));
    let overlays = probed.map(|document| {
        let name = document.lines().find_map(|line| line.strip_prefix("  name: "));
        let remove = ["livenessProbe", "readinessProbe"].map(
            |probe| json!({"op": "remove", "path": format!("/spec/template/spec/containers/0/{probe}")}),
        );
        json!({"target": {"kind": "Deployment", "name": name}, "patch": remove})
    });
    overlays.collect()
}

fn gone() -> Key {
    ("Deployment".to_owned(), "loadgenerator".to_owned())
}

fn updated() -> Key {
    ("Deployment".to_owned(), "cartservice".to_owned())
}

/// The objects that the API says are in a version.
fn keys(version: &Value) -> Vec<Key> {
    let objects = version["objects"].as_array().expect("objects");
    objects
        .iter()
        .map(|object| (text(&object["kind"]), text(&object["name"])))
        .collect()
}

async fn snapshot(namespace: &Namespace, keys: &[Key]) -> Objects {
    let mut objects = Objects::new();
    for (kind, name) in keys {
        let object = namespace.get(kind, name).await;
        let object = object.unwrap_or_else(|| panic!("{kind} {name} is not on the cluster"));
        objects.insert((kind.clone(), name.clone()), object);
    }
    objects
}

/// Names of everything of the kinds that the application has, whoever made it.
async fn names(namespace: &Namespace) -> Vec<Key> {
    let mut all = Vec::new();
    for kind in ["Deployment", "Service", "ServiceAccount", "ConfigMap", "Secret"] {
        let of_kind = namespace.list(kind).await.into_keys();
        all.extend(of_kind.map(|name| (kind.to_owned(), name)));
    }
    all
}

/// The pods that are there, and of which Deployment each is.
async fn pods(namespace: &Namespace) -> BTreeMap<String, String> {
    let pods = namespace.pods().await.into_values();
    pods.map(|pod| {
        (
            text(&pod["metadata"]["uid"]),
            text(&pod["metadata"]["labels"]["app"]),
        )
    })
    .collect()
}

/// Every object says what it was deployed with, and that Slipway manages it.
fn check_marks(objects: &Objects, version: &str, digest: &str, generation: &str) {
    for ((kind, name), object) in objects {
        let annotations = &object["metadata"]["annotations"];
        assert_eq!(annotations["slipway.dev/release"], version, "{kind} {name}");
        assert_eq!(annotations["slipway.dev/release-digest"], digest, "{kind} {name}");
        assert_eq!(annotations["slipway.dev/generation"], generation, "{kind} {name}");
        let managers = object["metadata"]["managedFields"].as_array().expect("managers");
        let ours = managers
            .iter()
            .find(|m| m["manager"] == "slipway" && m["operation"] == "Apply");
        let ours = ours.unwrap_or_else(|| panic!("{kind} {name} is not managed by slipway: {managers:#?}"));
        let field = if kind == "ServiceAccount" {
            "f:metadata"
        } else {
            "f:spec"
        };
        assert!(ours["fieldsV1"][field].is_object(), "{kind} {name}: {ours:#}");
    }
}

fn check_available(objects: &Objects, how_many: usize) {
    let deployments: Vec<_> = objects
        .iter()
        .filter(|((kind, _), _)| kind == "Deployment")
        .collect();
    assert_eq!(deployments.len(), how_many);
    for ((_, name), deployment) in deployments {
        assert!(is_available(deployment), "{name}: {:#}", deployment["status"]);
    }
}

fn seconds(deployment: &Value, from: &str) -> SignedDuration {
    let at = |field: &str| text(&deployment[field]).parse::<Timestamp>().expect("a time");
    at("finished_at").duration_since(at(from))
}

fn tell(what: &str, deployment: &Value) {
    eprintln!(
        "{what}: {:#} from the request, {:#} from its start",
        seconds(deployment, "created_at"),
        seconds(deployment, "started_at")
    );
}

/// A preview's counts on its only target: created, updated, unchanged, pruned.
fn counts(preview: &Value) -> [u64; 4] {
    let target = &preview["targets"][0];
    ["created", "updated", "unchanged", "pruned"].map(|count| target[count].as_u64().expect("a count"))
}

fn previewed(preview: &Value, change: &str) -> Vec<Key> {
    let objects = preview["targets"][0]["objects"].as_array().expect("objects");
    let with = objects.iter().filter(|object| object["change"] == change);
    with.map(|o| (text(&o["object"]["kind"]), text(&o["object"]["name"])))
        .collect()
}

#[tokio::test]
async fn a_published_application_deploys_changes_and_rolls_back_object_for_object() {
    let mut world = World::empty("boutique", &[ALL]).await;
    let namespace = world.namespace("staging").await;
    world.cluster("staging").await;
    let config = configuration(namespace.minor_version().await);
    world
        .environment(
            "staging",
            &["staging"],
            json!({"progress_deadline": "PT60S", "config": config}),
        )
        .await;

    // In as one component.
    let version = world.version("1.0.0", &published()).await;
    let keys = keys(&version);
    assert_eq!(keys.len(), 35, "{version:#}");
    assert!(text(&version["digest"]).starts_with("sha256:"));
    world
        .ana
        .post("/v1/releases", world.composition("1.0.0"))
        .await
        .expect(201);
    let digest = world.seal("1.0.0").await;
    let first = world.deploy("1.0.0", "staging").await;
    let deployed = world.ends(&first, "succeeded").await;
    tell("35 objects, from nothing to healthy", &deployed);
    assert_eq!(
        (&deployed["targets"][0]["ready"], &deployed["targets"][0]["total"]),
        (&json!(12), &json!(12)),
        "{deployed:#}"
    );
    let one = snapshot(&namespace, &keys).await;
    let one_pods = pods(&namespace).await;
    let one_names = names(&namespace).await;
    let one_sets = namespace.list("ReplicaSet").await;
    check_available(&one, 12);
    check_marks(&one, "1.0.0", &digest, "1");

    // What a changed version would do is shown, and showing it does nothing.
    let digest = world.sealed("1.1.0", &changed()).await;
    let later = Timestamp::now() + SignedDuration::from_hours(1);
    let body =
        json!({"release": world.release("1.1.0"), "environment": "staging", "not_before": later.to_string()});
    let asked = world.otto.post("/v1/deployments", body).await.expect(201);
    assert_eq!(asked["state"], "pending", "{asked:#}");
    assert_eq!(asked["blockers"][0]["kind"], "schedule", "{asked:#}");
    let waiting = text(&asked["id"]);
    let preview = world
        .otto
        .get(&format!("/v1/deployments/{waiting}/preview"))
        .await
        .expect(200);
    assert_eq!(counts(&preview), [0, 1, 33, 1], "{preview:#}");
    assert_eq!(previewed(&preview, "updated"), [updated()]);
    assert_eq!(previewed(&preview, "pruned"), [gone()]);
    let paths = preview["targets"][0]["objects"].as_array().expect("objects");
    let paths = &paths.iter().find(|o| o["change"] == "updated").expect("it")["paths"];
    assert_eq!(paths.as_array().map(Vec::len), Some(1), "{paths:#}");
    assert_eq!(
        paths[0]["pointer"], "/spec/template/spec/containers/0/image",
        "{paths:#}"
    );
    assert_eq!(
        snapshot(&namespace, &keys)
            .await
            .into_values()
            .map(versioned)
            .collect::<Vec<_>>(),
        one.values().cloned().map(versioned).collect::<Vec<_>>(),
        "a preview changed something"
    );
    world.steer(&waiting, "cancel").await.expect(200);

    // The deployment does exactly that.
    let second = world.deploy("1.1.0", "staging").await;
    tell(
        "one of 35 changed, one gone",
        &world.ends(&second, "succeeded").await,
    );
    let kept: Vec<Key> = keys.iter().filter(|key| **key != gone()).cloned().collect();
    let two = snapshot(&namespace, &kept).await;
    check_available(&two, 11);
    check_marks(&two, "1.1.0", &digest, "2");
    let mut expected = one_names.clone();
    expected.retain(|key| *key != gone());
    assert_eq!(
        names(&namespace).await,
        expected,
        "something else is gone, or new"
    );
    for key in &kept {
        let (was, is) = (&one[key], &two[key]);
        assert_eq!(
            was["metadata"]["uid"], is["metadata"]["uid"],
            "{key:?} was made anew"
        );
        if *key == updated() {
            let image = &is["spec"]["template"]["spec"]["containers"][0]["image"];
            assert!(text(image).ends_with("/cartservice:v0.10.7"), "{image}");
        } else {
            assert_eq!(content(was), content(is), "{key:?}");
        }
    }
    // No other Deployment rolled out again, and no pod of theirs was replaced. (Their `metadata.generation` does move: the
    // API server counts a Deployment's annotations as part of what it is asked for, and they name the new release.)
    let two_sets = namespace.list("ReplicaSet").await;
    let new: Vec<_> = two_sets
        .iter()
        .filter(|(name, _)| !one_sets.contains_key(*name))
        .collect();
    assert_eq!(new.len(), 1, "{new:#?}");
    assert_eq!(new[0].1["metadata"]["labels"]["app"], updated().1.as_str());
    let two_pods = pods(&namespace).await;
    for (uid, app) in &one_pods {
        let changed = *app == updated().1 || *app == gone().1;
        assert_eq!(two_pods.contains_key(uid), !changed, "pod of {app}");
    }

    // And the first comes back, object for object.
    let undo = world
        .ana
        .post(
            &format!("/v1/deployments/{second}/rollback"),
            json!({"reason": "the cart is slow"}),
        )
        .await
        .expect(201);
    assert_eq!(undo["kind"], "roll_back", "{undo:#}");
    assert_eq!(undo["rolls_back"], second.as_str(), "{undo:#}");
    let undone = world.ends(&text(&undo["id"]), "succeeded").await;
    tell("rollback", &undone);
    let three = snapshot(&namespace, &keys).await;
    check_available(&three, 12);
    assert_eq!(names(&namespace).await, one_names);
    for key in &keys {
        assert_eq!(content(&three[key]), content(&one[key]), "{key:?}");
    }
    let runs = world.vera.get("/v1/status").await.expect(200);
    assert_eq!(
        runs["services"][0]["runs"][0]["release"],
        world.release("1.0.0"),
        "{runs:#}"
    );
    world.audit_holds();
    namespace.close().await;
    world.close().await;
}

/// Which write of an object this is, by the API server's own count.
fn versioned(object: Value) -> (String, String) {
    (
        text(&object["metadata"]["uid"]),
        // A Deployment's status moves by itself; its specification and marks do not.
        content(&object).to_string() + &object["metadata"]["annotations"].to_string(),
    )
}
