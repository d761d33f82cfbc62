//! What the API server said about an object, read and told so that a person knows what to do. Pure.
//!
//! Three kinds of refusal are told apart from the rest, since each has a way out of its own: a field of another manager, a
//! field that cannot be changed, and a version of a definition in which objects are stored.

use crate::{
    fault::{Answer, scrub},
    object,
};
use serde_json::Value;
use slipway_domain::{
    component::bundle::{ON_IMMUTABLE_ANNOTATION, holds_data},
    render::said_otherwise,
};

/// What the API server's words about a field that cannot be changed have in common; it has no code of its own for it.
const UNCHANGEABLE: [&str; 6] = [
    "immutable",
    "may not change",
    "may not be changed",
    "cannot change",
    "can not be less than previous value",
    "updates to",
];

/// Whether an answer is a judgement on the object, in words for a person.
pub(crate) fn judged(answer: &Answer, wanted: &Value) -> Option<String> {
    told(answer, None, wanted)
}

/// As [`judged`], more precise by what is there.
pub(crate) fn told(answer: &Answer, live: Option<&Value>, wanted: &Value) -> Option<String> {
    let title = object::title(wanted);
    let conflicts: Vec<_> = answer
        .field_conflicts()
        .map(|cause| (cause.field.as_str(), manager(&cause.message)))
        .collect();
    if !conflicts.is_empty() {
        let fields: Vec<String> = conflicts
            .iter()
            .map(|(field, manager)| format!("{field} is owned by {manager}"))
            .collect();
        let scale = conflicts.iter().all(|(field, _)| *field == ".spec.replicas");
        let what = if scale { "`replicas`" } else { "what is theirs" };
        return Some(format!(
            "{title}: {}; leave {what} out of the bundle, and it stays as they set it, or force conflicts to take it over",
            fields.join(", ")
        ));
    }
    let fields = unchangeable(answer, live, wanted);
    if !fields.is_empty() {
        let named = fields.join(" and ");
        return Some(format!("{title}: {named} cannot be changed; {}", way_out(wanted)));
    }
    let stored = stored_versions(answer, wanted);
    if !stored.is_empty() {
        return Some(format!(
            "{title}: its objects are stored in version {}, which it no longer names; keep naming it (with `served: \
             false`, if nobody is to use it) until they are stored in another and status.storedVersions says so",
            stored.join(" and ")
        ));
    }
    answer
        .is_invalid()
        .then(|| format!("{title} was refused: {}", scrub(&answer.message, wanted)))
}

/// The fields that an object was refused for because they cannot be changed; empty when anything else is wrong with it
/// as well, since making it anew would not help then.
pub(crate) fn unchangeable(answer: &Answer, live: Option<&Value>, wanted: &Value) -> Vec<String> {
    if answer.code != 422 || answer.causes.is_empty() {
        return Vec::new();
    }
    let mut fields = Vec::new();
    for cause in &answer.causes {
        let message = cause.message.to_lowercase();
        if !UNCHANGEABLE.iter().any(|words| message.contains(words)) {
            return Vec::new();
        }
        for field in precisely(&cause.field, live, wanted) {
            if !fields.contains(&field) {
                fields.push(field);
            }
        }
    }
    fields
}

/// The server names `spec` where it means some of its fields: those that differ from what is there.
fn precisely(field: &str, live: Option<&Value>, wanted: &Value) -> Vec<String> {
    let field = field.split('[').next().unwrap_or(field);
    if !matches!(field, "spec" | "data" | "binaryData") {
        return vec![field.to_owned()];
    }
    let of = |object: &Value| object[field].clone();
    let (there, here) = (live.map(of).unwrap_or_default(), of(wanted));
    let differ = said_otherwise(&there, &here);
    // What may be changed there, and is not why it was refused.
    let free: &[&str] = match object::kind(wanted) {
        "StatefulSet" => &["replicas", "template", "updateStrategy"],
        "PersistentVolumeClaim" => &["resources"],
        _ => &[],
    };
    let named: Vec<String> = differ
        .into_iter()
        .filter(|key| !free.contains(key))
        .map(|key| format!("{field}.{key}"))
        .collect();
    if live.is_none() || named.is_empty() {
        vec![field.to_owned()]
    } else {
        named
    }
}

