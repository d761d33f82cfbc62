//! Which of Kubernetes' own kinds live in a namespace, and which belong to the whole cluster.

use crate::component::bundle::group_of;
use serde::{Deserialize, Serialize};

/// Where objects of a kind live.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ObjectScope {
    /// In a namespace.
    Namespaced,
    /// In the cluster as a whole.
    Cluster,
}

/// The scope of a built-in kind, in any version of its group; `None` for what Kubernetes does not bring itself, whose
/// scope only the cluster (or its `CustomResourceDefinition`) knows.
#[must_use]
pub fn scope_of(api_version: &str, kind: &str) -> Option<ObjectScope> {
    use ObjectScope::{Cluster, Namespaced};
    let scope = match (group_of(api_version), kind) {
        ("", "ComponentStatus" | "Namespace" | "Node" | "PersistentVolume")
        | ("admissionregistration.k8s.io", _)
        | ("apiextensions.k8s.io", "CustomResourceDefinition")
        | ("apiregistration.k8s.io", "APIService")
        | ("authentication.k8s.io", "SelfSubjectReview" | "TokenReview")
        | (
            "authorization.k8s.io",
            "SelfSubjectAccessReview" | "SelfSubjectRulesReview" | "SubjectAccessReview",
        )
        | ("certificates.k8s.io", "CertificateSigningRequest" | "ClusterTrustBundle")
        | ("flowcontrol.apiserver.k8s.io", "FlowSchema" | "PriorityLevelConfiguration")
        | ("internal.apiserver.k8s.io", "StorageVersion")
        | ("networking.k8s.io", "IPAddress" | "IngressClass" | "ServiceCIDR")
        | ("node.k8s.io", "RuntimeClass")
        | ("policy" | "extensions", "PodSecurityPolicy")
        | ("rbac.authorization.k8s.io", "ClusterRole" | "ClusterRoleBinding")
        | ("resource.k8s.io", "DeviceClass" | "DeviceTaintRule" | "ResourceSlice")
        | ("scheduling.k8s.io", "PriorityClass")
        | (
            "storage.k8s.io",
            "CSIDriver" | "CSINode" | "StorageClass" | "VolumeAttachment" | "VolumeAttributesClass",
        )
        | ("storagemigration.k8s.io", "StorageVersionMigration") => Cluster,
        (
            "",
            "Binding"
            | "ConfigMap"
            | "Endpoints"
            | "Event"
            | "LimitRange"
            | "PersistentVolumeClaim"
            | "Pod"
            | "PodTemplate"
            | "ReplicationController"
            | "ResourceQuota"
            | "Secret"
            | "Service"
            | "ServiceAccount",
        )
        | ("apps", "ControllerRevision" | "DaemonSet" | "Deployment" | "ReplicaSet" | "StatefulSet")
        | ("authorization.k8s.io", "LocalSubjectAccessReview")
        | ("autoscaling", "HorizontalPodAutoscaler")
        | ("batch", "CronJob" | "Job")
        | ("certificates.k8s.io", "PodCertificateRequest")
        | ("coordination.k8s.io", "Lease" | "LeaseCandidate")
        | ("discovery.k8s.io", "EndpointSlice")
        | ("events.k8s.io", "Event")
        | ("extensions", "DaemonSet" | "Deployment" | "Ingress" | "NetworkPolicy" | "ReplicaSet")
        | ("networking.k8s.io", "Ingress" | "NetworkPolicy")
        | ("policy", "PodDisruptionBudget")
        | ("rbac.authorization.k8s.io", "Role" | "RoleBinding")
        | ("resource.k8s.io", "ResourceClaim" | "ResourceClaimTemplate")
        | ("storage.k8s.io", "CSIStorageCapacity") => Namespaced,
        _ => return None,
    };
    Some(scope)
}
