//! The labels and annotations that say whose an object is. They are on the object alone, never on a pod template: they
//! change with every release, and must not restart what did not change.

use super::Input;
use serde_json::{Map, Value};

/// The service an object belongs to.
pub const LABEL_SERVICE: &str = "slipway.dev/service";
/// The environment it is in.
pub const LABEL_ENVIRONMENT: &str = "slipway.dev/environment";
/// The component it came with.
pub const LABEL_COMPONENT: &str = "slipway.dev/component";
/// The version of the release it was last applied from.
pub const ANNOTATION_RELEASE: &str = "slipway.dev/release";
/// That release's digest.
pub const ANNOTATION_RELEASE_DIGEST: &str = "slipway.dev/release-digest";
/// The target's generation it was applied under: a stale executor's is lower.
pub const ANNOTATION_GENERATION: &str = "slipway.dev/generation";
/// The deployment that applied it.
pub const ANNOTATION_DEPLOYMENT: &str = "slipway.dev/deployment";

/// Puts on what is known when rendering.
pub(super) fn mark(object: &mut Value, input: &Input<'_>, component: &str) {
    if let Some(labels) = entries(object, "labels") {
        labels.insert(LABEL_SERVICE.to_owned(), input.service.into());
        labels.insert(LABEL_ENVIRONMENT.to_owned(), input.environment.into());
        labels.insert(LABEL_COMPONENT.to_owned(), component.into());
    }
    if let Some(annotations) = entries(object, "annotations") {
        annotations.insert(ANNOTATION_RELEASE.to_owned(), input.release.into());
        annotations.insert(
            ANNOTATION_RELEASE_DIGEST.to_owned(),
            input.release_digest.to_string().into(),
        );
    }
}

/// Puts on what is known only when applying; all else stays as it was rendered.
pub fn stamp(object: &mut Value, generation: i64, deployment: &str) {
    if let Some(annotations) = entries(object, "annotations") {
        annotations.insert(ANNOTATION_GENERATION.to_owned(), generation.to_string().into());
        annotations.insert(ANNOTATION_DEPLOYMENT.to_owned(), deployment.into());
    }
}

/// A mapping of `metadata`, made where it is missing; `None` only for what is no object at all.
fn entries<'a>(object: &'a mut Value, field: &str) -> Option<&'a mut Map<String, Value>> {
    let metadata = object
        .as_object_mut()?
        .entry("metadata")
        .or_insert_with(|| Value::Object(Map::new()));
    let entries = metadata
        .as_object_mut()?
        .entry(field)
        .or_insert_with(|| Value::Object(Map::new()));
    if !entries.is_object() {
        *entries = Value::Object(Map::new());
    }
    entries.as_object_mut()
}
