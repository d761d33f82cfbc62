//! The rules that one object of a bundle must keep, and that a bundle must keep as a whole.

use super::{
    HOOK_ANNOTATION, Limits, ON_IMMUTABLE_ANNOTATION, OUR_DOMAIN, ObjectRef, Report, group_of, hook_phases,
    may_be_replaced, push_token, yaml::Document,
};
use serde_json::{Map, Value};
use std::collections::HashMap;

/// Fields of `metadata` that only an API server writes; what a user exported with them is taken without them.
const SERVER_METADATA: [&str; 8] = [
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "generation",
    "managedFields",
    "resourceVersion",
    "selfLink",
    "uid",
];

/// Turns documents into objects, and reports what is wrong with them, one by one and together.
pub(super) fn collect(documents: Vec<Document>, limits: &Limits, report: &mut Report) -> Vec<Value> {
    let mut collector = Collector {
        limits,
        report,
        objects: Vec::new(),
        seen: HashMap::new(),
        count: 0,
    };
    for document in documents {
        let pointer = format!("/manifests/{}", document.number);
        let place = Place {
            document: document.number,
            line: document.line,
        };
        match document.value {
            Value::Null => {}
            Value::Object(entries) => collector.mapping(entries, &pointer, place),
            other => {
                let detail = format!("an object is a mapping, not {}{place}", kind_of(&other));
                collector.report.add(pointer, detail);
            }
        }
        if collector.report.is_full() {
            break;
        }
    }
    if collector.count > limits.objects {
        let detail = format!(
            "{} objects are more than the {} allowed",
            collector.count, limits.objects
        );
        collector.report.add("/manifests", detail);
    } else if collector.count == 0 && collector.report.is_empty() {
        collector.report.add("/manifests", "there is no object in it");
    }
    collector.objects
}

/// Where a fault is, for people who look at the text.
#[derive(Clone, Copy)]
struct Place {
    document: usize,
    line: usize,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, " (document {}, from line {})", self.document, self.line)
    }
}

struct Collector<'a> {
    limits: &'a Limits,
    report: &'a mut Report,
    objects: Vec<Value>,
    /// Identity → the document it was first seen in.
    seen: HashMap<(String, String, Option<String>, String), usize>,
    count: usize,
}

impl Collector<'_> {
    /// An object, or a list of them, taken apart as kubectl does.
    fn mapping(&mut self, mut entries: Map<String, Value>, pointer: &str, place: Place) {
        if !is_list(&entries) {
            self.object(entries, pointer, place);
            return;
        }
        let kind = entries.get("kind").and_then(Value::as_str).unwrap_or_default();
        let item_kind = kind.strip_suffix("List").unwrap_or_default().to_owned();
        let api_version = entries.get("apiVersion").cloned();
        let Some(Value::Array(items)) = entries.remove("items") else {
            return;
        };
        let api_version = api_version.as_ref();
        for (i, item) in items.into_iter().enumerate() {
            if self.report.is_full() {
                return;
            }
            let pointer = format!("{pointer}/items/{i}");
            let Value::Object(mut item) = item else {
                self.report.add(
                    pointer,
                    format!("an object is a mapping, not {}{place}", kind_of(&item)),
                );
                continue;
            };
            // A typed list (`DeploymentList`) may leave out what all of its items are.
            if !item_kind.is_empty() && !item.contains_key("kind") && !item.contains_key("apiVersion") {
                item.insert("kind".to_owned(), item_kind.as_str().into());
                item.extend(api_version.map(|version| ("apiVersion".to_owned(), version.clone())));
            }
            if is_list(&item) {
                let detail =
                    format!("a list in a list is not taken apart: write its items side by side{place}");
                self.report.add(pointer, detail);
                continue;
            }
            self.object(item, &pointer, place);
        }
    }

    fn object(&mut self, entries: Map<String, Value>, pointer: &str, place: Place) {
        self.count += 1;
        if self.count > self.limits.objects {
            return;
        }
        let mut object = Value::Object(entries);
        for (inner, detail) in check(&mut object) {
            self.report
                .add(format!("{pointer}{inner}"), format!("{detail}{place}"));
        }
        if let Some(reference) = ObjectRef::of(&object) {
            let (group, kind, namespace, name) = reference.identity();
            let identity = (
                group.to_owned(),
                kind.to_owned(),
                namespace.map(str::to_owned),
                name.to_owned(),
            );
            if let Some(first) = self.seen.get(&identity) {
                let detail = format!("{reference} is in document {first} already{place}");
                self.report.add(pointer, detail);
            } else {
                self.seen.insert(identity, place.document);
            }
        }
        self.objects.push(object);
    }
}

/// Whether it is a list of objects: what says so and has items. A kind that merely ends so is an object.
fn is_list(entries: &Map<String, Value>) -> bool {
    entries
        .get("kind")
        .and_then(Value::as_str)
        .is_some_and(|kind| kind.ends_with("List"))
        && entries.get("items").is_some_and(Value::is_array)
}

