//! Query parameters: typed, and refused with every fault at once when they are unknown or wrong.

use crate::{
    problem::{Failure, catalogue, summary},
    schema,
    state::ApiState,
};
use axum::{extract::FromRequestParts, http::request::Parts};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use slipway_api_types::ProblemFault;
use std::any::TypeId;
use utoipa::{IntoParams, openapi::path::ParameterIn};

/// The query parameters of a request.
pub(crate) struct Params<Q>(pub(crate) Q);

impl<Q: IntoParams + DeserializeOwned + 'static> FromRequestParts<ApiState> for Params<Q> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &ApiState) -> Result<Self, Failure> {
        read(parts.uri.query().unwrap_or_default()).map(Self)
    }
}

fn read<Q: IntoParams + DeserializeOwned + 'static>(query: &str) -> Result<Q, Failure> {
    let schema = schema_of::<Q>();
    let mut faults = Vec::new();
    let mut given = Map::new();
    for (name, text) in url::form_urlencoded::parse(query.as_bytes()) {
        let value = typed(&schema["properties"][&*name], &text);
        if given.insert(name.to_string(), value).is_some() {
            faults.push(ProblemFault {
                pointer: format!("/{name}"),
                detail: "is given twice".to_owned(),
            });
        }
    }
    let given = Value::Object(given);
    faults.extend(schema::check_with(TypeId::of::<Q>(), || schema, &given)?);
    if faults.is_empty() {
        return serde_json::from_value(given).map_err(|error| {
            let detail = schema::without_values(&error);
            Failure::new(&catalogue::MALFORMED, detail.clone()).with_errors(vec![ProblemFault {
                pointer: "?".to_owned(),
                detail,
            }])
        });
    }
    for fault in &mut faults {
        fault.pointer = format!("?{}", fault.pointer.trim_start_matches('/'));
        fault.detail = fault.detail.replace("unknown field", "unknown query parameter");
    }
    Err(Failure::new(&catalogue::MALFORMED, summary(&faults)).with_errors(faults))
}

/// One query parameter that is wrong in a way that its schema cannot say.
pub(crate) fn invalid_parameter(name: &str, detail: impl Into<String>) -> Failure {
    let fault = ProblemFault {
        pointer: format!("?{name}"),
        detail: detail.into(),
    };
    Failure::new(&catalogue::MALFORMED, format!("?{name}: {}", fault.detail)).with_errors(vec![fault])
}

/// The parameters as one object's schema.
fn schema_of<Q: IntoParams>() -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for parameter in Q::into_params(|| Some(ParameterIn::Query)) {
        let parameter = json!(parameter);
        let name = parameter["name"].as_str().unwrap_or_default().to_owned();
        if parameter["required"] == json!(true) {
            required.push(name.clone());
        }
        properties.insert(name, parameter["schema"].clone());
    }
    json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

/// A text as the type that its schema wants; left as text when it is none, for the schema to refuse.
fn typed(schema: &Value, text: &str) -> Value {
    let wants = |kind: &str| match &schema["type"] {
        Value::String(one) => one == kind,
        Value::Array(several) => several.iter().any(|one| one == kind),
        _ => false,
    };
    let parsed = if wants("integer") {
        text.parse::<i64>().ok().map(Value::from)
    } else if wants("boolean") {
        text.parse::<bool>().ok().map(Value::from)
    } else {
        None
    };
    parsed.unwrap_or_else(|| Value::from(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize, IntoParams)]
    #[into_params(parameter_in = Query)]
    struct Query {
        /// How many.
        #[param(minimum = 1, maximum = 200)]
        limit: Option<u32>,
        /// Which state.
        state: Option<String>,
    }

    #[test]
    fn parameters_are_read_with_their_types() {
        let query: Query = read("limit=20&state=in%20use+now").unwrap();
        assert_eq!(
            (query.limit, query.state.as_deref()),
            (Some(20), Some("in use now"))
        );
        let none: Query = read("").unwrap();
        assert!(none.limit.is_none() && none.state.is_none());
    }

    #[test]
    fn every_wrong_parameter_is_told_at_once() {
        let failure = read::<Query>("limit=many&stat=x&state=a&state=b").unwrap_err();
        assert_eq!(failure.kind().status, 400);
        let mut pointers: Vec<_> = failure.errors().iter().map(|e| e.pointer.as_str()).collect();
        pointers.sort_unstable();
        assert_eq!(pointers, ["?limit", "?stat", "?state"]);
        assert_eq!(
            read::<Query>("limit=0").unwrap_err().errors()[0].detail,
            "must be at least 1"
        );
    }
}
