//! `/v1/teams`: they own services and components.

use crate::{
    cursor,
    etag::Tag,
    extract::{Command, Params, Reader, json, limit, page},
    problem::Failure,
    state::ApiState,
};
use axum::{extract::Path, response::Response};
use serde::Deserialize;
use slipway_api_types::{
    Page,
    registry::{CreateTeam, Team},
};
use slipway_app::teams::{self, Create, TeamView};
use slipway_domain::ids::TeamTag;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

pub(crate) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(get))
}

fn wire(view: &TeamView) -> Team {
    Team {
        id: view.id.to_string(),
        name: view.name.to_string(),
        created_at: view.created_at,
    }
}

/// Make a team.
#[utoipa::path(
    post, path = "/v1/teams", operation_id = "create_team", tag = "registry",
    request_body = CreateTeam,
    responses((status = 201, description = "The team.", body = Team,
        headers(("ETag" = String, description = "Its revision."), ("Location" = String, description = "Where it is.")))),
    extensions(("x-slipway-permission" = json!("team.write")), ("x-slipway-problems" = json!(["exists"]))),
)]
async fn create(Command(body, mut change): Command<CreateTeam>) -> Result<Response, Failure> {
    let view = teams::create(&mut change.tx, &change.actor, Create { name: body.name }).await?;
    change
        .created(
            format!("/v1/teams/{}", view.id),
            Tag::Revision(view.revision),
            &wire(&view),
        )
        .await
}

/// What of the list is asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// How many, 50 unless given.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// The `next` of the page before.
    cursor: Option<String>,
}

/// List teams.
///
/// Newest first.
#[utoipa::path(
    get, path = "/v1/teams", operation_id = "list_teams", tag = "registry",
    params(ListQuery),
    responses((status = 200, description = "One page.", body = Page<Team>)),
    extensions(("x-slipway-permission" = json!("read"))),
)]
async fn list(Params(query): Params<ListQuery>, mut reader: Reader) -> Result<Response, Failure> {
    let limit = limit(query.limit);
    let before = cursor::before::<TeamTag>(query.cursor.as_deref())?;
    let views = teams::list(&mut reader.tx, &reader.actor, before, i64::from(limit) + 1).await?;
    json(&page(
        views,
        limit,
        |view| view.id.to_string(),
        |view| wire(&view),
    ))
}

/// Show a team.
#[utoipa::path(
    get, path = "/v1/teams/{team}", operation_id = "get_team", tag = "registry",
    params(("team" = String, Path, description = "Its id or name.", example = "shop")),
    responses((status = 200, description = "The team.", body = Team,
        headers(("ETag" = String, description = "Its revision.")))),
    extensions(("x-slipway-permission" = json!("read"))),
)]
async fn get(Path(team): Path<String>, mut reader: Reader) -> Result<Response, Failure> {
    if reader.is_conditional() {
        let revision = teams::revision(&mut reader.tx, &reader.actor, &team).await?;
        if let Some(unchanged) = reader.unchanged(revision) {
            return Ok(unchanged);
        }
    }
    let view = teams::get(&mut reader.tx, &reader.actor, &team).await?;
    reader.one(Tag::Revision(view.revision), &wire(&view))
}
