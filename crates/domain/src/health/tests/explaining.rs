use super::{deployment, workload};
use crate::health::{explain, is_hopeless};
use serde_json::{Value, json};

const IMAGE: &str =
    "registry.example/web@sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae";

/// A pod of `ReplicaSet` `web-<set>`, made at that second.
#[expect(clippy::needless_pass_by_value, reason = "what is passed is written in place")]
fn pod(set: &str, name: &str, second: u32, status: Value) -> Value {
    json!({
        "metadata": {
            "name": format!("web-{set}-{name}"), "namespace": "shop", "labels": {"app": "web", "pod-template-hash": set},
            "creationTimestamp": format!("2024-01-01T00:00:{second:02}Z"),
            "ownerReferences": [{"kind": "ReplicaSet", "name": format!("web-{set}")}],
        },
        "spec": {"containers": [{"name": "main", "image": IMAGE}]},
        "status": status,
    })
}

fn ready() -> Value {
    json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]})
}

fn waiting(reason: &str, message: &str) -> Value {
    json!({
        "phase": "Pending", "conditions": [{"type": "Ready", "status": "False"}],
        "containerStatuses": [{"name": "main", "image": "short", "state": {"waiting": {"reason": reason, "message": message}}}],
    })
}

fn back_off() -> Value {
    waiting("ImagePullBackOff", &format!("Back-off pulling image \"{IMAGE}\""))
}

#[test]
fn the_real_reason_of_the_real_pod() {
    let web = deployment(json!({"replicas": 3, "updatedReplicas": 3, "readyReplicas": 1}));
    let pods = [
        pod("7d9f", "aaa", 1, ready()),
        pod("7d9f", "x2x", 1, back_off()),
        pod("7d9f", "bbb", 1, json!({})),
    ];
    assert_eq!(
        explain(&web, &pods).unwrap(),
        format!(
            "web: 1 of 3 pods ready; web-7d9f-x2x: ImagePullBackOff {IMAGE} (Back-off pulling image \"{IMAGE}\"); \
             web-7d9f-bbb: Pending"
        )
    );
    assert!(!is_hopeless(&web, &pods), "the registry may come back");
}

#[test]
fn every_kind_of_trouble_has_its_words() {
    let crash = json!({"phase": "Running", "containerStatuses": [{"name": "main", "restartCount": 4,
        "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 40s restarting failed container"}},
        "lastState": {"terminated": {"exitCode": 1, "reason": "Error", "message": "password=hush"}}}]});
    let killed = json!({"phase": "Running", "containerStatuses": [{"name": "main", "restartCount": 2, "ready": false,
        "state": {"running": {}}, "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}}]});
    let init = json!({"phase": "Pending",
        "initContainerStatuses": [{"name": "setup", "state": {"terminated": {"exitCode": 3}}}],
        "containerStatuses": [{"name": "main", "state": {"waiting": {"reason": "PodInitializing"}}}]});
    let unready = json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "False", "reason": "ContainersNotReady",
        "message": "containers with unready status: [main]"}], "containerStatuses": [{"name": "main", "ready": false, "state": {"running": {}}}]});
    let homeless = json!({"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False",
        "reason": "Unschedulable", "message": "0/3 nodes are available:\n3 Insufficient cpu."}]});
    for (status, words) in [
        (crash, "CrashLoopBackOff, last exit code 1"),
        (killed, "not ready, 2 restarts, last exit code 137 (OOMKilled)"),
        (init, "exit code 3"),
        (unready, "not ready (containers with unready status: [main])"),
        (
            homeless,
            "Unschedulable (0/3 nodes are available: 3 Insufficient cpu.)",
        ),
        (
            waiting("CreateContainerConfigError", "configmap \"x\" not found"),
            "CreateContainerConfigError (configmap \"x\" not found)",
        ),
        (waiting("ContainerCreating", ""), "ContainerCreating"),
        (
            json!({"phase": "Failed", "reason": "Evicted", "message": "low on memory"}),
            "Evicted (low on memory)",
        ),
        (json!({"phase": "Failed"}), "Failed"),
        (json!({"phase": "Pending"}), "Pending"),
    ] {
        let web = deployment(json!({"replicas": 3, "updatedReplicas": 3}));
        let told = explain(&web, &[pod("1", "a", 1, status.clone())]).unwrap();
        assert_eq!(
            told,
            format!("web: 0 of 3 pods ready; web-1-a: {words}"),
            "{status}"
        );
    }
}

#[test]
fn a_pod_of_several_containers_says_which() {
    let mut pod = pod("1", "a", 1, back_off());
    pod["spec"]["containers"] =
        json!([{"name": "main", "image": IMAGE}, {"name": "proxy", "image": "proxy:1"}]);
    let web = deployment(json!({"replicas": 3, "updatedReplicas": 3}));
    assert!(
        explain(&web, &[pod])
            .unwrap()
            .contains("web-1-a: container main: ImagePullBackOff registry.example/web@sha256:")
    );
}

#[test]
fn the_worst_come_first_and_the_rest_are_counted() {
    let web = deployment(json!({"replicas": 3, "updatedReplicas": 3}));
    let pods = [
        pod("1", "a", 1, waiting("ContainerCreating", "")),
        pod("1", "b", 1, waiting("ContainerCreating", "")),
        pod("1", "e", 1, waiting("ErrImagePull", "")),
        pod("1", "d", 1, waiting("ErrImagePull", "")),
        pod("1", "c", 1, waiting("CrashLoopBackOff", "")),
    ];
    let told = explain(&web, &pods).unwrap();
    let places: Vec<_> = ["web-1-d", "web-1-e", "web-1-c", "and 2 more"]
        .iter()
        .map(|word| told.find(word).unwrap())
        .collect();
    assert!(places.is_sorted(), "{told}");
    assert!(!told.contains("web-1-a"), "{told}");
}

