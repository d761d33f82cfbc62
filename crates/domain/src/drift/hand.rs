//! Who did it: the object's record says which manager set a field last, through what, and when.

use super::{Hand, fields};
use serde_json::Value;

/// The manager that owns what these keys of `fieldsV1` lead to, other than by our own applying; the latest where several
/// do. None when the object does not say, as for a field that was taken away.
pub(super) fn of(live: &Value, path: &[String], ours: &str) -> Option<Hand> {
    fields::entries(live)
        .iter()
        .filter(|entry| entry["manager"] != ours || entry["operation"] != "Apply")
        .filter(|entry| fields::holds(&entry["fieldsV1"], path))
        .filter_map(read)
        .max_by_key(|hand| hand.at)
}

fn read(entry: &Value) -> Option<Hand> {
    let text = |field: &str| entry[field].as_str().filter(|text| !text.is_empty());
    Some(Hand {
        manager: text("manager")?.to_owned(),
        operation: text("operation").unwrap_or("Update").to_owned(),
        subresource: text("subresource").map(str::to_owned),
        at: text("time").and_then(|time| time.parse().ok()),
    })
}
