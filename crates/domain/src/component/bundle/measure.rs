//! How large and how deep a value is, without recursion.

use serde_json::Value;

/// What a node counts besides its text, in bytes.
pub(super) const NODE: usize = 32;

/// What a value counts against the alias budget; `None` as soon as it is more than `most`.
pub(super) fn cost(value: &Value, most: usize) -> Option<usize> {
    let mut spent = 0usize;
    let mut open = vec![value];
    while let Some(value) = open.pop() {
        spent += NODE;
        match value {
            Value::String(text) => spent += text.len(),
            Value::Array(items) => open.extend(items),
            Value::Object(entries) => {
                spent += entries.keys().map(|key| NODE + key.len()).sum::<usize>();
                open.extend(entries.values());
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
        // What is still open costs a node each at the least: stop before walking what cannot be paid for.
        if spent + open.len() * NODE > most {
            return None;
        }
    }
    Some(spent)
}

/// Levels of nesting of a value; a scalar has none.
pub(crate) fn depth(value: &Value) -> usize {
    let mut deepest = 0;
    let mut open = vec![(value, 0)];
    while let Some((value, level)) = open.pop() {
        deepest = deepest.max(level);
        match value {
            Value::Array(items) => {
                deepest = deepest.max(level + 1);
                open.extend(items.iter().map(|item| (item, level + 1)));
            }
            Value::Object(entries) => {
                deepest = deepest.max(level + 1);
                open.extend(entries.values().map(|item| (item, level + 1)));
            }
            _ => {}
        }
    }
    deepest
}
