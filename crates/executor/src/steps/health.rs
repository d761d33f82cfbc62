//! Waits until everything that was applied is healthy, and says what it waits for in words of the pods themselves.
//!
//! Workloads are read from the API server at every look; pods, of which there are many, come from the namespace's watch.

use super::{Context, Stop, apply};
use crate::{api::Resource, fault::CallError, object};
use serde_json::{Value, json};
use slipway_domain::{
    health::{self, Health, Status},
    render::{PHASES, apply_rank},
    work::{Assignment, Readiness},
};
use std::collections::BTreeMap;

/// From as many objects of a kind on, they are listed and not read one by one.
const LIST_FROM: usize = 3;

/// How one object stands.
struct Seen<'a> {
    wanted: &'a Value,
    live: Option<Value>,
    health: Health,
}

pub(super) async fn act(context: &Context<'_>, work: &Assignment) -> Result<Value, Stop> {
    let namespace = work.namespace.as_str();
    let applied = work.rendering.objects.iter().filter(|o| apply::is_asked(work, o));
    let wanted: Vec<&Value> = applied.filter(|o| !is_inert(o)).collect();
    let seen = look(context, work, wanted).await?;
    let (mut readiness, healthy) = sum(&seen);
    if healthy {
        let output = json!({"ready": readiness.ready, "total": readiness.total});
        context.readiness(readiness);
        return Ok(output);
    }
    let begun_at = context.begin().await?;
    for resource in watched(context, &seen).await? {
        context
            .watches
            .kind(context.cluster, namespace, &resource, context.target);
    }
    let has_pods = seen.iter().any(|s| is_workload(s.wanted));
    let pods = if has_pods {
        context.watches.pods(context.cluster, namespace, context.target);
        context.watches.read_pods(context.cluster, namespace).await?
    } else {
        Vec::new()
    };
    let reasons: Vec<String> = seen.iter().filter_map(|s| reason(s, &pods)).collect();
    let reasons = reasons.join("; ");
    let hopeless = seen.iter().any(|s| {
        s.health.status == Status::Failed
            || s.live
                .as_ref()
                .is_some_and(|live| health::is_hopeless(live, &pods))
    });
    readiness.reason = Some(reasons.clone());
    context.readiness(readiness);
    if hopeless {
        return Err(Stop::Failed(format!("not healthy: {reasons}")));
    }
    Err(context.until_deadline(work, begun_at, || {
        format!("not healthy within {:#}: {reasons}", work.progress_deadline)
    }))
}

/// What is as it should be once it is there: it was applied, and that was answered. A Service waits for nothing but a load
/// balancer.
fn is_inert(wanted: &Value) -> bool {
    let group = object::api_version(wanted)
        .split_once('/')
        .map_or("", |(group, _)| group);
    match group {
        "" if object::kind(wanted) == "Service" => wanted["spec"]["type"] != "LoadBalancer",
        "" => matches!(
            object::kind(wanted),
            "ConfigMap"
                | "Secret"
                | "ServiceAccount"
                | "LimitRange"
                | "ResourceQuota"
                | "Namespace"
                | "Endpoints"
        ),
        "rbac.authorization.k8s.io" | "scheduling.k8s.io" | "admissionregistration.k8s.io" => true,
        "networking.k8s.io" => object::kind(wanted) == "NetworkPolicy",
        _ => false,
    }
}

/// Kinds that have pods of their own.
fn is_workload(wanted: &Value) -> bool {
    matches!(
        object::kind(wanted),
        "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet" | "ReplicationController" | "Job" | "Pod"
    ) && PHASES.iter().any(|p| {
        p.name == "workloads" && p.rank == apply_rank(object::api_version(wanted), object::kind(wanted))
    })
}

/// Reads what is there.
async fn look<'a>(
    context: &Context<'_>,
    work: &Assignment,
    wanted: Vec<&'a Value>,
) -> Result<Vec<Seen<'a>>, CallError> {
    let namespace = work.namespace.as_str();
    let selector = object::selector(work.service.as_str(), work.environment.as_str());
    let mut kinds: BTreeMap<(&str, &str), Vec<&'a Value>> = BTreeMap::new();
    for object in wanted {
        kinds
            .entry((object::api_version(object), object::kind(object)))
            .or_default()
            .push(object);
    }
    let mut seen = Vec::new();
    for ((api_version, kind), objects) in kinds {
        let Some(resource) = context.cluster.resource(api_version, kind).await? else {
            seen.extend(objects.into_iter().map(|wanted| see(wanted, None, work)));
            continue;
        };
        if objects.len() < LIST_FROM {
            for wanted in objects {
                let live = context
                    .cluster
                    .get(&resource, namespace, object::name(wanted))
                    .await?;
                seen.push(see(wanted, live, work));
            }
        } else {
            let mut live: BTreeMap<String, Value> = context
                .cluster
                .list(&resource, namespace, &selector)
                .await?
                .into_iter()
                .map(|object| (object::name(&object).to_owned(), object))
                .collect();
            seen.extend(
                objects
                    .into_iter()
                    .map(|wanted| see(wanted, live.remove(object::name(wanted)), work)),
            );
        }
    }
    Ok(seen)
}

