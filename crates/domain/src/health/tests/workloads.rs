//! Tables of cases: what an object says of itself, and what we make of it.

use super::{check, conditions, deployment, workload};
use crate::health::Status::{Current, Failed, InProgress};
use serde_json::{Value, json};

#[test]
#[expect(clippy::too_many_lines, reason = "one table of cases")]
fn deployments() {
    let available = conditions(&[("Available", "True", "MinimumReplicasAvailable", "")]);
    let timed_out = [(
        "Progressing",
        "False",
        "ProgressDeadlineExceeded",
        "ReplicaSet \"web-1\" has timed out progressing.",
    )];
    let mut paused =
        deployment(json!({"replicas": 3, "updatedReplicas": 0, "readyReplicas": 3, "availableReplicas": 3}));
    paused["spec"]["paused"] = json!(true);
    let mut fresh = deployment(json!({}));
    fresh["status"] = json!({});
    let mut none_wanted = deployment(json!({"conditions": available}));
    none_wanted["spec"]["replicas"] = json!(0);
    let mut default_replicas = deployment(json!({}));
    default_replicas["spec"]["replicas"] = json!(null);
    check([
        (fresh, InProgress, "its controller has not seen it yet", (0, 3)),
        (
            deployment(json!({"observedGeneration": 1, "replicas": 3, "readyReplicas": 3})),
            InProgress,
            "its controller has seen generation 1 of 2",
            (3, 3),
        ),
        (
            deployment(json!({"replicas": 1})),
            InProgress,
            "1 of 3 pods exist",
            (0, 3),
        ),
        (
            deployment(json!({"replicas": 3, "updatedReplicas": 1, "readyReplicas": 2})),
            InProgress,
            "1 of 3 pods are updated",
            (2, 3),
        ),
        (
            deployment(
                json!({"replicas": 4, "updatedReplicas": 3, "readyReplicas": 4, "availableReplicas": 4}),
            ),
            InProgress,
            "1 old pod has yet to end",
            (4, 3),
        ),
        (
            deployment(
                json!({"replicas": 3, "updatedReplicas": 3, "readyReplicas": 1, "availableReplicas": 1}),
            ),
            InProgress,
            "1 of 3 pods are ready",
            (1, 3),
        ),
        (
            deployment(
                json!({"replicas": 3, "updatedReplicas": 3, "readyReplicas": 3, "availableReplicas": 2}),
            ),
            InProgress,
            "2 of 3 pods are available",
            (3, 3),
        ),
        (
            deployment(
                json!({"replicas": 3, "updatedReplicas": 3, "readyReplicas": 3, "availableReplicas": 3}),
            ),
            InProgress,
            "it is not available yet",
            (3, 3),
        ),
        (
            deployment(
                json!({"replicas": 3, "updatedReplicas": 3, "readyReplicas": 3, "availableReplicas": 3, "conditions": available}),
            ),
            Current,
            "3 pods are updated and available",
            (3, 3),
        ),
        (
            deployment(
                json!({"replicas": 3, "updatedReplicas": 1, "readyReplicas": 3, "conditions": conditions(&timed_out)}),
            ),
            Failed,
            "its progress deadline has passed: 1 of 3 pods are updated",
            (3, 3),
        ),
        (
            deployment(
                json!({"conditions": conditions(&[timed_out[0], ("ReplicaFailure", "True", "FailedCreate", "exceeded quota: pods")])}),
            ),
            Failed,
            "its progress deadline has passed: 0 of 3 pods exist; pods cannot be made: exceeded quota: pods (FailedCreate)",
            (0, 3),
        ),
        // What an earlier attempt left behind does not outweigh the pods that are there.
        (
            deployment(
                json!({"replicas": 3, "updatedReplicas": 3, "readyReplicas": 3, "availableReplicas": 3,
                "conditions": conditions(&[timed_out[0], ("Available", "True", "", "")])}),
            ),
            Current,
            "3 pods are updated and available",
            (3, 3),
        ),
        (
            paused,
            InProgress,
            "0 of 3 pods are updated, and its rollout is paused",
            (3, 3),
        ),
        (none_wanted, Current, "0 pods are updated and available", (0, 0)),
        (default_replicas, InProgress, "0 of 1 pods exist", (0, 1)),
    ]);
}

