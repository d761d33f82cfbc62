//! Tables of cases: what an object says of itself, and what we make of it.

use super::{check, conditions};
use crate::health::{
    Status::{Current, Failed, InProgress, Terminating},
    assess,
};
use serde_json::{Value, json};

#[test]
fn jobs() {
    let job = |status: Value| json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "m"}, "spec": {"completions": 2}, "status": status});
    check([
        (job(json!({})), InProgress, "it has not started yet", (0, 2)),
        (
            job(json!({"startTime": "t", "active": 1, "succeeded": 1, "failed": 3})),
            InProgress,
            "1 of 2 completed, 1 running, 3 failed",
            (1, 2),
        ),
        (
            job(
                json!({"startTime": "t", "succeeded": 2, "conditions": conditions(&[("Complete", "True", "", "")])}),
            ),
            Current,
            "2 of 2 completed",
            (2, 2),
        ),
        (
            job(
                json!({"failed": 4, "conditions": conditions(&[("Failed", "True", "BackoffLimitExceeded", "Job has reached the specified backoff limit")])}),
            ),
            Failed,
            "Job has reached the specified backoff limit (BackoffLimitExceeded), 4 pods failed",
            (0, 2),
        ),
        (
            job(
                json!({"startTime": "t", "conditions": conditions(&[("FailureTarget", "True", "DeadlineExceeded", "")])}),
            ),
            InProgress,
            "it is about to fail: DeadlineExceeded",
            (0, 2),
        ),
        (
            job(
                json!({"conditions": conditions(&[("Suspended", "True", "", ""), ("Complete", "False", "", "")])}),
            ),
            Current,
            "it is suspended, as it was asked to be",
            (0, 2),
        ),
    ]);
    let cron = json!({"apiVersion": "batch/v1beta1", "kind": "CronJob", "metadata": {"name": "c"}});
    check([(cron, Current, "it waits for its time", (1, 1))]);
}

