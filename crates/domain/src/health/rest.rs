//! Pod, `PersistentVolumeClaim`, Service, `PodDisruptionBudget`, `CustomResourceDefinition`, and everything else.

use super::{Health, Status, conditions, explain::pod_reason, read};
use serde_json::Value;

pub(super) fn pod(object: &Value) -> Health {
    let reason = || pod_reason(object).map(|reason| reason.text);
    match read::text(object, "/status/phase").unwrap_or_default() {
        "Succeeded" => Health::new(Status::Current, "it ran to its end"),
        "Failed" => Health::new(
            Status::Failed,
            reason().unwrap_or_else(|| "it ended in failure".to_owned()),
        ),
        "Running" if conditions::is(object, "Ready", "True").is_some() => {
            Health::new(Status::Current, "it is ready")
        }
        "Running" => {
            let looping = read::list(object, "/status/containerStatuses")
                .iter()
                .any(|c| read::text(c, "/state/waiting/reason") == Some("CrashLoopBackOff"));
            let status = if looping {
                Status::Failed
            } else {
                Status::InProgress
            };
            Health::new(
                status,
                reason().unwrap_or_else(|| "it runs and is not ready".to_owned()),
            )
        }
        "" => Health::new(Status::InProgress, "no node has seen it yet"),
        phase => Health::new(
            Status::InProgress,
            reason().unwrap_or_else(|| format!("it is {phase}")),
        ),
    }
}

/// A claim whose class waits for the first pod stays pending until there is one; the message says so.
pub(super) fn volume_claim(object: &Value) -> Health {
    match read::text(object, "/status/phase") {
        Some("Bound") => Health::new(Status::Current, "it is bound"),
        Some("Lost") => Health::new(Status::Failed, "the volume it was bound to is gone"),
        Some(phase) => Health::new(Status::InProgress, format!("it is {phase}, not Bound")),
        None => Health::new(Status::InProgress, "it is not bound yet"),
    }
}

/// As in kstatus, a load balancer counts once it has a cluster IP: whether the outside world answers is for
/// verification, and many clusters have no load balancer to give.
pub(super) fn service(object: &Value) -> Health {
    let balanced = read::text(object, "/spec/type") == Some("LoadBalancer");
    if balanced && read::text(object, "/spec/clusterIP").is_none_or(str::is_empty) {
        return Health::new(Status::InProgress, "it has no cluster IP yet");
    }
    let message = if balanced && read::list(object, "/status/loadBalancer/ingress").is_empty() {
        "it is there; the load balancer has no address yet"
    } else {
        "it is there"
    };
    Health::new(Status::Current, message)
}

/// Its generation has been checked, so the controller has computed what it allows.
pub(super) fn disruption_budget(object: &Value) -> Health {
    let allowed = read::count(object, "/status/disruptionsAllowed");
    Health::new(Status::Current, format!("it allows {allowed} disruptions"))
}

pub(super) fn definition(object: &Value) -> Health {
    if let Some(condition) = conditions::is(object, "NamesAccepted", "False") {
        return Health::new(Status::Failed, condition.told("its names are taken"));
    }
    match conditions::get(object, "Established") {
        Some(condition) if condition.status == "True" => Health::new(Status::Current, "it is established"),
        Some(condition) if condition.status == "False" && condition.reason != "Installing" => {
            Health::new(Status::Failed, condition.told("it is not established"))
        }
        _ => Health::new(Status::InProgress, "it is being installed"),
    }
}

/// Any other object: its `Ready` condition if it has one; else, that it is there is all there is to know.
pub(super) fn generic(object: &Value) -> Health {
    match conditions::get(object, "Ready") {
        Some(condition) if condition.status == "True" => Health::new(Status::Current, "it is ready"),
        Some(condition) => Health::new(Status::InProgress, condition.told("it is not ready yet")),
        None => Health::new(Status::Current, "it is there"),
    }
}