#[test]
fn long_messages_are_cut_between_characters() {
    let web = deployment(json!({"replicas": 3, "updatedReplicas": 3}));
    let told = explain(
        &web,
        &[pod("1", "a", 1, waiting("ErrImagePull", &"ä".repeat(1000)))],
    )
    .unwrap();
    assert!(told.ends_with("ä…)") && told.chars().count() < 450, "{told}");
}

#[test]
fn only_pods_of_the_newest_replica_set_count() {
    let status = json!({"replicas": 4, "updatedReplicas": 1, "readyReplicas": 2});
    let pods = [
        pod("old", "a", 1, ready()),
        pod("old", "b", 1, waiting("CrashLoopBackOff", "")),
        pod("new", "c", 5, back_off()),
        // Replaced after an eviction, and so younger than the new one.
        pod("old", "d", 9, ready()),
    ];
    let mut web = deployment(status);
    web["status"]["conditions"] = json!([{"type": "Progressing", "status": "True", "reason": "ReplicaSetUpdated",
        "message": "ReplicaSet \"web-new\" is progressing."}]);
    let told = explain(&web, &pods).unwrap();
    assert!(
        told.starts_with("web: 0 of 3 new pods ready; web-new-c: ImagePullBackOff"),
        "{told}"
    );
    assert!(!told.contains("web-old"), "{told}");

    // Without a word from the controller, the youngest pod tells.
    web["status"]["conditions"] = json!([]);
    assert!(explain(&web, &pods[..3]).unwrap().contains("web-new-c"));
}

#[test]
fn pods_of_others_and_pods_that_are_going_do_not_count() {
    let web = deployment(json!({"replicas": 3, "updatedReplicas": 3, "readyReplicas": 2}));
    let mut other = pod("1", "a", 1, back_off());
    other["metadata"]["labels"]["app"] = json!("api");
    let mut going = pod("1", "b", 1, back_off());
    going["metadata"]["deletionTimestamp"] = json!("2024-01-01T00:00:00Z");
    assert_eq!(
        explain(&web, &[other, going]).unwrap(),
        "web: 2 of 3 pods are ready"
    );
}

#[test]
fn without_pods_the_workload_speaks_and_what_is_well_needs_no_words() {
    let web = deployment(
        json!({"conditions": [{"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "exceeded quota"}]}),
    );
    assert_eq!(
        explain(&web, &[]).unwrap(),
        "web: 0 of 3 pods exist; pods cannot be made: exceeded quota (FailedCreate)"
    );
    let well = deployment(
        json!({"replicas": 3, "updatedReplicas": 3, "readyReplicas": 3, "availableReplicas": 3,
        "conditions": [{"type": "Available", "status": "True"}]}),
    );
    assert_eq!(explain(&well, &[pod("1", "a", 1, ready())]), None);
}

#[test]
fn a_stateful_set_is_held_up_by_its_old_pods_too() {
    let revision = |pod: Value, revision: &str| {
        let mut pod = pod;
        pod["metadata"]["labels"]["controller-revision-hash"] = json!(revision);
        pod
    };
    let status = json!({"replicas": 3, "readyReplicas": 2, "updatedReplicas": 1, "updateRevision": "web-2", "currentRevision": "web-1"});
    let db = workload("StatefulSet", json!({"replicas": 3}), status);
    let old = revision(pod("x", "0", 1, back_off()), "web-1");
    let told = explain(&db, &[revision(pod("x", "1", 2, ready()), "web-2"), old.clone()]).unwrap();
    assert!(
        told.starts_with("web: 2 of 3 pods ready; web-x-0: ImagePullBackOff"),
        "{told}"
    );
    let told = explain(
        &db,
        &[
            revision(pod("x", "1", 2, json!({"phase": "Pending"})), "web-2"),
            old,
        ],
    )
    .unwrap();
    assert_eq!(told, "web: 0 of 3 new pods ready; web-x-1: Pending");
}

#[test]
fn a_job_tells_how_far_it_came() {
    let job = json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "migrate", "namespace": "shop"},
        "spec": {"selector": {"matchLabels": {"controller-uid": "u"}}}, "status": {"startTime": "t", "failed": 1}});
    let mut failed = pod(
        "1",
        "a",
        1,
        json!({"phase": "Failed", "containerStatuses": [{"name": "main",
        "state": {"terminated": {"exitCode": 2, "reason": "Error"}}}]}),
    );
    failed["metadata"]["labels"] = json!({"controller-uid": "u"});
    assert_eq!(
        explain(&job, &[failed]).unwrap(),
        "migrate: 0 of 1 completed; web-1-a: exit code 2"
    );
}

#[test]
fn hopeless_is_only_what_says_so_itself() {
    let web = || deployment(json!({"replicas": 3, "updatedReplicas": 3}));
    for reason in [
        "ImagePullBackOff",
        "ErrImagePull",
        "CrashLoopBackOff",
        "CreateContainerConfigError",
        "ContainerCreating",
    ] {
        assert!(
            !is_hopeless(&web(), &[pod("1", "a", 1, waiting(reason, ""))]),
            "{reason}"
        );
    }
    assert!(is_hopeless(
        &web(),
        &[pod("1", "a", 1, waiting("InvalidImageName", ""))]
    ));
    let mut late = web();
    late["status"]["conditions"] =
        json!([{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}]);
    assert!(is_hopeless(&late, &[]));
    assert!(!is_hopeless(&web(), &[]));
}
