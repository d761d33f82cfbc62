//! Versions of a process.

use super::{document, wire, wire_version};
use crate::{
    cursor,
    etag::Tag,
    extract::{Change, Command, NoBody, Params, Reader, json, limit, page},
    problem::Failure,
};
use axum::{
    body::Body,
    extract::Path,
    http::{HeaderValue, header},
    response::Response,
};
use serde::Deserialize;
use slipway_api_types::{
    Page,
    process::{CreateProcessVersion, Process, ProcessVersion},
};
use slipway_app::processes;
use slipway_domain::Faults;
use utoipa::IntoParams;

/// Write a version of a process.
///
/// It is a draft: what is in force stays in force.
#[utoipa::path(
    post, path = "/v1/processes/{process}/versions", operation_id = "create_process_version", tag = "processes",
    params(("process" = String, Path, description = "Its id or name.", example = "default")),
    request_body = CreateProcessVersion,
    responses((status = 201, description = "The version.", body = ProcessVersion,
        headers(("ETag" = String, description = "A digest of it."), ("Location" = String, description = "Where it is.")))),
    extensions(("x-slipway-permission" = json!("process.write"))),
)]
pub(super) async fn create(
    Path(process): Path<String>,
    Command(body, mut change): Command<CreateProcessVersion>,
) -> Result<Response, Failure> {
    let mut faults = Faults::new();
    let document = document::read(body.document, &mut faults);
    let Change { tx, actor, .. } = &mut change;
    let version = processes::write_version(tx, actor, &process, document, faults).await?;
    change
        .created(
            format!("/v1/processes/{}/versions/{}", version.name, version.version),
            Tag::Body,
            &wire_version(&version),
        )
        .await
}

/// Put a version of a process in force.
///
/// In the place of the one that was; whoever wrote it may not. Releases that are sealed from now on go by it. Those that are
/// sealed already go on by what they pinned: `GET …/releases?old=true` lists them.
#[utoipa::path(
    post, path = "/v1/processes/{process}/versions/{number}/activate", operation_id = "activate_process_version",
    tag = "processes",
    params(
        ("process" = String, Path, description = "Its id or name.", example = "default"),
        ("number" = i64, Path, description = "Which version.", example = 1),
    ),
    responses((status = 200, description = "The process.", body = Process,
        headers(("ETag" = String, description = "Its revision.")))),
    extensions(
        ("x-slipway-permission" = json!("process.activate")),
        ("x-slipway-problems" = json!(["process-state", "separation-of-duties", "not-a-person", "validation"])),
    ),
)]
pub(super) async fn activate(
    Path((process, version)): Path<(String, i64)>,
    Command(_body, mut change): Command<NoBody>,
) -> Result<Response, Failure> {
    let Change { tx, actor, .. } = &mut change;
    let view = processes::activate(tx, actor, &process, version).await?;
    change.ok(Tag::Revision(view.head.revision), &wire(&view)).await
}

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

/// List the versions of a process.
///
/// Newest first; old ones stay readable.
#[utoipa::path(
    get, path = "/v1/processes/{process}/versions", operation_id = "list_process_versions", tag = "processes",
    params(("process" = String, Path, description = "Its id or name.", example = "default"), ListQuery),
    responses((status = 200, description = "One page.", body = Page<ProcessVersion>)),
    extensions(("x-slipway-permission" = json!("read"))),
)]
pub(super) async fn list(
    Path(process): Path<String>,
    Params(query): Params<ListQuery>,
    mut reader: Reader,
) -> Result<Response, Failure> {
    let limit = limit(query.limit);
    let below = cursor::below(query.cursor.as_deref())?;
    let all = processes::versions(
        &mut reader.tx,
        &reader.actor,
        &process,
        below,
        i64::from(limit) + 1,
    )
    .await?;
    json(&page(
        all,
        limit,
        |version| version.version.to_string(),
        |version| wire_version(&version),
    ))
}

/// Draw a version of a process.
///
/// A Mermaid flowchart of its stages, as text.
#[utoipa::path(
    get, path = "/v1/processes/{process}/versions/{number}/diagram", operation_id = "get_process_diagram", tag = "processes",
    params(
        ("process" = String, Path, description = "Its id or name.", example = "default"),
        ("number" = i64, Path, description = "Which version.", example = 1),
    ),
    responses((status = 200, description = "The diagram.", body = String, content_type = "text/plain")),
    extensions(("x-slipway-permission" = json!("read"))),
)]
pub(super) async fn diagram(
    Path((process, version)): Path<(String, i64)>,
    mut reader: Reader,
) -> Result<Response, Failure> {
    let diagram = processes::diagram(&mut reader.tx, &reader.actor, &process, version).await?;
    let mut response = Response::new(Body::from(diagram));
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    Ok(response)
}

/// Show a version of a process.
#[utoipa::path(
    get, path = "/v1/processes/{process}/versions/{number}", operation_id = "get_process_version", tag = "processes",
    params(
        ("process" = String, Path, description = "Its id or name.", example = "default"),
        ("number" = i64, Path, description = "Which version.", example = 1),
    ),
    responses((status = 200, description = "The version.", body = ProcessVersion,
        headers(("ETag" = String, description = "A digest of it.")))),
    extensions(("x-slipway-permission" = json!("read"))),
)]
pub(super) async fn get(
    Path((process, version)): Path<(String, i64)>,
    mut reader: Reader,
) -> Result<Response, Failure> {
    let version = processes::version(&mut reader.tx, &reader.actor, &process, version).await?;
    reader.one(Tag::Body, &wire_version(&version))
}
