//! What all operations have in common, written into each of them.

use super::example;
use crate::problem::catalogue::{self, Kind};
use serde_json::{Map, Value, json};

/// Completes every operation of the document.
pub(super) fn complete(document: &mut Value) {
    name_labels(document);
    let schemas = document["components"]["schemas"].clone();
    document["components"]["schemas"]["Problem"] = schema_of::<slipway_api_types::Problem>();
    document["components"]["schemas"]["ProblemFault"] = schema_of::<slipway_api_types::ProblemFault>();
    sort_keys(&mut document["components"]["schemas"]);
    let Some(paths) = document["paths"].as_object_mut() else {
        return;
    };
    for (path, item) in paths {
        let Some(item) = item.as_object_mut() else {
            continue;
        };
        for (method, operation) in item.iter_mut() {
            optional_body(operation);
            examples(operation, &schemas);
            if path.starts_with("/v1/") {
                headers(method, operation);
                problems(path, method, operation);
                operation["security"] = json!([{ "bearer": [] }]);
            }
        }
    }
}

/// Labels are an alias of a map in the code, and would be called after it.
fn name_labels(document: &mut Value) {
    fn rename(value: &mut Value) {
        match value {
            Value::Object(map) => {
                if let Some(path) = map
                    .get_mut("$ref")
                    .filter(|path| *path == "#/components/schemas/BTreeMap")
                {
                    *path = json!("#/components/schemas/Labels");
                }
                map.values_mut().for_each(rename);
            }
            Value::Array(all) => all.iter_mut().for_each(rename),
            _ => {}
        }
    }
    let schemas = document["components"]["schemas"].as_object_mut();
    if let Some((schemas, map)) =
        schemas.and_then(|schemas| schemas.remove("BTreeMap").map(|map| (schemas, map)))
    {
        schemas.insert("Labels".to_owned(), map);
        rename(document);
    }
}

fn schema_of<T: utoipa::ToSchema>() -> Value {
    json!(T::schema())
}

fn sort_keys(value: &mut Value) {
    if let Some(map) = value.as_object_mut() {
        let mut entries: Vec<_> = std::mem::take(map).into_iter().collect();
        entries.sort_by(|a, b| a.0.cmp(&b.0));
        map.extend(entries);
    }
}

/// Actions that take a reason may come without a body.
fn optional_body(operation: &mut Value) {
    let Some(body) = operation.get_mut("requestBody") else {
        return;
    };
    if body["content"]["application/json"]["schema"]["$ref"] == "#/components/schemas/Reason" {
        body["required"] = json!(false);
    }
}

/// Examples of bodies, put together from those of their fields.
fn examples(operation: &mut Value, schemas: &Value) {
    let add = |content: &mut Value| {
        if let Some(json) = content.get_mut("application/json")
            && json.get("example").is_none()
            && json.get("examples").is_none()
        {
            json["example"] = example::of(&json["schema"], schemas);
        }
    };
    if let Some(body) = operation.get_mut("requestBody") {
        add(&mut body["content"]);
    }
    if let Some(responses) = operation["responses"].as_object_mut() {
        for response in responses
            .values_mut()
            .filter(|response| response.get("content").is_some())
        {
            add(&mut response["content"]);
        }
    }
}

/// Headers that go with a method.
fn headers(method: &str, operation: &mut Value) {
    let header = |name: &str, required: bool, text: &str, pattern: &str, example: &str| {
        json!({
            "name": name, "in": "header", "required": required, "description": text,
            "schema": { "type": "string", "pattern": pattern }, "example": example,
        })
    };
    let mut add = Vec::new();
    let answers_tag = operation["responses"]["200"].get("headers").is_some();
    let repeatable = operation
        .as_object_mut()
        .and_then(|operation| operation.remove("x-slipway-repeatable"))
        .is_some();
    match method {
        "post" if !repeatable => add.push(header(
            "Idempotency-Key",
            false,
            "Up to 255 visible ASCII characters. A repetition with the same body gets the first answer, with \
             `Idempotency-Replayed: true`.",
            "^[!-~]{1,255}$",
            "0198b2f0-0000-7000-8000-000000000000",
        )),
        "patch" => add.push(header(
            "If-Match",
            true,
            "The `ETag` of what you have read, or `*`: nobody's change is overwritten unseen.",
            r#"^("[0-9]+(-[0-9a-f]+)?"|[*])$"#,
            "\"3\"",
        )),
        "get" if answers_tag => {
            add.push(header(
                "If-None-Match",
                false,
                "The `ETag` that you have: 304 when it is still so.",
                "^.+$",
                "\"3\"",
            ));
            operation["responses"]["304"] = json!({ "description": "What you have is still so." });
        }
        _ => {}
    }
    if add.is_empty() {
        return;
    }
    match operation["parameters"].as_array_mut() {
        Some(parameters) => parameters.extend(add),
        None => operation["parameters"] = Value::Array(add),
    }
}

