//! `/v1/services`: what users depend on.

use crate::{
    cursor,
    etag::Tag,
    extract::{Change, Command, Params, Reader, json, limit, page},
    problem::Failure,
    state::ApiState,
};
use axum::{extract::Path, response::Response};
use serde::Deserialize;
use slipway_api_types::{
    Page,
    registry::{CreateService, Service, UpdateService},
};
use slipway_app::services::{self, Create, Filter, ServiceView, Update};
use slipway_domain::ids::ServiceTag;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

pub(crate) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(get, update))
}

fn wire(view: &ServiceView) -> Service {
    Service {
        id: view.id.to_string(),
        name: view.name.to_string(),
        team: view.team_name.to_string(),
        criticality: view.criticality.as_str().to_owned(),
        description: view.description.clone(),
        escalation: view.escalation_group.as_ref().map(ToString::to_string),
        created_at: view.created_at,
    }
}

/// Register a service.
#[utoipa::path(
    post, path = "/v1/services", operation_id = "create_service", tag = "registry",
    request_body = CreateService,
    responses((status = 201, description = "The service.", body = Service,
        headers(("ETag" = String, description = "Its revision."), ("Location" = String, description = "Where it is.")))),
    extensions(("x-slipway-permission" = json!("service.write")), ("x-slipway-problems" = json!(["exists"]))),
)]
async fn create(Command(body, mut change): Command<CreateService>) -> Result<Response, Failure> {
    let input = Create {
        name: body.name,
        team: body.team,
        criticality: body.criticality,
        description: body.description,
        escalation: body.escalation,
    };
    let view = services::create(&mut change.tx, &change.actor, input).await?;
    change
        .created(
            format!("/v1/services/{}", view.id),
            Tag::Revision(view.revision),
            &wire(&view),
        )
        .await
}

/// Change a service.
///
/// What is absent stays; `escalation` given as `null` takes it away.
#[utoipa::path(
    patch, path = "/v1/services/{service}", operation_id = "update_service", tag = "registry",
    params(("service" = String, Path, description = "Its id or name.", example = "storefront")),
    request_body = UpdateService,
    responses((status = 200, description = "The service as it is now.", body = Service,
        headers(("ETag" = String, description = "Its revision.")))),
    extensions(("x-slipway-permission" = json!("service.write"))),
)]
async fn update(
    Path(service): Path<String>,
    Command(body, mut change): Command<UpdateService>,
) -> Result<Response, Failure> {
    let if_match = change.if_match()?;
    let mut input = Update {
        team: body.team,
        criticality: body.criticality,
        description: body.description,
        escalation: body.escalation.map(Some),
    };
    if change.takes_away("/escalation") {
        input.escalation = Some(None);
    }
    let Change { tx, actor, .. } = &mut change;
    let view = services::update(tx, actor, &service, if_match, input).await?;
    change.ok(Tag::Revision(view.revision), &wire(&view)).await
}

/// What of the list is asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// Only of this team (name or id).
    team: Option<String>,
    /// How many, 50 unless given.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// The `next` of the page before.
    cursor: Option<String>,
}

/// List services.
///
/// Newest first.
#[utoipa::path(
    get, path = "/v1/services", operation_id = "list_services", tag = "registry",
    params(ListQuery),
    responses((status = 200, description = "One page.", body = Page<Service>)),
    extensions(("x-slipway-permission" = json!("read"))),
)]
async fn list(Params(query): Params<ListQuery>, mut reader: Reader) -> Result<Response, Failure> {
    let limit = limit(query.limit);
    let before = cursor::before::<ServiceTag>(query.cursor.as_deref())?;
    let filter = Filter { team: query.team };
    let views = services::list(
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
        |view| view.id.to_string(),
        |view| wire(&view),
    ))
}

/// Show a service.
#[utoipa::path(
    get, path = "/v1/services/{service}", operation_id = "get_service", tag = "registry",
    params(("service" = String, Path, description = "Its id or name.", example = "storefront")),
    responses((status = 200, description = "The service.", body = Service,
        headers(("ETag" = String, description = "Its revision.")))),
    extensions(("x-slipway-permission" = json!("read"))),
)]
async fn get(Path(service): Path<String>, mut reader: Reader) -> Result<Response, Failure> {
    if reader.is_conditional() {
        let revision = services::revision(&mut reader.tx, &reader.actor, &service).await?;
        if let Some(unchanged) = reader.unchanged(revision) {
            return Ok(unchanged);
        }
    }
    let view = services::get(&mut reader.tx, &reader.actor, &service).await?;
    reader.one(Tag::Revision(view.revision), &wire(&view))
}