/// What to do about a field that cannot be changed.
fn way_out(wanted: &Value) -> String {
    if holds_data(wanted) {
        return "keep it as it was, or bring a new object under another name and move what the old one holds: Slipway \
                never replaces what holds data"
            .to_owned();
    }
    let replace =
        format!("annotate it with {ON_IMMUTABLE_ANNOTATION}: replace to have it deleted and made anew");
    if object::kind(wanted) == "Job" {
        return format!(
            "a Job runs once: give it another name, make it a hook (slipway.dev/hook) to run it with every deployment, or \
             {replace}"
        );
    }
    format!("keep it as it was, give the object another name, or {replace}")
}

/// The versions that a definition no longer names and that its objects are stored in.
pub(crate) fn stored_versions(answer: &Answer, wanted: &Value) -> Vec<String> {
    if answer.code != 422 || object::kind(wanted) != "CustomResourceDefinition" {
        return Vec::new();
    }
    let stored = |field: &str| field.starts_with("status.storedVersions");
    if !answer.causes.iter().all(|cause| stored(&cause.field)) {
        return Vec::new();
    }
    // Invalid value: "v2": must appear in spec.versions
    let versions = answer
        .causes
        .iter()
        .filter_map(|cause| cause.message.split('"').nth(1));
    versions.map(str::to_owned).collect()
}

/// `conflict with "kubectl-edit" using apps/v1` → `"kubectl-edit"`.
fn manager(message: &str) -> &str {
    let name = message.strip_prefix("conflict with ").unwrap_or(message);
    match name.strip_prefix('"').and_then(|rest| rest.find('"')) {
        Some(end) => &name[..end + 2],
        None => name,
    }
}

/// Why an object that is there is not this service's to write, and what to do about it.
pub(crate) fn foreign(live: &Value, service: &str, environment: &str) -> Option<String> {
    use crate::object::{LABEL_MANAGED, label};
    use slipway_domain::render::{LABEL_ENVIRONMENT, LABEL_SERVICE};
    let title = object::title(live);
    if object::kind(live) == "ConfigMap" && label(live, LABEL_MANAGED).is_some() {
        return Some(format!("{title} is Slipway's own: give the object another name"));
    }
    if object::is_ours(live, service, environment) {
        return None;
    }
    if let Some(whose) = label(live, LABEL_SERVICE) {
        let place = label(live, LABEL_ENVIRONMENT).map_or_else(String::new, |place| format!(" in {place}"));
        return Some(format!(
            "{title} belongs to service {whose}{place}, and an object is in one release only: give it another name, or \
             take it out of the other; to hand it over as it is, remove its label {LABEL_SERVICE} first"
        ));
    }
    let owner = live["metadata"]["ownerReferences"].as_array()?;
    let owner = owner.iter().find(|owner| owner["controller"] == true)?;
    Some(format!(
        "{title} is there already and is made by {} {}, which would set it back: give the object another name",
        owner["kind"].as_str().unwrap_or_default(),
        owner["name"].as_str().unwrap_or_default()
    ))
}

/// Why something that is being deleted is still there, as ` (held by …)`; empty when nothing holds it.
pub(crate) fn held(live: &Value) -> String {
    let finalizers = live["metadata"]["finalizers"].as_array();
    let names: Vec<&str> = finalizers
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    match names.as_slice() {
        [] => String::new(),
        ["foregroundDeletion"] => " (until what it owns is gone)".to_owned(),
        [one] => format!(" (held by its finalizer {one}, which whoever set it has to take away)"),
        many => format!(
            " (held by its finalizers {}, which whoever set them has to take away)",
            many.join(", ")
        ),
    }
}

#[cfg(test)]
#[path = "refusal_tests.rs"]
mod tests;
