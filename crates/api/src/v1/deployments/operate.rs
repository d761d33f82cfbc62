//! Steering deployments: pause, resume, cancel; and those that make a new one: retry, roll back.

use super::wire;
use crate::{
    etag::Tag,
    extract::{Change, Command, NoBody},
    problem::Failure,
};
use axum::{extract::Path, response::Response};
use slipway_api_types::{
    Reason,
    deployment::{CreateOverride, Deployment},
};
use slipway_app::deployments::{self, DeploymentView, Emergency};

/// Pause a deployment.
///
/// Takes effect between steps: work in progress on a target finishes its step, then parks.
#[utoipa::path(
    post, path = "/v1/deployments/{deployment}/pause", operation_id = "pause_deployment", tag = "deployments",
    params(("deployment" = String, Path, description = "Its id.", example = "dep_01kq3m2x5vf9tb2t7w3c7b8d9e")),
    request_body = Reason,
    responses((status = 200, description = "The deployment as it is now.", body = Deployment,
        headers(("ETag" = String, description = "Its revision.")))),
    extensions(
        ("x-slipway-permission" = json!("deployment.operate")),
        ("x-slipway-problems" = json!(["deployment-state"])),
    ),
)]
pub(super) async fn pause(
    Path(deployment): Path<String>,
    Command(body, mut change): Command<Reason>,
) -> Result<Response, Failure> {
    let view = deployments::pause(&mut change.tx, &change.actor, &deployment, body.reason).await?;
    shown(change, &view).await
}

/// Override a gate of a deployment.
///
/// In an emergency, and only where every policy in force there that has a clause `break_glass` names that gate. It is told loudly, must
/// be answered for afterwards, and opens a review. A person's no, and what is too late, are never overridden.
#[utoipa::path(
    post, path = "/v1/deployments/{deployment}/overrides", operation_id = "override_gate", tag = "deployments",
    params(("deployment" = String, Path, description = "Its id.", example = "dep_01kq3m2x5vf9tb2t7w3c7b8d9e")),
    request_body = CreateOverride,
    responses((status = 200, description = "The deployment as it is now.", body = Deployment,
        headers(("ETag" = String, description = "Its revision.")))),
    extensions(
        ("x-slipway-permission" = json!("deployment.override")),
        ("x-slipway-problems" = json!(["not-a-person", "deployment-state", "not-overridable", "already-overridden"])),
    ),
)]
pub(super) async fn override_gate(
    Path(deployment): Path<String>,
    Command(body, mut change): Command<CreateOverride>,
) -> Result<Response, Failure> {
    let emergency = Emergency {
        justification: body.justification,
        incident: body.incident,
    };
    let Change { tx, actor, .. } = &mut change;
    let view = deployments::override_gate(tx, actor, &deployment, &body.gate, emergency).await?;
    shown(change, &view).await
}

/// Resume a deployment.
///
/// Goes on where it was paused.
#[utoipa::path(
    post, path = "/v1/deployments/{deployment}/resume", operation_id = "resume_deployment", tag = "deployments",
    params(("deployment" = String, Path, description = "Its id.", example = "dep_01kq3m2x5vf9tb2t7w3c7b8d9e")),
    responses((status = 200, description = "The deployment as it is now.", body = Deployment,
        headers(("ETag" = String, description = "Its revision.")))),
    extensions(
        ("x-slipway-permission" = json!("deployment.operate")),
        ("x-slipway-problems" = json!(["deployment-state"])),
    ),
)]
pub(super) async fn resume(
    Path(deployment): Path<String>,
    Command(_body, mut change): Command<NoBody>,
) -> Result<Response, Failure> {
    let view = deployments::resume(&mut change.tx, &change.actor, &deployment).await?;
    shown(change, &view).await
}

/// Cancel a deployment.
///
/// Before work began, nothing happens at all; under way, it stops between steps and leaves a recorded state.
#[utoipa::path(
    post, path = "/v1/deployments/{deployment}/cancel", operation_id = "cancel_deployment", tag = "deployments",
    params(("deployment" = String, Path, description = "Its id.", example = "dep_01kq3m2x5vf9tb2t7w3c7b8d9e")),
    request_body = Reason,
    responses((status = 200, description = "The deployment as it is now.", body = Deployment,
        headers(("ETag" = String, description = "Its revision.")))),
    extensions(
        ("x-slipway-permission" = json!("deployment.operate")),
        ("x-slipway-problems" = json!(["deployment-state"])),
    ),
)]
pub(super) async fn cancel(
    Path(deployment): Path<String>,
    Command(body, mut change): Command<Reason>,
) -> Result<Response, Failure> {
    let view = deployments::cancel(&mut change.tx, &change.actor, &deployment, body.reason).await?;
    shown(change, &view).await
}

/// Try a deployment again.
///
/// As a new deployment of the same release, through every gate, linked to this one.
#[utoipa::path(
    post, path = "/v1/deployments/{deployment}/retry", operation_id = "retry_deployment", tag = "deployments",
    params(("deployment" = String, Path, description = "Its id.", example = "dep_01kq3m2x5vf9tb2t7w3c7b8d9e")),
    request_body = Reason,
    responses((status = 201, description = "The new deployment.", body = Deployment,
        headers(("ETag" = String, description = "Its revision."), ("Location" = String, description = "Where it is.")))),
    extensions(
        ("x-slipway-permission" = json!("deployment.operate")),
        ("x-slipway-problems" = json!(["deployment-state", "release-state", "component-recalled", "not-promoted", "no-targets"])),
    ),
)]
pub(super) async fn retry(
    Path(deployment): Path<String>,
    Command(body, mut change): Command<Reason>,
) -> Result<Response, Failure> {
    let view = deployments::retry(
        &change.app,
        &mut change.tx,
        &change.actor,
        &deployment,
        body.reason,
    )
    .await?;
    created(change, &view).await
}

/// Roll a deployment back.
///
/// As a new deployment that brings every target back to what ran before, from its stored rendering.
#[utoipa::path(
    post, path = "/v1/deployments/{deployment}/rollback", operation_id = "rollback_deployment", tag = "deployments",
    params(("deployment" = String, Path, description = "Its id.", example = "dep_01kq3m2x5vf9tb2t7w3c7b8d9e")),
    request_body = Reason,
    responses((status = 201, description = "The new deployment.", body = Deployment,
        headers(("ETag" = String, description = "Its revision."), ("Location" = String, description = "Where it is.")))),
    extensions(
        ("x-slipway-permission" = json!("deployment.roll_back")),
        ("x-slipway-problems" = json!(["deployment-state", "nothing-to-roll-back", "newer-deployment"])),
    ),
)]
pub(super) async fn rollback(
    Path(deployment): Path<String>,
    Command(body, mut change): Command<Reason>,
) -> Result<Response, Failure> {
    let view = deployments::rollback(&mut change.tx, &change.actor, &deployment, body.reason).await?;
    created(change, &view).await
}

async fn shown(change: Change, view: &DeploymentView) -> Result<Response, Failure> {
    change
        .ok(
            Tag::Composed(view.row.deployment.revision),
            &wire::deployment(view),
        )
        .await
}

/// Answers with a deployment that was made just now.
pub(crate) async fn created(change: Change, view: &DeploymentView) -> Result<Response, Failure> {
    let d = &view.row.deployment;
    change
        .created(
            format!("/v1/deployments/{}", d.id),
            Tag::Composed(d.revision),
            &wire::deployment(view),
        )
        .await
}
