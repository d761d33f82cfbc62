use super::super::Pace;
use super::super::behaviour::plan;
use super::super::timeline::snapshot;
use super::*;

fn pod(image: &str, status: &Value) -> Pod {
    serde_json::from_value(json!({
        "metadata": { "name": "web-1", "namespace": "shop", "uid": "u1" },
        "spec": { "containers": [{ "name": "web", "image": image }] },
        "status": status,
    }))
    .unwrap()
}

fn status_of(pod: &Pod, milliseconds: u64) -> Value {
    let stamp = Stamp {
        started: "2026-01-02T03:04:05.6Z".parse().unwrap(),
        now: "2026-01-02T03:05:00Z".parse().unwrap(),
        host_ip: "10.0.0.1".to_owned(),
        pod_ip: "10.1.2.3".to_owned(),
    };
    let look = snapshot(&plan(pod, Pace::default()), Duration::from_millis(milliseconds));
    let patch = patch(pod, &look, &stamp);
    assert_eq!(patch["metadata"]["uid"], "u1");
    patch["status"].clone()
}

#[test]
fn a_ready_pod_has_addresses_an_image_by_digest_and_true_conditions() {
    let status = status_of(&pod("r:5000/web:1@sha256:ff", &json!({})), 300);
    assert_eq!(
        (&status["phase"], &status["podIP"]),
        (&json!("Running"), &json!("10.1.2.3"))
    );
    assert_eq!(status["startTime"], "2026-01-02T03:04:05Z");
    let container = &status["containerStatuses"][0];
    assert_eq!(
        (&container["ready"], &container["imageID"]),
        (&json!(true), &json!("r:5000/web@sha256:ff"))
    );
    assert_eq!(container["state"]["running"]["startedAt"], "2026-01-02T03:04:05Z");
    let conditions = status["conditions"].as_array().unwrap();
    assert_eq!(conditions.len(), 3);
    assert!(
        conditions
            .iter()
            .all(|condition| condition["status"] == "True" && condition["reason"].is_null())
    );
}

#[test]
fn a_condition_that_stays_keeps_its_time() {
    let before = json!({ "conditions": [
        { "type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z" },
        { "type": "Initialized", "status": "False", "lastTransitionTime": "2026-01-01T00:00:00Z" },
    ] });
    let status = status_of(&pod("web", &before), 300);
    let time = |kind: &str| {
        let conditions = status["conditions"].as_array().unwrap();
        conditions.iter().find(|it| it["type"] == kind).unwrap()["lastTransitionTime"].clone()
    };
    assert_eq!(time("Ready"), "2026-01-01T00:00:00Z");
    assert_eq!(time("Initialized"), "2026-01-02T03:05:00Z");
}

#[test]
fn a_failed_pull_is_told_in_the_words_of_a_kubelet() {
    let status = status_of(&pod("r/web:1-broken", &json!({})), 5000);
    assert_eq!(status["phase"], "Pending");
    assert_eq!(
        status["containerStatuses"][0]["state"]["waiting"],
        json!({ "reason": "ImagePullBackOff", "message": "Back-off pulling image \"r/web:1-broken\"" })
    );
    let ready = &status["conditions"][2];
    assert_eq!(
        (&ready["reason"], &ready["message"]),
        (
            &json!("ContainersNotReady"),
            &json!("containers with unready status: [web]")
        )
    );
}

#[test]
fn a_crash_loop_tells_of_the_life_before() {
    let container = &status_of(&pod("web:1-crash", &json!({})), 1400)["containerStatuses"][0];
    assert_eq!(container["restartCount"], 1);
    assert_eq!(container["state"]["waiting"]["reason"], "CrashLoopBackOff");
    assert_eq!(
        container["state"]["waiting"]["message"],
        "back-off 2s restarting failed container=web pod=web-1_shop(u1)"
    );
    let last = &container["lastState"]["terminated"];
    assert_eq!((&last["exitCode"], &last["reason"]), (&json!(1), &json!("Error")));
}
