//! The API server's record of who set which field: `fieldsV1` of `metadata.managedFields`, a tree whose keys say how to
//! get from an object to what is inside it.
//!
//! Source: Kubernetes API reference, `FieldsV1`, and structured-merge-diff's path elements: `f:<name>` a field,
//! `k:<keys>` the list item with these key fields, `v:<value>` the list item that is this value, `i:<index>` an item by
//! position, and `.` the thing itself.

use serde_json::{Map, Value};

/// The entry of a set that stands for the thing itself.
pub(super) const ITSELF: &str = ".";

/// Where a key of a set leads to.
pub(super) enum Element<'a> {
    Field(&'a str),
    Keys(Map<String, Value>),
    Value(Value),
    Index(usize),
}

impl<'a> Element<'a> {
    /// `None` for `.` and for what a newer server may come up with.
    pub(super) fn read(key: &'a str) -> Option<Self> {
        let (kind, rest) = key.split_once(':')?;
        match kind {
            "f" => Some(Self::Field(rest)),
            "k" => serde_json::from_str(rest).ok().map(Self::Keys),
            "v" => serde_json::from_str(rest).ok().map(Self::Value),
            "i" => rest.parse().ok().map(Self::Index),
            _ => None,
        }
    }

    /// What it leads to, and the token of a JSON pointer that does too.
    pub(super) fn find<'v>(&self, inside: &'v Value) -> Option<(String, &'v Value)> {
        let by = |items: &'v [Value], is: &dyn Fn(&Value) -> bool| {
            let at = items.iter().position(is)?;
            Some((at.to_string(), &items[at]))
        };
        match (self, inside) {
            (Self::Field(name), Value::Object(entries)) => {
                entries.get(*name).map(|value| ((*name).to_owned(), value))
            }
            (Self::Keys(keys), Value::Array(items)) => by(items, &|item| {
                keys.iter().all(|(key, value)| item.get(key) == Some(value))
            }),
            (Self::Value(wanted), Value::Array(items)) => by(items, &|item| item == wanted),
            (Self::Index(at), Value::Array(items)) => items.get(*at).map(|item| (at.to_string(), item)),
            _ => None,
        }
    }
}

/// Whether a set holds what these keys lead to, or all of something around it, or something inside it.
pub(super) fn holds(set: &Value, path: &[String]) -> bool {
    let mut here = set;
    for key in path {
        match here {
            // Set as a whole, with everything in it.
            Value::Object(entries) if entries.is_empty() => return true,
            Value::Object(entries) => match entries.get(key) {
                Some(next) => here = next,
                None => return false,
            },
            _ => return false,
        }
    }
    here.is_object()
}

/// The fields that this manager applies, by the object's own record.
pub(super) fn applied_by<'a>(object: &'a Value, manager: &str) -> Option<&'a Map<String, Value>> {
    entries(object)
        .iter()
        .find(|entry| {
            entry["manager"] == manager && entry["operation"] == "Apply" && entry["subresource"].is_null()
        })
        .and_then(|entry| entry["fieldsV1"].as_object())
}

/// All of an object's record.
pub(super) fn entries(object: &Value) -> &[Value] {
    object["metadata"]["managedFields"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default()
}
