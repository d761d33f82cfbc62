//! Reading what is needed off an object, whatever its kind.

use serde_json::Value;
use slipway_domain::render::{ANNOTATION_GENERATION, LABEL_ENVIRONMENT, LABEL_SERVICE};

/// Label of what exists because of Slipway without being part of a bundle: namespaces, guards.
pub(crate) const LABEL_MANAGED: &str = "slipway.dev/managed";

/// `apiVersion`.
pub(crate) fn api_version(object: &Value) -> &str {
    object["apiVersion"].as_str().unwrap_or_default()
}

/// `kind`.
pub(crate) fn kind(object: &Value) -> &str {
    object["kind"].as_str().unwrap_or_default()
}

/// `metadata.name`.
pub(crate) fn name(object: &Value) -> &str {
    object["metadata"]["name"].as_str().unwrap_or_default()
}

/// `metadata.uid`.
pub(crate) fn uid(object: &Value) -> Option<&str> {
    object["metadata"]["uid"].as_str()
}

/// As people call it: `Deployment web`.
pub(crate) fn title(object: &Value) -> String {
    format!("{} {}", kind(object), name(object))
}

/// A label's value.
pub(crate) fn label<'a>(object: &'a Value, label: &str) -> Option<&'a str> {
    object["metadata"]["labels"][label].as_str()
}

/// An annotation's value.
pub(crate) fn annotation<'a>(object: &'a Value, annotation: &str) -> Option<&'a str> {
    object["metadata"]["annotations"][annotation].as_str()
}

/// The generation of the target it was last applied under.
pub(crate) fn generation(object: &Value) -> Option<i64> {
    annotation(object, ANNOTATION_GENERATION)?.parse().ok()
}

/// Whether it carries the labels of this service in this environment.
pub(crate) fn is_ours(object: &Value, service: &str, environment: &str) -> bool {
    label(object, LABEL_SERVICE) == Some(service) && label(object, LABEL_ENVIRONMENT) == Some(environment)
}

/// Whether a manager has applied it, by the API server's own record.
pub(crate) fn is_applied_by(object: &Value, manager: &str) -> bool {
    object["metadata"]["managedFields"]
        .as_array()
        .is_some_and(|entries| {
            entries
                .iter()
                .any(|entry| entry["manager"] == manager && entry["operation"] == "Apply")
        })
}

/// Whether it is being deleted.
pub(crate) fn is_terminating(object: &Value) -> bool {
    object["metadata"]["deletionTimestamp"].is_string()
}

/// The label selector for what this service put there in this environment.
pub(crate) fn selector(service: &str, environment: &str) -> String {
    format!("{LABEL_SERVICE}={service},{LABEL_ENVIRONMENT}={environment}")
}

/// Whether a condition in `status.conditions` is true.
pub(crate) fn condition<'a>(object: &'a Value, wanted: &str) -> Option<&'a Value> {
    let conditions = object["status"]["conditions"].as_array()?;
    conditions
        .iter()
        .find(|c| c["type"] == wanted && c["status"] == "True")
}
