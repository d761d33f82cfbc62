//! Components themselves.

use crate::{
    cursor,
    etag::Tag,
    extract::{Command, Params, Reader, json, limit, page},
    problem::Failure,
};
use axum::{extract::Path, response::Response};
use serde::Deserialize;
use slipway_api_types::{
    Page,
    component::{Component, CreateComponent},
};
use slipway_app::components::{self, ComponentView, Create, Filter};
use slipway_domain::ids::ComponentTag;
use utoipa::IntoParams;

fn wire(view: &ComponentView) -> Component {
    Component {
        id: view.id.to_string(),
        name: view.name.to_string(),
        kind: view.kind.as_str().to_owned(),
        team: view.team_name.to_string(),
        description: view.description.clone(),
        created_at: view.created_at,
    }
}

/// Register a component.
#[utoipa::path(
    post, path = "/v1/components", operation_id = "create_component", tag = "library",
    request_body = CreateComponent,
    responses((status = 201, description = "The component.", body = Component,
        headers(("ETag" = String, description = "Its revision."), ("Location" = String, description = "Where it is.")))),
    extensions(("x-slipway-permission" = json!("component.write")), ("x-slipway-problems" = json!(["exists"]))),
)]
pub(super) async fn create(Command(body, mut change): Command<CreateComponent>) -> Result<Response, Failure> {
    let input = Create {
        name: body.name,
        kind: body.kind,
        team: body.team,
        description: body.description,
    };
    let view = components::create(&mut change.tx, &change.actor, input).await?;
    change
        .created(
            format!("/v1/components/{}", view.id),
            Tag::Revision(view.revision),
            &wire(&view),
        )
        .await
}

/// What of the list is asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ListQuery {
    /// Only of this team (name or id).
    team: Option<String>,
    /// How many, 50 unless given.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// The `next` of the page before.
    cursor: Option<String>,
}

/// List components.
///
/// Newest first.
#[utoipa::path(
    get, path = "/v1/components", operation_id = "list_components", tag = "library",
    params(ListQuery),
    responses((status = 200, description = "One page.", body = Page<Component>)),
    extensions(("x-slipway-permission" = json!("read"))),
)]
pub(super) async fn list(Params(query): Params<ListQuery>, mut reader: Reader) -> Result<Response, Failure> {
    let limit = limit(query.limit);
    let before = cursor::before::<ComponentTag>(query.cursor.as_deref())?;
    let filter = Filter { team: query.team };
    let views = components::list(
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

/// Show a component.
#[utoipa::path(
    get, path = "/v1/components/{component}", operation_id = "get_component", tag = "library",
    params(("component" = String, Path, description = "Its id or name.", example = "web")),
    responses((status = 200, description = "The component.", body = Component,
        headers(("ETag" = String, description = "Its revision.")))),
    extensions(("x-slipway-permission" = json!("read"))),
)]
pub(super) async fn get(Path(component): Path<String>, mut reader: Reader) -> Result<Response, Failure> {
    if reader.is_conditional() {
        let revision = components::revision(&mut reader.tx, &reader.actor, &component).await?;
        if let Some(unchanged) = reader.unchanged(revision) {
            return Ok(unchanged);
        }
    }
    let view = components::get(&mut reader.tx, &reader.actor, &component).await?;
    reader.one(Tag::Revision(view.revision), &wire(&view))
}
