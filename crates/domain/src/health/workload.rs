//! What runs on and on: Deployment, `ReplicaSet`, `StatefulSet`, `DaemonSet`.

use super::{Health, Status, conditions, read};
use serde_json::Value;

/// Ready and wanted pods of an `apps` workload; `None` for any other object.
pub(super) fn counts(object: &Value) -> Option<(u32, u32)> {
    let group = crate::component::bundle::group_of(read::text(object, "/apiVersion")?);
    if !matches!(group, "apps" | "extensions") {
        return None;
    }
    match read::text(object, "/kind")? {
        "Deployment" | "ReplicaSet" | "StatefulSet" => {
            Some((read::count(object, "/status/readyReplicas"), wanted(object)))
        }
        "DaemonSet" => Some((
            read::count(object, "/status/numberReady"),
            read::count(object, "/status/desiredNumberScheduled"),
        )),
        _ => None,
    }
}

fn wanted(object: &Value) -> u32 {
    // Kubernetes' own default.
    read::count_or(object, "/spec/replicas", 1)
}

fn in_progress(message: String) -> Health {
    Health::new(Status::InProgress, message)
}

/// A controller writes `observedGeneration` the first time it sees an object; before that, counts mean nothing.
fn unseen(object: &Value) -> Option<Health> {
    read::int(object, "/status/observedGeneration")
        .is_none()
        .then(|| in_progress("its controller has not seen it yet".to_owned()))
}

pub(super) fn deployment(object: &Value) -> Health {
    if let Some(health) = unseen(object) {
        return health;
    }
    let Some(missing) = deployment_missing(object) else {
        return Health::new(
            Status::Current,
            format!("{} pods are updated and available", wanted(object)),
        );
    };
    if let Some(progress) = conditions::get(object, "Progressing")
        && progress.reason == "ProgressDeadlineExceeded"
    {
        let failure = replica_failure(object).unwrap_or_default();
        return Health::new(
            Status::Failed,
            format!("its progress deadline has passed: {missing}{failure}"),
        );
    }
    if object.pointer("/spec/paused").and_then(Value::as_bool) == Some(true) {
        return in_progress(format!("{missing}, and its rollout is paused"));
    }
    in_progress(format!(
        "{missing}{}",
        replica_failure(object).unwrap_or_default()
    ))
}

/// What a Deployment lacks; `None` when it is complete.
fn deployment_missing(object: &Value) -> Option<String> {
    let wanted = wanted(object);
    let replicas = read::count(object, "/status/replicas");
    let updated = read::count(object, "/status/updatedReplicas");
    let available = read::count(object, "/status/availableReplicas");
    let ready = read::count(object, "/status/readyReplicas");
    if replicas < wanted {
        return Some(format!("{replicas} of {wanted} pods exist"));
    }
    if updated < wanted {
        return Some(format!("{updated} of {wanted} pods are updated"));
    }
    if replicas > wanted {
        let old = replicas - wanted;
        return Some(match old {
            1 => "1 old pod has yet to end".to_owned(),
            _ => format!("{old} old pods have yet to end"),
        });
    }
    if ready < wanted {
        return Some(format!("{ready} of {wanted} pods are ready"));
    }
    if available < updated {
        return Some(format!("{available} of {updated} pods are available"));
    }
    // The counts may be those of a moment in which the controller has not made up its mind.
    match conditions::get(object, "Available") {
        Some(condition) if condition.status != "True" => Some(condition.told("it is not available yet")),
        Some(_) => None,
        None => Some("it is not available yet".to_owned()),
    }
}

/// What keeps pods from being made at all: a quota, an admission webhook, a missing service account.
fn replica_failure(object: &Value) -> Option<String> {
    conditions::is(object, "ReplicaFailure", "True")
        .map(|c| format!("; pods cannot be made: {}", c.told("unknown")))
}

pub(super) fn replica_set(object: &Value) -> Health {
    if let Some(health) = unseen(object) {
        return health;
    }
    let wanted = wanted(object);
    if let Some(failure) = replica_failure(object) {
        let replicas = read::count(object, "/status/replicas");
        return in_progress(format!("{replicas} of {wanted} pods exist{failure}"));
    }
    let replicas = read::count(object, "/status/replicas");
    for (pointer, word) in [
        ("/status/fullyLabeledReplicas", "labelled"),
        ("/status/readyReplicas", "ready"),
        ("/status/availableReplicas", "available"),
    ] {
        let count = read::count(object, pointer);
        if count < wanted {
            return in_progress(format!("{count} of {wanted} pods are {word}"));
        }
    }
    if replicas > wanted {
        return in_progress(format!("{} pods have yet to end", replicas - wanted));
    }
    Health::new(Status::Current, format!("{wanted} pods are available"))
}

/// A `StatefulSet` has no conditions of its own, so nothing ever says that it failed: the deadline decides.
pub(super) fn stateful_set(object: &Value) -> Health {
    if let Some(health) = unseen(object) {
        return health;
    }
    if read::text(object, "/spec/updateStrategy/type") == Some("OnDelete") {
        return Health::new(
            Status::Current,
            "its pods are updated when somebody deletes them (OnDelete)",
        );
    }
    let wanted = wanted(object);
    let replicas = read::count(object, "/status/replicas");
    let ready = read::count(object, "/status/readyReplicas");
    let updated = read::count(object, "/status/updatedReplicas");
    if replicas < wanted {
        return in_progress(format!("{replicas} of {wanted} pods exist"));
    }
    if ready < wanted {
        return in_progress(format!("{ready} of {wanted} pods are ready"));
    }
    if replicas > wanted {
        return in_progress(format!("{} pods have yet to end", replicas - wanted));
    }
    // A partition of 0 is no partition: the API server writes it into every StatefulSet.
    let partition = read::count(object, "/spec/updateStrategy/rollingUpdate/partition");
    if partition > 0 {
        let due = wanted.saturating_sub(partition);
        if updated < due {
            return in_progress(format!(
                "{updated} of {due} pods outside the partition are updated"
            ));
        }
        return Health::new(
            Status::Current,
            format!("{due} of {wanted} pods are updated, as its partition asks"),
        );
    }
    if read::text(object, "/status/currentRevision") != read::text(object, "/status/updateRevision") {
        return in_progress(format!("{updated} of {wanted} pods are updated"));
    }
    let current = read::count(object, "/status/currentReplicas");
    if current < wanted {
        return in_progress(format!("{current} of {wanted} pods are of the current revision"));
    }
    Health::new(Status::Current, format!("{wanted} pods are updated and ready"))
}

pub(super) fn daemon_set(object: &Value) -> Health {
    if let Some(health) = unseen(object) {
        return health;
    }
    let Some(_) = read::int(object, "/status/desiredNumberScheduled") else {
        return in_progress("it is not known yet how many nodes it runs on".to_owned());
    };
    let wanted = read::count(object, "/status/desiredNumberScheduled");
    let on_delete = read::text(object, "/spec/updateStrategy/type") == Some("OnDelete");
    for (pointer, word) in [
        ("/status/currentNumberScheduled", "scheduled"),
        ("/status/updatedNumberScheduled", "updated"),
        ("/status/numberReady", "ready"),
        ("/status/numberAvailable", "available"),
    ] {
        let count = read::count(object, pointer);
        if count < wanted && !(on_delete && word == "updated") {
            return in_progress(format!("{count} of {wanted} pods are {word}"));
        }
    }
    Health::new(
        Status::Current,
        format!("{wanted} pods are available, one on each node it is meant for"),
    )
}
