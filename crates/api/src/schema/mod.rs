//! Input checked against the very schemas that `OpenAPI` shows.

mod faults;

use crate::problem::Failure;
use jsonschema::Validator;
use serde_json::{Map, Value, json};
use slipway_api_types::ProblemFault;
use std::{
    any::TypeId,
    collections::HashMap,
    sync::{Arc, LazyLock, RwLock},
};
use utoipa::ToSchema;

pub(crate) use faults::without_values;

static VALIDATORS: LazyLock<RwLock<HashMap<TypeId, Arc<Validator>>>> = LazyLock::new(RwLock::default);

/// Every fault of a value, by the schema of `T`.
pub(crate) fn check<T: ToSchema + 'static>(value: &Value) -> Result<Vec<ProblemFault>, Failure> {
    let validator = cached(TypeId::of::<T>(), || {
        let mut parts = Vec::new();
        T::schemas(&mut parts);
        let parts: Map<String, Value> = parts
            .into_iter()
            .map(|(name, schema)| (name, json!(schema)))
            .collect();
        let mut schema = json!(T::schema());
        schema["components"] = json!({ "schemas": parts });
        schema
    })?;
    Ok(faults::of(&validator, value))
}

/// Every fault of a value, by a schema that is made once for `key`.
pub(crate) fn check_with(
    key: TypeId,
    schema: impl FnOnce() -> Value,
    value: &Value,
) -> Result<Vec<ProblemFault>, Failure> {
    Ok(faults::of(&*cached(key, schema)?, value))
}

fn cached(key: TypeId, schema: impl FnOnce() -> Value) -> Result<Arc<Validator>, Failure> {
    let known = VALIDATORS
        .read()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
        .get(&key)
        .cloned();
    if let Some(validator) = known {
        return Ok(validator);
    }
    let validator = jsonschema::options()
        .with_draft(jsonschema::Draft::Draft202012)
        .should_validate_formats(true)
        .should_ignore_unknown_formats(true)
        .build(&schema())
        .map_err(|error| Failure::internal(&error))?;
    let validator = Arc::new(validator);
    VALIDATORS
        .write()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
        .insert(key, Arc::clone(&validator));
    Ok(validator)
}
