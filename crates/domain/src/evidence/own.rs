//! JSON of our own shape: configuration baselines, manual checks, and what an organisation has a schema for.

use super::{
    json::At,
    normal::{Content, counts},
    schema::Schema,
};
use serde_json::Value;
use std::collections::BTreeMap;

/// Most counts that are taken over.
const MAX_COUNTS: usize = 100;

/// An object of names and the digests of what they name. It passes when it names anything.
pub(super) fn baseline(document: &At<'_, '_>) -> Content {
    let mut entries = 0;
    document.fields(|name, digest| {
        entries += 1;
        if name.trim().is_empty() {
            digest.fault("has no name");
        }
        if digest.digest().is_none() {
            digest.fault(crate::digest::NoDigest.to_string());
        }
    });
    Content {
        passed: entries > 0,
        counts: counts([("entries", entries)]),
        ..Content::default()
    }
}

/// `{"who", "what", "result": "passed" | "failed" | "skipped", "at"?, "note"?}`.
pub(super) fn manual_check(document: &At<'_, '_>) -> Content {
    for field in ["who", "what"] {
        let said = document.need_text(field);
        if said.is_some_and(|said| said.trim().is_empty()) {
            document.fault(format!("`{field}` says nothing"));
        }
    }
    document.text_of("note");
    document.fields(|field, value| {
        if !["who", "what", "result", "at", "note"].contains(&field) {
            value.fault("is no field that there is");
        }
    });
    let result = document.need("result");
    let said = result.as_ref().and_then(At::text).unwrap_or_default();
    if let (Some(result), false) = (&result, ["passed", "failed", "skipped"].contains(&said)) {
        result.fault("is `passed`, `failed` or `skipped`");
    }
    let is = |what: &str| usize::from(said == what);
    Content {
        passed: said == "passed",
        counts: counts([
            ("passed", is("passed")),
            ("failed", is("failed")),
            ("skipped", is("skipped")),
        ]),
        produced_at: document.key("at").and_then(|time| time.time()),
        ..Content::default()
    }
}

/// What conforms to its schema passes, unless it says itself that it does not (`"passed": false`). An object `counts` of
/// whole numbers is taken over.
pub(super) fn generic(document: &At<'_, '_>, schema: Option<&Schema>) -> Content {
    let Some(schema) = schema else {
        document.fault("no schema is registered for it");
        return Content::default();
    };
    schema.check(document);
    let passed = match document.value().get("passed") {
        None => true,
        Some(Value::Bool(passed)) => *passed,
        Some(_) => {
            document.fault_below("/passed", "is true or false");
            false
        }
    };
    let mut kept = BTreeMap::new();
    if let Some(all) = document.key("counts") {
        all.fields(|name, count| match count.value().as_i64() {
            Some(_) if name.chars().count() > 100 || name.contains(char::is_control) => {
                count.fault("has a name of at most 100 characters, none of them a control character");
            }
            Some(_) if kept.len() == MAX_COUNTS => count.fault(format!("there are more than {MAX_COUNTS}")),
            Some(number) => {
                kept.insert(name.to_owned(), number);
            }
            None => count.fault("is a whole number"),
        });
    }
    Content {
        passed,
        counts: kept,
        ..Content::default()
    }
}
