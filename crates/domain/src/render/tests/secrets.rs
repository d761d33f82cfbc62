use crate::render::redact;
use serde_json::{Value, json};

#[test]
fn a_secret_keeps_its_keys_and_loses_its_values() {
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "type": "Opaque", "immutable": true,
        "metadata": {"name": "s", "annotations": {
            "note": "kept", "tool/applied": "{\"data\":{\"a\":\"hush\"}}",
            "kubectl.kubernetes.io/last-applied-configuration": "hush",
        }},
        "data": {"a": "hush"}, "stringData": {"b": "hush"}, "unknown": {"c": ["hush"]},
    });
    assert_eq!(
        redact(&secret),
        json!({
            "apiVersion": "v1", "kind": "Secret", "type": "Opaque", "immutable": true,
            "metadata": {"name": "s", "annotations": {"note": "kept", "tool/applied": "(redacted)"}},
            "data": {"a": "(redacted)"}, "stringData": {"b": "(redacted)"}, "unknown": {"c": "(redacted)"},
        })
    );
}

#[test]
fn secrets_are_found_in_lists_and_inside_other_objects() {
    let secret =
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": {"a": "hush"}});
    for holder in [
        json!([secret]),
        json!({"apiVersion": "v1", "kind": "List", "items": [secret]}),
        json!({"apiVersion": "v1", "kind": "SecretList", "items": [{"metadata": {"name": "s"}, "data": {"a": "hush"}}]}),
        json!({"apiVersion": "v1", "kind": "SecretList", "items": {"a": "hush"}}),
        json!({"apiVersion": "example.io/v1", "kind": "Bundle", "spec": {"template": [secret]}}),
        json!({"kind": "Secret", "data": "hush"}),
        json!({"kind": "Secret", "stringData": ["hush"]}),
        json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": "hush"}}}),
    ] {
        let shown = redact(&holder).to_string();
        assert!(!shown.contains("hush"), "{holder} became {shown}");
    }
}

#[test]
fn what_only_refers_to_a_secret_is_shown() {
    let source: Value = json!({"apiVersion": "example.io/v1", "kind": "Source", "metadata": {"name": "x"},
        "spec": {"credentials": {"kind": "Secret", "name": "s"}}});
    assert_eq!(redact(&source), source);
}
