//! Teams, services, environments, clusters, targets.

use crate::{Labels, approval::ApprovalRule};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Makes a team.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateTeam {
    /// Its unique name.
    #[schema(pattern = "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$", example = "shop")]
    pub name: String,
}

/// A team.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Team {
    /// Its id.
    pub id: String,
    /// Its unique name.
    #[schema(example = "shop")]
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Registers a service.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateService {
    /// Its unique name; the default namespace of its targets.
    #[schema(pattern = "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$", example = "storefront")]
    pub name: String,
    /// The team that owns it (name or id).
    #[schema(example = "shop")]
    pub team: String,
    /// `low`, `medium` (default), `high` or `critical`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "high")]
    pub criticality: Option<String>,
    /// What it is, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 2000)]
    pub description: Option<String>,
    /// The group that is asked at the end, when nobody else answered for it (name or id).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escalation: Option<String>,
}

/// Changes a service; what is absent stays.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateService {
    /// The team that owns it (name or id).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<String>,
    /// `low`, `medium`, `high` or `critical`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub criticality: Option<String>,
    /// What it is, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 2000)]
    pub description: Option<String>,
    /// The group that is asked at the end, when nobody else answered for it (name or id); `null` takes it away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escalation: Option<String>,
}

/// A service: what users depend on.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Service {
    /// Its id.
    pub id: String,
    /// Its unique name.
    #[schema(example = "storefront")]
    pub name: String,
    /// The team that owns it.
    #[schema(example = "shop")]
    pub team: String,
    /// How much depends on it.
    #[schema(example = "high")]
    pub criticality: String,
    /// What it is.
    pub description: String,
    /// The group that is asked at the end, when nobody else answered for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escalation: Option<String>,
    /// When it was registered.
    pub created_at: Timestamp,
}

/// One wave of targets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Wave {
    /// Its name.
    #[schema(pattern = "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$", example = "eu")]
    pub name: String,
    /// Labels a target must all carry to be in it.
    #[schema(example = json!({"region": "eu"}))]
    pub match_labels: Labels,
    /// How many targets at once; all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1)]
    pub max_parallel: Option<u32>,
    /// How many targets may fail before the deployment stops.
    #[serde(default)]
    pub max_failures: u32,
    /// How long it must have been healthy before the next wave starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "PT5M")]
    pub soak: Option<String>,
}

/// A change to objects that match, as part of a configuration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Overlay {
    /// Which object.
    pub target: OverlayTarget,
    /// JSON merge patch (RFC 7396).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>, example = json!({"spec": {"replicas": 3}}))]
    pub merge: Option<serde_json::Value>,
    /// JSON patch (RFC 6902).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<Object>>)]
    pub patch: Option<Vec<serde_json::Value>>,
}

/// Which object an overlay changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OverlayTarget {
    /// Its kind.
    #[schema(example = "Deployment")]
    pub kind: String,
    /// Its name.
    #[schema(example = "web")]
    pub name: String,
    /// Only in this component.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub component: Option<String>,
}

/// Makes an environment.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateEnvironment {
    /// Its unique name.
    #[schema(pattern = "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$", example = "production")]
    pub name: String,
    /// `development`, `test`, `staging` or `production`.
    #[schema(example = "production")]
    pub tier: String,
    /// The stage before: only what succeeded there comes here (name or id).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "staging")]
    pub promotes_from: Option<String>,
    /// Its clusters (names or ids), in order.
    #[schema(example = json!(["eu", "us"]))]
    pub clusters: Vec<String>,
    /// How deployments are done here; each part has a default.
    #[serde(default)]
    pub settings: EnvironmentSettings,
}

/// How an environment wants its deployments done.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct EnvironmentSettings {
    /// Approvals; none when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approvals: Option<ApprovalRule>,
    /// Waves in order; targets that match none come last, together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waves: Option<Vec<Wave>>,
    /// How long workloads may take to become healthy (`PT10M`).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "PT10M")]
    pub progress_deadline: Option<String>,
    /// How long a release must have been in the stage before (`PT0S`).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "PT1H")]
    pub promotion_soak: Option<String>,
    /// Roll back by itself when a deployment fails (`true`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub automatic_rollback: Option<bool>,
    /// How long a request may wait before it expires (`PT168H`).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "PT168H")]
    pub expires_after: Option<String>,
    /// Changes to objects of every release that comes here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config: Option<Vec<Overlay>>,
    /// What is done about drift: `report` (it is recorded and shown) or `heal` (and taken back, also from other field
    /// managers).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(pattern = "^(report|heal)$", example = "report")]
    pub drift: Option<String>,
}

/// Changes an environment; what is absent stays.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateEnvironment {
    /// Its clusters (names or ids), in order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clusters: Option<Vec<String>>,
    /// How deployments are done here.
    #[serde(default)]
    pub settings: EnvironmentSettings,
}

