use crate::evidence::{MAX_SCHEMA, Schema};
use serde_json::{Value, json};

fn wrong(schema: &Value) -> String {
    Schema::read(schema.to_string().as_bytes())
        .unwrap_err()
        .to_string()
}

#[test]
fn a_schema_fetches_nothing() {
    for reference in [
        "https://schemas.example/x.json",
        "file:///etc/passwd",
        "other.json",
        "#anchor",
        "#/%24defs/a",
    ] {
        let faults = wrong(&json!({"properties": {"a": {"$ref": reference}}, "$defs": {"a": true}}));
        assert!(
            faults.starts_with("/properties/a/$ref: is a JSON pointer into this schema"),
            "{faults}"
        );
    }
    let faults = wrong(&json!({"$id": "https://schemas.example/a", "items": {"$dynamicRef": "#x"}}));
    assert!(
        faults.contains("`$id` is not supported") && faults.contains("`$dynamicRef` is not"),
        "{faults}"
    );
    let faults = wrong(&json!({"$schema": "http://json-schema.org/draft-07/schema#"}));
    assert!(faults.contains("/$schema: is `https://json-schema.org/draft/2020-12/schema`"));
}

#[test]
fn a_schema_that_refers_to_itself_or_doubles_without_end_is_refused() {
    assert!(wrong(&json!({"$ref": "#"})).contains("cannot refer to itself"));
    assert!(
        wrong(&json!({"properties": {"a": {"$ref": "#/properties/b"}, "b": {"$ref": "#/properties/a"}}}))
            .contains("cannot refer to itself")
    );
    let mut defs = json!({"d0": {"type": "string"}});
    for i in 1..30 {
        let below = json!({"$ref": format!("#/$defs/d{}", i - 1)});
        defs[format!("d{i}")] = json!({"allOf": [below, below]});
    }
    assert!(wrong(&json!({"$defs": defs, "$ref": "#/$defs/d29"})).contains("5000 parts"));
}

#[test]
fn what_is_no_schema_is_refused() {
    assert!(wrong(&json!({"type": "none"})).starts_with("/type: no JSON Schema"));
    assert!(wrong(&json!({"pattern": "(a"})).contains("no JSON Schema"));
    // Only a machine that backtracks could match it.
    assert!(wrong(&json!({"pattern": "(?=a)b"})).contains("no JSON Schema"));
    let large = format!("{{\"title\": \"{}\"}}", "x".repeat(MAX_SCHEMA));
    assert!(
        Schema::read(large.as_bytes())
            .unwrap_err()
            .to_string()
            .contains("bytes are more than")
    );
}
