//! What happens inside a deployment: why it waits, what was done, what is applied.

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
    deployment::{Explanation, Manifests, TargetManifests},
    event,
};
use slipway_app::{deployments, events::Event};
use slipway_domain::ids::EventTag;
use utoipa::IntoParams;

/// Explain a deployment.
///
/// Why it is not moving, who can move it, and when it will move by itself.
#[utoipa::path(
    get, path = "/v1/deployments/{deployment}/explain", operation_id = "explain_deployment", tag = "deployments",
    params(("deployment" = String, Path, description = "Its id.", example = "dep_01kq3m2x5vf9tb2t7w3c7b8d9e")),
    responses((status = 200, description = "The explanation.", body = Explanation)),
    extensions(("x-slipway-permission" = json!("read"))),
)]
pub(super) async fn explain(Path(deployment): Path<String>, mut reader: Reader) -> Result<Response, Failure> {
    let why = deployments::explain(&mut reader.tx, &reader.actor, &deployment).await?;
    json(&Explanation {
        deployment: why.deployment.to_string(),
        state: why.state.as_str().to_owned(),
        summary: why.summary,
        blockers: why.blockers.iter().map(wire::blocker).collect(),
        allowed: why.allowed,
    })
}

/// What of the log is asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct LogQuery {
    /// How many, 50 unless given.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// The `next` of the page before.
    cursor: Option<String>,
}

/// List the activities of a deployment.
///
/// The log of technical work, newest first.
#[utoipa::path(
    get, path = "/v1/deployments/{deployment}/activities", operation_id = "list_deployment_activities", tag = "deployments",
    params(
        ("deployment" = String, Path, description = "Its id.", example = "dep_01kq3m2x5vf9tb2t7w3c7b8d9e"),
        LogQuery,
    ),
    responses((status = 200, description = "One page.", body = Page<event::Event>)),
    extensions(("x-slipway-permission" = json!("read"))),
)]
pub(super) async fn activities(
    Path(deployment): Path<String>,
    Params(query): Params<LogQuery>,
    mut reader: Reader,
) -> Result<Response, Failure> {
    let limit = limit(query.limit);
    let before = cursor::before::<EventTag>(query.cursor.as_deref())?;
    let asked = i64::from(limit) + 1;
    let events = deployments::activities(&mut reader.tx, &reader.actor, &deployment, before, asked).await?;
    json(&page(events, limit, |event| event.id.to_string(), wire_event))
}

/// Show what a deployment applies.
///
/// The exact objects of every target as stored and approved; values of Secrets are redacted.
#[utoipa::path(
    get, path = "/v1/deployments/{deployment}/manifests", operation_id = "get_deployment_manifests", tag = "deployments",
    params(("deployment" = String, Path, description = "Its id.", example = "dep_01kq3m2x5vf9tb2t7w3c7b8d9e")),
    responses((status = 200, description = "One entry a target.", body = Manifests,
        headers(("ETag" = String, description = "A digest of what is shown.")))),
    extensions(("x-slipway-permission" = json!("read"))),
)]
pub(super) async fn manifests(
    Path(deployment): Path<String>,
    mut reader: Reader,
) -> Result<Response, Failure> {
    let all = deployments::manifests(&mut reader.tx, &reader.actor, &deployment).await?;
    let targets = all
        .into_iter()
        .map(|one| TargetManifests {
            cluster: one.target.target.cluster_name.to_string(),
            namespace: one.target.target.namespace.to_string(),
            rendering: one.digest.to_string(),
            objects: one.rendering.objects,
            hooks: one.rendering.hooks,
        })
        .collect();
    reader.one(Tag::Body, &Manifests { deployment, targets })
}

/// An event as it goes over the wire; 0 for one that is not numbered yet.
pub(crate) fn wire_event(event: Event) -> event::Event {
    event::Event {
        seq: event.seq.unwrap_or(0),
        at: event.at,
        kind: event.kind,
        message: event.message,
        actor: event.actor,
        subject: event.subject,
        service: event.service,
        environment: event.environment,
        deployment: event.deployment.map(|id| id.to_string()),
        cluster: event.cluster,
        data: event.data,
    }
}
