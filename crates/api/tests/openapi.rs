//! The `OpenAPI` document: committed as it is, complete, and true about what is accepted.

#![expect(clippy::unwrap_used, reason = "an answer that cannot be read fails its test")]

use serde_json::{Map, Value, json};

const COMMITTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../openapi/openapi.json");

fn document() -> Value {
    slipway_api::openapi_document()
}

/// `(method, path, operation)` of everything.
fn operations(document: &Value) -> Vec<(String, String, Map<String, Value>)> {
    let paths = document["paths"].as_object().unwrap();
    paths
        .iter()
        .flat_map(|(path, item)| {
            item.as_object().unwrap().iter().map(move |(method, operation)| {
                (
                    method.clone(),
                    path.clone(),
                    operation.as_object().unwrap().clone(),
                )
            })
        })
        .collect()
}

#[test]
fn the_committed_document_is_the_generated_one() {
    let mut text = serde_json::to_string_pretty(&document()).unwrap();
    text.push('\n');
    if std::env::var_os("UPDATE_OPENAPI").is_some() {
        std::fs::write(COMMITTED, &text).unwrap();
    }
    let committed = std::fs::read_to_string(COMMITTED).unwrap_or_default();
    assert!(
        committed == text,
        "openapi/openapi.json is not what the code says: run with UPDATE_OPENAPI=1"
    );
}

#[test]
fn every_operation_states_who_may_and_what_can_go_wrong() {
    let document = document();
    let known: Vec<_> = slipway_domain::identity::Permission::ALL
        .iter()
        .map(|permission| permission.as_str())
        .collect();
    let mut seen = 0;
    for (method, path, operation) in operations(&document) {
        let what = format!("{method} {path}");
        assert!(
            operation["summary"].as_str().is_some_and(|text| !text.is_empty()),
            "{what} has no summary"
        );
        assert_eq!(
            operation["tags"].as_array().map(Vec::len),
            Some(1),
            "{what} has no tag"
        );
        assert!(operation["operationId"].is_string(), "{what} has no id");
        if !path.starts_with("/v1/") {
            continue;
        }
        seen += 1;
        assert_eq!(operation["security"], json!([{"bearer": []}]), "{what}");
        let permission = operation["x-slipway-permission"]
            .as_str()
            .unwrap_or_else(|| panic!("{what}: permission"));
        assert!(
            permission == "none" || known.contains(&permission),
            "{what}: {permission}"
        );
        for status in ["401", "403", "500", "503"] {
            let response = &operation["responses"][status]["content"]["application/problem+json"];
            assert!(response["schema"].is_object(), "{what} does not tell of {status}");
        }
        if path.contains('{') {
            assert!(
                operation["responses"]["404"].is_object(),
                "{what} does not tell of 404"
            );
        }
        if method == "patch" {
            assert!(
                operation["responses"]["412"].is_object() && operation["responses"]["428"].is_object(),
                "{what}"
            );
        }
        for leftover in ["x-slipway-problems", "x-slipway-repeatable"] {
            assert!(!operation.contains_key(leftover), "{what}: {leftover}");
        }
    }
    assert!(seen >= 50, "only {seen} operations");
}

#[test]
fn every_reference_leads_somewhere_and_every_path_parameter_is_described() {
    fn references(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(map) => {
                if let Some(Value::String(path)) = map.get("$ref") {
                    found.push(path.clone());
                }
                map.values().for_each(|value| references(value, found));
            }
            Value::Array(all) => all.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }
    let document = document();
    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(found.len() > 100);
    for path in found {
        let pointer = path.trim_start_matches('#');
        assert!(document.pointer(pointer).is_some(), "{path} leads nowhere");
    }
    for (method, path, operation) in operations(&document) {
        let described: Vec<_> = operation
            .get("parameters")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter(|parameter| parameter["in"] == "path")
            .filter_map(|parameter| parameter["name"].as_str())
            .collect();
        let mut named = path
            .split('/')
            .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
        assert!(
            named.all(|name| described.contains(&name)),
            "{method} {path}: {described:?}"
        );
        assert_eq!(
            described.len(),
            path.matches('{').count(),
            "{method} {path}: {described:?}"
        );
    }
}

#[test]
fn the_example_of_every_body_is_accepted_by_its_own_schema() {
    let document = document();
    let mut bodies = 0;
    for (method, path, operation) in operations(&document) {
        let Some(content) = operation
            .get("requestBody")
            .map(|body| &body["content"]["application/json"])
        else {
            continue;
        };
        bodies += 1;
        let mut schema = content["schema"].clone();
        schema["components"] = document["components"].clone();
        let validator = jsonschema::validator_for(&schema).unwrap();
        let faults: Vec<_> = validator
            .iter_errors(&content["example"])
            .map(|fault| fault.to_string())
            .collect();
        assert!(
            faults.is_empty(),
            "{method} {path}: {faults:?} in {:#}",
            content["example"]
        );
    }
    assert!(bodies >= 15, "only {bodies} bodies");
}

#[test]
fn the_codes_that_use_cases_refuse_with_are_all_in_the_table_of_problems() {
    fn sources(folder: &std::path::Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sources(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(std::fs::read_to_string(path).unwrap());
            }
        }
    }
    let mut texts = Vec::new();
    sources(
        std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../app/src")),
        &mut texts,
    );
    let mut codes = 0;
    for text in texts {
        for verb in ["conflict(", "refused("] {
            for rest in text.split(verb).skip(1) {
                let Some(code) = rest
                    .trim_start()
                    .strip_prefix('"')
                    .and_then(|rest| rest.split('"').next())
                else {
                    continue;
                };
                codes += 1;
                let kind = slipway_api::problem::catalogue::find(code);
                let status = kind
                    .unwrap_or_else(|| panic!("`{code}` is not in the table of problems"))
                    .status;
                let expected = if verb == "conflict(" { 409 } else { 403 };
                assert_eq!(status, expected, "{code}");
            }
        }
    }
    assert!(codes >= 15, "only {codes} codes were found");
}
