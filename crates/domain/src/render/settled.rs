//! Whether applying an object can change anything, told from what is there: what it would not change need not be asked
//! about. In doubt it can.

use super::marks::{
    ANNOTATION_DEPLOYMENT, ANNOTATION_GENERATION, ANNOTATION_RELEASE, ANNOTATION_RELEASE_DIGEST,
};
use serde_json::{Map, Value};

/// The annotations that every deployment changes.
const MARKS: [&str; 4] = [
    ANNOTATION_DEPLOYMENT,
    ANNOTATION_GENERATION,
    ANNOTATION_RELEASE,
    ANNOTATION_RELEASE_DIGEST,
];

/// Whether everything that `wanted` says is so in `live`, and everything that `manager` has applied there is still said;
/// our own marks left out of account. Applying it then changes nothing else, so it can neither conflict nor be refused.
#[must_use]
pub fn settled(live: &Value, wanted: &Value, manager: &str) -> bool {
    let Some(fields) = applied_by(live, manager) else {
        return false;
    };
    says(live, wanted, Level::Object) && within(fields, wanted, Level::Object)
}

/// Whether `manager` has applied the field of `spec` with this name.
#[must_use]
pub(super) fn applied_spec_field(live: &Value, manager: &str, field: &str) -> bool {
    applied_by(live, manager)
        .and_then(|fields| fields.get("f:spec")?.get(format!("f:{field}")))
        .is_some()
}

/// The fields that a manager has applied, as the API server keeps them (`fieldsV1`).
fn applied_by<'a>(live: &'a Value, manager: &str) -> Option<&'a Map<String, Value>> {
    let entries = live.pointer("/metadata/managedFields")?.as_array()?;
    entries
        .iter()
        .find(|entry| entry["manager"] == manager && entry["operation"] == "Apply")?
        .get("fieldsV1")?
        .as_object()
}

/// Where in an object a value is: our marks are on one level alone.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    Object,
    Metadata,
    Annotations,
    Inside,
}

impl Level {
    fn below(self, key: &str) -> Self {
        match (self, key) {
            (Self::Object, "metadata") => Self::Metadata,
            (Self::Metadata, "annotations") => Self::Annotations,
            _ => Self::Inside,
        }
    }

    fn leaves_out(self, key: &str) -> bool {
        self == Self::Annotations && MARKS.contains(&key)
    }
}

/// Whether `live` says all that `wanted` says.
fn says(live: &Value, wanted: &Value, level: Level) -> bool {
    match (live, wanted) {
        (Value::Object(live), Value::Object(wanted)) => wanted.iter().all(|(key, wanted)| {
            level.leaves_out(key)
                || live
                    .get(key)
                    .is_some_and(|live| says(live, wanted, level.below(key)))
        }),
        (Value::Array(live), Value::Array(wanted)) => {
            live.len() == wanted.len()
                && live
                    .iter()
                    .zip(wanted)
                    .all(|(live, wanted)| says(live, wanted, Level::Inside))
        }
        _ => live == wanted,
    }
}

/// Whether `wanted` says something about every field of a set of fields.
fn within(fields: &Map<String, Value>, wanted: &Value, level: Level) -> bool {
    fields.iter().all(|(token, inner)| {
        let none = Map::new();
        let inner = inner.as_object().unwrap_or(&none);
        match token.split_once(':') {
            None => token == ".",
            Some(("f", key)) if level.leaves_out(key) => true,
            Some(("f", key)) => match wanted.get(key) {
                Some(wanted) => within(inner, wanted, level.below(key)),
                // The mapping may be there for our marks alone.
                None => {
                    level.below(key) == Level::Annotations && within(inner, &Value::Null, Level::Annotations)
                }
            },
            Some(("k", keys)) => {
                item(wanted, keys).is_some_and(|wanted| within(inner, wanted, Level::Inside))
            }
            Some(("v", value)) => {
                let value: Option<Value> = serde_json::from_str(value).ok();
                wanted
                    .as_array()
                    .is_some_and(|all| all.iter().any(|one| Some(one) == value.as_ref()))
            }
            _ => false,
        }
    })
}

/// The item of a list that has these keys, as `{"name":"web"}`.
fn item<'a>(wanted: &'a Value, keys: &str) -> Option<&'a Value> {
    let keys: Map<String, Value> = serde_json::from_str(keys).ok()?;
    wanted
        .as_array()?
        .iter()
        .find(|item| keys.iter().all(|(key, value)| item.get(key) == Some(value)))
}

/// The entries of a mapping in which `wanted` says something else than `live`, or that `live` does not have.
#[must_use]
pub fn said_otherwise<'a>(live: &Value, wanted: &'a Value) -> Vec<&'a str> {
    let wanted = wanted.as_object().into_iter().flatten();
    wanted
        .filter(|(key, wanted)| {
            !live
                .get(key.as_str())
                .is_some_and(|live| says(live, wanted, Level::Inside))
        })
        .map(|(key, _)| key.as_str())
        .collect()
}
