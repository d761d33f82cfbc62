//! Reading what was stated.

use super::wire;
use crate::{
    cursor,
    etag::Tag,
    extract::{Params, Reader, json, limit, page},
    problem::Failure,
};
use axum::{
    body::Body,
    extract::Path,
    http::{HeaderValue, header},
    response::Response,
};
use serde::Deserialize;
use slipway_api_types::{Page, evidence::Evidence};
use slipway_app::evidence::{self, About, Filter};
use slipway_domain::ids::EvidenceTag;
use utoipa::IntoParams;

/// What of the list is asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct StatedQuery {
    /// Only of this kind.
    kind: Option<String>,
    /// Only what no other statement of its kind and name took the place of.
    newest: Option<bool>,
    /// How many, 50 unless given.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// The `next` of the page before.
    cursor: Option<String>,
}

async fn listed(about: About, query: StatedQuery, mut reader: Reader) -> Result<Response, Failure> {
    let limit = limit(query.limit);
    let before = cursor::before::<EvidenceTag>(query.cursor.as_deref())?;
    let filter = Filter {
        kind: query.kind,
        newest: query.newest.unwrap_or(false),
    };
    let asked = i64::from(limit) + 1;
    let views = evidence::list(&mut reader.tx, &reader.actor, &about, &filter, before, asked).await?;
    json(&page(
        views,
        limit,
        |view| view.statement.id.to_string(),
        |view| wire(&view),
    ))
}

/// List what was stated about a version of a component.
///
/// Newest first.
#[utoipa::path(
    get, path = "/v1/components/{component}/versions/{version}/evidence", operation_id = "list_version_evidence",
    tag = "evidence",
    params(
        ("component" = String, Path, description = "Its id or name.", example = "web"),
        ("version" = String, Path, description = "The semantic version, or its id.", example = "1.0.0"),
        StatedQuery,
    ),
    responses((status = 200, description = "One page.", body = Page<Evidence>)),
    extensions(("x-slipway-permission" = json!("read")), ("x-slipway-problems" = json!(["validation"]))),
)]
pub(super) async fn of_version(
    Path((component, version)): Path<(String, String)>,
    Params(query): Params<StatedQuery>,
    reader: Reader,
) -> Result<Response, Failure> {
    listed(About::Version(component, version), query, reader).await
}

/// List what was stated about a release.
///
/// Newest first. What was stated about its parts is listed with them.
#[utoipa::path(
    get, path = "/v1/releases/{release}/evidence", operation_id = "list_release_evidence", tag = "evidence",
    params(("release" = String, Path, description = "Its id, or `service@version`.", example = "shop@1.0.0"), StatedQuery),
    responses((status = 200, description = "One page.", body = Page<Evidence>)),
    extensions(("x-slipway-permission" = json!("read")), ("x-slipway-problems" = json!(["validation"]))),
)]
pub(super) async fn of_release(
    Path(release): Path<String>,
    Params(query): Params<StatedQuery>,
    reader: Reader,
) -> Result<Response, Failure> {
    listed(About::Release(release), query, reader).await
}

/// Show a statement.
#[utoipa::path(
    get, path = "/v1/evidence/{evidence}", operation_id = "get_evidence", tag = "evidence",
    params(("evidence" = String, Path, description = "Its id.")),
    responses((status = 200, description = "The statement.", body = Evidence,
        headers(("ETag" = String, description = "A digest of what is shown.")))),
    extensions(("x-slipway-permission" = json!("read"))),
)]
pub(super) async fn get(Path(id): Path<String>, mut reader: Reader) -> Result<Response, Failure> {
    let view = evidence::get(&mut reader.tx, &reader.actor, &id).await?;
    reader.one(Tag::Body, &wire(&view))
}

/// Get the document of a statement.
///
/// Byte for byte as it came: whoever has its digest can check it. It comes as bytes to be kept, never as something that a
/// browser would show.
#[utoipa::path(
    get, path = "/v1/evidence/{evidence}/document", operation_id = "get_evidence_document", tag = "evidence",
    params(("evidence" = String, Path, description = "Its id.")),
    responses((status = 200, description = "The document.", body = String, content_type = "application/octet-stream")),
    extensions(("x-slipway-permission" = json!("read"))),
)]
pub(super) async fn document(Path(id): Path<String>, mut reader: Reader) -> Result<Response, Failure> {
    let (statement, bytes) = evidence::document(&mut reader.tx, &reader.actor, &id).await?;
    let mut response = Response::new(Body::from(bytes));
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/octet-stream"),
    );
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    let file = format!("attachment; filename=\"{}\"", statement.id);
    if let Ok(value) = HeaderValue::from_str(&file) {
        headers.insert(header::CONTENT_DISPOSITION, value);
    }
    Ok(response)
}
