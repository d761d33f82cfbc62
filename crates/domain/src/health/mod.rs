//! Health: is an object that is there also as it was asked to be?
//!
//! The rules are those of kstatus (`sigs.k8s.io/cli-utils/pkg/kstatus/status`, `core.go` and `generic.go`), which
//! `kubectl`, Flux and Config Sync use too, written anew in Rust and told in our words. They read nothing but the
//! object: `metadata.generation` against `status.observedGeneration`, counts, and conditions.
//!
//! Where we judge otherwise than kstatus, because a release is either there or is not:
//! * a running Job is in progress, and a Pod that ended in failure has failed (kstatus calls both current);
//! * a Deployment past its progress deadline whose pods are all updated and available is current: the condition is
//!   what is left of an earlier attempt;
//! * what `apps` controllers have not yet observed at all is in progress, whatever its counts say;
//! * a Pod that cannot be scheduled is in progress with that reason: there is no clock here, the deadline decides.
//!
//! * `mod.rs`: the verdict, and what holds for every kind
//! * `read`, `conditions`: reading fields and `status.conditions`
//! * `workload`: Deployment, `ReplicaSet`, `StatefulSet`, `DaemonSet`; `batch`: Job, `CronJob`
//! * `rest`: Pod, PVC, Service, `PodDisruptionBudget`, CRD and whatever has a `Ready` condition
//! * `selector`, `pod_reason`, `explain`: from a workload to its pods, and to the reason a person can act on
//!
//! # How to extend
//! A kind with rules of its own is one arm in [`assess`] and a function that takes the object.

mod batch;
mod conditions;
mod explain;
mod pod_reason;
mod read;
mod rest;
mod selector;
#[cfg(test)]
mod tests;
mod workload;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use explain::{explain, is_hopeless};
pub use selector::selects;

/// How an object stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It is as it was asked to be.
    Current,
    /// It is on its way there.
    InProgress,
    /// It says itself that it will not get there.
    Failed,
    /// It is being deleted.
    Terminating,
}

/// How an object stands, in words and figures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// The verdict.
    pub status: Status,
    /// Why, for a person; never empty.
    pub message: String,
    /// Replicas that are ready; for what has no replicas, 1 when `Current`, else 0.
    pub ready: u32,
    /// Replicas wanted; for what has no replicas, 1.
    pub total: u32,
}

impl Health {
    fn new(status: Status, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
            ready: u32::from(status == Status::Current),
            total: 1,
        }
    }

    fn counted(self, ready: u32, total: u32) -> Self {
        Self { ready, total, ..self }
    }
}

/// How an object stands, by its own word.
#[must_use]
pub fn assess(object: &Value) -> Health {
    let kind = read::text(object, "/kind").unwrap_or("object");
    let workload = workload::counts(object);
    let with_counts = |health: Health| match workload {
        Some((ready, total)) => health.counted(ready, total),
        None => health,
    };
    if read::text(object, "/metadata/deletionTimestamp").is_some_and(|time| !time.is_empty()) {
        return with_counts(Health::new(Status::Terminating, "it is being deleted"));
    }
    let generation = read::int(object, "/metadata/generation");
    let observed = read::int(object, "/status/observedGeneration");
    if let (Some(generation), Some(observed)) = (generation, observed)
        && generation != observed
    {
        let message = format!("its controller has seen generation {observed} of {generation}");
        return with_counts(Health::new(Status::InProgress, message));
    }
    if let Some(condition) = conditions::is(object, "Stalled", "True") {
        return with_counts(Health::new(Status::Failed, condition.told("it has stalled")));
    }
    if let Some(condition) = conditions::is(object, "Reconciling", "True") {
        return with_counts(Health::new(
            Status::InProgress,
            condition.told("it is reconciling"),
        ));
    }
    let group = crate::component::bundle::group_of(read::text(object, "/apiVersion").unwrap_or_default());
    match (group, kind) {
        ("apps" | "extensions", "Deployment") => with_counts(workload::deployment(object)),
        ("apps" | "extensions", "ReplicaSet") => with_counts(workload::replica_set(object)),
        ("apps" | "extensions", "DaemonSet") => with_counts(workload::daemon_set(object)),
        ("apps", "StatefulSet") => with_counts(workload::stateful_set(object)),
        ("batch", "Job") => batch::job(object),
        ("batch", "CronJob") => Health::new(Status::Current, "it waits for its time"),
        ("", "Pod") => rest::pod(object),
        ("", "PersistentVolumeClaim") => rest::volume_claim(object),
        ("", "Service") => rest::service(object),
        ("policy", "PodDisruptionBudget") => rest::disruption_budget(object),
        ("apiextensions.k8s.io", "CustomResourceDefinition") => rest::definition(object),
        _ => rest::generic(object),
    }
}
