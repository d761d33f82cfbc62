//! Why a workload is not there yet, from its real pods: the line that people read at three in the morning.

use super::{Status, assess, pod_reason::PodReason, read, selects};
use serde_json::Value;

pub(super) use super::pod_reason::pod_reason;

/// So many pods are named; of the others it is said how many there are.
const NAMED: usize = 3;

/// What keeps a workload from being current, the worst of its pods first; `None` when nothing does.
///
/// `pods` may be all pods of the namespace: those that the workload does not select, and those that are being deleted,
/// are left out; so are a Deployment's pods of older `ReplicaSets`.
///
/// `web: 1 of 3 pods ready; web-7d9f-x2x: ImagePullBackOff registry.example/web@sha256:… (Back-off pulling image …)`
#[must_use]
pub fn explain(workload: &Value, pods: &[Value]) -> Option<String> {
    let health = assess(workload);
    if health.status == Status::Current {
        return None;
    }
    let name = read::text(workload, "/metadata/name").unwrap_or("object");
    let team = Team::of(workload, pods);
    let reasons = team.reasons();
    if reasons.is_empty() {
        return Some(format!("{name}: {}", health.message));
    }
    let total = health.total;
    let mut text = if read::text(workload, "/kind") == Some("Job") {
        format!("{name}: {} of {total} completed", health.ready)
    } else if team.has_older {
        format!("{name}: {} of {total} new pods ready", team.ready())
    } else {
        format!("{name}: {} of {total} pods ready", health.ready)
    };
    for (pod, reason) in reasons.iter().take(NAMED) {
        text.push_str("; ");
        text.push_str(pod);
        text.push_str(": ");
        text.push_str(&reason.text);
    }
    if reasons.len() > NAMED {
        text.push_str("; and ");
        text.push_str(&(reasons.len() - NAMED).to_string());
        text.push_str(" more");
    }
    Some(text)
}

/// Whether waiting is of no use: the workload says itself that it failed, or its image has a name that can be none.
///
/// An image that cannot be pulled, a container that crashes, a pod that fits on no node: all of these may mend
/// themselves, so for them the progress deadline decides.
#[must_use]
pub fn is_hopeless(workload: &Value, pods: &[Value]) -> bool {
    assess(workload).status == Status::Failed
        || Team::of(workload, pods)
            .reasons()
            .iter()
            .any(|(_, reason)| reason.final_)
}

/// The pods that a workload is made of now.
struct Team<'a> {
    pods: Vec<&'a Value>,
    /// Whether there are pods of an older revision as well.
    has_older: bool,
}

impl<'a> Team<'a> {
    fn of(workload: &Value, pods: &'a [Value]) -> Self {
        let all: Vec<&Value> = pods
            .iter()
            .filter(|pod| selects(workload, pod) && read::text(pod, "/metadata/deletionTimestamp").is_none())
            .collect();
        let newest: Vec<&Value> = match read::text(workload, "/kind") {
            Some("Deployment") => match newest_replica_set(workload, &all) {
                Some(owner) => all
                    .iter()
                    .copied()
                    .filter(|pod| owner_of(pod) == Some(owner))
                    .collect(),
                None => {
                    return Self {
                        pods: all,
                        has_older: false,
                    };
                }
            },
            Some("StatefulSet") => {
                let revision = read::text(workload, "/status/updateRevision");
                let of_it =
                    |pod: &&Value| read::text(pod, "/metadata/labels/controller-revision-hash") == revision;
                let newest: Vec<&Value> = all.iter().copied().filter(of_it).collect();
                // A pod of the old revision that is broken holds up the new one: then it is the one to look at.
                if newest.iter().all(|pod| pod_reason(pod).is_none()) {
                    return Self {
                        pods: all,
                        has_older: false,
                    };
                }
                newest
            }
            _ => {
                return Self {
                    pods: all,
                    has_older: false,
                };
            }
        };
        Self {
            has_older: newest.len() < all.len(),
            pods: newest,
        }
    }

    fn ready(&self) -> usize {
        self.pods.iter().filter(|pod| pod_reason(pod).is_none()).count()
    }

    /// Names and reasons, the worst first, and by name among equals.
    fn reasons(&self) -> Vec<(&'a str, PodReason)> {
        let named = |pod: &&'a Value| {
            Some((
                read::text(pod, "/metadata/name").unwrap_or("pod"),
                pod_reason(pod)?,
            ))
        };
        let mut reasons: Vec<_> = self.pods.iter().filter_map(named).collect();
        reasons.sort_by(|(name, reason), (other_name, other)| {
            other
                .severity
                .cmp(&reason.severity)
                .then_with(|| name.cmp(other_name))
        });
        reasons
    }
}

/// The `ReplicaSet` that a Deployment is going to: the one its `Progressing` condition names in quotes, else the owner of
/// the youngest pod.
fn newest_replica_set<'a>(deployment: &'a Value, pods: &[&'a Value]) -> Option<&'a str> {
    let told = super::conditions::get(deployment, "Progressing")
        .and_then(|condition| condition.message.split('"').nth(1))
        .filter(|name| pods.iter().any(|pod| owner_of(pod) == Some(*name)));
    told.or_else(|| {
        pods.iter()
            .filter_map(|pod| Some((read::text(pod, "/metadata/creationTimestamp")?, owner_of(pod)?)))
            .max()
            .map(|(_, owner)| owner)
    })
}

fn owner_of(pod: &Value) -> Option<&str> {
    read::list(pod, "/metadata/ownerReferences")
        .iter()
        .find(|owner| read::text(owner, "/kind") == Some("ReplicaSet"))
        .and_then(|owner| read::text(owner, "/name"))
}
