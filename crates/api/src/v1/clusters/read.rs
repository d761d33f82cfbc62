//! Reading clusters.

use super::wire;
use crate::{
    cursor,
    etag::Tag,
    extract::{Params, Reader, json, limit, page},
    problem::Failure,
};
use axum::{extract::Path, response::Response};
use serde::Deserialize;
use slipway_api_types::{Page, registry::Cluster};
use slipway_app::clusters;
use slipway_domain::ids::ClusterTag;
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

/// List clusters.
///
/// Newest first. Never their credentials.
#[utoipa::path(
    get, path = "/v1/clusters", operation_id = "list_clusters", tag = "registry",
    params(ListQuery),
    responses((status = 200, description = "One page.", body = Page<Cluster>)),
    extensions(("x-slipway-permission" = json!("read"))),
)]
pub(super) async fn list(Params(query): Params<ListQuery>, mut reader: Reader) -> Result<Response, Failure> {
    let limit = limit(query.limit);
    let before = cursor::before::<ClusterTag>(query.cursor.as_deref())?;
    let views = clusters::list(&mut reader.tx, &reader.actor, before, i64::from(limit) + 1).await?;
    json(&page(
        views,
        limit,
        |view| view.id.to_string(),
        |view| wire(&view),
    ))
}

/// Show a cluster.
///
/// Never its credential.
#[utoipa::path(
    get, path = "/v1/clusters/{cluster}", operation_id = "get_cluster", tag = "registry",
    params(("cluster" = String, Path, description = "Its id or name.", example = "eu")),
    responses((status = 200, description = "The cluster.", body = Cluster,
        headers(("ETag" = String, description = "Its revision, and a digest of what is shown.")))),
    extensions(("x-slipway-permission" = json!("read"))),
)]
pub(super) async fn get(Path(cluster): Path<String>, mut reader: Reader) -> Result<Response, Failure> {
    let view = clusters::get(&mut reader.tx, &reader.actor, &cluster).await?;
    // When it was last seen is shown, and is no change of its row.
    reader.one(Tag::Composed(view.revision), &wire(&view))
}
