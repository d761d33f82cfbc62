//! `/v1/reports`: what an auditor reads.

use crate::{
    etag::Tag,
    extract::{Params, Reader},
    problem::{Failure, catalogue},
    state::ApiState,
};
use axum::{
    body::Body,
    http::{HeaderValue, header},
    response::Response,
};
use serde::Deserialize;
use slipway_api_types::compliance::ComplianceReport;
use slipway_app::compliance;
use slipway_domain::compliance::{Report, html, markdown};
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

pub(crate) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(compliance_report))
}

/// What a page is sent as, and how it is written.
type Page = (&'static str, fn(&Report) -> String);

/// What is asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ComplianceQuery {
    /// The release: its id, or `service@version`.
    #[param(example = "storefront@1.0.0")]
    release: String,
    /// `json` unless given; `markdown`, or `html`: a page fit to print.
    #[param(example = "json")]
    format: Option<String>,
}

/// Report on the compliance of a release.
///
/// Each thing that is asked of it on its way, where that comes from, its evidence, its verdict, since when. It tells of the
/// state of this moment; what was admitted is told as it was judged then, and what was contradicted since as such.
#[utoipa::path(
    get, path = "/v1/reports/compliance", operation_id = "get_compliance_report", tag = "reports",
    params(ComplianceQuery),
    responses((status = 200, description = "The report.", content(
        (ComplianceReport = "application/json"), (String = "text/markdown"), (String = "text/html")),
        headers(("ETag" = String, description = "A digest of it.")))),
    extensions(("x-slipway-permission" = json!("read")), ("x-slipway-problems" = json!(["not-found", "release-state"]))),
)]
pub(super) async fn compliance_report(
    Params(query): Params<ComplianceQuery>,
    mut reader: Reader,
) -> Result<Response, Failure> {
    let page: Option<Page> = match query.format.as_deref() {
        None | Some("json") => None,
        Some("markdown") => Some(("text/markdown; charset=utf-8", markdown)),
        Some("html") => Some(("text/html; charset=utf-8", html)),
        Some(_) => {
            let detail = "`format` is json, markdown or html";
            return Err(Failure::new(&catalogue::MALFORMED, detail));
        }
    };
    let report = compliance::compliance(&mut reader.tx, &reader.actor, &query.release).await?;
    let Some((kind, written)) = page else {
        return reader.one(Tag::Body, &report);
    };
    let mut response = Response::new(Body::from(written(&report)));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    // Nothing in it runs or is fetched, whatever it says.
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'"),
    );
    Ok(response)
}
