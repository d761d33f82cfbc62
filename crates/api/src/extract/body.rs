//! Bodies: read up to a limit, parsed, and checked against the schema that `OpenAPI` shows, so that all faults come at
//! once and the documentation cannot be wrong about what is accepted.

use crate::{
    ApiConfig,
    problem::{Failure, catalogue},
    schema,
};
use axum::{
    body::Body,
    http::{HeaderMap, header},
};
use futures::StreamExt as _;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use slipway_api_types::{
    Reason, approval, component, deployment, evidence, identity, people, policy, process, registry, release,
    review,
};
use utoipa::ToSchema;

/// What can come as a body.
pub(crate) trait Input: DeserializeOwned + ToSchema + Send + 'static {
    /// Whether the request may come without one.
    const OPTIONAL: bool = false;

    /// How large it may be.
    fn limit(config: &ApiConfig) -> usize {
        config.body_bytes
    }
}

/// Nothing to say: an empty body, or `{}`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NoBody {}

macro_rules! inputs {
    ($($input:ty),* $(,)?) => { $(impl Input for $input {})* };
}

inputs! {
    approval::CreateDecision,
    component::CreateComponent,
    deployment::CreateDeployment,
    deployment::CreateOverride,
    evidence::CreateEvidenceKey,
    evidence::CreateEvidenceSchema,
    identity::CreateRoleBinding,
    identity::CreateToken,
    people::CreateAbsence,
    people::CreateDelegation,
    people::CreateGroup,
    people::UpdateGroup,
    policy::CreatePolicy,
    policy::CreatePolicyVersion,
    policy::EvaluatePolicies,
    policy::PolicyReportRequest,
    process::CreateProcess,
    review::CloseReview,
    process::CreateProcessVersion,
    registry::CreateCluster,
    registry::CreateEnvironment,
    registry::CreateService,
    registry::CreateTarget,
    registry::CreateTeam,
    registry::UpdateCluster,
    registry::UpdateEnvironment,
    registry::UpdateService,
    release::CreateRelease,
    release::UpdateRelease,
}

impl Input for NoBody {
    const OPTIONAL: bool = true;
}

impl Input for Reason {
    const OPTIONAL: bool = true;
}

impl Input for component::CreateVersion {
    fn limit(config: &ApiConfig) -> usize {
        config.version_body_bytes
    }
}

/// A document, with every character of it escaped, and what is said of it.
const EVIDENCE_BYTES: usize = 2 * slipway_domain::evidence::MAX_PAYLOAD + 64 * 1024;

impl Input for evidence::CreateEvidence {
    fn limit(config: &ApiConfig) -> usize {
        config.body_bytes.max(EVIDENCE_BYTES)
    }
}

