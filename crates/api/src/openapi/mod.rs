//! `OpenAPI` 3.1, generated from the handlers: what is registered is documented.
//!
//! A handler states what is its own: summary, permission, parameters, body, answer. What all have in common (the
//! security scheme, headers, problem responses, examples from the schemas) is filled in by [`complete`].

mod complete;
mod example;

use axum::{
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse as _, Response},
};
use std::sync::Arc;
use utoipa::openapi::{
    Components, ContactBuilder, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder,
    security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
    tag::TagBuilder,
};

use crate::etag::ETag;

const DESCRIPTION: &str = "\
Slipway makes releases of software components, gets them approved and scheduled, reconciles them onto Kubernetes \
clusters and proves what happened.

* Wherever a path takes an id, a unique name works too; a release's is `service@version`.
* Errors are problem documents (RFC 9457); their `type` is a path on this server that explains it. `errors` lists every \
fault of the input at once.
* Every POST takes an `Idempotency-Key`: a repetition gets the first answer. Single resources have an `ETag`; to change \
one, send it as `If-Match`; to read it cheaply, as `If-None-Match`.
* Lists are newest first and go on with `cursor`. `GET /v1/events` streams what happens.
* Times are RFC 3339 in UTC, durations ISO 8601 (`PT15M`). Unknown fields and query parameters are refused.";

/// The document without paths.
pub(crate) fn base() -> OpenApi {
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some(
            "A token of a configured issuer (JWT), or an API token (`slp_…`).",
        ))
        .build();
    let mut components = Components::new();
    components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
    let tags = [
        (
            "identity",
            "Who am I, people and machines, role bindings, API tokens.",
        ),
        ("registry", "Teams, services, environments, clusters, targets."),
        ("library", "Components and their immutable versions."),
        ("releases", "Release packages: composed, sealed, withdrawn."),
        (
            "deployments",
            "A release going to an environment: gates, waves, targets, outcome.",
        ),
        ("approvals", "The approver's inbox and decisions."),
        (
            "policies",
            "An organisation's own rules: written, tried, put in force.",
        ),
        (
            "processes",
            "Which stages releases go through: written, drawn, put in force, pinned.",
        ),
        (
            "evidence",
            "What is stated about component versions and releases, and what it is verified with.",
        ),
        ("reports", "What an auditor reads."),
        (
            "watching",
            "What happens, as it happens; and one cheap read of everything.",
        ),
        ("audit", "The tamper-evident chain of every change."),
        ("system", "For machines and documentation; no token needed."),
    ];
    OpenApiBuilder::new()
        .info(
            InfoBuilder::new()
                .title("Slipway")
                .version("v1")
                .description(Some(DESCRIPTION))
                .contact(Some(
                    ContactBuilder::new()
                        .name(Some("The operators of this server"))
                        .build(),
                ))
                .license(Some(
                    LicenseBuilder::new()
                        .name("Apache-2.0")
                        .identifier(Some("Apache-2.0"))
                        .build(),
                ))
                .build(),
        )
        .tags(Some(tags.map(|(name, text)| {
            TagBuilder::new().name(name).description(Some(text)).build()
        })))
        .components(Some(components))
        .build()
}

/// The document, with what all operations have in common.
pub(crate) fn finish(document: &OpenApi) -> serde_json::Value {
    let mut document = serde_json::json!(document);
    complete::complete(&mut document);
    document
}

/// As committed and served.
pub(crate) fn text(document: &serde_json::Value) -> String {
    let mut text = serde_json::to_string_pretty(document).unwrap_or_default();
    text.push('\n');
    text
}

/// Serves the document.
pub(crate) fn serve(text: &Arc<str>, headers: &HeaderMap) -> Response {
    let tag = ETag::of_body(text.as_bytes());
    if tag.is_known(headers) {
        return crate::extract::not_modified(&tag);
    }
    (
        [
            (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
            (
                header::CACHE_CONTROL,
                HeaderValue::from_static("public, no-cache"),
            ),
            (header::ETAG, tag.header()),
        ],
        text.to_string(),
    )
        .into_response()
}
