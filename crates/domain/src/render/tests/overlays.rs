use super::{Case, deployment, object};
use crate::render::Overlay;
use serde_json::{Value, json};

fn overlays(value: Value) -> Vec<Overlay> {
    serde_json::from_value(value).unwrap()
}

fn web() -> Value {
    json!({"kind": "Deployment", "name": "web"})
}

#[test]
fn merge_patches_then_json_patches_in_order() {
    let objects = [deployment("web", "web:1"), deployment("api", "api:1")];
    let overlays = overlays(json!([
        {"target": web(), "merge": {"spec": {"replicas": 3, "selector": null, "paused": false}},
         "patch": [{"op": "test", "path": "/spec/replicas", "value": 3},
                   {"op": "add", "path": "/spec/template/spec/containers/0/env", "value": [{"name": "A", "value": "b"}]}]},
        {"target": {"kind": "Deployment", "name": "web", "component": "web"}, "merge": {"spec": {"replicas": 5}}},
    ]));
    let rendering = Case {
        overlays: &overlays,
        ..Case::of(&objects)
    }
    .render()
    .unwrap();
    let spec = &rendering.objects[0]["spec"];
    assert_eq!(spec["replicas"], 5);
    assert_eq!(spec.get("selector"), None);
    assert_eq!(spec["template"]["spec"]["containers"][0]["env"][0]["value"], "b");
    assert_eq!(rendering.objects[1]["spec"], objects[1]["spec"]);
}

#[test]
fn every_overlay_that_goes_wrong_is_reported_where_it_stands() {
    let objects = [deployment("web", "web:1"), object("v1", "ConfigMap", "c")];
    let overlays = overlays(json!([
        {"target": {"kind": "Deployment", "name": "wep"}, "merge": {}},
        {"target": {"kind": "Deployment", "name": "web", "component": "api"}, "merge": {}},
        {"target": web()},
        {"target": web(), "patch": [{"op": "replace", "path": "/spec/nothing/here", "value": 1}]},
        {"target": web(), "patch": [{"op": "test", "path": "/spec/replicas", "value": 9}]},
        {"target": web(), "patch": [{"op": "jump", "path": ""}, {"op": "add", "path": "x", "value": 1}]},
        {"target": web(), "merge": []},
        {"target": web(), "merge": {"a": 9_007_199_254_740_992_u64}},
        {"target": web(), "merge": {"a": "\u{0}"}},
    ]));
    let faults = Case {
        overlays: &overlays,
        ..Case::of(&objects)
    }
    .faults();
    let wanted = [
        "/release/config/0/target: there is no Deployment wep",
        "/release/config/1/target: there is no Deployment web of component api",
        "/release/config/2: an overlay has a merge patch",
        "/release/config/3/patch/0: Deployment web: path is invalid",
        "/release/config/4/patch/0: Deployment web: the value at /spec/replicas is another one",
        "/release/config/5/patch/0: no JSON patch operation",
        "/release/config/5/patch/1: no JSON patch operation",
        "/release/config/6/merge: a merge patch for an object is a mapping",
        "/release/config/7/merge: a number is beyond",
        "/release/config/8/merge: text cannot hold a NUL",
    ];
    assert_eq!(faults.len(), wanted.len(), "{faults:#?}");
    for (fault, wanted) in faults.iter().zip(wanted) {
        assert!(fault.starts_with(wanted), "{fault} is not {wanted}");
    }
}

#[test]
fn an_overlay_cannot_make_an_object_another_one_or_break_its_rules() {
    for change in [
        json!({"merge": {"metadata": {"name": "api"}}}),
        json!({"merge": {"metadata": {"namespace": "shop"}}}),
        json!({"merge": {"kind": "StatefulSet"}}),
        json!({"merge": {"apiVersion": "apps/v2"}}),
        json!({"merge": {"metadata": null}}),
        json!({"merge": {"metadata": {"labels": {"slipway.dev/service": "other"}}}}),
        json!({"merge": {"metadata": {"annotations": {"slipway.dev/hook": "before"}}}}),
        json!({"merge": {"metadata": {"ownerReferences": [{}]}}}),
        json!({"patch": [{"op": "replace", "path": "", "value": []}]}),
        json!({"patch": [{"op": "replace", "path": "", "value": object("v1", "Secret", "web")}]}),
        json!({"patch": [{"op": "remove", "path": "/metadata/name"}]}),
    ] {
        let mut overlay = change.clone();
        overlay["target"] = web();
        let overlays = overlays(json!([overlay]));
        let objects = [deployment("web", "web:1")];
        let faults = Case {
            overlays: &overlays,
            ..Case::of(&objects)
        }
        .faults();
        assert!(
            faults[0].starts_with("/release/config/0: Deployment web: "),
            "{change}: {faults:?}"
        );
    }
}

#[test]
fn copies_of_copies_come_to_an_end() {
    let objects = [deployment("web", "web:1")];
    let copy = |from: &str, path: String| json!({"op": "copy", "from": from, "path": path});
    let within = |operations: Vec<Value>| {
        let overlays = overlays(json!([{"target": web(), "patch": operations}]));
        Case {
            overlays: &overlays,
            ..Case::of(&objects)
        }
        .faults()
    };
    let doubled = (0..64).map(|i| copy("/spec", format!("/spec/x{i}"))).collect();
    let faults = within(doubled);
    assert!(
        faults[0].contains("levels") || faults[0].contains("copy more than"),
        "{faults:?}"
    );

    let mut wide = vec![json!({"op": "add", "path": "/spec/list", "value": ["x".repeat(1000)]})];
    wide.extend((0..40).map(|_| copy("/spec/list", "/spec/list/-".to_owned())));
    assert!(within(wide)[0].contains("copy more than a rendering may hold"));

    let mut flat = vec![json!({"op": "add", "path": "/spec/text", "value": "x".repeat(100_000)})];
    flat.extend((0..400).map(|i| copy("/spec/text", format!("/spec/t{i}"))));
    assert!(within(flat)[0].contains("copy more than a rendering may hold"));

    let deep = (0..200)
        .map(|i| json!({"op": "add", "path": format!("{}/a", "/a".repeat(i)), "value": {}}))
        .collect();
    assert!(within(deep)[0].contains("deeper than 128 levels"));
}

#[test]
fn unknown_fields_of_an_overlay_are_refused() {
    for wrong in [
        json!({"target": web(), "merge": {}, "strategy": "x"}),
        json!({"target": {"kind": "A", "name": "b", "namespace": "c"}, "merge": {}}),
        json!({"merge": {}}),
    ] {
        assert!(
            serde_json::from_value::<Overlay>(wrong.clone()).is_err(),
            "{wrong}"
        );
    }
}

#[test]
fn the_content_of_a_secret_is_no_configuration() {
    let overlay: Overlay = serde_json::from_value(
        json!({"target": {"kind": "Secret", "name": "s"}, "merge": {"stringData": {"password": "hush"}}}),
    )
    .unwrap();
    let faults = overlay.check().unwrap_err();
    assert_eq!(faults.as_slice()[0].pointer, "/target/kind");
    assert!(!faults.to_string().contains("hush"));
}