/// An environment: where releases go.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Environment {
    /// Its id.
    pub id: String,
    /// Its unique name.
    #[schema(example = "production")]
    pub name: String,
    /// Its tier.
    #[schema(example = "production")]
    pub tier: String,
    /// The stage before.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "staging")]
    pub promotes_from: Option<String>,
    /// Its clusters, in order.
    pub clusters: Vec<String>,
    /// How deployments are done here, with every default filled in.
    #[serde(default)]
    pub settings: EnvironmentSettings,
    /// When it was made.
    pub created_at: Timestamp,
}

/// The credential for a cluster: goes in, never comes out. One of kubeconfig, token, or client certificate and key.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ClusterCredential {
    /// A kubeconfig; one context of it is taken, with its server, authority and user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(write_only)]
    pub kubeconfig: Option<String>,
    /// Which context of the kubeconfig; its current one when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
    /// A bearer token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(write_only)]
    pub token: Option<String>,
    /// A client certificate, PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(write_only)]
    pub client_certificate: Option<String>,
    /// Its private key, PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(write_only)]
    pub client_key: Option<String>,
}

impl std::fmt::Debug for ClusterCredential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ClusterCredential(redacted)")
    }
}

/// What bundles may contain, on a cluster, beyond namespaced objects in the target's namespace.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ClusterGrants {
    /// Cluster-scoped kinds, as `Kind.group` (`Kind` for the core group), or `*` for all.
    #[serde(default)]
    #[schema(example = json!(["CustomResourceDefinition.apiextensions.k8s.io"]))]
    pub cluster_scoped_kinds: Vec<String>,
}

/// Registers a cluster.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateCluster {
    /// Its unique name.
    #[schema(pattern = "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$", example = "eu")]
    pub name: String,
    /// Base URL of its API; from the kubeconfig when absent. `https`, or `http` on loopback.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "https://eu.kube.example:6443")]
    pub server: Option<String>,
    /// The certificate authority to trust, PEM; from the kubeconfig when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate_authority: Option<String>,
    /// The credential.
    pub credential: ClusterCredential,
    /// Region, wave and so on.
    #[serde(default)]
    #[schema(example = json!({"region": "eu"}))]
    pub labels: Labels,
    /// What may be applied there beyond the target's namespace.
    #[serde(default)]
    pub grants: ClusterGrants,
}

/// Changes a cluster; what is absent stays. A new server needs its credential again.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateCluster {
    /// Base URL of its API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// The certificate authority to trust, PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate_authority: Option<String>,
    /// A new credential.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<ClusterCredential>,
    /// Region, wave and so on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<Labels>,
    /// What may be applied there beyond the target's namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grants: Option<ClusterGrants>,
}

/// A cluster, without its credential.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Cluster {
    /// Its id.
    pub id: String,
    /// Its unique name.
    #[schema(example = "eu")]
    pub name: String,
    /// Base URL of its API.
    pub server: String,
    /// Region, wave and so on.
    pub labels: Labels,
    /// What may be applied there beyond the target's namespace.
    pub grants: ClusterGrants,
    /// When the last successful check talked to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_seen_at: Option<Timestamp>,
    /// When it was registered.
    pub created_at: Timestamp,
}

/// What a connection test found.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ClusterCheck {
    /// The API server's version.
    #[schema(example = "v1.33.2")]
    pub version: String,
    /// How long it took to answer, in milliseconds.
    pub round_trip_ms: u64,
    /// Rights that deployments need and the credential lacks; empty when all are there.
    pub missing_rights: Vec<String>,
}

/// Says where a service lands, instead of the default (every cluster of the environment, in a namespace named after the
/// service).
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateTarget {
    /// The service (name or id).
    #[schema(example = "storefront")]
    pub service: String,
    /// The environment (name or id).
    #[schema(example = "production")]
    pub environment: String,
    /// The cluster (name or id); one of the environment's.
    #[schema(example = "eu")]
    pub cluster: String,
    /// The namespace.
    #[schema(pattern = "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$", example = "storefront")]
    pub namespace: String,
    /// Labels over those of the cluster.
    #[serde(default)]
    pub labels: Labels,
}

const fn yes() -> bool {
    true
}

/// Where one service lands in one environment.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Target {
    /// Its id.
    pub id: String,
    /// The service.
    pub service: String,
    /// The environment.
    pub environment: String,
    /// The cluster.
    pub cluster: String,
    /// The namespace.
    pub namespace: String,
    /// The cluster's labels, overlaid with its own.
    pub labels: Labels,
    /// Whether somebody said so (`true`), or it is the default.
    pub declared: bool,
    /// How many deployments began on it; objects carry it as `slipway.dev/generation`.
    pub generation: i64,
    /// The release that succeeded on it last.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "storefront@1.0.0")]
    pub runs: Option<String>,
    /// The deployment that put it there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deployment: Option<String>,
    /// Whether the service lands there by now. A former target is shown for as long as it holds something of the service.
    #[serde(default = "yes")]
    pub current: bool,
    /// What is to be said of a former target that still holds something, and what to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "eu/shop-old still runs 1.0.0 and is no target any more")]
    pub message: Option<String>,
}