fn see<'a>(wanted: &'a Value, live: Option<Value>, work: &Assignment) -> Seen<'a> {
    let health = match &live {
        None => Health {
            status: Status::InProgress,
            message: "it is gone".to_owned(),
            ready: 0,
            total: 1,
        },
        Some(live) if object::generation(live) != Some(work.generation) => {
            let message = "it was changed by somebody else since it was applied".to_owned();
            Health {
                status: Status::InProgress,
                message,
                ready: 0,
                total: 1,
            }
        }
        Some(live) => health::assess(live),
    };
    Seen { wanted, live, health }
}

/// Ready and wanted pods of all workloads; where there is none, objects.
fn sum(seen: &[Seen<'_>]) -> (Readiness, bool) {
    let healthy = seen.iter().all(|s| s.health.status == Status::Current);
    let any = seen.iter().any(|s| is_workload(s.wanted));
    let counted = seen.iter().filter(|s| !any || is_workload(s.wanted));
    let (ready, total) = counted.fold((0, 0), |(ready, total), s| {
        (ready + s.health.ready, total + s.health.total)
    });
    (
        Readiness {
            ready,
            total,
            reason: None,
        },
        healthy,
    )
}

/// Why an object is not as it should be.
fn reason(seen: &Seen<'_>, pods: &[Value]) -> Option<String> {
    if seen.health.status == Status::Current {
        return None;
    }
    let explained = seen
        .live
        .as_ref()
        .filter(|_| is_workload(seen.wanted))
        .and_then(|l| health::explain(l, pods));
    Some(explained.unwrap_or_else(|| format!("{}: {}", object::title(seen.wanted), seen.health.message)))
}

/// The kinds whose changes matter now.
async fn watched(context: &Context<'_>, seen: &[Seen<'_>]) -> Result<Vec<Resource>, CallError> {
    let mut resources: Vec<Resource> = Vec::new();
    for one in seen.iter().filter(|s| s.health.status != Status::Current) {
        let resource = context
            .cluster
            .resource(object::api_version(one.wanted), object::kind(one.wanted))
            .await?;
        resources.extend(resource.filter(|r| !resources.contains(r)));
    }
    Ok(resources)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(object: &Value, status: Status, ready: u32, total: u32) -> Seen<'_> {
        Seen {
            wanted: object,
            live: None,
            health: Health {
                status,
                message: "Pending".to_owned(),
                ready,
                total,
            },
        }
    }

    #[test]
    fn pods_are_counted_where_there_are_any_and_objects_elsewhere() {
        let web = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}});
        let claim =
            json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data"}});
        let all = [
            seen(&web, Status::InProgress, 1, 3),
            seen(&claim, Status::InProgress, 0, 1),
        ];
        let (readiness, healthy) = sum(&all);
        assert_eq!((readiness.ready, readiness.total, healthy), (1, 3, false));
        let (readiness, healthy) = sum(&[seen(&claim, Status::Current, 1, 1)]);
        assert_eq!((readiness.ready, readiness.total, healthy), (1, 1, true));
        assert_eq!(
            reason(&all[1], &[]).unwrap(),
            "PersistentVolumeClaim data: Pending"
        );
    }

    #[test]
    fn what_is_done_when_it_is_there_is_not_looked_at_again() {
        let inert = |v: &str, k: &str| is_inert(&json!({"apiVersion": v, "kind": k}));
        assert!(inert("v1", "ConfigMap") && inert("rbac.authorization.k8s.io/v1", "Role"));
        assert!(!inert("apps/v1", "Deployment") && !inert("example.com/v1", "ConfigMap"));
        let service = |spec: Value| is_inert(&json!({"apiVersion": "v1", "kind": "Service", "spec": spec}));
        assert!(service(json!({})) && service(json!({"type": "NodePort"})));
        assert!(!service(json!({"type": "LoadBalancer"})));
        assert!(!inert("serving.knative.dev/v1", "Service"));
    }
}
