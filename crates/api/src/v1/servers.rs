//! `/v1/servers`: the processes that make up this Slipway.

use crate::{
    extract::{Reader, json},
    problem::Failure,
    state::ApiState,
};
use axum::response::Response;
use slipway_api_types::server::{Server, Servers};
use slipway_app::servers;
use utoipa_axum::{router::OpenApiRouter, routes};

pub(crate) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(list))
}

/// List server processes.
///
/// Those seen within the last day, the living first. What is not there: an executor that nobody has started, and why a
/// deployment is waiting for one.
#[utoipa::path(
    get, path = "/v1/servers", operation_id = "list_servers", tag = "system",
    responses((status = 200, description = "The processes.", body = Servers)),
    extensions(("x-slipway-permission" = json!("server.read"))),
)]
async fn list(mut reader: Reader) -> Result<Response, Failure> {
    let all = servers::list(&mut reader.tx, &reader.actor).await?;
    let items = all
        .into_iter()
        .map(|server| Server {
            name: server.holder,
            roles: server.roles,
            version: server.version,
            cluster_labels: server.cluster_labels,
            alive: server.alive,
            started_at: server.started_at,
            seen_at: server.seen_at,
            stopped_at: server.stopped_at,
        })
        .collect();
    json(&Servers { items })
}
