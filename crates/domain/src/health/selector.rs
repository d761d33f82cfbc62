//! From a workload to its pods.

use super::read;
use serde_json::{Map, Value};

/// Whether a workload's `spec.selector` selects a pod of its own namespace: `matchLabels` and every one of
/// `matchExpressions`, by the rules of label selectors. A `ReplicationController`'s and a Service's plain map counts as
/// `matchLabels`. What has no selector, or one that cannot be read, selects nothing.
#[must_use]
pub fn selects(workload: &Value, pod: &Value) -> bool {
    let Some(Value::Object(selector)) = workload.pointer("/spec/selector") else {
        return false;
    };
    if let (Some(ours), Some(theirs)) = (
        read::text(workload, "/metadata/namespace"),
        read::text(pod, "/metadata/namespace"),
    ) && ours != theirs
    {
        return false;
    }
    let empty = Map::new();
    let labels = pod
        .pointer("/metadata/labels")
        .and_then(Value::as_object)
        .unwrap_or(&empty);
    let is_selector = selector
        .keys()
        .any(|key| key == "matchLabels" || key == "matchExpressions");
    if !is_selector {
        return !selector.is_empty() && selector.iter().all(|(key, value)| labels.get(key) == Some(value));
    }
    let equal = match selector.get("matchLabels") {
        None | Some(Value::Null) => true,
        Some(Value::Object(wanted)) => wanted.iter().all(|(key, value)| labels.get(key) == Some(value)),
        Some(_) => false,
    };
    equal
        && match selector.get("matchExpressions") {
            None | Some(Value::Null) => true,
            Some(Value::Array(expressions)) => expressions.iter().all(|e| holds(e, labels)),
            Some(_) => false,
        }
}

fn holds(expression: &Value, labels: &Map<String, Value>) -> bool {
    let Some(key) = read::text(expression, "/key") else {
        return false;
    };
    let label = labels.get(key);
    let listed = || label.is_some_and(|label| read::list(expression, "/values").contains(label));
    match read::text(expression, "/operator") {
        Some("In") => listed(),
        Some("NotIn") => !listed(),
        Some("Exists") => label.is_some(),
        Some("DoesNotExist") => label.is_none(),
        _ => false,
    }
}