/// What is wrong with one object: pointers into it, and details. Drops what only an API server writes.
pub(crate) fn check(object: &mut Value) -> Vec<(String, String)> {
    let mut faults = Vec::new();
    let mut fault = |pointer: &str, detail: String| faults.push((pointer.to_owned(), detail));
    let Value::Object(entries) = object else {
        fault("", format!("an object is a mapping, not {}", kind_of(object)));
        return faults;
    };
    entries.remove("status");

    let api_version = match entries.get("apiVersion") {
        Some(Value::String(text)) if is_api_version(text) => text.clone(),
        None | Some(Value::Null) => {
            fault("/apiVersion", "it is missing".to_owned());
            String::new()
        }
        Some(_) => {
            fault(
                "/apiVersion",
                "it is `group/version`, or `version` for the core group, as text".to_owned(),
            );
            String::new()
        }
    };
    match entries.get("kind") {
        Some(Value::String(text)) if is_kind(text) => {}
        None | Some(Value::Null) => fault("/kind", "it is missing".to_owned()),
        Some(_) => fault("/kind", "it is a word such as Deployment".to_owned()),
    }
    match entries.get_mut("metadata") {
        Some(Value::Object(metadata)) => check_metadata(metadata, &api_version, &mut fault),
        None | Some(Value::Null) => fault("/metadata/name", "it is missing".to_owned()),
        Some(_) => fault("/metadata", "it is a mapping".to_owned()),
    }
    if let Err(error) = hook_phases(object) {
        fault(
            &format!("/metadata/annotations/{}", HOOK_ANNOTATION.replace('/', "~1")),
            error.to_string(),
        );
    }
    if let Err(error) = may_be_replaced(object) {
        fault(
            &format!(
                "/metadata/annotations/{}",
                ON_IMMUTABLE_ANNOTATION.replace('/', "~1")
            ),
            error.to_string(),
        );
    }
    faults
}

fn check_metadata(
    metadata: &mut Map<String, Value>,
    api_version: &str,
    fault: &mut impl FnMut(&str, String),
) {
    for field in SERVER_METADATA {
        metadata.remove(field);
    }
    for field in ["ownerReferences", "namespace", "labels", "annotations"] {
        if metadata
            .get(field)
            .is_some_and(|value| value.is_null() || value.as_str() == Some(""))
        {
            metadata.remove(field);
        }
    }
    if metadata.contains_key("ownerReferences") {
        fault(
            "/metadata/ownerReferences",
            "what a release applies is owned by nothing else, or it would go when its owner does: leave it out"
                .to_owned(),
        );
    }
    if metadata.contains_key("generateName") {
        fault(
            "/metadata/generateName",
            "names are not made up, or each deployment would make another object: write `metadata.name` instead"
                .to_owned(),
        );
    }
    match metadata.get("name") {
        Some(Value::String(name)) if group_of(api_version) == "rbac.authorization.k8s.io" => {
            if !is_path_segment(name) {
                fault(
                    "/metadata/name",
                    format!("{name:?} is no name: not empty, no '/', no '%'"),
                );
            }
        }
        Some(Value::String(name)) if is_subdomain(name) => {}
        Some(Value::String(name)) => fault(
            "/metadata/name",
            format!(
                "{name:?} is no RFC 1123 subdomain: up to 253 of a-z, 0-9, '-' and '.', each part beginning and ending with a letter or digit"
            ),
        ),
        // Said above, of what stands in its place.
        None | Some(Value::Null) if metadata.contains_key("generateName") => {}
        None | Some(Value::Null) => fault("/metadata/name", "it is missing".to_owned()),
        Some(_) => fault("/metadata/name", "it is text: write it in quotes".to_owned()),
    }
    match metadata.get("namespace") {
        Some(Value::String(namespace)) if namespace.parse::<crate::Name>().is_ok() => {}
        Some(Value::String(namespace)) => {
            fault(
                "/metadata/namespace",
                format!("{namespace:?} is no RFC 1123 label"),
            );
        }
        Some(_) => fault("/metadata/namespace", "it is text: write it in quotes".to_owned()),
        None => {}
    }
    for field in ["labels", "annotations"] {
        match metadata.get(field) {
            None => {}
            Some(Value::Object(entries)) => {
                for (key, value) in entries {
                    let mut pointer = format!("/metadata/{field}");
                    push_token(&mut pointer, key);
                    if !value.is_string() {
                        fault(
                            &pointer,
                            format!("it is text, not {}: write it in quotes", kind_of(value)),
                        );
                    }
                    let theirs = [HOOK_ANNOTATION, ON_IMMUTABLE_ANNOTATION].contains(&key.as_str());
                    if key.starts_with(OUR_DOMAIN) && !(field == "annotations" && theirs) {
                        fault(
                            &pointer,
                            format!("what begins with {OUR_DOMAIN} is Slipway's to set"),
                        );
                    }
                }
            }
            Some(_) => fault(
                &format!("/metadata/{field}"),
                "it is a mapping of text to text".to_owned(),
            ),
        }
    }
}

const fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
    }
}

fn is_api_version(text: &str) -> bool {
    let (group, version) = text
        .split_once('/')
        .map_or((None, text), |(group, version)| (Some(group), version));
    group.is_none_or(is_subdomain)
        && version
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        && version.starts_with(|c: char| c.is_ascii_lowercase())
}

fn is_kind(text: &str) -> bool {
    text.len() <= 63
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric())
}

/// RFC 1123 subdomain, as Kubernetes checks most names.
fn is_subdomain(text: &str) -> bool {
    let alnum = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    text.len() <= 253
        && text.split('.').all(|part| {
            let part = part.as_bytes();
            alnum(part.first()) && alnum(part.last()) && part.iter().all(|b| alnum(Some(b)) || *b == b'-')
        })
}

/// As Kubernetes checks the names of roles and bindings, `system:reader` for one: what fits in a path.
fn is_path_segment(text: &str) -> bool {
    !text.is_empty() && text.len() <= 253 && !matches!(text, "." | "..") && !text.contains(['/', '%'])
}
