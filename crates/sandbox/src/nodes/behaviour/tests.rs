use serde_json::{Value, json};

use super::*;

const USUAL: Duration = Duration::from_millis(300);

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn plan_of(pod: Value) -> PodPlan {
    plan(&serde_json::from_value(pod).unwrap(), Pace::default())
}

/// A Pod of one container, and what the annotations say.
fn lone(image: &str, annotations: &Value, restart_policy: &str) -> Life {
    let plan = plan_of(json!({
        "metadata": { "name": "web", "annotations": annotations },
        "spec": { "restartPolicy": restart_policy, "containers": [{ "name": "web", "image": image }] },
    }));
    assert!(plan.init.is_empty());
    plan.containers[0]
}

fn ready_at(started: u64, ready: Option<u64>) -> Life {
    Life::Runs {
        started: ms(started),
        ready: ready.map(ms),
        exit: None,
    }
}

fn exits(started: u64, ready: Option<u64>, after: u64, code: i32, restarts: bool) -> Life {
    let exit = Exit {
        after: ms(after),
        code,
        restarts,
    };
    Life::Runs {
        started: ms(started),
        ready: ready.map(ms),
        exit: Some(exit),
    }
}

#[test]
fn a_tag_is_read_also_where_a_digest_follows_or_the_registry_has_a_port() {
    for (image, expected) in [
        ("web", None),
        ("web:1.2", Some("1.2")),
        ("registry:5000/team/web", None),
        ("registry:5000/team/web:1.2-broken", Some("1.2-broken")),
        ("web:1.2-broken@sha256:00ff", Some("1.2-broken")),
        ("web@sha256:00ff", None),
    ] {
        assert_eq!(tag(image), expected, "{image}");
    }
}

#[test]
fn the_tag_of_a_server_decides_how_it_fares() {
    for (image, expected) in [
        ("web", ready_at(300, Some(300))),
        ("web:1.2", ready_at(300, Some(300))),
        ("web-broken:1.2", ready_at(300, Some(300))),
        ("registry:5000/web-crash", ready_at(300, Some(300))),
        ("web:1.2-broken", Life::PullFails),
        ("registry:5000/web:1.2-broken@sha256:00ff", Life::PullFails),
        ("web:1.2-crash", exits(100, None, 200, 1, true)),
        ("web:1.2-slow", ready_at(300, Some(8000))),
        ("web:1.2-never", ready_at(300, None)),
    ] {
        assert_eq!(lone(image, &json!({}), "Always"), expected, "{image}");
    }
}

#[test]
fn the_tag_of_a_task_decides_how_it_ends() {
    for (image, expected) in [
        ("task:1.2", exits(150, Some(300), 300, 0, false)),
        ("task:1.2-broken", Life::PullFails),
        ("task:1.2-crash", exits(150, Some(300), 300, 1, false)),
        ("task:1.2-slow", exits(300, Some(300), 8000, 0, false)),
        ("task:1.2-never", ready_at(300, None)),
    ] {
        for policy in ["Never", "OnFailure"] {
            assert_eq!(lone(image, &json!({}), policy), expected, "{image} {policy}");
        }
    }
}

#[test]
fn annotations_set_exact_times_and_precede_the_tag() {
    let ready = |duration: &str| json!({ READY_AFTER: duration });
    for (image, annotations, policy, expected) in [
        ("web:1", ready("PT3S"), "Always", ready_at(300, Some(3000))),
        ("web:1", ready("PT0.1S"), "Always", ready_at(100, Some(100))),
        ("web:1", ready("PT0S"), "Always", ready_at(0, Some(0))),
        (
            "web:1-never",
            ready("PT1M"),
            "Always",
            ready_at(300, Some(60_000)),
        ),
        ("web:1", ready("-PT3S"), "Always", ready_at(300, Some(300))),
        ("web:1", ready("soon"), "Always", ready_at(300, Some(300))),
        (
            "web:1",
            json!({ COMPLETE_AFTER: "PT5S", EXIT_CODE: "3" }),
            "Always",
            exits(300, Some(300), 5000, 3, true),
        ),
        (
            "task:1",
            json!({ COMPLETE_AFTER: "PT5S" }),
            "Never",
            exits(300, Some(300), 5000, 0, false),
        ),
        (
            "task:1",
            json!({ EXIT_CODE: "3" }),
            "Never",
            exits(150, Some(300), 300, 3, false),
        ),
        (
            "task:1-crash",
            json!({ EXIT_CODE: "0" }),
            "Never",
            exits(150, Some(300), 300, 0, false),
        ),
        (
            "task:1-never",
            json!({ COMPLETE_AFTER: "PT2S" }),
            "Never",
            exits(300, None, 2000, 0, false),
        ),
        (
            "task:1-broken",
            json!({ COMPLETE_AFTER: "PT2S" }),
            "Never",
            Life::PullFails,
        ),
    ] {
        assert_eq!(
            lone(image, &annotations, policy),
            expected,
            "{image} {annotations} {policy}"
        );
    }
}

#[test]
fn a_pod_of_a_job_is_a_task_even_if_it_restarts() {
    let plan = plan_of(json!({
        "metadata": { "ownerReferences": [{ "apiVersion": "batch/v1", "kind": "Job", "name": "j", "uid": "u" }] },
        "spec": { "restartPolicy": "OnFailure", "containers": [{ "name": "a", "image": "a:1-crash" }] },
    }));
    assert_eq!(plan.containers, [exits(150, Some(300), 300, 1, false)]);
}

#[test]
fn each_container_fares_by_its_own_tag_and_init_containers_end() {
    let plan = plan_of(json!({
        "metadata": { "annotations": { READY_AFTER: "PT0S" } },
        "spec": {
            "initContainers": [
                { "name": "i", "image": "i:1" }, { "name": "j", "image": "j:1-crash" }, { "name": "k", "image": "k:1-never" },
            ],
            "containers": [{ "name": "a", "image": "a:1" }, { "name": "b", "image": "b:1-broken" }],
        },
    }));
    assert_eq!(plan.containers, [ready_at(0, Some(0)), Life::PullFails]);
    assert_eq!(
        plan.init,
        [
            exits(0, None, 100, 0, false),
            exits(0, None, 100, 1, true),
            ready_at(0, None)
        ]
    );
}

#[test]
fn the_pace_sets_what_a_pod_does_not() {
    let pod: Pod =
        serde_json::from_value(json!({ "spec": { "containers": [{ "name": "a", "image": "a" }] } })).unwrap();
    let fast = Pace {
        ready_after: Duration::ZERO,
    };
    assert_eq!(plan(&pod, fast).containers, [ready_at(0, Some(0))]);
    assert_eq!(Pace::default().ready_after, USUAL);
}
