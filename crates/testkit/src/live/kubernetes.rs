//! What is really on a cluster.

use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The kubeconfig of the tests' clusters.
///
/// # Panics
/// When there is none.
pub fn kubeconfig() -> String {
    let path = std::env::var("SLIPWAY_TEST_KUBECONFIG").unwrap_or_else(|_| {
        panic!("SLIPWAY_TEST_KUBECONFIG is not set: run `tests/run executor`, which starts real Kubernetes API servers")
    });
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("SLIPWAY_TEST_KUBECONFIG={path}: {e}"))
}

/// A namespace on a cluster, seen with its own client; deleted when the test closes it.
pub struct Namespace {
    client: kube::Client,
    /// Its name.
    pub name: String,
}

impl Namespace {
    /// On a cluster that all tests share.
    pub async fn of(context: &str, name: &str) -> Self {
        Self::on(&kubeconfig(), context, name).await
    }

    /// On the cluster of a context of this kubeconfig.
    ///
    /// # Panics
    /// When the kubeconfig cannot be used.
    pub async fn on(kubeconfig: &str, context: &str, name: &str) -> Self {
        let kubeconfig = Kubeconfig::from_yaml(kubeconfig).expect("a kubeconfig");
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

    /// Its client, for what is asked rarely.
    pub fn client(&self) -> kube::Client {
        self.client.clone()
    }

    /// Sends a request to the API server; `None` when it says 404.
    ///
    /// # Panics
    /// When it refuses otherwise.
    pub async fn send(&self, method: &str, path: &str, body: &Value) -> Option<Value> {
        let content_type = if method == "PATCH" {
            "application/merge-patch+json"
        } else {
            "application/json"
        };
        let request = http::Request::builder()
            .method(method)
            .uri(path)
            .header("content-type", content_type)
            .body(body.to_string().into_bytes())
            .expect("a request");
        match self.client.request(request).await {
            Ok(object) => Some(object),
            Err(kube::Error::Api(status)) if status.code == 404 => None,
            Err(error) => panic!("{method} {path}: {error}"),
        }
    }

    /// Whether it is there.
    pub async fn exists(&self) -> bool {
        let path = format!("/api/v1/namespaces/{}", self.name);
        self.send("GET", &path, &Value::Null).await.is_some()
    }

    /// The objects of a kind, by name.
    ///
    /// # Panics
    /// When the kind is not served.
    pub async fn list(&self, kind: &str) -> BTreeMap<String, Value> {
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
    pub async fn get(&self, kind: &str, name: &str) -> Option<Value> {
        let path = format!("{}/namespaces/{}/{}/{name}", root(kind), self.name, plural(kind));
        self.send("GET", &path, &Value::Null).await
    }

    /// The pods that are not going away, by name.
    pub async fn pods(&self) -> BTreeMap<String, Value> {
        let mut pods = self.list("Pod").await;
        pods.retain(|_, pod| pod["metadata"]["deletionTimestamp"].is_null());
        pods
    }

    /// Takes it away; what a failed test leaves behind is in nobody's way.
    pub async fn close(self) {
        let path = format!("/api/v1/namespaces/{}", self.name);
        self.send("DELETE", &path, &json!({})).await;
    }
}

/// Where a kind is served.
fn root(kind: &str) -> &'static str {
    match kind {
        "Deployment" | "ReplicaSet" | "StatefulSet" | "DaemonSet" => "/apis/apps/v1",
        "Job" => "/apis/batch/v1",
        "Ingress" | "NetworkPolicy" => "/apis/networking.k8s.io/v1",
        "Role" | "RoleBinding" => "/apis/rbac.authorization.k8s.io/v1",
        "HorizontalPodAutoscaler" => "/apis/autoscaling/v1",
        _ => "/api/v1",
    }
}

fn plural(kind: &str) -> String {
    match kind {
        "Ingress" => "ingresses".to_owned(),
        "NetworkPolicy" => "networkpolicies".to_owned(),
        other => format!("{}s", other.to_lowercase()),
    }
}

/// An object's content: what was asked for, with the API server's defaults. Without what the API server and its
/// controllers keep about it, and without what Slipway notes on it with every deployment.
///
/// # Panics
/// When it is no object.
pub fn content(object: &Value) -> Value {
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
pub fn is_available(deployment: &Value) -> bool {
    let conditions = deployment["status"]["conditions"].as_array();
    conditions.is_some_and(|all| {
        all.iter()
            .any(|c| c["type"] == "Available" && c["status"] == "True")
    }) && deployment["status"]["observedGeneration"] == deployment["metadata"]["generation"]
        && deployment["status"]["updatedReplicas"] == deployment["spec"]["replicas"]
}
