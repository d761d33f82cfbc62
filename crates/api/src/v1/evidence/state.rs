//! Stating, and taking back.

use super::wire;
use crate::{
    etag::Tag,
    extract::{Change, Command},
    problem::Failure,
};
use axum::{extract::Path, response::Response};
use slipway_api_types::{
    Reason,
    evidence::{CreateEvidence, Evidence},
};
use slipway_app::evidence::{self, About, State};

async fn stated(about: About, body: CreateEvidence, mut change: Change) -> Result<Response, Failure> {
    let input = State {
        kind: body.kind,
        name: body.name,
        format: body.format,
        document: body.document,
    };
    let Change { tx, actor, .. } = &mut change;
    let view = evidence::state(tx, actor, &about, input).await?;
    let location = format!("/v1/evidence/{}", view.statement.id);
    change.created(location, Tag::Body, &wire(&view)).await
}

/// State something about a version of a component.
///
/// The document is read, verified and kept; `errors` lists everything that is wrong with it, in `/document`. A document that
/// names what it is about must name this version's digest, or that of an image that it runs. It takes the place of the last
/// statement of its kind and name. What waits to bring the version somewhere is looked at again at once.
#[utoipa::path(
    post, path = "/v1/components/{component}/versions/{version}/evidence", operation_id = "create_version_evidence",
    tag = "evidence",
    params(
        ("component" = String, Path, description = "Its id or name.", example = "web"),
        ("version" = String, Path, description = "The semantic version, or its id.", example = "1.0.0"),
    ),
    request_body = CreateEvidence,
    responses((status = 201, description = "The statement.", body = Evidence,
        headers(("ETag" = String, description = "A digest of what is shown."), ("Location" = String, description = "Where it is.")))),
    extensions(
        ("x-slipway-permission" = json!("evidence.write")),
        ("x-slipway-problems" = json!(["not-a-person"])),
    ),
)]
pub(super) async fn of_version(
    Path((component, version)): Path<(String, String)>,
    Command(body, change): Command<CreateEvidence>,
) -> Result<Response, Failure> {
    stated(About::Version(component, version), body, change).await
}

/// State something about a release.
///
/// As about a version of a component; the release must be sealed, so that it has a digest.
#[utoipa::path(
    post, path = "/v1/releases/{release}/evidence", operation_id = "create_release_evidence", tag = "evidence",
    params(("release" = String, Path, description = "Its id, or `service@version`.", example = "shop@1.0.0")),
    request_body = CreateEvidence,
    responses((status = 201, description = "The statement.", body = Evidence,
        headers(("ETag" = String, description = "A digest of what is shown."), ("Location" = String, description = "Where it is.")))),
    extensions(
        ("x-slipway-permission" = json!("evidence.write")),
        ("x-slipway-problems" = json!(["release-state", "not-a-person"])),
    ),
)]
pub(super) async fn of_release(
    Path(release): Path<String>,
    Command(body, change): Command<CreateEvidence>,
) -> Result<Response, Failure> {
    stated(About::Release(release), body, change).await
}

/// Withdraw a statement.
///
/// Nothing counts in its place until it is stated again. One that says that something is wrong goes on saying so until a
/// better one takes its place.
#[utoipa::path(
    post, path = "/v1/evidence/{evidence}/withdraw", operation_id = "withdraw_evidence", tag = "evidence",
    params(("evidence" = String, Path, description = "Its id.")),
    request_body = Reason,
    responses((status = 200, description = "The statement as it is now.", body = Evidence,
        headers(("ETag" = String, description = "A digest of what is shown.")))),
    extensions(
        ("x-slipway-permission" = json!("evidence.write")),
        ("x-slipway-problems" = json!(["evidence-state"])),
    ),
)]
pub(super) async fn withdraw(
    Path(id): Path<String>,
    Command(body, mut change): Command<Reason>,
) -> Result<Response, Failure> {
    let Change { tx, actor, .. } = &mut change;
    let view = evidence::withdraw(tx, actor, &id, body.reason.as_deref().unwrap_or_default()).await?;
    change.ok(Tag::Body, &wire(&view)).await
}
