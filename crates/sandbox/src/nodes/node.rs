//! The Node object and its heartbeat.

use std::time::Duration;

use anyhow::Result;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Node;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use serde_json::{Value, json};

use super::retry::answered;
use crate::clock;

pub(super) const NAME: &str = "sandbox-node";
pub(super) const ADDRESS: &str = "10.0.0.1";
const MANAGER: &str = "sandbox-node";
/// As often as a kubelet does.
const RENEW_EVERY: Duration = Duration::from_secs(10);

/// The labels of the node, which `nodeSelector`s of Pods are matched with.
pub(super) const LABELS: [(&str, &str); 5] = [
    ("kubernetes.io/hostname", NAME),
    ("kubernetes.io/os", "linux"),
    ("kubernetes.io/arch", "amd64"),
    ("topology.kubernetes.io/region", "sandbox"),
    ("topology.kubernetes.io/zone", "sandbox-a"),
];

/// Makes the node, or brings one of an earlier run up to date, and reports it ready.
pub(crate) async fn register(client: &Client) -> Result<()> {
    let nodes: Api<Node> = Api::all(client.clone());
    let params = PatchParams::apply(MANAGER).force();
    nodes.patch(NAME, &params, &Patch::Apply(object())).await?;
    // The admission taints a new node until somebody says that it is ready, which is the node life cycle's part.
    nodes
        .patch(
            NAME,
            &PatchParams::default(),
            &Patch::Merge(json!({ "spec": { "taints": null } })),
        )
        .await?;
    nodes
        .patch_status(NAME, &PatchParams::default(), &Patch::Strategic(status()))
        .await?;
    Ok(())
}

/// Renews the node's lease until dropped.
pub(super) async fn keep_alive(client: Client) {
    let leases: Api<Lease> = Api::namespaced(client, "kube-node-lease");
    let params = PatchParams::apply(MANAGER).force();
    let mut due = tokio::time::interval(RENEW_EVERY);
    loop {
        due.tick().await;
        let lease = Patch::Apply(lease());
        answered("renew the lease", || leases.patch(NAME, &params, &lease)).await;
    }
}

fn object() -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": { "name": NAME, "labels": LABELS.into_iter().collect::<std::collections::BTreeMap<_, _>>() },
    })
}

fn lease() -> Value {
    json!({
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": { "name": NAME },
        "spec": {
            "holderIdentity": NAME,
            "leaseDurationSeconds": 40,
            "renewTime": clock::now().strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string(),
        },
    })
}

fn status() -> Value {
    let now = clock::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let condition = |kind: &str, holds: &str, reason: &str| {
        json!({
            "type": kind, "status": holds, "reason": reason,
            "lastHeartbeatTime": now, "lastTransitionTime": now,
        })
    };
    let resources = json!({ "cpu": "1000", "memory": "4Ti", "pods": "10000", "ephemeral-storage": "10Ti" });
    json!({ "status": {
        "capacity": resources,
        "allocatable": resources,
        "addresses": [{ "type": "InternalIP", "address": ADDRESS }, { "type": "Hostname", "address": NAME }],
        "conditions": [
            condition("Ready", "True", "KubeletReady"),
            condition("MemoryPressure", "False", "KubeletHasSufficientMemory"),
            condition("DiskPressure", "False", "KubeletHasNoDiskPressure"),
            condition("PIDPressure", "False", "KubeletHasSufficientPID"),
        ],
        "nodeInfo": {
            "architecture": "amd64", "operatingSystem": "linux", "kubeletVersion": "sandbox",
            "kubeProxyVersion": "sandbox", "containerRuntimeVersion": "sandbox://1", "osImage": "none",
            "kernelVersion": "", "machineID": "", "systemUUID": "", "bootID": "",
        },
    } })
}
