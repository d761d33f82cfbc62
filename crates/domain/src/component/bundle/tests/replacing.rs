use super::{faults, parse};
use crate::component::bundle::{NoReplacing, holds_data, may_be_replaced, warnings};
use proptest::prelude::*;
use serde_json::{Value, json};

fn annotated(api_version: &str, kind: &str, value: &str) -> Value {
    json!({"apiVersion": api_version, "kind": kind,
        "metadata": {"name": "x", "annotations": {"slipway.dev/on-immutable": value}}})
}

#[test]
fn an_object_is_replaced_only_when_it_says_so() {
    assert_eq!(
        may_be_replaced(&annotated("apps/v1", "Deployment", "replace")),
        Ok(true)
    );
    assert_eq!(
        may_be_replaced(&json!({"kind": "Deployment", "metadata": {"name": "x"}})),
        Ok(false)
    );
    let word = may_be_replaced(&annotated("apps/v1", "Deployment", "yes"));
    assert_eq!(word, Err(NoReplacing::Word("yes".to_owned())));
    let told = faults(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, annotations: {slipway.dev/on-immutable: recreate}}\n",
    );
    assert!(
        told[0].starts_with(
            "/manifests/0/metadata/annotations/slipway.dev~1on-immutable: it is `replace`, or left out"
        ),
        "{told:?}"
    );
}

#[test]
fn what_holds_data_is_never_replaced() {
    for (api_version, kind) in [
        ("v1", "Namespace"),
        ("v1", "PersistentVolume"),
        ("v1", "PersistentVolumeClaim"),
        ("apiextensions.k8s.io/v1", "CustomResourceDefinition"),
    ] {
        let refused = may_be_replaced(&annotated(api_version, kind, "replace"));
        assert_eq!(refused, Err(NoReplacing::HoldsData(kind.to_owned())));
    }
    let mut set = annotated("apps/v1", "StatefulSet", "replace");
    assert_eq!(may_be_replaced(&set), Ok(true));
    set["spec"] = json!({"volumeClaimTemplates": []});
    assert_eq!(may_be_replaced(&set), Ok(true));
    set["spec"] = json!({"volumeClaimTemplates": [{"metadata": {"name": "data"}}]});
    assert_eq!(
        may_be_replaced(&set),
        Err(NoReplacing::HoldsData("StatefulSet".to_owned()))
    );
    assert!(holds_data(&set));
}

#[test]
fn a_hook_needs_no_replacing() {
    let mut job = annotated("batch/v1", "Job", "replace");
    assert_eq!(may_be_replaced(&job), Ok(true));
    job["metadata"]["annotations"]["slipway.dev/hook"] = "before".into();
    assert_eq!(may_be_replaced(&job), Err(NoReplacing::Hook));
}

#[test]
fn a_made_up_name_is_refused_once_and_says_what_to_write() {
    let told = faults("{apiVersion: v1, kind: ConfigMap, metadata: {generateName: x-}}");
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("write `metadata.name` instead"), "{told:?}");
}

fn workload(api_version: &str, kind: &str, name: &str, replicas: Option<u32>) -> Value {
    let mut object = json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, "spec": {}});
    if let Some(replicas) = replicas {
        object["spec"]["replicas"] = replicas.into();
    }
    object
}

fn autoscaler(target: &Value) -> Value {
    json!({"apiVersion": "autoscaling/v1", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "web-scaler"},
        "spec": {"scaleTargetRef": target, "maxReplicas": 9}})
}

#[test]
fn an_autoscaler_beside_a_workload_that_says_its_replicas_is_warned_of() {
    let target = json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"});
    let all = [
        workload("apps/v1", "Deployment", "api", Some(2)),
        autoscaler(&target),
        workload("apps/v1", "Deployment", "web", Some(2)),
    ];
    let told = warnings(&all);
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0].pointer, "/objects/2/spec/replicas");
    assert!(
        told[0].detail.contains("HorizontalPodAutoscaler web-scaler")
            && told[0].detail.contains("leave `replicas` out of Deployment web"),
        "{told:?}"
    );
    for quiet in [
        workload("apps/v1", "Deployment", "web", None),
        workload("apps/v1", "StatefulSet", "web", Some(2)),
        workload("example.com/v1", "Deployment", "web", Some(2)),
        workload("apps/v1", "Deployment", "web-2", Some(2)),
    ] {
        assert_eq!(warnings(&[autoscaler(&target), quiet]), []);
    }
    assert_eq!(
        warnings(&[
            autoscaler(&json!({"kind": "Deployment"})),
            workload("apps/v1", "Deployment", "", Some(1))
        ]),
        []
    );
}

proptest! {
    #[test]
    fn a_list_is_the_same_as_its_items_side_by_side(names in prop::collection::btree_set("[a-z]{1,8}", 1..20)) {
        let items: Vec<Value> = names
            .iter()
            .map(|name| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}))
            .collect();
        let documents: Vec<String> = items.iter().map(ToString::to_string).collect();
        let documents = documents.join("\n---\n");
        let list = json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string();
        let typed = json!({"apiVersion": "v1", "kind": "ConfigMapList", "items": items}).to_string();
        let one = parse(&documents).unwrap();
        prop_assert_eq!(&parse(&list).unwrap(), &one);
        prop_assert_eq!(parse(&typed).unwrap().digest(), one.digest());
    }
}

#[test]
fn a_list_has_no_more_room_than_documents() {
    let items: Vec<Value> = (0..1_001)
        .map(|n| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": format!("n{n}")}}))
        .collect();
    let list = json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string();
    assert_eq!(
        faults(&list),
        ["/manifests: 1001 objects are more than the 1000 allowed"]
    );
    let twice = json!({"apiVersion": "v1", "kind": "List", "items": [items[0], items[0]]}).to_string();
    assert!(faults(&twice)[0].contains("ConfigMap n0 is in document 0 already"));
}
