//! What the outside does for the domain: each trait is implemented once and wired in the binary.

use crate::Name;
use crate::{
    component::bundle::ObjectRef,
    plan::target::Intent,
    registry::{ClusterGrants, Connection, Inventory},
    render::{ObjectDiff, Rendering},
    work::{Ack, Assignment, Lease, Report},
};
use jiff::SignedDuration;
use std::{collections::BTreeMap, future::Future, pin::Pin, sync::Arc};

pub use crate::drift::DriftLedger;

/// A future that a port returns where the trait must be usable as `dyn`.
pub type PortFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What an issuer publishes, fetched: `slipway-issuers` does it over HTTP.
pub trait IssuerDocuments: Send + Sync + 'static {
    /// The whole body of what an address answers with 200: within seconds, not larger than such documents are, and from
    /// nowhere but this very address.
    ///
    /// # Errors
    /// Why there is none, for an operator.
    fn get<'a>(&'a self, address: &'a url::Url) -> PortFuture<'a, Result<Vec<u8>, String>>;
}

/// The queue could not be reached or refused; worth trying again.
#[derive(Debug, thiserror::Error)]
#[error("the queue is unavailable: {0}")]
pub struct QueueUnavailable(#[source] pub Box<dyn std::error::Error + Send + Sync>);

/// What a worker asks of the queue.
#[derive(Debug, Clone)]
pub struct ClaimRequest {
    /// Who asks: unique to the process.
    pub holder: String,
    /// At most this many; a claim may bring fewer than are due, and the next one goes on with them.
    pub max: u32,
    /// For how long.
    pub lease: SignedDuration,
    /// Only clusters that carry all of these labels; empty for every cluster.
    pub cluster_labels: BTreeMap<String, String>,
}

/// What a heartbeat did. What it names in neither list is not the holder's any more.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Heartbeat {
    /// Leases that are longer now.
    pub extended: Vec<Lease>,
    /// Leases that somebody else was at, at that moment: a report under it, or whoever takes it back. They are as they
    /// were, and the next heartbeat tells.
    pub busy: Vec<Lease>,
}

/// The queue, as an executor sees it.
pub trait WorkQueue: Send + Sync + 'static {
    /// Claims work that is due. The first claim of a deployment admits it: its gates are judged in this transaction.
    fn claim(
        &self,
        request: &ClaimRequest,
    ) -> impl Future<Output = Result<Vec<Assignment>, QueueUnavailable>> + Send;

    /// Extends leases, on a connection of its own; waits for none of them.
    fn heartbeat(
        &self,
        holder: &str,
        leases: &[Lease],
        extend_by: SignedDuration,
    ) -> impl Future<Output = Result<Heartbeat, QueueUnavailable>> + Send;

    /// Records what happened, if the lease still holds.
    fn report(
        &self,
        assignment: &Assignment,
        report: Report,
    ) -> impl Future<Output = Result<Ack, QueueUnavailable>> + Send;

    /// Makes waiting work due at once: something was seen on the cluster.
    fn wake(
        &self,
        targets: &[crate::ids::DeploymentTargetId],
    ) -> impl Future<Output = Result<(), QueueUnavailable>> + Send;

    /// Returns when there may be work (a hint), at the latest after `at_most`.
    fn hint(&self, at_most: SignedDuration) -> impl Future<Output = ()> + Send;
}

/// Why a cluster did not do what was asked, told apart as far as a user can act on it. Free of secrets.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClusterFault {
    /// No connection: refused, unknown host, no route, timeout.
    #[error("cluster {cluster} is unreachable: {detail}")]
    Unreachable {
        /// The cluster's name.
        cluster: Name,
        /// What happened.
        detail: String,
    },
    /// 401: the credential is not accepted.
    #[error("cluster {cluster} does not accept the credential (401); give it a new one")]
    Unauthorized {
        /// The cluster's name.
        cluster: Name,
    },
    /// 403: the credential may not do this.
    #[error("cluster {cluster} forbids it (403): {detail}")]
    Forbidden {
        /// The cluster's name.
        cluster: Name,
        /// The API server's own words.
        detail: String,
    },
    /// Its certificate is expired, not yet valid, untrusted, or for another name.
    #[error("the certificate of cluster {cluster} is not valid: {detail}")]
    Certificate {
        /// The cluster's name.
        cluster: Name,
        /// Expired, unknown issuer, another name.
        detail: String,
    },
    /// The connection details themselves are unusable.
    #[error("the connection details of cluster {cluster} are unusable: {detail}")]
    Misconfigured {
        /// The cluster's name.
        cluster: Name,
        /// What is wrong.
        detail: String,
    },
    /// The cluster does not serve these kinds, or serves them in another scope than granted.
    #[error("cluster {cluster} cannot take {}", problems.join("; "))]
    Kinds {
        /// The cluster's name.
        cluster: Name,
        /// One sentence an object.
        problems: Vec<String>,
    },
    /// Asked to wait.
    #[error("cluster {cluster} asks to wait {after}")]
    TooManyRequests {
        /// The cluster's name.
        cluster: Name,
        /// `Retry-After`.
        after: SignedDuration,
    },
    /// Anything else the API server said.
    #[error("cluster {cluster}: {detail}")]
    Other {
        /// The cluster's name.
        cluster: Name,
        /// The API server's own words.
        detail: String,
    },
}