/// The problems that an operation may answer with: those that all have, and those that it lists itself by slug in
/// `x-slipway-problems`.
fn problems(path: &str, method: &str, operation: &mut Value) {
    let mut kinds: Vec<&Kind> = vec![
        &catalogue::UNAUTHENTICATED,
        &catalogue::FORBIDDEN,
        &catalogue::INTERNAL,
        &catalogue::UNAVAILABLE,
    ];
    if path.contains('{') {
        kinds.push(&catalogue::NOT_FOUND);
    }
    let has_query = operation["parameters"]
        .as_array()
        .is_some_and(|all| all.iter().any(|p| p["in"] == "query"));
    if has_query || method != "get" {
        kinds.push(&catalogue::MALFORMED);
    }
    if operation.get("requestBody").is_some() {
        kinds.extend([
            &catalogue::TOO_LARGE,
            &catalogue::UNSUPPORTED_MEDIA_TYPE,
            &catalogue::VALIDATION,
        ]);
    }
    let parameters = operation["parameters"].as_array();
    if parameters.is_some_and(|all| all.iter().any(|p| p["name"] == "Idempotency-Key")) {
        kinds.push(&catalogue::IDEMPOTENCY_KEY_REUSED);
    }
    if method == "patch" {
        kinds.extend([&catalogue::STALE, &catalogue::PRECONDITION_REQUIRED]);
    }
    let own = operation
        .as_object_mut()
        .and_then(|operation| operation.remove("x-slipway-problems"));
    let own = own
        .as_ref()
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    kinds.extend(own.iter().filter_map(Value::as_str).filter_map(catalogue::find));
    kinds.sort_by_key(|kind| (kind.status, kind.slug));
    kinds.dedup();
    let mut by_status: Map<String, Value> = Map::new();
    for kinds in kinds.chunk_by(|a, b| a.status == b.status) {
        by_status.insert(kinds[0].status.to_string(), response(kinds));
    }
    let Some(responses) = operation["responses"].as_object_mut() else {
        return;
    };
    responses.extend(by_status);
    let mut sorted: Vec<_> = std::mem::take(responses).into_iter().collect();
    sorted.sort_by(|a, b| a.0.cmp(&b.0));
    responses.extend(sorted);
}

fn response(kinds: &[&Kind]) -> Value {
    let lines: Vec<_> = kinds
        .iter()
        .map(|kind| format!("`{}`: {}.", kind.path(), kind.title))
        .collect();
    let examples: Map<String, Value> = kinds
        .iter()
        .map(|kind| {
            let document = json!({
                "type": kind.path(),
                "title": kind.title,
                "status": kind.status,
                "detail": kind.text,
                "instance": "/requests/0198b2f0-0000-7000-8000-000000000000",
            });
            (
                kind.slug.to_owned(),
                json!({ "summary": kind.title, "value": document }),
            )
        })
        .collect();
    let mut response = json!({
        "description": lines.join("\n\n"),
        "content": { "application/problem+json": {
            "schema": { "$ref": "#/components/schemas/Problem" },
            "examples": examples,
        } },
    });
    let header = match kinds[0].status {
        401 => Some((
            "WWW-Authenticate",
            "`Bearer`, with what is asked for of a sign-in, if that is it.",
        )),
        503 => Some(("Retry-After", "Seconds after which to try again.")),
        _ => None,
    };
    if let Some((name, text)) = header {
        response["headers"] = json!({ name: { "description": text, "schema": { "type": "string" } } });
    }
    response
}
