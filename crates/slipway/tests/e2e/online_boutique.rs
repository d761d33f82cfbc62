//! A real application's published manifests: in as one component, out to a cluster, changed, and brought back.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use slipway_domain::clock::process_now;
use slipway_testkit::live::{ALL, Namespace, World, content, is_available, text};
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

/// The application on a cluster, and what was there when its first version was healthy.
struct Boutique {
    world: World,
    namespace: Namespace,
    keys: Vec<Key>,
    objects: Objects,
    names: Vec<Key>,
    replica_sets: BTreeMap<String, Value>,
    pods: BTreeMap<String, String>,
}

impl Boutique {
    /// In as one component, and out to a cluster.
    async fn deployed() -> Self {
        let mut world = World::empty("boutique", &[ALL]).await;
        let namespace = world.namespace("staging").await;
        world.cluster("staging").await;
        let settings = json!({"progress_deadline": "PT60S"});
        world.environment("staging", &["staging"], settings).await;
        let version = world.version("1.0.0", &published()).await;
        let keys = keys(&version);
        assert_eq!(keys.len(), 35, "{version:#}");
        assert!(text(&version["digest"]).starts_with("sha256:"));
        let composition = world.composition("1.0.0");
        world.ana.post("/v1/releases", composition).await.expect(201);
        let digest = world.seal("1.0.0").await;
        let first = world.deploy("1.0.0", "staging").await;
        let deployed = world.ends(&first, "succeeded").await;
        tell("35 objects, from nothing to healthy", &deployed);
        let target = &deployed["targets"][0];
        assert_eq!(
            (&target["ready"], &target["total"]),
            (&json!(12), &json!(12)),
            "{deployed:#}"
        );
        let objects = snapshot(&namespace, &keys).await;
        check_available(&objects, 12);
        check_marks(&objects, "1.0.0", &digest, "1");
        Self {
            names: names(&namespace).await,
            replica_sets: namespace.list("ReplicaSet").await,
            pods: pods(&namespace).await,
            world,
            namespace,
            keys,
            objects,
        }
    }

    /// What a changed version would do is shown while it waits, and showing it does nothing.
    async fn preview(&self) {
        let world = &self.world;
        let later = process_now() + SignedDuration::from_hours(1);
        let body = json!({
            "release": world.release("1.1.0"), "environment": "staging", "not_before": later.to_string(),
        });
        let asked = world.otto.post("/v1/deployments", body).await.expect(201);
        assert_eq!(asked["state"], "pending", "{asked:#}");
        assert_eq!(asked["blockers"][0]["kind"], "schedule", "{asked:#}");
        let waiting = text(&asked["id"]);
        let preview = world
            .otto
            .get(&format!("/v1/deployments/{waiting}/preview"))
            .await;
        let preview = preview.expect(200);
        assert_eq!(counts(&preview), [0, 1, 33, 1], "{preview:#}");
        assert_eq!(previewed(&preview, "updated"), [updated()]);
        assert_eq!(previewed(&preview, "pruned"), [gone()]);
        let objects = preview["targets"][0]["objects"].as_array().expect("objects");
        let paths = &objects.iter().find(|o| o["change"] == "updated").expect("it")["paths"];
        assert_eq!(paths.as_array().map(Vec::len), Some(1), "{paths:#}");
        assert_eq!(
            paths[0]["pointer"], "/spec/template/spec/containers/0/image",
            "{paths:#}"
        );
        let now = snapshot(&self.namespace, &self.keys).await;
        for (key, was) in &self.objects {
            assert_eq!(asked_for(was), asked_for(&now[key]), "a preview changed {key:?}");
        }
        world.steer(&waiting, "cancel").await.expect(200);
    }

    /// The changed version does exactly what its preview has shown.
    async fn change(&self, digest: &str) -> String {
        let id = self.world.deploy("1.1.0", "staging").await;
        tell(
            "one of 35 changed, one gone",
            &self.world.ends(&id, "succeeded").await,
        );
        let kept: Vec<Key> = self.keys.iter().filter(|key| **key != gone()).cloned().collect();
        let objects = snapshot(&self.namespace, &kept).await;
        check_available(&objects, 11);
        check_marks(&objects, "1.1.0", digest, "2");
        let mut expected = self.names.clone();
        expected.retain(|key| *key != gone());
        assert_eq!(
            names(&self.namespace).await,
            expected,
            "something else is gone, or new"
        );
        for (key, is) in &objects {
            let was = &self.objects[key];
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
        // No other Deployment rolled out again, and no pod of theirs was replaced. (Their `metadata.generation` does move:
        // the API server counts a Deployment's annotations as part of what it is asked for, and they name the release.)
        let sets = self.namespace.list("ReplicaSet").await;
        let new = sets
            .iter()
            .filter(|(name, _)| !self.replica_sets.contains_key(*name));
        let new: Vec<String> = new
            .map(|(_, set)| text(&set["metadata"]["labels"]["app"]))
            .collect();
        assert_eq!(new, [updated().1]);
        let pods = pods(&self.namespace).await;
        for (uid, app) in &self.pods {
            let changed = *app == updated().1 || *app == gone().1;
            assert_eq!(pods.contains_key(uid), !changed, "pod of {app}");
        }
        id
    }

    /// The first version comes back, object for object.
    async fn roll_back(&self, id: &str) {
        let path = format!("/v1/deployments/{id}/rollback");
        let reason = json!({"reason": "the cart is slow"});
        let undo = self.world.ana.post(&path, reason).await.expect(201);
        assert_eq!(undo["kind"], "roll_back", "{undo:#}");
        assert_eq!(undo["rolls_back"], id, "{undo:#}");
        tell(
            "rollback",
            &self.world.ends(&text(&undo["id"]), "succeeded").await,
        );
        let objects = snapshot(&self.namespace, &self.keys).await;
        check_available(&objects, 12);
        assert_eq!(names(&self.namespace).await, self.names);
        for (key, is) in &objects {
            assert_eq!(content(is), content(&self.objects[key]), "{key:?}");
        }
        let status = self.world.vera.get("/v1/status").await.expect(200);
        let runs = &status["services"][0]["runs"][0]["release"];
        assert_eq!(*runs, self.world.release("1.0.0"), "{status:#}");
    }
}

/// Which object it is, its content, and our marks: all but its status, which moves by itself.
fn asked_for(object: &Value) -> (&Value, Value, &Value) {
    let metadata = &object["metadata"];
    (&metadata["uid"], content(object), &metadata["annotations"])
}

#[tokio::test]
async fn a_published_application_deploys_changes_and_rolls_back_object_for_object() {
    let boutique = Boutique::deployed().await;
    let digest = boutique.world.sealed("1.1.0", &changed()).await;
    boutique.preview().await;
    let second = boutique.change(&digest).await;
    boutique.roll_back(&second).await;
    boutique.world.audit_holds();
    boutique.namespace.close().await;
    boutique.world.close().await;
}
