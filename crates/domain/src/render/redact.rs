//! What people may see of an object.

use serde_json::{Map, Value};

/// What stands in the place of a value that is secret.
pub const REDACTED: &str = "(redacted)";

/// Holds all of an object once more, secrets included.
pub(super) const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// The fields of a Secret that say nothing secret. All others are hidden, those we do not know of too.
pub(super) const PLAIN_SECRET_FIELDS: [&str; 5] = ["apiVersion", "kind", "metadata", "type", "immutable"];

/// The same object with every value of a Secret as [`REDACTED`] and without `last-applied-configuration`; also for
/// lists of objects, and for Secrets that other objects carry inside.
#[must_use]
pub fn redact(value: &Value) -> Value {
    match value {
        Value::Array(items) => Value::Array(items.iter().map(redact).collect()),
        Value::Object(entries) => Value::Object(redact_object(entries, true)),
        other => other.clone(),
    }
}

/// Whether an object's values are secret.
pub(super) fn is_secret(object: &Value) -> bool {
    matches!(
        object.get("kind").and_then(Value::as_str),
        Some("Secret" | "SecretList")
    )
}

/// `is_object`: whether this is where an object begins, and not just somewhere inside, where `kind: Secret` may as well
/// be a reference to one.
fn redact_object(entries: &Map<String, Value>, is_object: bool) -> Map<String, Value> {
    let kind = entries.get("kind").and_then(Value::as_str).unwrap_or_default();
    let has_values = entries.contains_key("data") || entries.contains_key("stringData");
    let secret = kind == "Secret" && (is_object || has_values);
    let list = is_object && kind.ends_with("List");
    entries
        .iter()
        .map(|(key, value)| {
            let shown = match key.as_str() {
                "metadata" => redact_metadata(value, secret),
                // Of a SecretList's items none need say that it is a Secret.
                "items" if kind == "SecretList" => match value {
                    Value::Array(items) => items.iter().map(redact_secret).collect(),
                    other => hide(other),
                },
                "items" if list => redact(value),
                field if secret && !PLAIN_SECRET_FIELDS.contains(&field) => hide(value),
                _ => redact_inner(value),
            };
            (key.clone(), shown)
        })
        .collect()
}

fn redact_inner(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(redact_inner).collect(),
        Value::Object(entries) => Value::Object(redact_object(entries, false)),
        other => other.clone(),
    }
}

fn redact_secret(item: &Value) -> Value {
    let Value::Object(entries) = item else {
        return hide(item);
    };
    let mut entries = entries.clone();
    entries.insert("kind".to_owned(), "Secret".into());
    Value::Object(redact_object(&entries, true))
}

/// Tools keep whole objects in annotations of their own as well: on a Secret, what looks like JSON is hidden.
fn redact_metadata(metadata: &Value, secret: bool) -> Value {
    let mut metadata = redact_inner(metadata);
    if let Some(Value::Object(annotations)) = metadata.get_mut("annotations") {
        annotations.remove(LAST_APPLIED);
        if secret {
            for value in annotations.values_mut() {
                if value
                    .as_str()
                    .is_none_or(|text| text.trim_start().starts_with(['{', '[']))
                {
                    *value = REDACTED.into();
                }
            }
        }
    }
    metadata
}

/// Keeps the names of a mapping and hides what they stand for.
fn hide(value: &Value) -> Value {
    match value {
        Value::Object(entries) => {
            Value::Object(entries.keys().map(|key| (key.clone(), REDACTED.into())).collect())
        }
        Value::Null => Value::Null,
        _ => REDACTED.into(),
    }
}
