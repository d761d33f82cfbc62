//! Writing a process, and taking it out of force.

use super::{document, wire};
use crate::{
    etag::Tag,
    extract::{Change, Command},
    problem::Failure,
};
use axum::{extract::Path, response::Response};
use slipway_api_types::{
    Reason,
    process::{CreateProcess, Process},
};
use slipway_app::processes::{self, Create};
use slipway_domain::Faults;

/// Write a process.
///
/// Its first version is a draft: no release goes by it until an authority other than its author has put it in force.
#[utoipa::path(
    post, path = "/v1/processes", operation_id = "create_process", tag = "processes",
    request_body = CreateProcess,
    responses((status = 201, description = "The process.", body = Process,
        headers(("ETag" = String, description = "Its revision."), ("Location" = String, description = "Where it is.")))),
    extensions(("x-slipway-permission" = json!("process.write")), ("x-slipway-problems" = json!(["exists"]))),
)]
pub(super) async fn create(Command(body, mut change): Command<CreateProcess>) -> Result<Response, Failure> {
    let mut faults = Faults::new();
    let input = Create {
        name: body.name,
        service: body.service,
        team: body.team,
        document: document::read(body.document, &mut faults),
    };
    let Change { tx, actor, .. } = &mut change;
    let view = processes::create(tx, actor, input, faults).await?;
    change
        .created(
            format!("/v1/processes/{}", view.head.id),
            Tag::Revision(view.head.revision),
            &wire(&view),
        )
        .await
}

/// Take a process out of force.
///
/// Releases that are sealed from now on go by the next wider one; those that are sealed already by what they pinned. The one
/// that everything else goes by cannot be taken out of force.
#[utoipa::path(
    post, path = "/v1/processes/{process}/retire", operation_id = "retire_process", tag = "processes",
    params(("process" = String, Path, description = "Its id or name.", example = "default")),
    request_body = Reason,
    responses((status = 200, description = "The process.", body = Process,
        headers(("ETag" = String, description = "Its revision.")))),
    extensions(
        ("x-slipway-permission" = json!("process.activate")),
        ("x-slipway-problems" = json!(["process-state", "not-a-person"])),
    ),
)]
pub(super) async fn retire(
    Path(process): Path<String>,
    Command(body, mut change): Command<Reason>,
) -> Result<Response, Failure> {
    let Change { tx, actor, .. } = &mut change;
    let view = processes::retire(tx, actor, &process, body.reason.as_deref().unwrap_or_default()).await?;
    change.ok(Tag::Revision(view.head.revision), &wire(&view)).await
}
