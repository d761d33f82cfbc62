//! Reading versions.

use super::wire_version;
use crate::{
    cursor,
    etag::Tag,
    extract::{Params, Reader, json, limit, page},
    problem::Failure,
};
use axum::{extract::Path, response::Response};
use serde::Deserialize;
use slipway_api_types::{Page, component::Version};
use slipway_app::components;
use slipway_domain::ids::ComponentVersionTag;
use utoipa::IntoParams;

/// What of the list is asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ListQuery {
    /// How many, 50 unless given.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// The `next` of the page before.
    cursor: Option<String>,
}

/// List the versions of a component.
///
/// Newest first.
#[utoipa::path(
    get, path = "/v1/components/{component}/versions", operation_id = "list_versions", tag = "library",
    params(("component" = String, Path, description = "Its id or name.", example = "web"), ListQuery),
    responses((status = 200, description = "One page.", body = Page<Version>)),
    extensions(("x-slipway-permission" = json!("read"))),
)]
pub(super) async fn list(
    Path(component): Path<String>,
    Params(query): Params<ListQuery>,
    mut reader: Reader,
) -> Result<Response, Failure> {
    let limit = limit(query.limit);
    let before = cursor::before::<ComponentVersionTag>(query.cursor.as_deref())?;
    let asked = i64::from(limit) + 1;
    let views = components::list_versions(&mut reader.tx, &reader.actor, &component, before, asked).await?;
    json(&page(
        views,
        limit,
        |view| view.version.id.to_string(),
        |view| wire_version(&view),
    ))
}

/// Show a version of a component.
#[utoipa::path(
    get, path = "/v1/components/{component}/versions/{version}", operation_id = "get_version", tag = "library",
    params(
        ("component" = String, Path, description = "Its id or name.", example = "web"),
        ("version" = String, Path, description = "The semantic version, or its id.", example = "1.0.0"),
    ),
    responses((status = 200, description = "The version.", body = Version,
        headers(("ETag" = String, description = "Its revision.")))),
    extensions(("x-slipway-permission" = json!("read"))),
)]
pub(super) async fn get(
    Path((component, version)): Path<(String, String)>,
    mut reader: Reader,
) -> Result<Response, Failure> {
    let view = components::get_version(&mut reader.tx, &reader.actor, &component, &version).await?;
    reader.one(Tag::Revision(view.version.revision), &wire_version(&view))
}
