//! Writing a policy, and taking it out of force.

use super::{document, wire};
use crate::{
    etag::Tag,
    extract::{Change, Command},
    problem::Failure,
};
use axum::{extract::Path, response::Response};
use slipway_api_types::{
    Reason,
    policy::{CreatePolicy, Policy},
};
use slipway_app::policies;
use slipway_domain::Faults;

/// Write a policy.
///
/// Its first version is a draft: nothing is judged by it until another authority has put it in force.
#[utoipa::path(
    post, path = "/v1/policies", operation_id = "create_policy", tag = "policies",
    request_body = CreatePolicy,
    responses((status = 201, description = "The policy.", body = Policy,
        headers(("ETag" = String, description = "Its revision."), ("Location" = String, description = "Where it is.")))),
    extensions(("x-slipway-permission" = json!("policy.write")), ("x-slipway-problems" = json!(["exists"]))),
)]
pub(super) async fn create(Command(body, mut change): Command<CreatePolicy>) -> Result<Response, Failure> {
    let mut faults = Faults::new();
    let document = document::read(body.document, &mut faults);
    let Change { tx, actor, .. } = &mut change;
    let view = policies::create(tx, actor, &body.name, document, faults).await?;
    change
        .created(
            format!("/v1/policies/{}", view.head.id),
            Tag::Revision(view.head.revision),
            &wire(&view),
        )
        .await
}

/// Take a policy out of force.
///
/// What waits is judged without it at once. Its versions stay readable.
#[utoipa::path(
    post, path = "/v1/policies/{policy}/retire", operation_id = "retire_policy", tag = "policies",
    params(("policy" = String, Path, description = "Its id or name.", example = "production-basics")),
    request_body = Reason,
    responses((status = 200, description = "The policy.", body = Policy,
        headers(("ETag" = String, description = "Its revision.")))),
    extensions(
        ("x-slipway-permission" = json!("policy.write")),
        ("x-slipway-problems" = json!(["policy-state", "not-a-person"])),
    ),
)]
pub(super) async fn retire(
    Path(policy): Path<String>,
    Command(body, mut change): Command<Reason>,
) -> Result<Response, Failure> {
    let Change { tx, actor, .. } = &mut change;
    let view = policies::retire(tx, actor, &policy, body.reason.as_deref().unwrap_or_default()).await?;
    change.ok(Tag::Revision(view.head.revision), &wire(&view)).await
}
