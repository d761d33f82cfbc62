//! Facts, made by their documented shape; and facts that are none.

use crate::{
    choices::{Choices, made},
    json,
    runner::{Came, run},
};
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use slipway_domain::policy::{
    Facts,
    facts::{FACTS, MAX_LIST, Shape},
    judge::place,
};

/// Texts that expressions look for.
pub(crate) const TEXTS: [&str; 8] = [
    "",
    "shop",
    "web",
    "eu",
    "1.1.0",
    "sha256:aa",
    "é\"\\\n",
    "2026-11-23T10:00:00Z",
];
/// Keys of what may have any.
pub(crate) const KEYS: [&str; 5] = ["region", "failed", "critical", "a/b", ""];

/// Facts of the documented shape.
pub(crate) fn facts(choices: &mut Choices<'_>) -> Value {
    // Everything in lists this long is the same: what is looked at takes its time all the same.
    let many = choices.one_in(16);
    let mut made = of(choices, &FACTS);
    if many {
        let long = [1_000, 300, MAX_LIST][choices.below(3)];
        for list in [
            "/components",
            "/evidence",
            "/plan/targets",
            "/components/0/images",
        ] {
            if let Some(Value::Array(entries)) = made.pointer_mut(list)
                && let Some(one) = entries.first().cloned()
                && choices.one_in(2)
            {
                *entries = std::iter::repeat_n(one, long).collect();
            }
        }
    }
    made
}

fn of(choices: &mut Choices<'_>, shape: &Shape) -> Value {
    match shape {
        Shape::Bool => json!(choices.one_in(2)),
        Shape::Int => json!(choices.whole()),
        Shape::Text => json!(text(choices)),
        Shape::OneOf(texts) => json!(choices.of(texts)),
        Shape::List(entry) => (0..choices.below(4)).map(|_| of(choices, entry)).collect(),
        Shape::Map(entry) => {
            let fields = (0..choices.below(4)).map(|_| {
                let key = if choices.one_in(6) {
                    choices.text()
                } else {
                    (*choices.of(&KEYS)).to_owned()
                };
                (key, of(choices, entry))
            });
            Value::Object(fields.collect())
        }
        Shape::Object(fields) => {
            let mut made = Map::new();
            for field in *fields {
                if !field.optional || choices.one_in(2) {
                    made.insert(field.name.to_owned(), of(choices, &field.shape));
                }
            }
            Value::Object(made)
        }
        Shape::Any => json::value(choices),
    }
}

fn text(choices: &mut Choices<'_>) -> String {
    if choices.one_in(4) {
        choices.text()
    } else {
        (*choices.of(&TEXTS)).to_owned()
    }
}

#[test]
fn shapes_of_facts() {
    let schema = jsonschema::validator_for(&Facts::schema()).unwrap();
    let inputs = made(300, |choices| {
        let mut made = facts(choices);
        for _ in 0..choices.below(3) {
            json::change(
                choices,
                &mut made,
                &["release", "components", "labels", "tier", "staging", "counts"],
            );
        }
        made
    });
    run("shapes_of_facts", &inputs, move |given| {
        let read = Facts::new(given.clone());
        let as_published = schema.is_valid(given);
        match read {
            Ok(facts) => {
                prop_assert!(as_published, "it is none by the schema that is published");
                prop_assert_eq!(facts.json(), given);
                let _ = place(given);
                Ok(Came::Accepted)
            }
            Err(faults) => {
                prop_assert!(!faults.is_empty(), "it is refused, and nothing is wrong with it");
                // The schema takes `1.0` and what is beyond 64 bits for whole numbers.
                let of_numbers = |fault: &slipway_domain::Fault| fault.detail == "is a whole number";
                prop_assert!(
                    !as_published || faults.as_slice().iter().all(of_numbers),
                    "{faults}"
                );
                for fault in faults.as_slice() {
                    prop_assert!(
                        fault.pointer.is_empty() || fault.pointer.starts_with('/'),
                        "{fault:?}"
                    );
                    prop_assert!(!fault.detail.is_empty());
                }
                Ok(Came::Refused)
            }
        }
    });
}
