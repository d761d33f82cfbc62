//! What is really on a cluster.

use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The kubeconfig of the tests' clusters.
pub(crate) fn kubeconfig() -> String {
    let path = std::env::var("SLIPWAY_TEST_KUBECONFIG").unwrap_or_else(|_| {
        panic!("SLIPWAY_TEST_KUBECONFIG is not set: run `tests/run executor`, which starts real Kubernetes API servers")
    });
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("SLIPWAY_TEST_KUBECONFIG={path}: {e}"))
}

/// A namespace on a cluster, seen with its own client; deleted when the test closes it.
pub(crate) struct Namespace {
    client: kube::Client,
    pub(crate) name: String,
}

impl Namespace {
    pub(crate) async fn of(context: &str, name: &str) -> Self {
        let kubeconfig = Kubeconfig::from_yaml(&kubeconfig()).expect("a kubeconfig");
        let options = KubeConfigOptions {
            context: Some(context.to_owned()),
            ..Default::default()
        };
        let config = kube::Config::from_custom_kubeconfig(kubeconfig, &options)
            .await
            .unwrap_or_else(|e| panic!("the kubeconfig has no usable context {context}: {e}"));
        Self {
            client: kube::Client::try_from(config).expect("a client"),
            name: name.to_owned(),
        }
    }

    async fn send(&self, method: &str, path: &str, body: &Value) -> Option<Value> {
        let request = http::Request::builder()
            .method(method)
            .uri(path)
            .header("content-type", "application/json")
            .body(body.to_string().into_bytes())
            .expect("a request");
        match self.client.request(request).await {
            Ok(object) => Some(object),
            Err(kube::Error::Api(status)) if status.code == 404 => None,
            Err(error) => panic!("{method} {path}: {error}"),
        }
    }

    /// Whether it is there.
    pub(crate) async fn exists(&self) -> bool {
        let path = format!("/api/v1/namespaces/{}", self.name);
        self.send("GET", &path, &Value::Null).await.is_some()
    }

    /// The objects of a kind, by name.
    pub(crate) async fn list(&self, kind: &str) -> BTreeMap<String, Value> {
        let path = format!("{}/namespaces/{}/{}", root(kind), self.name, plural(kind));
        let list = self.send("GET", &path, &Value::Null).await.expect("a list");
        let items = list["items"].as_array().cloned().unwrap_or_default();
        items
            .into_iter()
            .map(|item| {
                let name = item["metadata"]["name"].as_str().expect("a name").to_owned();
                (name, item)
            })
            .collect()
    }

    /// One object.
    pub(crate) async fn get(&self, kind: &str, name: &str) -> Option<Value> {
        let path = format!("{}/namespaces/{}/{}/{name}", root(kind), self.name, plural(kind));
        self.send("GET", &path, &Value::Null).await
    }

    /// The pods that are not going away, by name.
    pub(crate) async fn pods(&self) -> BTreeMap<String, Value> {
        let mut pods = self.list("Pod").await;
        pods.retain(|_, pod| pod["metadata"]["deletionTimestamp"].is_null());
        pods
    }

    /// Takes it away; what a failed test leaves behind is in nobody's way.
    pub(crate) async fn close(self) {
        let path = format!("/api/v1/namespaces/{}", self.name);
        self.send("DELETE", &path, &json!({})).await;
    }
}

/// Where a kind is served.
fn root(kind: &str) -> &'static str {
    match kind {
        "Deployment" | "ReplicaSet" => "/apis/apps/v1",
        "Job" => "/apis/batch/v1",
        _ => "/api/v1",
    }
}

fn plural(kind: &str) -> String {
    format!("{}s", kind.to_lowercase())
}

/// An object's content: what was asked for, with the API server's defaults. Without what the API server and its
/// controllers keep about it, and without what Slipway notes on it with every deployment.
pub(crate) fn content(object: &Value) -> Value {
    let mut object = object.clone();
    let top = object.as_object_mut().expect("an object");
    top.remove("status");
    if top["kind"] == "ServiceAccount" {
        // Tokens, made by a controller.
        top.remove("secrets");
    }
    let metadata = top["metadata"].as_object_mut().expect("metadata");
    for field in [
        "managedFields",
        "resourceVersion",
        "uid",
        "generation",
        "creationTimestamp",
        "selfLink",
    ] {
        metadata.remove(field);
    }
    if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
        annotations.retain(|key, _| {
            !key.starts_with("slipway.dev/") && !key.starts_with("deployment.kubernetes.io/")
        });
    }
    object
}

/// Whether a Deployment is available, in the words of its own status.
pub(crate) fn is_available(deployment: &Value) -> bool {
    let conditions = deployment["status"]["conditions"].as_array();
    conditions.is_some_and(|all| {
        all.iter()
            .any(|c| c["type"] == "Available" && c["status"] == "True")
    }) && deployment["status"]["observedGeneration"] == deployment["metadata"]["generation"]
        && deployment["status"]["updatedReplicas"] == deployment["spec"]["replicas"]
}
