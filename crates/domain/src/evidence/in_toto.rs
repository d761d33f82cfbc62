//! In-toto statements, v1 and v0.1, and the SLSA provenance that they may carry, v1 and v0.2.

use super::{
    json::At,
    normal::{About, Content, about, counts},
};
use crate::Digest;
use serde_json::Value;

/// The only type of a payload that is taken from an envelope.
pub(crate) const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

const STATEMENT: &str = "https://in-toto.io/Statement/";
const SLSA_1: &str = "https://slsa.dev/provenance/v1";
const SLSA_0_2: &str = "https://slsa.dev/provenance/v0.2";

/// Whether a document says that it is a statement, of whatever version.
pub(super) fn is_one(value: &Value) -> bool {
    let kind = value.get("_type").and_then(Value::as_str);
    kind.is_some_and(|kind| kind.starts_with(STATEMENT))
}

/// What a statement is about. One that is not about what it is bound to is a fault.
pub(super) fn subjects(statement: &At<'_, '_>, bound_to: &[Digest]) -> Vec<Digest> {
    let version = statement
        .need_text("_type")
        .map(|kind| kind.strip_prefix(STATEMENT));
    if version.is_some_and(|version| !matches!(version, Some("v1" | "v0.1"))) {
        statement.fault("is an in-toto statement, v1 or v0.1");
    }
    let mut subjects = Vec::new();
    let listed = statement.each("subject", |subject| {
        let digests = subject.need("digest");
        let sha256 = digests.as_ref().and_then(|digests| digests.key("sha256"));
        let Some(sha256) = sha256 else { return };
        match sha256.text().map(|hex| format!("sha256:{hex}").parse()) {
            Some(Ok(digest)) => subjects.push(digest),
            Some(Err(_)) => sha256.fault("is 64 lower-case hexadecimal digits"),
            None => {}
        }
    });
    let list = statement.need("subject");
    if let (Some(list), Some(_)) = (list, listed)
        && about(&subjects, bound_to) != About::Bound
    {
        list.fault(format!(
            "{} is not among them, so it is about something else",
            any_of(bound_to)
        ));
    }
    subjects
}

/// The digests that something may be bound to, in a sentence.
pub(super) fn any_of(bound_to: &[Digest]) -> String {
    let bound_to: Vec<_> = bound_to.iter().map(Digest::to_string).collect();
    bound_to.join(" or ")
}

/// The document that a statement carries about its subjects.
pub(super) fn predicate<'v, 'q>(statement: &'q At<'v, '_>) -> Option<At<'v, 'q>> {
    statement.need_text("predicateType");
    statement.need("predicate")
}

/// SLSA provenance. It passes when it says what built the subjects.
pub(super) fn provenance(statement: &At<'_, '_>) -> Content {
    let (Some(kind), Some(predicate)) = (statement.need_text("predicateType"), statement.need("predicate"))
    else {
        return Content::default();
    };
    let (mut builder, mut produced_at) = (None, None);
    match kind {
        SLSA_1 => {
            let definition = predicate.need("buildDefinition");
            definition.and_then(|definition| definition.need_text("buildType"));
            if let Some(run) = predicate.need("runDetails") {
                builder = run.need("builder").and_then(|builder| builder.need_text("id"));
                let metadata = run.key("metadata");
                let finished = metadata.as_ref().and_then(|metadata| metadata.key("finishedOn"));
                produced_at = finished.and_then(|time| time.time());
            }
        }
        SLSA_0_2 => {
            predicate.need_text("buildType");
            builder = predicate
                .need("builder")
                .and_then(|builder| builder.need_text("id"));
            let metadata = predicate.key("metadata");
            let finished = metadata
                .as_ref()
                .and_then(|metadata| metadata.key("buildFinishedOn"));
            produced_at = finished.and_then(|time| time.time());
        }
        _ => statement.fault(format!("its `predicateType` is {SLSA_1} or {SLSA_0_2}")),
    }
    let builder = builder.filter(|id| !id.trim().is_empty());
    Content {
        passed: builder.is_some(),
        counts: counts([]),
        builder: builder.map(str::to_owned),
        produced_at,
        ..Content::default()
    }
}
