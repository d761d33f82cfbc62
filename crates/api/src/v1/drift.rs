//! `/v1/drift`: what runs is not what was applied.

use super::releases::wire_object;
use crate::{
    cursor,
    etag::Tag,
    extract::{Params, Reader, invalid_parameter, json, limit, page},
    problem::Failure,
    state::ApiState,
};
use axum::{extract::Path, response::Response};
use serde::Deserialize;
use slipway_api_types::{
    Page,
    drift::{Drift, DriftedField, Hand},
};
use slipway_app::drift::{self, DriftView, Filter};
use slipway_domain::ids::DriftTag;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

pub(crate) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(get))
}

fn wire(view: DriftView) -> Drift {
    let (resolved_at, resolution) = view.resolved.unzip();
    Drift {
        id: view.id.to_string(),
        service: view.service.to_string(),
        environment: view.environment.to_string(),
        cluster: view.cluster.to_string(),
        namespace: view.namespace.to_string(),
        target: view.target.to_string(),
        deployment: view.deployment.to_string(),
        object: wire_object(&view.object),
        kind: view.drift.kind.as_str().to_owned(),
        fields: view
            .drift
            .fields
            .into_iter()
            .map(|field| DriftedField {
                pointer: field.pointer,
                applied: field.applied,
                found: field.found,
                manager: field.manager,
            })
            .collect(),
        omitted: view.drift.omitted,
        hand: view.drift.hand.map(|hand| Hand {
            manager: hand.manager,
            operation: hand.operation,
            subresource: hand.subresource,
            at: hand.at,
        }),
        problem: view.drift.problem,
        state: if resolved_at.is_some() { "resolved" } else { "open" }.to_owned(),
        seen_at: view.seen_at,
        updated_at: view.updated_at,
        resolved_at,
        resolution: resolution.map(|how| how.as_str().to_owned()),
        left_alone: view.left_alone,
    }
}

/// What of the list is asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// Only of this service (name or id).
    service: Option<String>,
    /// Only in this environment (name or id).
    environment: Option<String>,
    /// Only on this cluster (name or id).
    cluster: Option<String>,
    /// Only in this state: `open` or `resolved`.
    #[param(example = "open")]
    state: Option<String>,
    /// How many, 50 unless given.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// The `next` of the page before.
    cursor: Option<String>,
}

/// List drift.
///
/// Objects that are not as they were applied, or were not; newest first. Only fields that Slipway sets count.
#[utoipa::path(
    get, path = "/v1/drift", operation_id = "list_drift", tag = "watching",
    params(ListQuery),
    responses((status = 200, description = "One page.", body = Page<Drift>)),
    extensions(("x-slipway-permission" = json!("read"))),
)]
async fn list(Params(query): Params<ListQuery>, mut reader: Reader) -> Result<Response, Failure> {
    let limit = limit(query.limit);
    let before = cursor::before::<DriftTag>(query.cursor.as_deref())?;
    let filter = Filter {
        service: query.service,
        environment: query.environment,
        cluster: query.cluster,
        open: match query.state.as_deref() {
            None => None,
            Some("open") => Some(true),
            Some("resolved") => Some(false),
            Some(_) => return Err(invalid_parameter("state", "must be `open` or `resolved`")),
        },
    };
    let views = drift::list(
        &mut reader.tx,
        &reader.actor,
        &filter,
        before,
        i64::from(limit) + 1,
    )
    .await?;
    json(&page(views, limit, |view| view.id.to_string(), wire))
}

/// Show one object's drift.
#[utoipa::path(
    get, path = "/v1/drift/{drift}", operation_id = "get_drift", tag = "watching",
    params(("drift" = String, Path, description = "Its id.", example = "drf_01kq3m2x5vf9tb2t7w3c7b8d9e")),
    responses((status = 200, description = "The drift.", body = Drift,
        headers(("ETag" = String, description = "Its revision, and a digest of what is shown.")))),
    extensions(("x-slipway-permission" = json!("read"))),
)]
async fn get(Path(drift): Path<String>, mut reader: Reader) -> Result<Response, Failure> {
    let view = drift::get(&mut reader.tx, &reader.actor, &drift).await?;
    reader.one(Tag::Composed(view.revision), &wire(view))
}