/// What a connection test found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterReport {
    /// The API server's version, as `v1.33.2`.
    pub version: String,
    /// Round trip of the version request.
    pub round_trip: SignedDuration,
    /// Rights that deployments need and the credential lacks, as sentences; empty when all are there.
    pub missing_rights: Vec<String>,
}

/// What a deployment would do to one target.
#[derive(Debug, Clone)]
pub struct TargetPreview {
    /// Whether the namespace would be created.
    pub creates_namespace: bool,
    /// One entry an object, in the order of applying, then what would be pruned, then hooks.
    pub objects: Vec<ObjectPreview>,
    /// What the API server could not be asked in advance, and why, as sentences.
    pub notes: Vec<String>,
}

/// What a deployment would do to one object.
#[derive(Debug, Clone)]
pub struct ObjectPreview {
    /// Which object.
    pub object: ObjectRef,
    /// The difference between what runs and what would (server-side dry run), secrets redacted.
    pub diff: ObjectDiff,
    /// What stands in the way: a conflict with another field manager, a validation error of the API server.
    pub problem: Option<String>,
    /// Whether this is a hook that would run.
    pub hook: bool,
}

/// What to preview.
#[derive(Debug, Clone)]
pub struct PreviewRequest {
    /// The cluster.
    pub connection: Connection,
    /// What may be applied there beyond the target's namespace.
    pub grants: ClusterGrants,
    /// The target's namespace.
    pub namespace: Name,
    /// Name of the service: only objects labelled with it would be pruned.
    pub service: Name,
    /// Name of the environment: likewise.
    pub environment: Name,
    /// Apply, roll back or clean.
    pub intent: Intent,
    /// Whether fields of other managers would be taken over.
    pub force_conflicts: bool,
    /// What would be applied.
    pub rendering: Arc<Rendering>,
    /// What was applied last.
    pub inventory: Inventory,
}

/// What to look at on one target.
#[derive(Debug, Clone)]
pub struct InspectRequest {
    /// The cluster.
    pub connection: Connection,
    /// The target's namespace.
    pub namespace: Name,
    /// Name of the service.
    pub service: Name,
    /// Name of the environment.
    pub environment: Name,
    /// What was applied last, as the database says.
    pub inventory: Inventory,
}

/// What was found on one target.
#[derive(Debug, Clone, Default)]
pub struct TargetSeen {
    /// The generation object, if it is there and can be read.
    pub guard: Option<GuardSeen>,
    /// What of the inventory is there, and whatever else carries the labels of the service and environment.
    pub objects: Vec<ObjectSeen>,
    /// What of the inventory is not there.
    pub missing: Vec<ObjectRef>,
    /// Kinds that could not be listed, and why, as sentences.
    pub unasked: Vec<String>,
}

/// What the generation object says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuardSeen {
    /// The target's id.
    pub target: String,
    /// The generation.
    pub generation: i64,
    /// The fence it was written under.
    pub fence: i64,
    /// The deployment's id.
    pub deployment: String,
}

/// What an object says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectSeen {
    /// Which object.
    pub object: ObjectRef,
    /// Whether it carries the labels of the service and the environment.
    pub ours: bool,
    /// Whether it is no part of an inventory: a hook's Job, what something else made, what is being deleted, what is kept
    /// for what it holds.
    pub passing: bool,
    /// The generation it was applied under.
    pub generation: Option<i64>,
    /// The deployment that applied it.
    pub deployment: Option<String>,
    /// Digest of the release it was applied from.
    pub release_digest: Option<String>,
}

/// Read-only questions to a cluster; the executor's crate answers them.
pub trait ClusterProbe: Send + Sync + 'static {
    /// Tests a connection: reachable, certificate, credential, rights.
    fn check<'a>(&'a self, connection: &'a Connection)
    -> PortFuture<'a, Result<ClusterReport, ClusterFault>>;

    /// Shows what a deployment would do to a target, by server-side dry run. Changes nothing.
    fn preview<'a>(
        &'a self,
        request: &'a PreviewRequest,
    ) -> PortFuture<'a, Result<TargetPreview, ClusterFault>>;

    /// Reads what a target holds: its guard, what of its inventory is there, and what else carries its labels.
    fn inspect<'a>(&'a self, request: &'a InspectRequest)
    -> PortFuture<'a, Result<TargetSeen, ClusterFault>>;
}
