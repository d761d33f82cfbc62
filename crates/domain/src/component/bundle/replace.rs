//! Whether an object may be deleted and made anew when a field that cannot be changed has changed.

use super::{HOOK_ANNOTATION, group_of};
use crate::render::holds_others;
use serde_json::Value;

/// The annotation that allows it, with the one value `replace`.
pub const ON_IMMUTABLE_ANNOTATION: &str = "slipway.dev/on-immutable";

/// Why that annotation cannot be followed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoReplacing {
    /// Its value is another word.
    #[error("it is `replace`, or left out, not {0:?}")]
    Word(String),
    /// Data would be lost with the object.
    #[error(
        "{0} holds what would be lost with it, and is never replaced: leave the annotation out, and move to an object \
         of another name"
    )]
    HoldsData(String),
    /// Hooks are made anew by every deployment.
    #[error("a hook is made anew by every deployment: leave the annotation out")]
    Hook,
}

/// Whether deleting this object loses what nothing can bring back: data of users, or objects that others made.
///
/// Beside the kinds of [`holds_others`] that is a `StatefulSet` with claims of its own: its pods find their data by them.
#[must_use]
pub fn holds_data(object: &Value) -> bool {
    let (api_version, kind) = type_of(object);
    let claims = || {
        object
            .pointer("/spec/volumeClaimTemplates")
            .and_then(Value::as_array)
    };
    holds_others(api_version, kind)
        || (group_of(api_version), kind) == ("apps", "StatefulSet")
            && claims().is_some_and(|claims| !claims.is_empty())
}

/// Whether the object says that it may be replaced.
///
/// # Errors
/// When it says something else there, or is of a kind that never is.
pub fn may_be_replaced(object: &Value) -> Result<bool, NoReplacing> {
    let annotations = object.pointer("/metadata/annotations");
    let Some(said) = annotations.and_then(|all| all.get(ON_IMMUTABLE_ANNOTATION)) else {
        return Ok(false);
    };
    if said != "replace" {
        let text = said.as_str().map_or_else(|| said.to_string(), str::to_owned);
        return Err(NoReplacing::Word(text));
    }
    if annotations.is_some_and(|all| all.get(HOOK_ANNOTATION).is_some()) {
        return Err(NoReplacing::Hook);
    }
    if holds_data(object) {
        return Err(NoReplacing::HoldsData(type_of(object).1.to_owned()));
    }
    Ok(true)
}

fn type_of(object: &Value) -> (&str, &str) {
    let text = |key| object.get(key).and_then(Value::as_str).unwrap_or_default();
    (text("apiVersion"), text("kind"))
}
