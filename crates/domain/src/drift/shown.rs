//! What people are shown of a drifted value: without secrets, and of a bounded size.

use crate::render::shown_at;
use serde_json::Value;

/// The longest value that is kept as it is, in bytes of JSON.
const LONGEST: usize = 2048;
/// How much of a longer text is kept, in characters.
const KEPT: usize = 400;
/// How much of it stands before the first difference.
const BEFORE: usize = 80;

/// What was applied and what is there, as shown. `whole` are the objects, which say what is secret.
pub(super) fn pair(
    applied: (&Value, &str, Option<&Value>),
    found: (&Value, &str, Option<&Value>),
) -> (Option<Value>, Option<Value>) {
    let show = |(whole, pointer, value): (&Value, &str, Option<&Value>)| {
        value.map(|_| plain(shown_at(whole, pointer)))
    };
    match (show(applied), show(found)) {
        (Some(Value::String(applied)), Some(Value::String(found))) => {
            let same = applied
                .chars()
                .zip(found.chars())
                .take_while(|(a, b)| a == b)
                .count();
            (
                Some(around(applied, same).into()),
                Some(around(found, same).into()),
            )
        }
        (applied, found) => (applied.map(bounded), found.map(bounded)),
    }
}

/// A long text, from a little before where it differs.
fn around(text: String, differs_at: usize) -> String {
    if text.len() <= LONGEST {
        return text;
    }
    let from = differs_at.saturating_sub(BEFORE);
    let kept: String = text.chars().skip(from).take(KEPT).collect();
    let begins = if from > 0 { "…" } else { "" };
    format!("{begins}{kept}… (of {} bytes)", text.len())
}

fn bounded(value: Value) -> Value {
    match value {
        Value::String(text) => around(text, 0).into(),
        value => {
            let text = value.to_string();
            if text.len() <= LONGEST {
                value
            } else {
                around(text, 0).into()
            }
        }
    }
}

/// Without what a database keeps in no text.
fn plain(value: Value) -> Value {
    match value {
        Value::String(text) if text.contains('\0') => text.replace('\0', "\u{fffd}").into(),
        Value::Array(items) => items.into_iter().map(plain).collect(),
        Value::Object(entries) => Value::Object(
            entries
                .into_iter()
                .map(|(key, value)| (key.replace('\0', "\u{fffd}"), plain(value)))
                .collect(),
        ),
        other => other,
    }
}
