//! `/v1/targets`: where services land.

use crate::{
    cursor,
    etag::Tag,
    extract::{Command, NoBody, Params, Reader, json, limit, page},
    problem::Failure,
    state::ApiState,
    v1::deployments::created,
};
use axum::{extract::Path, response::Response};
use serde::Deserialize;
use slipway_api_types::{
    Page, Reason,
    deployment::Deployment,
    registry::{CreateTarget, Target},
};
use slipway_app::{
    deployments,
    targets::{self, Create, Filter, TargetView},
};
use slipway_domain::ids::TargetTag;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

pub(crate) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(get, delete))
        .routes(routes!(clean))
}

fn wire(view: &TargetView) -> Target {
    Target {
        id: view.target.id.to_string(),
        service: view.service.to_string(),
        environment: view.environment.to_string(),
        cluster: view.cluster.to_string(),
        namespace: view.target.namespace.to_string(),
        labels: view.target.labels.clone(),
        declared: view.declared,
        generation: view.target.generation,
        runs: view.runs.clone(),
        deployment: view.target.now.as_ref().map(|now| now.deployment.to_string()),
        current: view.current,
        message: targets::left_behind(view),
    }
}

/// Say where a service lands.
///
/// Instead of the default, which is every cluster of the environment, in a namespace named after the service. As soon as
/// one target is declared for a service in an environment, only declared ones count.
#[utoipa::path(
    post, path = "/v1/targets", operation_id = "create_target", tag = "registry",
    request_body = CreateTarget,
    responses((status = 201, description = "The target.", body = Target,
        headers(("ETag" = String, description = "Its revision, and a digest of what is shown."), ("Location" = String, description = "Where it is.")))),
    extensions(("x-slipway-permission" = json!("target.write")), ("x-slipway-problems" = json!(["exists"]))),
)]
async fn create(Command(body, mut change): Command<CreateTarget>) -> Result<Response, Failure> {
    let input = Create {
        service: body.service,
        environment: body.environment,
        cluster: body.cluster,
        namespace: body.namespace,
        labels: body.labels,
    };
    let view = targets::create(&mut change.tx, &change.actor, input).await?;
    let location = format!("/v1/targets/{}", view.target.id);
    change
        .created(location, Tag::Composed(view.target.revision), &wire(&view))
        .await
}

/// What of the list is asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// Only of this service (name or id).
    service: Option<String>,
    /// Only in this environment (name or id).
    environment: Option<String>,
    /// How many, 50 unless given.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// The `next` of the page before.
    cursor: Option<String>,
}

/// List targets.
///
/// Newest first, with what runs on each. Former targets, where a service no longer lands, are among them for as long as
/// they hold something of it, and say so.
#[utoipa::path(
    get, path = "/v1/targets", operation_id = "list_targets", tag = "registry",
    params(ListQuery),
    responses((status = 200, description = "One page.", body = Page<Target>)),
    extensions(("x-slipway-permission" = json!("read"))),
)]
async fn list(Params(query): Params<ListQuery>, mut reader: Reader) -> Result<Response, Failure> {
    let limit = limit(query.limit);
    let before = cursor::before::<TargetTag>(query.cursor.as_deref())?;
    let filter = Filter {
        service: query.service,
        environment: query.environment,
    };
    let views = targets::list(
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
        |view| view.target.id.to_string(),
        |view| wire(&view),
    ))
}

/// Show a target.
#[utoipa::path(
    get, path = "/v1/targets/{target}", operation_id = "get_target", tag = "registry",
    params(("target" = String, Path, description = "Its id.", example = "tgt_01kq3m2x5vf9tb2t7w3c7b8d9e")),
    responses((status = 200, description = "The target.", body = Target,
        headers(("ETag" = String, description = "Its revision, and a digest of what is shown.")))),
    extensions(("x-slipway-permission" = json!("read"))),
)]
async fn get(Path(target): Path<String>, mut reader: Reader) -> Result<Response, Failure> {
    let view = targets::get(&mut reader.tx, &reader.actor, &target).await?;
    reader.one(Tag::Composed(view.target.revision), &wire(&view))
}

/// Take a declared target back.
///
/// What runs there goes on running; nothing more is deployed to it. It stays in the list as a former target until it is
/// cleaned.
#[utoipa::path(
    delete, path = "/v1/targets/{target}", operation_id = "delete_target", tag = "registry",
    params(("target" = String, Path, description = "Its id.", example = "tgt_01kq3m2x5vf9tb2t7w3c7b8d9e")),
    responses((status = 204, description = "It is gone.")),
    extensions(
        ("x-slipway-permission" = json!("target.write")),
        ("x-slipway-problems" = json!(["conflict", "in-use"])),
    ),
)]
async fn delete(
    Path(target): Path<String>,
    Command(_body, mut change): Command<NoBody>,
) -> Result<Response, Failure> {
    targets::delete(&mut change.tx, &change.actor, &target).await?;
    change.no_content().await
}

/// Clean a former target.
///
/// Takes away what a service left where it no longer lands, as a deployment of its own (a rollback to nothing). Refused for
/// a target that is in use. What holds data is kept, as ever.
#[utoipa::path(
    post, path = "/v1/targets/{target}/clean", operation_id = "clean_target", tag = "registry",
    params(("target" = String, Path, description = "Its id.", example = "tgt_01kq3m2x5vf9tb2t7w3c7b8d9e")),
    request_body = Reason,
    responses((status = 201, description = "The deployment that does it.", body = Deployment,
        headers(("ETag" = String, description = "Its revision."), ("Location" = String, description = "Where it is.")))),
    extensions(
        ("x-slipway-permission" = json!("deployment.roll_back")),
        ("x-slipway-problems" = json!(["conflict", "in-use"])),
    ),
)]
async fn clean(
    Path(target): Path<String>,
    Command(body, mut change): Command<Reason>,
) -> Result<Response, Failure> {
    let view = deployments::clean(&mut change.tx, &change.actor, &target, body.reason).await?;
    created(change, &view).await
}
