//! What applying changes, field by field, as people are shown it.

use super::redact::{LAST_APPLIED, PLAIN_SECRET_FIELDS, REDACTED, is_secret, redact};
use crate::component::bundle::{OUR_DOMAIN, push_token};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What happens to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// It is not there yet.
    Created,
    /// It is there and will differ.
    Updated,
    /// It is there as it should be.
    Unchanged,
    /// It is there and will be deleted.
    Pruned,
    /// A field that cannot be changed differs: it will be deleted and made anew, as it says it may be.
    Replaced,
}

/// One object's change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectDiff {
    /// What happens to it.
    pub change: Change,
    /// Every field that differs. For what is created or pruned, one entry for the whole object.
    pub paths: Vec<PathChange>,
}

/// One field's change. Secret values are compared, and shown as [`REDACTED`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PathChange {
    /// JSON pointer (RFC 6901) into the object.
    pub pointer: String,
    /// What is there; `None` for a field that will be added.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Value>,
    /// What will be there; `None` for a field that will be removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Value>,
}

/// Fields of `metadata` that the API server keeps for itself.
const SERVER_METADATA: [&str; 6] = [
    "creationTimestamp",
    "generation",
    "managedFields",
    "resourceVersion",
    "selfLink",
    "uid",
];

/// Compares what is there with what is wanted.
///
/// Ignored: what only the API server writes (`status`, `metadata.uid`, `metadata.managedFields`, …), what changes with
/// every release (annotations under `slipway.dev/`), and kubectl's copy of what it applied last. Lists are compared
/// item by item; items that are too many are removed from the end, and reported from the end.
#[must_use]
pub fn diff(live: Option<&Value>, wanted: Option<&Value>) -> ObjectDiff {
    let whole = |change, from: Option<&Value>, to: Option<&Value>| ObjectDiff {
        change,
        paths: vec![PathChange {
            pointer: String::new(),
            from: from.map(redact),
            to: to.map(redact),
        }],
    };
    match (live, wanted) {
        (None, None) => ObjectDiff {
            change: Change::Unchanged,
            paths: Vec::new(),
        },
        (None, Some(wanted)) => whole(Change::Created, None, Some(wanted)),
        (Some(live), None) => whole(Change::Pruned, Some(live), None),
        (Some(live), Some(wanted)) => compare(live, wanted),
    }
}

fn compare(live: &Value, wanted: &Value) -> ObjectDiff {
    let (live, wanted) = (comparable(live), comparable(wanted));
    let mut paths = Vec::new();
    walk(&mut String::new(), &live, &wanted, &mut paths);
    // Both, so that a kind that changes (no object of a cluster can) does not show what the other hides.
    if is_secret(&live) || is_secret(&wanted) {
        let (live, wanted) = (redact(&live), redact(&wanted));
        for path in &mut paths {
            path.from = path.from.take().map(|_| shown(&live, &path.pointer));
            path.to = path.to.take().map(|_| shown(&wanted, &path.pointer));
        }
    }
    let change = if paths.is_empty() {
        Change::Unchanged
    } else {
        Change::Updated
    };
    ObjectDiff { change, paths }
}

/// What people may see of an object at a pointer.
pub(crate) fn shown_at(object: &Value, pointer: &str) -> Value {
    let redacted = redact(object);
    if is_secret(object) {
        return shown(&redacted, pointer);
    }
    redacted
        .pointer(pointer)
        .cloned()
        .unwrap_or_else(|| REDACTED.into())
}

/// What a redacted Secret shows at a pointer.
fn shown(redacted: &Value, pointer: &str) -> Value {
    let field = pointer.split('/').nth(1).unwrap_or_default();
    match redacted.pointer(pointer) {
        Some(value) if PLAIN_SECRET_FIELDS.contains(&field) => value.clone(),
        Some(Value::Object(keys)) => {
            Value::Object(keys.keys().map(|key| (key.clone(), REDACTED.into())).collect())
        }
        _ => REDACTED.into(),
    }
}

/// The object without what is ignored.
fn comparable(object: &Value) -> Value {
    let mut object = object.clone();
    let Some(entries) = object.as_object_mut() else {
        return object;
    };
    entries.remove("status");
    if let Some(Value::Object(metadata)) = entries.get_mut("metadata") {
        for field in SERVER_METADATA {
            metadata.remove(field);
        }
        if let Some(Value::Object(annotations)) = metadata.get_mut("annotations") {
            annotations.retain(|key, _| !key.starts_with(OUR_DOMAIN) && key != LAST_APPLIED);
            if annotations.is_empty() {
                metadata.remove("annotations");
            }
        }
    }
    object
}

fn walk(pointer: &mut String, live: &Value, wanted: &Value, paths: &mut Vec<PathChange>) {
    let here = pointer.len();
    let mut at = |pointer: &mut String, token: &str, from: Option<&Value>, to: Option<&Value>| {
        push_token(pointer, token);
        match (from, to) {
            (Some(from), Some(to)) => walk(pointer, from, to, paths),
            _ => paths.push(PathChange {
                pointer: pointer.clone(),
                from: from.cloned(),
                to: to.cloned(),
            }),
        }
        pointer.truncate(here);
    };
    match (live, wanted) {
        (Value::Object(from), Value::Object(to)) => {
            let mut keys: Vec<&String> = from
                .keys()
                .chain(to.keys().filter(|key| !from.contains_key(*key)))
                .collect();
            keys.sort_unstable();
            for key in keys {
                at(pointer, key, from.get(key), to.get(key));
            }
        }
        (Value::Array(from), Value::Array(to)) => {
            for i in 0..to.len() {
                at(pointer, &i.to_string(), from.get(i), to.get(i));
            }
            for i in (to.len()..from.len()).rev() {
                at(pointer, &i.to_string(), from.get(i), None);
            }
        }
        _ if live == wanted => {}
        _ => paths.push(PathChange {
            pointer: pointer.clone(),
            from: Some(live.clone()),
            to: Some(wanted.clone()),
        }),
    }
}