#[test]
fn pods() {
    let pod = |status: Value| json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "status": status});
    let looping = json!([{"name": "a", "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                          "lastState": {"terminated": {"exitCode": 1, "reason": "Error"}}}]);
    check([
        (pod(json!({})), InProgress, "no node has seen it yet", (0, 1)),
        (pod(json!({"phase": "Pending"})), InProgress, "Pending", (0, 1)),
        (
            pod(
                json!({"phase": "Pending", "conditions": conditions(&[("PodScheduled", "False", "Unschedulable", "0/1 nodes are available")])}),
            ),
            InProgress,
            "Unschedulable (0/1 nodes are available)",
            (0, 1),
        ),
        (
            pod(
                json!({"phase": "Running", "conditions": conditions(&[("Ready", "False", "ContainersNotReady", "containers with unready status: [a]")])}),
            ),
            InProgress,
            "not ready (containers with unready status: [a])",
            (0, 1),
        ),
        (
            pod(json!({"phase": "Running", "conditions": conditions(&[("Ready", "True", "", "")])})),
            Current,
            "it is ready",
            (1, 1),
        ),
        (
            pod(json!({"phase": "Running", "containerStatuses": looping})),
            Failed,
            "CrashLoopBackOff, last exit code 1",
            (0, 1),
        ),
        (
            pod(json!({"phase": "Succeeded"})),
            Current,
            "it ran to its end",
            (1, 1),
        ),
        (
            pod(
                json!({"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory."}),
            ),
            Failed,
            "Evicted (The node was low on resource: memory.)",
            (0, 1),
        ),
    ]);
}

#[test]
#[expect(clippy::too_many_lines, reason = "one table of cases")]
fn other_built_in_kinds() {
    let object = |api: &str, kind: &str, spec: Value, status: Value| json!({"apiVersion": api, "kind": kind, "metadata": {"name": "x", "generation": 1}, "spec": spec, "status": status});
    let claim = |phase: &str| object("v1", "PersistentVolumeClaim", json!({}), json!({"phase": phase}));
    let service = |spec: Value, status: Value| object("v1", "Service", spec, status);
    let definition = |list: &[(&str, &str, &str, &str)]| {
        object(
            "apiextensions.k8s.io/v1",
            "CustomResourceDefinition",
            json!({}),
            json!({"conditions": conditions(list)}),
        )
    };
    let there = "it is there";
    check([
        (claim("Bound"), Current, "it is bound", (1, 1)),
        (claim("Pending"), InProgress, "it is Pending, not Bound", (0, 1)),
        (
            claim("Lost"),
            Failed,
            "the volume it was bound to is gone",
            (0, 1),
        ),
        (
            object("v1", "PersistentVolumeClaim", json!({}), json!({})),
            InProgress,
            "it is not bound yet",
            (0, 1),
        ),
        (
            service(json!({"clusterIP": "10.0.0.1"}), json!({})),
            Current,
            there,
            (1, 1),
        ),
        (
            service(json!({"type": "LoadBalancer"}), json!({})),
            InProgress,
            "it has no cluster IP yet",
            (0, 1),
        ),
        (
            service(
                json!({"type": "LoadBalancer", "clusterIP": "10.0.0.1"}),
                json!({}),
            ),
            Current,
            "it is there; the load balancer has no address yet",
            (1, 1),
        ),
        (
            service(
                json!({"type": "LoadBalancer", "clusterIP": "10.0.0.1"}),
                json!({"loadBalancer": {"ingress": [{"ip": "1.2.3.4"}]}}),
            ),
            Current,
            there,
            (1, 1),
        ),
        (
            object(
                "policy/v1",
                "PodDisruptionBudget",
                json!({}),
                json!({"observedGeneration": 1, "disruptionsAllowed": 2}),
            ),
            Current,
            "it allows 2 disruptions",
            (1, 1),
        ),
        (
            object(
                "policy/v1",
                "PodDisruptionBudget",
                json!({}),
                json!({"observedGeneration": 0}),
            ),
            InProgress,
            "its controller has seen generation 0 of 1",
            (0, 1),
        ),
        (definition(&[]), InProgress, "it is being installed", (0, 1)),
        (
            definition(&[(
                "NamesAccepted",
                "False",
                "ListKindConflict",
                "\"things\" is taken",
            )]),
            Failed,
            "\"things\" is taken (ListKindConflict)",
            (0, 1),
        ),
        (
            definition(&[
                ("NamesAccepted", "True", "", ""),
                ("Established", "False", "Installing", ""),
            ]),
            InProgress,
            "it is being installed",
            (0, 1),
        ),
        (
            definition(&[(
                "Established",
                "False",
                "NotAccepted",
                "not all names are accepted",
            )]),
            Failed,
            "not all names are accepted (NotAccepted)",
            (0, 1),
        ),
        (
            definition(&[("Established", "True", "", "")]),
            Current,
            "it is established",
            (1, 1),
        ),
        (
            object("v1", "ConfigMap", json!(null), json!(null)),
            Current,
            there,
            (1, 1),
        ),
    ]);
}

#[test]
fn any_other_kind() {
    let thing = |status: Value| json!({"apiVersion": "example.io/v1", "kind": "Thing", "metadata": {"name": "x", "generation": 3}, "status": status});
    let says = |list: &[(&str, &str, &str, &str)]| thing(json!({"conditions": conditions(list)}));
    let mut going = thing(json!({}));
    going["metadata"]["deletionTimestamp"] = json!("2024-01-01T00:00:00Z");
    check([
        (thing(json!({})), Current, "it is there", (1, 1)),
        (
            thing(json!({"observedGeneration": 2})),
            InProgress,
            "its controller has seen generation 2 of 3",
            (0, 1),
        ),
        (says(&[("Ready", "True", "", "")]), Current, "it is ready", (1, 1)),
        (
            says(&[("Ready", "False", "Waiting", "for a friend")]),
            InProgress,
            "for a friend (Waiting)",
            (0, 1),
        ),
        (
            says(&[("Ready", "Unknown", "", "")]),
            InProgress,
            "it is not ready yet",
            (0, 1),
        ),
        (
            says(&[("Ready", "True", "", ""), ("Reconciling", "True", "Busy", "")]),
            InProgress,
            "Busy",
            (0, 1),
        ),
        (
            says(&[("Ready", "True", "", ""), ("Stalled", "True", "Stuck", "no way")]),
            Failed,
            "no way (Stuck)",
            (0, 1),
        ),
        (
            says(&[("Stalled", "False", "", ""), ("Reconciling", "False", "", "")]),
            Current,
            "it is there",
            (1, 1),
        ),
        (going, Terminating, "it is being deleted", (0, 1)),
    ]);
}

#[test]
fn fields_of_another_type_are_as_good_as_missing() {
    for odd in [
        json!(null),
        json!("text"),
        json!({"apiVersion": 1, "kind": [], "metadata": "x", "status": "y"}),
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"replicas": "3"}, "status": {"observedGeneration": 1.5}}),
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"replicas": -1},
               "status": {"observedGeneration": 1, "replicas": 99_999_999_999_u64, "conditions": {"a": 1}}}),
        json!({"apiVersion": "v1", "kind": "Pod", "status": {"phase": "Running", "containerStatuses": [1, {"state": []}]}}),
    ] {
        assert!(!assess(&odd).message.is_empty(), "{odd}");
    }
}
