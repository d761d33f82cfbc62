//! Sealing and withdrawing releases.

use super::wire;
use crate::{
    etag::Tag,
    extract::{Command, NoBody},
    problem::Failure,
};
use axum::{extract::Path, response::Response};
use slipway_api_types::{Reason, release::Release};
use slipway_app::releases;

/// Seal a release.
///
/// After it, nothing in the release changes, and its digest names all of it: what is approved, and what runs.
#[utoipa::path(
    post, path = "/v1/releases/{release}/seal", operation_id = "seal_release", tag = "releases",
    params(("release" = String, Path, description = "Its id, or `service@version`.", example = "storefront@1.0.0")),
    responses((status = 200, description = "The sealed release, with its digest.", body = Release,
        headers(("ETag" = String, description = "Its revision.")))),
    extensions(
        ("x-slipway-permission" = json!("release.seal")),
        ("x-slipway-problems" = json!(["release-state", "validation"])),
    ),
)]
pub(super) async fn seal(
    Path(release): Path<String>,
    Command(_body, mut change): Command<NoBody>,
) -> Result<Response, Failure> {
    let view = releases::seal(&mut change.tx, &change.actor, &release).await?;
    change
        .ok(Tag::Revision(view.release.revision), &wire(&view))
        .await
}

/// Withdraw a release.
///
/// It must not be deployed any more. What runs of it goes on running.
#[utoipa::path(
    post, path = "/v1/releases/{release}/withdraw", operation_id = "withdraw_release", tag = "releases",
    params(("release" = String, Path, description = "Its id, or `service@version`.", example = "storefront@1.0.0")),
    request_body = Reason,
    responses((status = 200, description = "The withdrawn release.", body = Release,
        headers(("ETag" = String, description = "Its revision.")))),
    extensions(
        ("x-slipway-permission" = json!("release.withdraw")),
        ("x-slipway-problems" = json!(["release-state"])),
    ),
)]
pub(super) async fn withdraw(
    Path(release): Path<String>,
    Command(body, mut change): Command<Reason>,
) -> Result<Response, Failure> {
    let view = releases::withdraw(&mut change.tx, &change.actor, &release, body.reason).await?;
    change
        .ok(Tag::Revision(view.release.revision), &wire(&view))
        .await
}
