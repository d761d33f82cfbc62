mod explaining;
mod selecting;
mod verdicts;
mod workloads;

use super::{Status, assess};
use serde_json::{Value, json};

/// A Deployment of three pods that its controller has seen, with that status.
fn deployment(status: Value) -> Value {
    workload(
        "Deployment",
        json!({"replicas": 3, "progressDeadlineSeconds": 600}),
        status,
    )
}

/// A workload called `web`, of generation 2, with its selector.
fn workload(kind: &str, mut spec: Value, mut status: Value) -> Value {
    spec["selector"] = json!({"matchLabels": {"app": "web"}});
    if status.is_object() && status.get("observedGeneration").is_none() {
        status["observedGeneration"] = json!(2);
    }
    json!({
        "apiVersion": "apps/v1", "kind": kind,
        "metadata": {"name": "web", "namespace": "shop", "generation": 2},
        "spec": spec, "status": status,
    })
}

/// An object, its verdict and message, and its pods ready and wanted.
type Case = (Value, Status, &'static str, (u32, u32));

fn check(cases: impl IntoIterator<Item = Case>) {
    for (object, status, message, counts) in cases {
        let health = assess(&object);
        assert_eq!(
            (
                health.status,
                health.message.as_str(),
                (health.ready, health.total)
            ),
            (status, message, counts),
            "{object}"
        );
    }
}

fn conditions(conditions: &[(&str, &str, &str, &str)]) -> Value {
    conditions
        .iter()
        .map(|(t, s, r, m)| json!({"type": t, "status": s, "reason": r, "message": m}))
        .collect()
}
