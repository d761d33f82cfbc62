use super::{concat, parse};
use crate::component::bundle::{Bundle, Limits};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// Any JSON value, with text and keys that YAML likes to read otherwise.
fn value() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        any::<String>().prop_map(|text| text.replace('\0', "")),
        "[-+.0-9eExob_:#&*!|>'\"%@`{}\\[\\], yno~<]{0,12}",
        prop::sample::select(vec![
            "yes", "no", "0755", "1e3", "null", "~", "<<", "---", "- a", "? b", "!!str", ""
        ])
        .prop_map(str::to_owned),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        (-9_007_199_254_740_991_i64..=9_007_199_254_740_991).prop_map(Value::from),
        any::<f64>()
            .prop_filter("JSON knows only finite numbers", |f| f.is_finite())
            .prop_map(Value::from),
        text.clone().prop_map(Value::String),
    ];
    leaf.prop_recursive(6, 60, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
            prop::collection::vec((text.clone(), inner), 0..6)
                .prop_map(|entries| Value::Object(entries.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// Objects that parse.
pub(crate) fn objects() -> impl Strategy<Value = Vec<Value>> {
    let kind = prop::sample::select(vec![
        ("v1", "ConfigMap"),
        ("apps/v1", "Deployment"),
        ("example.io/v1", "Thing"),
    ]);
    let object = (
        kind,
        "[a-z]([-a-z0-9]{0,8}[a-z0-9])?",
        value(),
        prop::option::of("[a-z]{1,8}"),
    );
    prop::collection::vec(object, 1..6).prop_map(|objects| {
        let mut seen = std::collections::HashSet::new();
        let mut made = Vec::new();
        for ((api_version, kind), name, spec, label) in objects {
            if seen.insert((kind, name.clone())) {
                let mut object =
                    json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, "spec": spec});
                if let Some(label) = label {
                    object["metadata"]["labels"] = json!({"app": label});
                }
                made.push(object);
            }
        }
        made
    })
}

fn as_stream(objects: &[Value]) -> String {
    concat(objects.iter().map(|object| format!("---\n{object}\n")))
}

/// The same value, with the keys of every mapping the other way round, as text.
fn reversed(value: &Value) -> String {
    match value {
        Value::Object(entries) => {
            let entries: Vec<String> = entries
                .iter()
                .rev()
                .map(|(key, value)| format!("{}:{}", Value::from(key.as_str()), reversed(value)))
                .collect();
            format!("{{{}}}", entries.join(","))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(reversed).collect::<Vec<_>>().join(",")),
        other => other.to_string(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_the_parser_panic(text in any::<String>()) {
        let _ = parse(&text);
    }

    #[test]
    fn no_text_made_of_yaml_makes_the_parser_panic(
        pieces in prop::collection::vec(prop::sample::select(vec![
            "a", "b: ", "- ", "? ", "\n", "\n  ", "\n    ", "{", "}", "[", "]", ", ", "&x ", "*x", "<<: ", "!!str ", "!t ",
            "'", "\"", "\\u12", "|", ">-", "#", "---\n", "...\n", "%YAML 1.1\n", "\t", "\0", "\u{feff}", "é", "0755", "yes",
            "apiVersion: v1\n", "kind: List\n", "metadata: {name: a}\n", "items:\n",
        ]), 0..40),
        depth in 0_usize..6, objects in 0_usize..3,
    ) {
        let _ = Bundle::parse(&pieces.concat(), &Limits { depth, objects, bytes: 500 });
        let _ = parse(&pieces.concat());
    }

    #[test]
    fn json_that_is_no_object_never_panics(value in value()) {
        let _ = parse(&value.to_string());
    }

    #[test]
    fn what_was_parsed_parses_to_itself(objects in objects()) {
        let first = parse(&as_stream(&objects)).map_err(|faults| TestCaseError::fail(faults.to_string()))?;
        let second = parse(&as_stream(&first.objects)).map_err(|faults| TestCaseError::fail(faults.to_string()))?;
        prop_assert_eq!(&first, &second);
        prop_assert_eq!(first.digest(), second.digest());
        prop_assert_eq!(first.objects.len(), objects.len());
    }

    #[test]
    fn text_in_quotes_is_never_changed(objects in objects()) {
        let parsed = parse(&as_stream(&objects)).map_err(|faults| TestCaseError::fail(faults.to_string()))?;
        for (parsed, written) in parsed.objects.iter().zip(&objects) {
            prop_assert!(same(&parsed["spec"], &written["spec"]), "{} became {}", written, parsed);
        }
    }

    #[test]
    fn the_order_of_keys_does_not_change_the_digest(objects in objects()) {
        let back = concat(objects.iter().map(|object| format!("---\n{}\n", reversed(object))));
        let one = parse(&as_stream(&objects)).map_err(|faults| TestCaseError::fail(faults.to_string()))?;
        let other = parse(&back).map_err(|faults| TestCaseError::fail(faults.to_string()))?;
        prop_assert_eq!(one.digest(), other.digest());
    }

    #[test]
    fn the_order_of_objects_does_change_the_digest(objects in objects()) {
        prop_assume!(objects.len() > 1);
        let back: Vec<Value> = objects.iter().rev().cloned().collect();
        prop_assert_ne!(parse(&as_stream(&objects)).unwrap().digest(), parse(&as_stream(&back)).unwrap().digest());
    }
}

/// Equal, with 1 and 1.0 the same number.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one.as_f64() == other.as_f64(),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one
                    .iter()
                    .all(|(key, one)| other.get(key).is_some_and(|other| same(one, other)))
        }
        _ => one == other,
    }
}
