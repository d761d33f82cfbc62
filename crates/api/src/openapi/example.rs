//! An example of a body, put together from the examples of its fields.

use serde_json::{Map, Value, json};

/// An example for a schema; `schemas` are what it may refer to.
pub(super) fn of(schema: &Value, schemas: &Value) -> Value {
    build(schema, schemas, 0)
}

fn build(schema: &Value, schemas: &Value, depth: usize) -> Value {
    if let Some(example) = schema.get("example").or_else(|| schema["examples"].get(0)) {
        return example.clone();
    }
    if depth > 8 {
        return Value::Null;
    }
    if let Some(name) = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next()) {
        return build(&schemas[name], schemas, depth + 1);
    }
    for choice in ["oneOf", "anyOf"] {
        if let Some(branches) = schema[choice].as_array() {
            let meant = branches.iter().find(|branch| branch["type"] != json!("null"));
            return meant.map_or(Value::Null, |branch| build(branch, schemas, depth + 1));
        }
    }
    if let Some(parts) = schema["allOf"].as_array() {
        let mut whole = Map::new();
        for part in parts {
            if let Value::Object(part) = build(part, schemas, depth + 1) {
                whole.extend(part);
            }
        }
        return Value::Object(whole);
    }
    let kind = match &schema["type"] {
        Value::Array(kinds) => kinds
            .iter()
            .find(|kind| **kind != json!("null"))
            .and_then(Value::as_str),
        kind => kind.as_str(),
    };
    match kind {
        Some("object") => object(schema, schemas, depth),
        Some("array") => {
            let item = build(&schema["items"], schemas, depth + 1);
            if item.is_null() { json!([]) } else { json!([item]) }
        }
        Some("integer" | "number") => schema.get("minimum").cloned().unwrap_or_else(|| json!(1)),
        Some("boolean") => json!(false),
        Some("string") => string(schema),
        _ => Value::Null,
    }
}

fn object(schema: &Value, schemas: &Value, depth: usize) -> Value {
    let Some(properties) = schema["properties"].as_object() else {
        return json!({});
    };
    let required: Vec<_> = schema["required"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let mut whole = Map::new();
    for (name, property) in properties {
        // What is optional is shown where it has an example of its own.
        let shown = required.contains(&name.as_str()) || property.get("example").is_some();
        if shown {
            whole.insert(name.clone(), build(property, schemas, depth + 1));
        }
    }
    Value::Object(whole)
}

fn string(schema: &Value) -> Value {
    match schema["format"].as_str() {
        Some("date-time") => json!("2026-01-31T09:00:00Z"),
        _ => json!("…"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_example_has_what_is_required_and_follows_references() {
        let schemas = json!({ "Part": {
            "type": "object", "required": ["name"],
            "properties": { "name": { "type": "string", "example": "web" }, "note": { "type": "string" } },
        } });
        let schema = json!({ "type": "object", "required": ["parts"], "properties": {
            "parts": { "type": "array", "items": { "$ref": "#/components/schemas/Part" } },
        } });
        assert_eq!(of(&schema, &schemas), json!({ "parts": [{ "name": "web" }] }));
    }
}
