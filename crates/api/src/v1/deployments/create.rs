//! Asking for deployments.

use super::wire;
use crate::{etag::Tag, extract::Command, problem::Failure};
use axum::response::Response;
use slipway_api_types::deployment::{CreateDeployment, Deployment};
use slipway_app::deployments::{self, Create, Emergency};

/// Ask for a deployment.
///
/// Its targets and what is applied to them are fixed now, people are asked for approval where the environment wants it,
/// and its gates are judged for the first time. It runs once every gate holds.
#[utoipa::path(
    post, path = "/v1/deployments", operation_id = "create_deployment", tag = "deployments",
    request_body = CreateDeployment,
    responses((status = 201, description = "The deployment; `gates` and `blockers` say what it waits for.", body = Deployment,
        headers(("ETag" = String, description = "Its revision."), ("Location" = String, description = "Where it is.")))),
    extensions(
        ("x-slipway-permission" = json!("deployment.create")),
        ("x-slipway-problems" = json!(["not-found", "release-state", "component-recalled", "not-promoted", "not-in-process", "no-targets", "not-overridable", "not-a-person"])),
    ),
)]
pub(super) async fn create(
    Command(body, mut change): Command<CreateDeployment>,
) -> Result<Response, Failure> {
    let input = Create {
        release: body.release,
        environment: body.environment,
        not_before: body.not_before,
        reason: body.reason,
        force_conflicts: body.force_conflicts,
        break_glass: body.break_glass.map(|emergency| Emergency {
            justification: emergency.justification,
            incident: emergency.incident,
        }),
    };
    let view = deployments::create(&change.app, &mut change.tx, &change.actor, input).await?;
    let d = &view.row.deployment;
    change
        .created(
            format!("/v1/deployments/{}", d.id),
            Tag::Composed(d.revision),
            &wire::deployment(&view),
        )
        .await
}