/// Reads a body, at most `limit` bytes of it.
pub(super) async fn read(headers: &HeaderMap, body: Body, limit: usize) -> Result<Vec<u8>, Failure> {
    let too_large = || {
        let detail = format!("the body may have at most {limit} bytes here");
        Failure::new(&catalogue::TOO_LARGE, detail)
    };
    let announced = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > limit) {
        return Err(too_large());
    }
    let mut bytes = Vec::with_capacity(announced.unwrap_or(0));
    let mut stream = body.into_data_stream();
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|_| Failure::new(&catalogue::MALFORMED, "the body ended too early"))?;
        if bytes.len() + chunk.len() > limit {
            return Err(too_large());
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// A body that was checked.
#[derive(Debug)]
pub(super) struct Parsed<T> {
    /// What it says.
    pub(super) input: T,
    /// Pointers of what it gives as `null`: in a change, what is to be taken away.
    pub(super) nulls: Vec<String>,
}

/// Parses a body and checks it against its schema.
pub(super) fn parse<T: Input>(headers: &HeaderMap, bytes: &[u8]) -> Result<Parsed<T>, Failure> {
    let bytes = if bytes.is_empty() && T::OPTIONAL {
        b"{}"
    } else {
        check_type(headers)?;
        bytes
    };
    if bytes.is_empty() {
        return Err(Failure::new(
            &catalogue::MALFORMED,
            "the body is empty; send a JSON object",
        ));
    }
    let value: serde_json::Value = serde_json::from_slice(bytes).map_err(|error| {
        let detail = format!(
            "the body is no JSON: line {}, column {}: {error}",
            error.line(),
            error.column()
        );
        Failure::new(&catalogue::MALFORMED, detail)
    })?;
    let faults = schema::check::<T>(&value)?;
    if !faults.is_empty() {
        return Err(
            Failure::new(&catalogue::VALIDATION, crate::problem::summary(&faults)).with_errors(faults),
        );
    }
    let nulls = nulls(&value);
    // What the schema cannot say (a number too large for its type) is said by the type itself.
    let input = serde_json::from_value(value).map_err(|error| {
        let fault = slipway_api_types::ProblemFault {
            pointer: String::new(),
            detail: schema::without_values(&error),
        };
        Failure::new(&catalogue::VALIDATION, fault.detail.clone()).with_errors(vec![fault])
    })?;
    Ok(Parsed { input, nulls })
}

/// Pointers of all fields that are `null`; lists are not looked into, they are changed as a whole.
fn nulls(value: &serde_json::Value) -> Vec<String> {
    let mut found = Vec::new();
    for (name, field) in value.as_object().into_iter().flatten() {
        if field.is_null() {
            found.push(format!("/{name}"));
        }
        found.extend(nulls(field).into_iter().map(|inner| format!("/{name}{inner}")));
    }
    found
}

fn check_type(headers: &HeaderMap) -> Result<(), Failure> {
    let given = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let essence = given
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    let is_json =
        essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"));
    if is_json {
        Ok(())
    } else {
        Err(Failure::new(
            &catalogue::UNSUPPORTED_MEDIA_TYPE,
            "send the body as `Content-Type: application/json`",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn json() -> HeaderMap {
        HeaderMap::from_iter([(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json; charset=utf-8"),
        )])
    }

    #[test]
    fn every_fault_of_a_body_is_told_at_once_with_its_place() {
        let body = br#"{"name": "Not A Name", "descripton": 3, "criticality": 4}"#;
        let failure = parse::<registry::CreateService>(&json(), body).unwrap_err();
        assert_eq!(failure.kind().status, 422);
        let mut pointers: Vec<_> = failure.errors().iter().map(|e| e.pointer.as_str()).collect();
        pointers.sort_unstable();
        assert_eq!(pointers, ["/criticality", "/descripton", "/name", "/team"]);
        let unknown = failure
            .errors()
            .iter()
            .find(|e| e.pointer == "/descripton")
            .unwrap();
        assert!(
            unknown.detail.contains("unknown field `descripton`"),
            "{}",
            unknown.detail
        );
    }

    #[test]
    fn faults_inside_optional_parts_and_lists_are_found_where_they_are() {
        let body = br#"{"name": "production", "tier": "production", "clusters": ["eu", 3],
            "settings": {"approvals": {"count": 0, "role": "authority"}, "waves": [{"name": "eu"}]}}"#;
        let failure = parse::<registry::CreateEnvironment>(&json(), body).unwrap_err();
        let mut pointers: Vec<_> = failure.errors().iter().map(|e| e.pointer.as_str()).collect();
        pointers.sort_unstable();
        assert_eq!(
            pointers,
            [
                "/clusters/1",
                "/settings/approvals/count",
                "/settings/waves/0/match_labels"
            ]
        );
    }

    #[test]
    fn a_secret_in_the_wrong_place_is_not_sent_back() {
        let body = br#"{"name": "eu", "credential": {"token": ["hunter2"], "password": "hunter2"}}"#;
        let failure = parse::<registry::CreateCluster>(&json(), body).unwrap_err();
        assert!(!format!("{failure:?}").contains("hunter2"), "{failure:?}");
        assert_eq!(failure.errors().len(), 2);
    }

    #[test]
    fn broken_json_says_where_it_breaks() {
        let failure = parse::<registry::CreateTeam>(&json(), b"{\"name\":\n  shop}").unwrap_err();
        assert_eq!(failure.kind().status, 400);
        assert!(
            failure.detail().contains("line 2, column 3"),
            "{}",
            failure.detail()
        );
    }

    #[test]
    fn an_action_needs_no_body_but_takes_no_other_type_either() {
        assert!(parse::<NoBody>(&HeaderMap::new(), b"").is_ok());
        assert_eq!(
            parse::<Reason>(&json(), br#"{"reason":"why"}"#)
                .unwrap()
                .input
                .reason
                .as_deref(),
            Some("why")
        );
        assert_eq!(
            parse::<Reason>(&HeaderMap::new(), b"{}")
                .unwrap_err()
                .kind()
                .status,
            415
        );
        assert_eq!(
            parse::<registry::CreateTeam>(&json(), b"")
                .unwrap_err()
                .kind()
                .status,
            400
        );
    }

    #[test]
    fn what_is_given_as_null_is_told_apart_from_what_is_absent() {
        let body = br#"{"clusters": null, "settings": {"approvals": null, "waves": []}}"#;
        let parsed = parse::<registry::UpdateEnvironment>(&json(), body).unwrap();
        assert_eq!(parsed.nulls, ["/clusters", "/settings/approvals"]);
    }

    #[tokio::test]
    async fn a_body_over_the_limit_is_refused_whether_it_says_so_or_not() {
        let announced = HeaderMap::from_iter([(header::CONTENT_LENGTH, HeaderValue::from(11))]);
        for headers in [announced, HeaderMap::new()] {
            let failure = read(&headers, Body::from("12345678901"), 10).await.unwrap_err();
            assert_eq!(failure.kind().status, 413);
            assert!(failure.detail().contains("10 bytes"));
        }
        assert_eq!(
            read(&HeaderMap::new(), Body::from("1234567890"), 10)
                .await
                .unwrap()
                .len(),
            10
        );
    }
}
