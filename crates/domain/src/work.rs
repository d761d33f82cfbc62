//! Work: what the queue holds, who holds it, and what a worker reports.
//!
//! A unit of work is one deployment's work on one target. Claiming it gives a [`Lease`] with a fence; every later write
//! names that fence, and a write whose fence is stale touches nothing.
//!
//! ```mermaid
//! stateDiagram-v2
//!     [*] --> ready: enqueued
//!     ready --> leased: claim (holder, fence, lease end)
//!     leased --> ready: not yet (run again at), retry, or rescued after the lease ended
//!     leased --> parked: paused, or it waits for a person
//!     parked --> ready: resumed by a person, or its cluster got another credential
//!     leased --> [*]: finished
//!     ready --> [*]: cancelled
//!     parked --> [*]: cancelled
//! ```

use crate::{
    Digest, Name,
    component::bundle::ObjectRef,
    ids::{DeploymentId, DeploymentTargetId, TargetId, WorkId},
    plan::target::{Intent, Progress, StepKey},
    registry::{ClusterGrants, Connection, Inventory},
    render::Rendering,
};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Kind of work: one deployment's work on one target.
pub const KIND_TARGET: &str = "deployment_target";
/// Kind of work: likewise, of a deployment that only takes back what has drifted. A server that does not know it would run
/// its hooks.
pub const KIND_HEAL: &str = "heal_target";
/// Every kind of work that this server knows.
pub const KINDS: [&str; 2] = [KIND_TARGET, KIND_HEAL];

/// The right to act on a unit of work, for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The work.
    pub work: WorkId,
    /// Grows with every claim of any work; a stale one's writes touch zero rows.
    pub fence: i64,
    /// Database time at which the claim was made.
    pub claimed_at: Timestamp,
    /// How long it holds from when the claim was *asked for*: a worker counts on its own monotonic clock.
    pub duration: SignedDuration,
}

/// What a worker needs to act on one target, with no meaningful choice left in it.
#[derive(Debug, Clone)]
pub struct Assignment {
    /// The right to act.
    pub lease: Lease,
    /// Which deployment.
    pub deployment: DeploymentId,
    /// Which of its targets.
    pub deployment_target: DeploymentTargetId,
    /// Where.
    pub target: TargetId,
    /// How to reach the cluster.
    pub connection: Connection,
    /// What may be applied there beyond the target's namespace.
    pub grants: ClusterGrants,
    /// The namespace everything namespaced goes to.
    pub namespace: Name,
    /// Name of the service, for messages and the guard object's name.
    pub service: Name,
    /// Name of the environment, for messages.
    pub environment: Name,
    /// The release, as `service 1.2.0`, for messages.
    pub release: String,
    /// Digest of the sealed release.
    pub release_digest: Digest,
    /// The target's generation that this deployment's work on it has.
    pub generation: i64,
    /// Apply, roll back, or clean.
    pub intent: Intent,
    /// What to bring about; empty when cleaning.
    pub rendering: Arc<Rendering>,
    /// Digest of that rendering: what was approved is what is applied, checked again here.
    pub rendering_digest: Digest,
    /// Everything that may be there already.
    pub inventory: Inventory,
    /// Steps done so far.
    pub progress: Progress,
    /// How long the workloads may take to become healthy.
    pub progress_deadline: SignedDuration,
    /// Take over fields that another manager owns.
    pub force_conflicts: bool,
    /// Of a heal: the objects to take back, also from other managers; nothing else is applied.
    pub heals: Vec<ObjectRef>,
    /// How often this work was tried since its last step that succeeded.
    pub attempts: u32,
    /// Database time of the claim.
    pub now: Timestamp,
    /// W3C trace context of the request that caused this, if any.
    pub traceparent: Option<String>,
}

/// Something worth recording that happened while acting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// What kind of thing, as `object.applied`, `hook.started`, `health.changed`.
    pub kind: String,
    /// For people; free of secrets.
    pub message: String,
    /// For machines; free of secrets.
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    pub data: serde_json::Value,
}

/// How healthy a target is, as last seen.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Readiness {
    /// Pods (or objects without pods) that are ready.
    pub ready: u32,
    /// How many there should be.
    pub total: u32,
    /// What is being waited for, the real reason; none when all is well.
    pub reason: Option<String>,
}

/// What a worker says after acting on one step.
#[derive(Debug, Clone)]
pub struct Report {
    /// The step this is about.
    pub step: StepKey,
    /// How it went.
    pub outcome: StepOutcome,
    /// Things that happened, in order.
    pub notes: Vec<Note>,
    /// The inventory from now on, when it changed.
    pub inventory: Option<Inventory>,
    /// Readiness, when it changed.
    pub readiness: Option<Readiness>,
}

/// How a step went.
#[derive(Debug, Clone, PartialEq)]
pub enum StepOutcome {
    /// Recorded as begun (before its first effect), the lease is kept.
    Begun,
    /// Done; its output is kept for later steps. The lease is kept and the next step may follow.
    Done(serde_json::Value),
    /// Not yet: ask again after this long, or when woken. The lease is given back.
    NotYet(SignedDuration),
    /// A technical fault: try again after this long. Counts an attempt unless `free` (the cluster asked us to wait).
    Retry {
        /// What went wrong, free of secrets.
        error: String,
        /// When to try again.
        after: SignedDuration,
        /// Whether this costs no attempt (429, an open circuit breaker).
        free: bool,
    },
    /// Trying again would not help until a person has done something: the credential is refused, say. The lease is given
    /// back, and nothing is tried until the cluster's connection details change, or an operator resumes.
    Parked {
        /// What a person has to do something about, free of secrets.
        error: String,
    },
    /// The last step is done: the target succeeded.
    Succeeded,
    /// It was judged, and it is not good: unhealthy, a hook failed, a conflict.
    Failed {
        /// The real reason, for people.
        reason: String,
    },
    /// It could not be judged.
    Errored {
        /// The reason, for people.
        reason: String,
    },
}

/// The answer to a [`Report`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ack {
    /// Recorded; the lease is kept, go on.
    Continue,
    /// Recorded; the lease was given back (waiting, paused, cancelled or finished): stop acting.
    Released,
    /// Nothing was recorded: the lease is somebody else's by now. Stop acting at once.
    Lost,
}
