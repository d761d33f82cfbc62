use super::Case;
use crate::render::{Change, diff, redact, stamp};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        (0_i64..4).prop_map(Value::from),
        any::<f64>()
            .prop_filter("JSON knows only finite numbers", |f| f.is_finite())
            .prop_map(Value::from),
        "[a-c~/]{0,3}".prop_map(Value::String),
    ];
    leaf.prop_recursive(4, 30, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            prop::collection::btree_map("[a-c~/]{0,2}", inner, 0..4)
                .prop_map(|entries| Value::Object(entries.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// Objects of kinds of every phase, named apart.
fn objects() -> impl Strategy<Value = Vec<Value>> {
    let kinds = vec![
        ("v1", "ConfigMap"),
        ("v1", "Secret"),
        ("v1", "Service"),
        ("apps/v1", "Deployment"),
        ("batch/v1", "Job"),
        ("example.io/v1", "Thing"),
    ];
    prop::collection::vec((prop::sample::select(kinds), value(), any::<bool>(), any::<bool>()), 0..8).prop_map(|made| {
        made.into_iter()
            .enumerate()
            .map(|(i, ((api_version, kind), spec, hook, placed))| {
                let mut object =
                    json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": format!("o{i}")}, "spec": spec});
                if hook && kind == "Job" {
                    object["metadata"]["annotations"] = json!({"slipway.dev/hook": "after"});
                }
                if placed {
                    object["metadata"]["namespace"] = json!("shop");
                }
                object
            })
            .collect()
    })
}

/// Does what a diff says: the `to` of each path, in order.
fn apply(object: &mut Value, pointer: &str, to: Option<Value>) {
    let Some((parent, token)) = pointer.rsplit_once('/') else {
        *object = to.unwrap_or_default();
        return;
    };
    let token = token.replace("~1", "/").replace("~0", "~");
    match (object.pointer_mut(parent), to) {
        (Some(Value::Object(entries)), Some(to)) => {
            entries.insert(token, to);
        }
        (Some(Value::Object(entries)), None) => {
            entries.remove(&token);
        }
        (Some(Value::Array(items)), to) => {
            let i: usize = token.parse().unwrap();
            match to {
                Some(to) if i < items.len() => items[i] = to,
                Some(to) => items.push(to),
                None => {
                    items.remove(i);
                }
            }
        }
        (other, _) => panic!("{pointer} leads into {other:?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn rendering_twice_gives_the_same_digest(objects in objects()) {
        let render = || Case::of(&objects).render().map_err(|faults| TestCaseError::fail(faults.to_string()));
        prop_assert_eq!(render()?.digest(), render()?.digest());
    }

    #[test]
    fn a_rendering_reads_back_from_its_json_with_the_same_digest(objects in objects()) {
        let rendering = Case::of(&objects).render().map_err(|faults| TestCaseError::fail(faults.to_string()))?;
        let read: crate::render::Rendering = serde_json::from_str(&serde_json::to_string(&rendering).unwrap()).unwrap();
        prop_assert_eq!(read.digest(), rendering.digest());
    }

    #[test]
    fn every_object_is_rendered_once_marked_and_in_the_namespace_and_otherwise_unchanged(objects in objects()) {
        let rendering = Case::of(&objects).render().map_err(|faults| TestCaseError::fail(faults.to_string()))?;
        let all: Vec<&Value> = rendering.objects.iter().chain(&rendering.hooks).collect();
        prop_assert_eq!(all.len(), objects.len());
        for written in &objects {
            let name = &written["metadata"]["name"];
            let rendered = all.iter().find(|object| object["metadata"]["name"] == *name).unwrap();
            let metadata = &rendered["metadata"];
            prop_assert_eq!(&metadata["namespace"], "shop");
            for label in ["slipway.dev/service", "slipway.dev/environment", "slipway.dev/component"] {
                prop_assert!(metadata["labels"][label].is_string());
            }
            for annotation in ["slipway.dev/release", "slipway.dev/release-digest"] {
                prop_assert!(metadata["annotations"][annotation].is_string());
            }
            prop_assert_eq!(&rendered["spec"], &written["spec"]);
            let is_hook = written["metadata"].get("annotations").is_some();
            prop_assert_eq!(rendering.hooks.contains(rendered), is_hook);
        }
    }

    #[test]
    fn nothing_differs_from_itself(value in value(), objects in objects()) {
        for object in objects.iter().chain([&value]) {
            let diff = diff(Some(object), Some(object));
            prop_assert_eq!(diff.change, Change::Unchanged);
            prop_assert!(diff.paths.is_empty());
        }
    }

    #[test]
    fn doing_what_a_diff_says_leads_there(from in value(), to in value()) {
        let (mut from, to) = (json!({"spec": from}), json!({"spec": to}));
        let diff = diff(Some(&from), Some(&to));
        prop_assert_eq!(diff.change == Change::Unchanged, from == to);
        for path in diff.paths {
            prop_assert_eq!(from.pointer(&path.pointer).cloned(), path.from.clone(), "{}", path.pointer);
            apply(&mut from, &path.pointer, path.to);
        }
        prop_assert_eq!(from, to);
    }

    #[test]
    fn no_value_of_a_secret_is_ever_shown(
        values in prop::collection::vec(("[a-z]{1,4}", "hush-[0-9]{8}"), 1..5),
        field in prop::sample::select(vec!["data", "stringData", "somethingNew"]),
        shape in 0..4,
    ) {
        let entries: Map<String, Value> = values.iter().map(|(key, value)| (key.clone(), json!(value))).collect();
        let mut secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}});
        secret[field] = match shape {
            0 => Value::Object(entries),
            1 => json!([entries]),
            2 => json!({"nested": entries}),
            _ => json!(values[0].1),
        };
        secret["metadata"]["annotations"] = json!({
            "kubectl.kubernetes.io/last-applied-configuration": secret.to_string(),
            "another.tool/applied": secret.to_string(),
        });
        let plain = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}});
        for shown in [
            redact(&secret).to_string(),
            serde_json::to_string(&diff(Some(&secret), Some(&plain))).unwrap(),
            serde_json::to_string(&diff(Some(&plain), Some(&secret))).unwrap(),
            serde_json::to_string(&diff(None, Some(&secret))).unwrap(),
            serde_json::to_string(&diff(Some(&secret), None)).unwrap(),
        ] {
            prop_assert!(!shown.contains("hush-"), "{}", shown);
        }
    }

    #[test]
    fn a_stamp_is_invisible_to_a_diff_and_changes_nothing_else(objects in objects(), generation in 0_i64..9) {
        for object in &objects {
            let mut stamped = object.clone();
            stamp(&mut stamped, generation, "dep_x");
            prop_assert_eq!(diff(Some(object), Some(&stamped)).change, Change::Unchanged);
            prop_assert_eq!(&stamped["spec"], &object["spec"]);
            prop_assert_eq!(&stamped["metadata"]["name"], &object["metadata"]["name"]);
        }
    }
}
