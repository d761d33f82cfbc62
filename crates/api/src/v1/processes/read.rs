//! Reading processes, and which releases go by them.

use super::wire;
use crate::{
    cursor,
    etag::Tag,
    extract::{Params, Reader, json, limit, page},
    problem::Failure,
};
use axum::{extract::Path, response::Response};
use serde::Deserialize;
use slipway_api_types::{
    Page,
    process::{Process, ProcessRelease},
};
use slipway_app::processes;
use slipway_domain::ids::{ProcessTag, ReleaseTag};
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

/// List processes.
///
/// Newest first, each with the version that counts.
#[utoipa::path(
    get, path = "/v1/processes", operation_id = "list_processes", tag = "processes",
    params(ListQuery),
    responses((status = 200, description = "One page.", body = Page<Process>)),
    extensions(("x-slipway-permission" = json!("read"))),
)]
pub(super) async fn list(Params(query): Params<ListQuery>, mut reader: Reader) -> Result<Response, Failure> {
    let limit = limit(query.limit);
    let before = cursor::before::<ProcessTag>(query.cursor.as_deref())?;
    let views = processes::list(&mut reader.tx, &reader.actor, before, i64::from(limit) + 1).await?;
    json(&page(
        views,
        limit,
        |view| view.head.id.to_string(),
        |view| wire(&view),
    ))
}

/// Show a process.
#[utoipa::path(
    get, path = "/v1/processes/{process}", operation_id = "get_process", tag = "processes",
    params(("process" = String, Path, description = "Its id or name.", example = "default")),
    responses((status = 200, description = "The process.", body = Process,
        headers(("ETag" = String, description = "Its revision.")))),
    extensions(("x-slipway-permission" = json!("read"))),
)]
pub(super) async fn get(Path(process): Path<String>, mut reader: Reader) -> Result<Response, Failure> {
    if reader.is_conditional() {
        let revision = processes::revision(&mut reader.tx, &reader.actor, &process).await?;
        if let Some(unchanged) = reader.unchanged(revision) {
            return Ok(unchanged);
        }
    }
    let view = processes::get(&mut reader.tx, &reader.actor, &process).await?;
    reader.one(Tag::Revision(view.head.revision), &wire(&view))
}

/// Which releases are asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ReleasesQuery {
    /// Only those that do not go by the version in force.
    old: Option<bool>,
    /// How many, 50 unless given.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// The `next` of the page before.
    cursor: Option<String>,
}

/// List the sealed releases that go by a process.
///
/// Newest first, each with the version that it pinned when it was sealed.
#[utoipa::path(
    get, path = "/v1/processes/{process}/releases", operation_id = "list_process_releases", tag = "processes",
    params(("process" = String, Path, description = "Its id or name.", example = "default"), ReleasesQuery),
    responses((status = 200, description = "One page.", body = Page<ProcessRelease>)),
    extensions(("x-slipway-permission" = json!("read"))),
)]
pub(super) async fn releases(
    Path(process): Path<String>,
    Params(query): Params<ReleasesQuery>,
    mut reader: Reader,
) -> Result<Response, Failure> {
    let limit = limit(query.limit);
    let before = cursor::before::<ReleaseTag>(query.cursor.as_deref())?;
    let old = query.old.unwrap_or(false);
    let asked = i64::from(limit) + 1;
    let all = processes::releases(&mut reader.tx, &reader.actor, &process, old, before, asked).await?;
    json(&page(
        all,
        limit,
        |one| one.pinned.release.to_string(),
        |one| ProcessRelease {
            id: one.pinned.release.to_string(),
            release: one.pinned.name,
            version: one.pinned.version,
            in_force: one.is_in_force,
        },
    ))
}
