//! Reading deployments.

use super::wire;
use crate::{
    cursor,
    etag::Tag,
    extract::{Params, Reader, invalid_parameter, json, limit, page},
    problem::Failure,
    v1::resolve,
};
use axum::{extract::Path, response::Response};
use serde::Deserialize;
use slipway_api_types::{
    Page,
    deployment::{Deployment, DeploymentTarget, Gate},
};
use slipway_app::deployments::{self, Filter};
use slipway_domain::{deployment::StateName, ids::DeploymentTag};
use utoipa::IntoParams;

/// What of the list is asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ListQuery {
    /// Only of this service (name or id).
    service: Option<String>,
    /// Only to this environment (name or id).
    environment: Option<String>,
    /// Only of this release (id or `service@version`).
    release: Option<String>,
    /// Only in one of these states, separated by commas; `active` for all that have not ended.
    #[param(example = "pending,running")]
    state: Option<String>,
    /// How many, 50 unless given.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// The `next` of the page before.
    cursor: Option<String>,
}

/// List deployments.
///
/// Newest first.
#[utoipa::path(
    get, path = "/v1/deployments", operation_id = "list_deployments", tag = "deployments",
    params(ListQuery),
    responses((status = 200, description = "One page.", body = Page<Deployment>)),
    extensions(("x-slipway-permission" = json!("read"))),
)]
pub(super) async fn list(Params(query): Params<ListQuery>, mut reader: Reader) -> Result<Response, Failure> {
    let limit = limit(query.limit);
    let before = cursor::before::<DeploymentTag>(query.cursor.as_deref())?;
    let filter = Filter {
        states: states(query.state.as_deref())?,
        service: resolve::service(&mut reader, query.service.as_deref()).await?,
        environment: resolve::environment(&mut reader, query.environment.as_deref()).await?,
        release: resolve::release(&mut reader, query.release.as_deref()).await?,
    };
    let views = deployments::list(
        &mut reader.tx,
        &reader.actor,
        &filter,
        before,
        i64::from(limit) + 1,
    )
    .await?;
    json(&page(
        views,
        limit,
        |view| view.row.deployment.id.to_string(),
        |view| wire::deployment(&view),
    ))
}

fn states(given: Option<&str>) -> Result<Vec<StateName>, Failure> {
    let Some(given) = given else { return Ok(Vec::new()) };
    if given == "active" {
        return Ok(StateName::ALL
            .into_iter()
            .filter(|state| !state.is_terminal())
            .collect());
    }
    let parse = |text: &str| {
        text.trim()
            .parse()
            .map_err(|error: String| invalid_parameter("state", error))
    };
    given.split(',').map(parse).collect()
}

/// Show a deployment.
///
/// With its gates, its targets and, while it has not ended, what it waits for.
#[utoipa::path(
    get, path = "/v1/deployments/{deployment}", operation_id = "get_deployment", tag = "deployments",
    params(("deployment" = String, Path, description = "Its id.", example = "dep_01kq3m2x5vf9tb2t7w3c7b8d9e")),
    responses((status = 200, description = "The deployment.", body = Deployment,
        headers(("ETag" = String, description = "Its revision, and a digest of what is shown.")))),
    extensions(("x-slipway-permission" = json!("read"))),
)]
pub(super) async fn get(Path(deployment): Path<String>, mut reader: Reader) -> Result<Response, Failure> {
    let view = deployments::get(&mut reader.tx, &reader.actor, &deployment).await?;
    reader.one(
        Tag::Composed(view.row.deployment.revision),
        &wire::deployment(&view),
    )
}

/// Show the gates of a deployment.
///
/// As last judged, with what they were judged on.
#[utoipa::path(
    get, path = "/v1/deployments/{deployment}/gates", operation_id = "get_deployment_gates", tag = "deployments",
    params(("deployment" = String, Path, description = "Its id.", example = "dep_01kq3m2x5vf9tb2t7w3c7b8d9e")),
    responses((status = 200, description = "All of them.", body = Page<Gate>,
        headers(("ETag" = String, description = "A digest of what is shown.")))),
    extensions(("x-slipway-permission" = json!("read"))),
)]
pub(super) async fn gates(Path(deployment): Path<String>, mut reader: Reader) -> Result<Response, Failure> {
    let view = deployments::get(&mut reader.tx, &reader.actor, &deployment).await?;
    let items: Vec<Gate> = view.row.gates.iter().map(wire::gate).collect();
    reader.one(Tag::Body, &Page { items, next: None })
}

/// Show the targets of a deployment.
///
/// In the order of their waves, each with its step, its readiness and the real reason of what it waits for.
#[utoipa::path(
    get, path = "/v1/deployments/{deployment}/targets", operation_id = "get_deployment_targets", tag = "deployments",
    params(("deployment" = String, Path, description = "Its id.", example = "dep_01kq3m2x5vf9tb2t7w3c7b8d9e")),
    responses((status = 200, description = "All of them.", body = Page<DeploymentTarget>,
        headers(("ETag" = String, description = "A digest of what is shown.")))),
    extensions(("x-slipway-permission" = json!("read"))),
)]
pub(super) async fn targets(Path(deployment): Path<String>, mut reader: Reader) -> Result<Response, Failure> {
    let view = deployments::get(&mut reader.tx, &reader.actor, &deployment).await?;
    reader.one(
        Tag::Body,
        &Page {
            items: wire::targets(&view),
            next: None,
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_filtered_by_name_and_unknown_ones_refused() {
        assert_eq!(
            states(Some("pending,running")).unwrap(),
            [StateName::Pending, StateName::Running]
        );
        assert!(states(Some("active")).unwrap().contains(&StateName::Paused));
        assert!(states(None).unwrap().is_empty());
        assert_eq!(states(Some("done")).unwrap_err().kind().status, 400);
    }
}