#[test]
fn replica_sets() {
    let set = |status: Value| workload("ReplicaSet", json!({"replicas": 2}), status);
    check([
        (
            set(
                json!({"replicas": 0, "conditions": conditions(&[("ReplicaFailure", "True", "FailedCreate", "forbidden")])}),
            ),
            InProgress,
            "0 of 2 pods exist; pods cannot be made: forbidden (FailedCreate)",
            (0, 2),
        ),
        (
            set(json!({"replicas": 1, "fullyLabeledReplicas": 1})),
            InProgress,
            "1 of 2 pods are labelled",
            (0, 2),
        ),
        (
            set(json!({"replicas": 2, "fullyLabeledReplicas": 2, "readyReplicas": 1})),
            InProgress,
            "1 of 2 pods are ready",
            (1, 2),
        ),
        (
            set(
                json!({"replicas": 2, "fullyLabeledReplicas": 2, "readyReplicas": 2, "availableReplicas": 1}),
            ),
            InProgress,
            "1 of 2 pods are available",
            (2, 2),
        ),
        (
            set(
                json!({"replicas": 3, "fullyLabeledReplicas": 3, "readyReplicas": 3, "availableReplicas": 3}),
            ),
            InProgress,
            "1 pods have yet to end",
            (3, 2),
        ),
        (
            set(
                json!({"replicas": 2, "fullyLabeledReplicas": 2, "readyReplicas": 2, "availableReplicas": 2}),
            ),
            Current,
            "2 pods are available",
            (2, 2),
        ),
    ]);
}

#[test]
fn stateful_sets() {
    let set = |update: Value, status: Value| {
        workload(
            "StatefulSet",
            json!({"replicas": 3, "updateStrategy": update}),
            status,
        )
    };
    let rolling = || json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 0}});
    let partitioned = || json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 2}});
    let full = |updated: u32, current: u32, revision: &str| {
        json!({"replicas": 3, "readyReplicas": 3, "updatedReplicas": updated, "currentReplicas": current,
               "currentRevision": "web-1", "updateRevision": revision})
    };
    check([
        (
            set(rolling(), json!({"replicas": 1})),
            InProgress,
            "1 of 3 pods exist",
            (0, 3),
        ),
        (
            set(rolling(), json!({"replicas": 3, "readyReplicas": 2})),
            InProgress,
            "2 of 3 pods are ready",
            (2, 3),
        ),
        (
            set(rolling(), json!({"replicas": 4, "readyReplicas": 4})),
            InProgress,
            "1 pods have yet to end",
            (4, 3),
        ),
        (
            set(rolling(), full(1, 2, "web-2")),
            InProgress,
            "1 of 3 pods are updated",
            (3, 3),
        ),
        (
            set(rolling(), full(3, 2, "web-1")),
            InProgress,
            "2 of 3 pods are of the current revision",
            (3, 3),
        ),
        (
            set(rolling(), full(3, 3, "web-1")),
            Current,
            "3 pods are updated and ready",
            (3, 3),
        ),
        (
            set(partitioned(), full(0, 3, "web-2")),
            InProgress,
            "0 of 1 pods outside the partition are updated",
            (3, 3),
        ),
        (
            set(partitioned(), full(1, 2, "web-2")),
            Current,
            "1 of 3 pods are updated, as its partition asks",
            (3, 3),
        ),
        (
            set(json!({"type": "OnDelete"}), json!({"replicas": 0})),
            Current,
            "its pods are updated when somebody deletes them (OnDelete)",
            (0, 3),
        ),
    ]);
}

#[test]
fn daemon_sets() {
    let set = |update: &str, status: Value| {
        workload("DaemonSet", json!({"updateStrategy": {"type": update}}), status)
    };
    let counts = |current: u32, updated: u32, ready: u32, available: u32| {
        json!({"desiredNumberScheduled": 2, "currentNumberScheduled": current, "updatedNumberScheduled": updated,
               "numberReady": ready, "numberAvailable": available})
    };
    let rolling = "RollingUpdate";
    check([
        (
            set(rolling, json!({})),
            InProgress,
            "it is not known yet how many nodes it runs on",
            (0, 0),
        ),
        (
            set(rolling, counts(1, 0, 0, 0)),
            InProgress,
            "1 of 2 pods are scheduled",
            (0, 2),
        ),
        (
            set(rolling, counts(2, 1, 2, 2)),
            InProgress,
            "1 of 2 pods are updated",
            (2, 2),
        ),
        (
            set(rolling, counts(2, 2, 1, 1)),
            InProgress,
            "1 of 2 pods are ready",
            (1, 2),
        ),
        (
            set(rolling, counts(2, 2, 2, 1)),
            InProgress,
            "1 of 2 pods are available",
            (2, 2),
        ),
        (
            set(rolling, counts(2, 2, 2, 2)),
            Current,
            "2 pods are available, one on each node it is meant for",
            (2, 2),
        ),
        (
            set("OnDelete", counts(2, 0, 2, 2)),
            Current,
            "2 pods are available, one on each node it is meant for",
            (2, 2),
        ),
    ]);
}
