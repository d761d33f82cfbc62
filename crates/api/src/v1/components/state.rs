//! Taking versions out of use.

use super::wire_version;
use crate::{etag::Tag, extract::Command, problem::Failure};
use axum::{extract::Path, response::Response};
use slipway_api_types::{Reason, component::Version};
use slipway_app::components;

/// Deprecate a version.
///
/// It may still be used; something better is there. Say what, as the reason.
#[utoipa::path(
    post, path = "/v1/components/{component}/versions/{version}/deprecate", operation_id = "deprecate_version", tag = "library",
    params(
        ("component" = String, Path, description = "Its id or name.", example = "web"),
        ("version" = String, Path, description = "The semantic version, or its id.", example = "1.0.0"),
    ),
    request_body = Reason,
    responses((status = 200, description = "The version as it is now.", body = Version,
        headers(("ETag" = String, description = "Its revision.")))),
    extensions(
        ("x-slipway-permission" = json!("component.write")),
        ("x-slipway-problems" = json!(["state"])),
    ),
)]
pub(super) async fn deprecate(
    Path((component, version)): Path<(String, String)>,
    Command(body, mut change): Command<Reason>,
) -> Result<Response, Failure> {
    let reason = body.reason.unwrap_or_default();
    let view = components::deprecate(&mut change.tx, &change.actor, &component, &version, &reason).await?;
    change
        .ok(Tag::Revision(view.version.revision), &wire_version(&view))
        .await
}

/// Recall a version.
///
/// It must not be used in new releases or deployments. What runs of it goes on running.
#[utoipa::path(
    post, path = "/v1/components/{component}/versions/{version}/recall", operation_id = "recall_version", tag = "library",
    params(
        ("component" = String, Path, description = "Its id or name.", example = "web"),
        ("version" = String, Path, description = "The semantic version, or its id.", example = "1.0.0"),
    ),
    request_body = Reason,
    responses((status = 200, description = "The version as it is now.", body = Version,
        headers(("ETag" = String, description = "Its revision.")))),
    extensions(
        ("x-slipway-permission" = json!("component.write")),
        ("x-slipway-problems" = json!(["state"])),
    ),
)]
pub(super) async fn recall(
    Path((component, version)): Path<(String, String)>,
    Command(body, mut change): Command<Reason>,
) -> Result<Response, Failure> {
    let reason = body.reason.unwrap_or_default();
    let view = components::recall(&mut change.tx, &change.actor, &component, &version, &reason).await?;
    change
        .ok(Tag::Revision(view.version.revision), &wire_version(&view))
        .await
}
