//! Refusals and faults, as problem documents (RFC 9457).
//!
//! A handler returns a [`Failure`]; the outermost middleware writes it, because only there the id of the request is
//! at hand whatever went wrong. Kinds of problem live in one table, [`catalogue`]; what the use-cases refuse is
//! translated in one place, [`from_app`].

pub mod catalogue;
mod from_app;
pub(crate) mod page;

pub(crate) use from_app::{shortened, summary};

use axum::{
    body::Body,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use catalogue::Kind;
use slipway_api_types::{Problem, ProblemFault};

/// The media type of problem documents.
pub(crate) const MEDIA_TYPE: &str = "application/problem+json";

/// Why a request is not answered with what it asked for.
#[derive(Debug, Clone)]
pub struct Failure(Box<Inner>);

#[derive(Debug, Clone)]
struct Inner {
    kind: &'static Kind,
    detail: String,
    errors: Vec<ProblemFault>,
    headers: HeaderMap,
}

impl Failure {
    /// A problem of a kind, with what is wrong this time and what would be right.
    #[must_use]
    pub fn new(kind: &'static Kind, detail: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            detail: detail.into(),
            errors: Vec::new(),
            headers: HeaderMap::new(),
        }))
    }

    /// With every fault of the input.
    #[must_use]
    pub fn with_errors(mut self, errors: Vec<ProblemFault>) -> Self {
        self.0.errors = errors;
        self
    }

    /// With a header, as `Retry-After`.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.insert(name, value);
        self
    }

    /// Says when it is worth trying again, in seconds.
    #[must_use]
    pub fn retry_after(self, seconds: u32) -> Self {
        self.with_header(header::RETRY_AFTER, HeaderValue::from(seconds))
    }

    /// A problem for a status that something below the handlers answered with, if it is one.
    pub(crate) fn for_status(status: StatusCode, detail: impl Into<String>) -> Option<Self> {
        let kind = match status {
            StatusCode::BAD_REQUEST => &catalogue::MALFORMED,
            StatusCode::NOT_FOUND => &catalogue::NOT_FOUND,
            StatusCode::METHOD_NOT_ALLOWED => &catalogue::METHOD_NOT_ALLOWED,
            StatusCode::PAYLOAD_TOO_LARGE => &catalogue::TOO_LARGE,
            StatusCode::UNSUPPORTED_MEDIA_TYPE => &catalogue::UNSUPPORTED_MEDIA_TYPE,
            StatusCode::SERVICE_UNAVAILABLE => &catalogue::UNAVAILABLE,
            status if status.is_server_error() => &catalogue::INTERNAL,
            status if status.is_client_error() => &catalogue::MALFORMED,
            _ => return None,
        };
        Some(Self::new(kind, detail))
    }

    /// What kind of problem it is.
    #[must_use]
    pub fn kind(&self) -> &'static Kind {
        self.0.kind
    }

    /// What is wrong this time.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.0.detail
    }

    /// Every fault of the input.
    #[must_use]
    pub fn errors(&self) -> &[ProblemFault] {
        &self.0.errors
    }

    /// The document, for one request.
    pub(crate) fn document(&self, request: &str) -> Problem {
        Problem {
            kind: self.0.kind.path(),
            title: self.0.kind.title.to_owned(),
            status: self.0.kind.status,
            detail: self.0.detail.clone(),
            instance: format!("/requests/{request}"),
            errors: self.0.errors.clone(),
        }
    }

    /// The response for one request; `base` brings headers that stay, as `Allow`.
    pub(crate) fn write(&self, request: &str, base: HeaderMap) -> Response {
        let body = serde_json::to_vec(&self.document(request)).unwrap_or_default();
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = self.0.kind.status();
        let headers = response.headers_mut();
        *headers = base;
        headers.remove(header::CONTENT_LENGTH);
        headers.extend(self.0.headers.clone());
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        response
    }
}

impl IntoResponse for Failure {
    /// Carries the failure to the outermost middleware, which writes it.
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = self.0.kind.status();
        response.extensions_mut().insert(self);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_names_its_kind_its_request_and_every_fault() {
        let fault = ProblemFault {
            pointer: "/version".to_owned(),
            detail: "no semantic version".to_owned(),
        };
        let failure = Failure::new(&catalogue::VALIDATION, "one fault").with_errors(vec![fault.clone()]);
        let document = failure.document("r1");
        assert_eq!(document.kind, "/problems/validation");
        assert_eq!(document.instance, "/requests/r1");
        assert_eq!(document.status, 422);
        assert_eq!(document.errors, [fault]);
    }

    #[test]
    fn headers_of_the_router_stay_and_those_of_the_failure_win() {
        let base = HeaderMap::from_iter([(header::ALLOW, HeaderValue::from_static("GET,HEAD"))]);
        let response = Failure::new(&catalogue::UNAVAILABLE, "full")
            .retry_after(3)
            .write("r1", base);
        assert_eq!(response.headers()[header::ALLOW], "GET,HEAD");
        assert_eq!(response.headers()[header::RETRY_AFTER], "3");
        assert_eq!(response.headers()[header::CONTENT_TYPE], MEDIA_TYPE);
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    }
}
