//! `/v1/environments`: where releases go.

use super::{
    releases::{overlay, wire_overlay},
    requirement,
};
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
    registry::{CreateEnvironment, Environment, EnvironmentSettings, UpdateEnvironment, Wave},
};
use slipway_app::environments::{self, Create, EnvironmentView, SettingsInput, Update, WaveInput};
use slipway_domain::{ids::EnvironmentTag, registry::environment as domain};
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

pub(crate) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(get, update))
}

fn wire(view: &EnvironmentView) -> Environment {
    Environment {
        id: view.id.to_string(),
        name: view.name.to_string(),
        tier: view.tier.as_str().to_owned(),
        promotes_from: view.promotes_from.as_ref().map(|(_, name)| name.to_string()),
        clusters: view.clusters.iter().map(ToString::to_string).collect(),
        settings: wire_settings(&view.settings),
        created_at: view.created_at,
    }
}

/// Settings with every default filled in.
fn wire_settings(settings: &domain::Settings) -> EnvironmentSettings {
    let wave = |wave: &domain::Wave| Wave {
        name: wave.name.to_string(),
        match_labels: wave.match_labels.clone(),
        max_parallel: wave.max_parallel,
        max_failures: wave.max_failures,
        soak: Some(wave.soak.to_string()),
    };
    EnvironmentSettings {
        approvals: settings.approvals.as_ref().map(requirement::wire),
        waves: Some(settings.waves.iter().map(wave).collect()),
        progress_deadline: Some(settings.progress_deadline.to_string()),
        promotion_soak: Some(settings.promotion_soak.to_string()),
        automatic_rollback: Some(settings.automatic_rollback),
        expires_after: Some(settings.expires_after.to_string()),
        config: Some(settings.config.iter().map(wire_overlay).collect()),
        drift: Some(settings.drift.as_str().to_owned()),
    }
}

fn settings(given: EnvironmentSettings) -> SettingsInput {
    let wave = |wave: Wave| WaveInput {
        name: wave.name,
        match_labels: wave.match_labels,
        max_parallel: wave.max_parallel,
        max_failures: wave.max_failures,
        soak: wave.soak,
    };
    SettingsInput {
        approvals: given.approvals.map(|rule| Some(requirement::input(rule))),
        waves: given.waves.map(|waves| waves.into_iter().map(wave).collect()),
        progress_deadline: given.progress_deadline,
        promotion_soak: given.promotion_soak,
        automatic_rollback: given.automatic_rollback,
        expires_after: given.expires_after,
        config: given
            .config
            .map(|config| config.into_iter().map(overlay).collect()),
        drift: given.drift,
    }
}

/// Make an environment.
///
/// It names an older one as its stage before, if it has one, and keeps it.
#[utoipa::path(
    post, path = "/v1/environments", operation_id = "create_environment", tag = "registry",
    request_body = CreateEnvironment,
    responses((status = 201, description = "The environment.", body = Environment,
        headers(("ETag" = String, description = "Its revision."), ("Location" = String, description = "Where it is.")))),
    extensions(("x-slipway-permission" = json!("environment.write")), ("x-slipway-problems" = json!(["exists"]))),
)]
async fn create(Command(body, mut change): Command<CreateEnvironment>) -> Result<Response, Failure> {
    let input = Create {
        name: body.name,
        tier: body.tier,
        promotes_from: body.promotes_from,
        clusters: body.clusters,
        settings: settings(body.settings),
    };
    let view = environments::create(&mut change.tx, &change.actor, input).await?;
    change
        .created(
            format!("/v1/environments/{}", view.id),
            Tag::Revision(view.revision),
            &wire(&view),
        )
        .await
}

/// Change an environment.
///
/// What is absent stays; `approvals` given as `null` takes the rule away. To give it other `clusters`, hold `environment.write` on everything.
/// Deployments that were asked for before keep to what it said then.
#[utoipa::path(
    patch, path = "/v1/environments/{environment}", operation_id = "update_environment", tag = "registry",
    params(("environment" = String, Path, description = "Its id or name.", example = "production")),
    request_body = UpdateEnvironment,
    responses((status = 200, description = "The environment as it is now.", body = Environment,
        headers(("ETag" = String, description = "Its revision.")))),
    extensions(("x-slipway-permission" = json!("environment.write"))),
)]
async fn update(
    Path(environment): Path<String>,
    Command(body, mut change): Command<UpdateEnvironment>,
) -> Result<Response, Failure> {
    let if_match = change.if_match()?;
    let mut input = Update {
        clusters: body.clusters,
        settings: settings(body.settings),
    };
    if change.takes_away("/settings/approvals") {
        input.settings.approvals = Some(None);
    }
    let Change { tx, actor, .. } = &mut change;
    let view = environments::update(tx, actor, &environment, if_match, input).await?;
    change.ok(Tag::Revision(view.revision), &wire(&view)).await
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

/// List environments.
///
/// Newest first.
#[utoipa::path(
    get, path = "/v1/environments", operation_id = "list_environments", tag = "registry",
    params(ListQuery),
    responses((status = 200, description = "One page.", body = Page<Environment>)),
    extensions(("x-slipway-permission" = json!("read"))),
)]
async fn list(Params(query): Params<ListQuery>, mut reader: Reader) -> Result<Response, Failure> {
    let limit = limit(query.limit);
    let before = cursor::before::<EnvironmentTag>(query.cursor.as_deref())?;
    let views = environments::list(&mut reader.tx, &reader.actor, before, i64::from(limit) + 1).await?;
    json(&page(
        views,
        limit,
        |view| view.id.to_string(),
        |view| wire(&view),
    ))
}

/// Show an environment.
#[utoipa::path(
    get, path = "/v1/environments/{environment}", operation_id = "get_environment", tag = "registry",
    params(("environment" = String, Path, description = "Its id or name.", example = "production")),
    responses((status = 200, description = "The environment.", body = Environment,
        headers(("ETag" = String, description = "Its revision.")))),
    extensions(("x-slipway-permission" = json!("read"))),
)]
async fn get(Path(environment): Path<String>, mut reader: Reader) -> Result<Response, Failure> {
    if reader.is_conditional() {
        let revision = environments::revision(&mut reader.tx, &reader.actor, &environment).await?;
        if let Some(unchanged) = reader.unchanged(revision) {
            return Ok(unchanged);
        }
    }
    let view = environments::get(&mut reader.tx, &reader.actor, &environment).await?;
    reader.one(Tag::Revision(view.revision), &wire(&view))
}
