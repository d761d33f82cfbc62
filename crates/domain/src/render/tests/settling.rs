use super::{Case, deployment};
use crate::{
    component::bundle::ObjectRef,
    registry::Inventory,
    render::{keep_scale, settled, stamp},
};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// What an API server keeps of who applied which field, for an object without lists of items with keys.
fn fields_of(value: &Value) -> Value {
    match value {
        Value::Object(entries) => Value::Object(
            entries
                .iter()
                .map(|(key, value)| (format!("f:{key}"), fields_of(value)))
                .collect(),
        ),
        _ => json!({}),
    }
}

/// The object as a server would have it after it was applied.
fn applied(wanted: &Value) -> Value {
    let mut live = wanted.clone();
    stamp(&mut live, 7, "dep_x");
    let mut fields = Map::new();
    for (key, value) in live.as_object().unwrap() {
        if !matches!(key.as_str(), "apiVersion" | "kind") {
            let mut inner = fields_of(value);
            for key in ["f:name", "f:namespace"] {
                inner.as_object_mut().map(|entries| entries.remove(key));
            }
            fields.insert(format!("f:{key}"), inner);
        }
    }
    live["metadata"]["uid"] = "u".into();
    live["metadata"]["resourceVersion"] = "12".into();
    live["metadata"]["managedFields"] =
        json!([{"manager": "slipway", "operation": "Apply", "fieldsType": "FieldsV1", "fieldsV1": fields}]);
    live["status"] = json!({"ready": true});
    live
}

fn data() -> impl Strategy<Value = Value> {
    prop::collection::btree_map("[a-d]", "[x-z]{0,2}", 0..4).prop_map(|entries| {
        let data: Map<String, Value> = entries.into_iter().map(|(k, v)| (k, v.into())).collect();
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "labels": {"a": "b"}}, "data": data})
    })
}

proptest! {
    #[test]
    fn what_was_applied_is_settled_and_anything_else_is_not(one in data(), other in data(), release in "[0-9]\\.[0-9]") {
        let live = applied(&one);
        prop_assert!(settled(&live, &one, "slipway"));
        prop_assert!(!settled(&live, &one, "kubectl"), "only what that manager applied");
        // A field more, a field less, another value: all of it could change something.
        prop_assert_eq!(settled(&live, &other, "slipway"), one == other);
        let mut marked = one;
        marked["metadata"]["annotations"]["slipway.dev/release"] = release.into();
        prop_assert!(settled(&live, &marked, "slipway"), "our marks do not count");
        marked["metadata"]["annotations"]["team"] = "shop".into();
        prop_assert!(!settled(&live, &marked, "slipway"), "others' annotations do");
    }

    #[test]
    fn inventories_add_up(known in prop::collection::vec(0_u8..20, 0..20), wanted in prop::collection::vec(0_u8..20, 0..20)) {
        let reference = |n: &u8| ObjectRef {
            api_version: "v1".to_owned(), kind: "ConfigMap".to_owned(), namespace: None, name: format!("n{n}"),
        };
        let known: Vec<ObjectRef> = known.iter().map(reference).collect();
        let wanted: Vec<ObjectRef> = wanted.iter().map(reference).collect();
        let inventory = Inventory::default().union(&known);
        let all = inventory.union(&wanted);
        for object in known.iter().chain(&wanted) {
            prop_assert_eq!(all.0.iter().filter(|item| item.object == *object).count(), 1);
        }
        let (stays, goes) = (all.only(&wanted), all.without(&wanted));
        prop_assert_eq!(stays.0.len() + goes.len(), all.0.len());
        prop_assert!(stays.0.iter().all(|item| wanted.contains(&item.object)));
        prop_assert!(goes.iter().all(|item| known.contains(&item.object) && !wanted.contains(&item.object)));
    }
}

#[test]
fn items_of_lists_are_found_by_their_keys_and_sets_by_their_values() {
    let wanted = json!({"spec": {"ports": [{"port": 80, "protocol": "TCP"}], "finalizers": ["a"]}});
    let mut live = wanted.clone();
    let with =
        |fields: Value| json!([{"manager": "slipway", "operation": "Apply", "fieldsV1": {"f:spec": fields}}]);
    live["metadata"] = json!({"managedFields": with(json!({
        "f:ports": {".": {}, "k:{\"port\":80,\"protocol\":\"TCP\"}": {".": {}, "f:port": {}, "f:protocol": {}}},
        "f:finalizers": {"v:\"a\"": {}},
    }))});
    assert!(settled(&live, &wanted, "slipway"));
    live["metadata"]["managedFields"] =
        with(json!({"f:ports": {"k:{\"port\":81,\"protocol\":\"TCP\"}": {"f:port": {}}}}));
    assert!(
        !settled(&live, &wanted, "slipway"),
        "a port that we applied is gone"
    );
    live["metadata"]["managedFields"] = with(json!({"f:finalizers": {"v:\"b\"": {}}}));
    assert!(!settled(&live, &wanted, "slipway"));
}

#[test]
fn an_update_by_the_same_name_is_not_what_was_applied() {
    let wanted = json!({"data": {"a": "1"}});
    let mut live = applied(&json!({"data": {"a": "1"}, "metadata": {}}));
    live["metadata"]["managedFields"][0]["operation"] = "Update".into();
    assert!(!settled(&live, &wanted, "slipway"));
}

#[test]
fn a_scale_that_a_bundle_stopped_saying_stays_as_it_runs() {
    let mut wanted = Case::of(&[deployment("web", "web:1")])
        .render()
        .unwrap()
        .objects
        .remove(0);
    let mut live = applied(&wanted);
    live["spec"]["replicas"] = 7.into();
    assert!(!keep_scale(&live, &mut wanted, "slipway"), "the bundle says it");
    assert_eq!(wanted["spec"]["replicas"], 1);
    wanted["spec"].as_object_mut().unwrap().remove("replicas");
    let before = wanted.clone();
    assert!(keep_scale(&live, &mut wanted, "slipway"));
    assert_eq!(wanted["spec"]["replicas"], 7);
    // Somebody else owns it by now: nothing is to be done, and nothing is done.
    live["metadata"]["managedFields"][0]["fieldsV1"]["f:spec"]
        .as_object_mut()
        .unwrap()
        .remove("f:replicas");
    wanted = before;
    assert!(!keep_scale(&live, &mut wanted, "slipway"));
    assert!(wanted["spec"].get("replicas").is_none());
}
