//! What a target holds: its guard, what of its inventory is there, and what else carries its labels. Reads only, and
//! judges nothing.

use crate::{
    api::{Cluster, Resource},
    concurrent::try_all,
    fault::CallError,
    object::{self, annotation},
    steps::guard,
};
use serde_json::Value;
use slipway_domain::{
    component::bundle::{HOOK_ANNOTATION, ObjectRef},
    ports::{ClusterFault, InspectRequest, ObjectSeen, TargetSeen},
    registry::InventoryItem,
    render::{ANNOTATION_DEPLOYMENT, ANNOTATION_RELEASE_DIGEST, holds_others},
};
use std::collections::BTreeSet;

/// Kinds that bundles are made of; in these, objects are looked for that no inventory has. What controllers make by
/// themselves (pods, replica sets, endpoints) copies labels from what it is made for, and is no matter of ours.
const LISTED: [(&str, &str); 17] = [
    ("v1", "ConfigMap"),
    ("v1", "Secret"),
    ("v1", "Service"),
    ("v1", "ServiceAccount"),
    ("v1", "PersistentVolumeClaim"),
    ("apps/v1", "Deployment"),
    ("apps/v1", "StatefulSet"),
    ("apps/v1", "DaemonSet"),
    ("batch/v1", "Job"),
    ("batch/v1", "CronJob"),
    ("networking.k8s.io/v1", "Ingress"),
    ("networking.k8s.io/v1", "NetworkPolicy"),
    ("rbac.authorization.k8s.io/v1", "Role"),
    ("rbac.authorization.k8s.io/v1", "RoleBinding"),
    ("policy/v1", "PodDisruptionBudget"),
    ("autoscaling/v2", "HorizontalPodAutoscaler"),
    ("autoscaling/v1", "HorizontalPodAutoscaler"),
];

pub(super) async fn inspect(cluster: &Cluster, request: &InspectRequest) -> Result<TargetSeen, ClusterFault> {
    look(cluster, request)
        .await
        .map_err(|error| error.into_fault(cluster.name()))
}

async fn look(cluster: &Cluster, request: &InspectRequest) -> Result<TargetSeen, CallError> {
    let mut seen = TargetSeen {
        guard: guard::look(cluster, request.namespace.as_str(), request.service.as_str()).await?,
        ..TargetSeen::default()
    };
    let of_inventory = request
        .inventory
        .0
        .iter()
        .map(|item| of_item(cluster, request, item));
    for (item, live) in request.inventory.0.iter().zip(try_all(of_inventory).await?) {
        match live {
            Some(live) => seen.objects.push(read(request, &live)),
            None => seen.missing.push(item.object.clone()),
        }
    }
    for (api_version, kind) in kinds(request) {
        match strays(cluster, request, api_version, kind).await {
            Ok(found) => {
                for live in found {
                    let stray = read(request, &live);
                    let known = seen.objects.iter().any(|o| is_same(&o.object, &stray.object));
                    if !known {
                        seen.objects.push(stray);
                    }
                }
            }
            // A credential need not be able to see everything; then it put nothing there either.
            Err(CallError::Fault(ClusterFault::Forbidden { .. })) => seen.unasked.push(format!(
                "the credential may not list {kind} in namespace {}",
                request.namespace
            )),
            Err(error) => return Err(error),
        }
    }
    Ok(seen)
}

/// Namespaced kinds to look through: the usual ones, and those of the inventory.
fn kinds(request: &InspectRequest) -> BTreeSet<(&str, &str)> {
    let of_inventory = request.inventory.0.iter().map(|item| &item.object);
    LISTED
        .into_iter()
        .chain(of_inventory.map(|object| (object.api_version.as_str(), object.kind.as_str())))
        .collect()
}

async fn of_item(
    cluster: &Cluster,
    request: &InspectRequest,
    item: &InventoryItem,
) -> Result<Option<Value>, CallError> {
    let object = &item.object;
    match cluster.resource(&object.api_version, &object.kind).await? {
        // Its kind is gone, and with it all objects of that kind.
        None => Ok(None),
        Some(resource) => {
            cluster
                .get(&resource, request.namespace.as_str(), &object.name)
                .await
        }
    }
}

/// Everything of a kind that carries the labels of the service and environment.
async fn strays(
    cluster: &Cluster,
    request: &InspectRequest,
    api_version: &str,
    kind: &str,
) -> Result<Vec<Value>, CallError> {
    let Some(resource) = cluster
        .resource(api_version, kind)
        .await?
        .filter(|resource: &Resource| resource.namespaced)
    else {
        return Ok(Vec::new());
    };
    let selector = object::selector(request.service.as_str(), request.environment.as_str());
    let mut found = cluster
        .list(&resource, request.namespace.as_str(), &selector)
        .await?;
    found.retain(|live| object::label(live, object::LABEL_MANAGED).is_none());
    Ok(found)
}

fn is_same(one: &ObjectRef, other: &ObjectRef) -> bool {
    one.group() == other.group() && one.kind == other.kind && one.name == other.name
}

fn read(request: &InspectRequest, live: &Value) -> ObjectSeen {
    let object = ObjectRef {
        api_version: object::api_version(live).to_owned(),
        kind: object::kind(live).to_owned(),
        namespace: live["metadata"]["namespace"].as_str().map(str::to_owned),
        name: object::name(live).to_owned(),
    };
    let owned = live["metadata"]["ownerReferences"]
        .as_array()
        .is_some_and(|owners| !owners.is_empty());
    ObjectSeen {
        ours: object::is_ours(live, request.service.as_str(), request.environment.as_str()),
        passing: owned
            || object::is_terminating(live)
            || annotation(live, HOOK_ANNOTATION).is_some()
            || holds_others(&object.api_version, &object.kind),
        generation: object::generation(live),
        deployment: annotation(live, ANNOTATION_DEPLOYMENT).map(str::to_owned),
        release_digest: annotation(live, ANNOTATION_RELEASE_DIGEST).map(str::to_owned),
        object,
    }
}
