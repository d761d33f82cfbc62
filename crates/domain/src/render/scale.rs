//! The number of pods, where a bundle does not say it: it is then somebody else's to decide, and stays.

use super::settled::applied_spec_field;
use crate::component::bundle::group_of;
use serde_json::Value;

/// Puts the number of pods that runs into `wanted`, where a bundle stopped saying it and `manager` still owns it: left
/// out, the API server would take the field away and start from its default of one. Says whether it did.
///
/// Whatever somebody else set the number to owns it from then on, and nothing is to be done.
pub fn keep_scale(live: &Value, wanted: &mut Value, manager: &str) -> bool {
    if !has_scale(wanted) || wanted.pointer("/spec/replicas").is_some_and(|n| !n.is_null()) {
        return false;
    }
    let Some(there) = live.pointer("/spec/replicas").filter(|n| n.is_u64()) else {
        return false;
    };
    if !applied_spec_field(live, manager, "replicas") {
        return false;
    }
    let Some(spec) = wanted.get_mut("spec").and_then(Value::as_object_mut) else {
        return false;
    };
    spec.insert("replicas".to_owned(), there.clone());
    true
}

/// Kinds whose number of pods is `spec.replicas`, and may be set by others through their scale.
fn has_scale(object: &Value) -> bool {
    let text = |key| object.get(key).and_then(Value::as_str).unwrap_or_default();
    matches!(
        (group_of(text("apiVersion")), text("kind")),
        ("apps" | "extensions", "Deployment" | "StatefulSet" | "ReplicaSet") | ("", "ReplicationController")
    )
}
