//! Tests a connection: reachable, certificate, credential, and the rights that deployments need.

use crate::{
    api::{Call, Cluster},
    concurrent::try_all,
    fault::CallError,
};
use http::Method;
use jiff::SignedDuration;
use serde_json::{Value, json};
use slipway_domain::ports::{ClusterFault, ClusterReport};
use tokio::time::Instant;

/// What a credential must be able to do to everything that bundles usually contain.
const APPLY: [&str; 6] = ["get", "list", "watch", "create", "patch", "delete"];

/// Group, resource, verbs.
const NEEDED: [(&str, &str, &[&str]); 14] = [
    ("", "namespaces", &["get", "create"]),
    (
        "",
        "configmaps",
        &["get", "list", "create", "update", "patch", "delete"],
    ),
    ("", "secrets", &APPLY),
    ("", "services", &APPLY),
    ("", "serviceaccounts", &APPLY),
    ("", "persistentvolumeclaims", &APPLY),
    ("", "pods", &["get", "list", "watch"]),
    ("apps", "deployments", &APPLY),
    ("apps", "statefulsets", &APPLY),
    ("apps", "daemonsets", &APPLY),
    ("batch", "jobs", &APPLY),
    ("batch", "cronjobs", &APPLY),
    ("networking.k8s.io", "ingresses", &APPLY),
    ("networking.k8s.io", "networkpolicies", &APPLY),
];

pub(super) async fn check(cluster: &Cluster) -> Result<ClusterReport, ClusterFault> {
    let asked = async {
        // The first request makes the connection; the round trip is that of a connection which is there.
        cluster.call(&Call::get("/version")).await?;
        let began = Instant::now();
        let version = cluster.call(&Call::get("/version")).await?.body;
        let round_trip = SignedDuration::try_from(began.elapsed()).unwrap_or_default();
        let Some(version) = version["gitVersion"].as_str() else {
            let detail = "it answers, but not as a Kubernetes API server does".to_owned();
            return Err(ClusterFault::Other {
                cluster: cluster.name().clone(),
                detail,
            }
            .into());
        };
        let version = version.to_owned();
        Ok(ClusterReport {
            version,
            round_trip,
            missing_rights: missing_rights(cluster).await?,
        })
    };
    asked
        .await
        .map_err(|error: CallError| error.into_fault(cluster.name()))
}

async fn missing_rights(cluster: &Cluster) -> Result<Vec<String>, CallError> {
    if allowed(cluster, "*", "*", "*").await? {
        return Ok(Vec::new());
    }
    let sentences = NEEDED
        .iter()
        .map(|(group, resource, verbs)| lacking(cluster, group, resource, verbs));
    Ok(try_all(sentences).await?.into_iter().flatten().collect())
}

/// What is lacking of the rights to one resource, as a sentence.
async fn lacking(
    cluster: &Cluster,
    group: &str,
    resource: &str,
    verbs: &[&str],
) -> Result<Option<String>, CallError> {
    let mut missing = Vec::new();
    for verb in verbs {
        if !allowed(cluster, group, resource, verb).await? {
            missing.push(*verb);
        }
    }
    let name = if group.is_empty() {
        resource.to_owned()
    } else {
        format!("{resource}.{group}")
    };
    Ok((!missing.is_empty()).then(|| format!("may not {} {name} in all namespaces", missing.join(", "))))
}

async fn allowed(cluster: &Cluster, group: &str, resource: &str, verb: &str) -> Result<bool, CallError> {
    let review: Value = json!({
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {"group": group, "resource": resource, "verb": verb}},
    });
    let path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews".to_owned();
    let answer = cluster
        .call(&Call::send(Method::POST, path, &review, None))
        .await?
        .body;
    Ok(answer["status"]["allowed"] == true)
}
