//! Changing JSON that is valid: by its values and keys, so that what comes out is JSON all the same, if not what is expected.

use crate::{
    bytes::{Payload, corrupt, retoken, rubbish},
    choices::Choices,
};
use serde_json::{Value, json};

/// Most entries that a list is made of.
const MANY: usize = 1_500;

/// Times, digests and texts at which something ends or begins.
const TEXTS: [&str; 14] = [
    "",
    " ",
    "passed",
    "2026-03-01T10:00:00Z",
    "2026-03-01T10:00:00",
    "9999-12-30T22:00:00.999999999Z",
    "-009999-01-02T01:59:59Z",
    "2016-12-31T23:59:60Z",
    "sha256:0000000000000000000000000000000000000000000000000000000000000000",
    "sha256:00",
    "P1D",
    "PT9223372036854775807S",
    "-PT1S",
    "https://in-toto.io/Statement/v1",
];

/// A value that is likely to be none that is expected.
pub(crate) fn value(choices: &mut Choices<'_>) -> Value {
    match choices.below(12) {
        0 => Value::Null,
        1 => json!(choices.one_in(2)),
        2 => json!(choices.whole()),
        3 => json!(u64::MAX),
        4 => json!([1.5, -0.0, 1e308, 5e-324, 1e15, -1e19][choices.below(6)]),
        5 => json!([]),
        6 => json!({}),
        7 => json!([value(choices)]),
        8 => json!({choices.text(): value(choices)}),
        9 => json!(*choices.of(&TEXTS)),
        _ => json!(choices.text()),
    }
}

/// Every place in a value, as a JSON pointer; the whole of it first.
fn places(of: &Value) -> Vec<String> {
    fn walk(of: &Value, at: String, all: &mut Vec<String>) {
        match of {
            Value::Array(entries) => {
                for (i, entry) in entries.iter().enumerate().take(20) {
                    walk(entry, format!("{at}/{i}"), all);
                }
            }
            Value::Object(fields) => {
                for (key, entry) in fields {
                    walk(
                        entry,
                        format!("{at}/{}", key.replace('~', "~0").replace('/', "~1")),
                        all,
                    );
                }
            }
            _ => {}
        }
        all.push(at);
    }
    let mut all = Vec::new();
    walk(of, String::new(), &mut all);
    all.reverse();
    all
}

/// Changes a value once.
pub(crate) fn change(choices: &mut Choices<'_>, of: &mut Value, words: &[&str]) {
    let places = places(of);
    let (at, other) = (choices.of(&places), choices.of(&places));
    let copied = of.pointer(other).cloned().unwrap_or_default();
    let how = choices.below(9);
    if how < 3
        && let Some((above, key)) = at.rsplit_once('/')
        && let Some(above) = of.pointer_mut(above)
    {
        match above {
            Value::Array(entries) => of_entries(choices, entries, key.parse().unwrap(), how),
            Value::Object(fields) => {
                let key = key.replace("~1", "/").replace("~0", "~");
                let entry = if how == 1 {
                    fields.get(&key).cloned()
                } else {
                    fields.remove(&key)
                };
                if how > 0 {
                    let new = if choices.one_in(3) {
                        choices.text()
                    } else {
                        (*choices.of(words)).to_owned()
                    };
                    fields.insert(new, entry.unwrap_or_default());
                }
            }
            _ => {}
        }
        return;
    }
    let Some(here) = of.pointer_mut(at) else { return };
    match how {
        3 => {
            let before = std::mem::replace(here, copied);
            if let Some(there) = of.pointer_mut(other) {
                *there = before;
            }
        }
        4 => *here = copied,
        5 => {
            for _ in 0..=if choices.one_in(6) { choices.below(80) } else { 0 } {
                let inner = here.take();
                *here = if choices.one_in(2) {
                    json!({(*choices.of(words)): inner})
                } else {
                    json!([inner])
                };
            }
        }
        6 | 7 => {
            if let Value::String(text) = here {
                *text = retoken(choices, text, words);
            } else {
                *here = value(choices);
            }
        }
        _ => *here = value(choices),
    }
}

fn of_entries(choices: &mut Choices<'_>, entries: &mut Vec<Value>, at: usize, how: usize) {
    let Some(entry) = entries.get(at).cloned() else {
        return;
    };
    match how {
        0 => drop(entries.remove(at)),
        1 => entries.insert(at, entry),
        // Large ones a few times only: they are all alike.
        _ if entry.to_string().len() > 2_000 => {}
        _ => {
            let times = if choices.one_in(8) { MANY } else { 3 };
            entries.splice(at..at, std::iter::repeat_n(entry, choices.below(times)));
        }
    }
}

/// One of these documents, changed a few times, first as JSON and then, now and then, as text; or rubbish.
pub(crate) fn document(choices: &mut Choices<'_>, of: &[&str], words: &[&str]) -> Payload {
    if choices.one_in(12) {
        return Payload(rubbish(choices, words));
    }
    let mut changed: Value = serde_json::from_str(choices.of::<&str>(of)).unwrap();
    for _ in 0..choices.below(6) {
        change(choices, &mut changed, words);
    }
    let text = if choices.one_in(4) {
        serde_json::to_string_pretty(&changed).unwrap()
    } else {
        changed.to_string()
    };
    Payload(spoilt(choices, text, words))
}

/// The bytes of a text, now and then not as they were.
pub(crate) fn spoilt(choices: &mut Choices<'_>, mut text: String, words: &[&str]) -> Vec<u8> {
    if choices.one_in(6) {
        text = retoken(choices, &text, words);
    }
    let mut bytes = text.into_bytes();
    if choices.one_in(6) {
        for _ in 0..=choices.below(3) {
            corrupt(choices, &mut bytes);
        }
    }
    bytes
}
