use super::*;
use crate::fault::Cause;
use serde_json::json;

fn answer(code: u16, causes: &[(&str, &str, &str)]) -> Answer {
    let causes = causes.iter().map(|(reason, message, field)| Cause {
        reason: (*reason).to_owned(),
        message: (*message).to_owned(),
        field: (*field).to_owned(),
    });
    Answer {
        code,
        reason: String::new(),
        message: "spec.replicas: Invalid value: -1".to_owned(),
        causes: causes.collect(),
    }
}

fn object(api_version: &str, kind: &str) -> Value {
    json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": "web"}})
}

#[test]
fn a_conflict_names_object_field_and_manager_and_what_to_do() {
    let conflict = |field| {
        (
            "FieldManagerConflict",
            "conflict with \"hpa\" using apps/v1",
            field,
        )
    };
    let web = object("apps/v1", "Deployment");
    let told = judged(&answer(409, &[conflict(".spec.replicas")]), &web).unwrap();
    assert_eq!(
        told,
        "Deployment web: .spec.replicas is owned by \"hpa\"; leave `replicas` out of the bundle, and it stays as they \
         set it, or force conflicts to take it over"
    );
    let told = judged(
        &answer(409, &[conflict(".spec.replicas"), conflict(".spec.paused")]),
        &web,
    )
    .unwrap();
    assert!(
        told.starts_with(
            "Deployment web: .spec.replicas is owned by \"hpa\", .spec.paused is owned by \"hpa\"; leave what"
        ),
        "{told}"
    );
}

#[test]
fn a_refusal_is_told_in_the_servers_words_and_a_race_is_no_refusal() {
    let web = object("apps/v1", "Deployment");
    let told = judged(&answer(422, &[]), &web).unwrap();
    assert_eq!(
        told,
        "Deployment web was refused: spec.replicas: Invalid value: -1"
    );
    assert_eq!(judged(&answer(409, &[]), &web), None);
}

#[test]
fn a_field_that_cannot_be_changed_is_named_with_every_way_out_and_without_its_value() {
    let cause = (
        "FieldValueInvalid",
        "Invalid value: core.PodTemplateSpec{…}: field is immutable",
        "spec.template",
    );
    let told = judged(&answer(422, &[cause]), &object("batch/v1", "Job")).unwrap();
    assert!(
        told.starts_with("Job web: spec.template cannot be changed; a Job runs once: give it another name"),
        "{told}"
    );
    assert!(
        told.ends_with("slipway.dev/on-immutable: replace to have it deleted and made anew"),
        "{told}"
    );
    assert!(!told.contains("PodTemplateSpec"), "{told}");
    let forbidden = (
        "FieldValueForbidden",
        "Forbidden: is immutable after creation",
        "spec",
    );
    let told = judged(&answer(422, &[forbidden]), &object("v1", "PersistentVolumeClaim")).unwrap();
    assert!(
        told.contains("spec cannot be changed") && told.contains("never replaces what holds data"),
        "{told}"
    );
    assert!(!told.contains("on-immutable"), "{told}");
}

#[test]
fn where_the_server_names_the_whole_the_fields_that_differ_are_named() {
    let forbidden = (
        "FieldValueForbidden",
        "Forbidden: updates to statefulset spec for fields other than 'replicas', 'template', and 'updateStrategy' are \
         forbidden",
        "spec",
    );
    let mut live = object("apps/v1", "StatefulSet");
    live["spec"] = json!({"replicas": 1, "serviceName": "web", "podManagementPolicy": "OrderedReady"});
    let mut wanted = object("apps/v1", "StatefulSet");
    wanted["spec"] = json!({"replicas": 2, "serviceName": "db"});
    let answer = answer(422, &[forbidden]);
    assert_eq!(unchangeable(&answer, Some(&live), &wanted), ["spec.serviceName"]);
    assert_eq!(unchangeable(&answer, None, &wanted), ["spec"]);
}

#[test]
fn what_is_also_wrong_in_another_way_is_not_only_unchangeable() {
    let immutable = (
        "FieldValueInvalid",
        "Invalid value: \"x\": field is immutable",
        "spec.selector",
    );
    let other = (
        "FieldValueInvalid",
        "Invalid value: -1: must be greater than or equal to 0",
        "spec.replicas",
    );
    let web = object("apps/v1", "Deployment");
    assert!(unchangeable(&answer(422, &[immutable, other]), None, &web).is_empty());
    assert_eq!(
        unchangeable(&answer(422, &[immutable]), None, &web),
        ["spec.selector"]
    );
    assert!(unchangeable(&answer(409, &[immutable]), None, &web).is_empty());
}

#[test]
fn a_version_that_objects_are_stored_in_is_named() {
    let cause = (
        "FieldValueInvalid",
        "Invalid value: \"v2\": must appear in spec.versions",
        "status.storedVersions[1]",
    );
    let definition = object("apiextensions.k8s.io/v1", "CustomResourceDefinition");
    assert_eq!(stored_versions(&answer(422, &[cause]), &definition), ["v2"]);
    assert!(stored_versions(&answer(422, &[cause]), &object("v1", "ConfigMap")).is_empty());
    let told = judged(&answer(422, &[cause]), &definition).unwrap();
    assert!(
        told.contains("stored in version v2") && told.contains("`served: false`"),
        "{told}"
    );
}

#[test]
fn what_is_anothers_is_told_with_whose_it_is() {
    let mut live = object("v1", "ConfigMap");
    assert_eq!(foreign(&live, "shop", "eu"), None, "nobody's yet");
    live["metadata"]["labels"] = json!({"slipway.dev/service": "shop", "slipway.dev/environment": "eu"});
    assert_eq!(foreign(&live, "shop", "eu"), None);
    let told = foreign(&live, "mail", "eu").unwrap();
    assert!(
        told.starts_with("ConfigMap web belongs to service shop in eu"),
        "{told}"
    );
    assert!(foreign(&live, "shop", "us").is_some());
    live["metadata"]["labels"]["slipway.dev/managed"] = "true".into();
    assert!(foreign(&live, "shop", "eu").unwrap().contains("Slipway's own"));
    live["metadata"] = json!({"name": "web", "ownerReferences": [{"kind": "CronJob", "name": "nightly", "controller": true}]});
    assert!(
        foreign(&live, "shop", "eu")
            .unwrap()
            .contains("made by CronJob nightly")
    );
}

#[test]
fn a_finalizer_is_named() {
    assert_eq!(held(&json!({"metadata": {}})), "");
    let one = json!({"metadata": {"finalizers": ["example.com/hold"]}});
    assert!(held(&one).contains("its finalizer example.com/hold"));
    assert!(held(&json!({"metadata": {"finalizers": ["foregroundDeletion"]}})).contains("what it owns"));
    assert!(held(&json!({"metadata": {"finalizers": ["a/b", "c/d"]}})).contains("a/b, c/d"));
}
