//! The order in which kinds are applied: first what others need in order to be accepted or to start.

use crate::component::bundle::group_of;

/// One phase of applying: kinds that go to the cluster together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Phase {
    /// Its place in the order, from 0; what [`apply_rank`] gives for its kinds.
    pub rank: u8,
    /// What it applies, for people.
    pub name: &'static str,
    /// Whether `before` hooks must have run first: they need access, configuration and storage, and come ahead of
    /// everything that serves users.
    pub after_hooks: bool,
    /// Whether it brings kinds that must be established before objects of them can be applied.
    pub defines_kinds: bool,
}

/// The phases of applying, in order.
pub const PHASES: [Phase; 8] = [
    Phase {
        rank: 0,
        name: "namespaces",
        after_hooks: false,
        defines_kinds: false,
    },
    Phase {
        rank: 1,
        name: "custom resource definitions",
        after_hooks: false,
        defines_kinds: true,
    },
    Phase {
        rank: 2,
        name: "access",
        after_hooks: false,
        defines_kinds: false,
    },
    Phase {
        rank: 3,
        name: "configuration",
        after_hooks: false,
        defines_kinds: false,
    },
    Phase {
        rank: 4,
        name: "storage",
        after_hooks: false,
        defines_kinds: false,
    },
    Phase {
        rank: 5,
        name: "services",
        after_hooks: true,
        defines_kinds: false,
    },
    Phase {
        rank: 6,
        name: "workloads",
        after_hooks: true,
        defines_kinds: false,
    },
    Phase {
        rank: 7,
        name: "the rest",
        after_hooks: true,
        defines_kinds: false,
    },
];

/// The [`Phase::rank`] of the phase that a kind is applied in.
#[must_use]
pub fn apply_rank(api_version: &str, kind: &str) -> u8 {
    match (group_of(api_version), kind) {
        ("", "Namespace") => 0,
        ("apiextensions.k8s.io", "CustomResourceDefinition") => 1,
        ("", "ServiceAccount")
        | ("rbac.authorization.k8s.io", _)
        | ("policy" | "extensions", "PodSecurityPolicy") => 2,
        // Quotas, limits and classes too: they hold for pods that are made after them.
        ("", "ConfigMap" | "Secret" | "LimitRange" | "ResourceQuota")
        | ("scheduling.k8s.io", "PriorityClass")
        | ("node.k8s.io", "RuntimeClass") => 3,
        ("", "PersistentVolume" | "PersistentVolumeClaim") | ("storage.k8s.io", _) => 4,
        // A workload without its network policy would for a moment be open.
        ("", "Service" | "Endpoints")
        | ("discovery.k8s.io", "EndpointSlice")
        | ("networking.k8s.io" | "extensions", "NetworkPolicy") => 5,
        ("", "Pod" | "ReplicationController")
        | ("apps" | "extensions", "DaemonSet" | "Deployment" | "ReplicaSet")
        | ("apps", "StatefulSet")
        | ("batch", "CronJob" | "Job") => 6,
        _ => 7,
    }
}

/// Whether deleting such an object deletes what it holds: data of users, or objects that others made. Pruning leaves
/// these alone and says so, since nothing could bring back what went with them.
#[must_use]
pub fn holds_others(api_version: &str, kind: &str) -> bool {
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    matches!(
        (group, kind),
        ("", "Namespace" | "PersistentVolume" | "PersistentVolumeClaim")
            | ("apiextensions.k8s.io", "CustomResourceDefinition")
    )
}
