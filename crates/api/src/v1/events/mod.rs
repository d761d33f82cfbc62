//! `/v1/events`: what happens, as it happens (server-sent events).

mod hub;
mod recheck;
mod stream;

use super::resolve;
use crate::{
    extract::{Params, Reader},
    middleware::{
        authenticate::{Bearer, request_info},
        context::RequestContext,
    },
    problem::{Failure, catalogue},
    state::ApiState,
};
use axum::{
    Extension,
    extract::State,
    http::HeaderMap,
    response::{IntoResponse as _, Response, Sse, sse::KeepAlive},
};
use serde::Deserialize;
use slipway_app::events::{self, Filter};
use std::sync::Arc;
use tokio_stream::wrappers::ReceiverStream;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

pub(crate) use hub::Hub;
pub(crate) use recheck::Rechecks;

pub(crate) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(watch))
}

/// What is watched.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct WatchQuery {
    /// Only of this deployment.
    deployment: Option<String>,
    /// Only of this service (name or id).
    service: Option<String>,
    /// Only in this environment (name or id).
    environment: Option<String>,
    /// Only kinds that begin so.
    #[param(example = "deployment.")]
    kind: Option<String>,
    /// Begin after this number, as with `Last-Event-ID`, which wins over it; from now on when neither is given.
    #[param(minimum = 0)]
    after: Option<i64>,
}

/// Watch what happens.
///
/// Server-sent events: `id` is the event's number, `event` its kind, `data` an Event as JSON. After a break, send the last
/// `id` as `Last-Event-ID`: nothing is missed. The stream ends when its token does, is revoked, or is signed with a key that its
/// issuer has removed; when the last role is taken away; and when the server goes down.
#[utoipa::path(
    get, path = "/v1/events", operation_id = "watch_events", tag = "watching",
    params(
        WatchQuery,
        ("Last-Event-ID" = Option<i64>, Header, description = "Number of the last event that was received.", example = 41),
    ),
    responses((status = 200, description = "The stream.", content_type = "text/event-stream", body = String,
        example = json!("id: 42\nevent: release.seal\ndata: {\"seq\":42,\"kind\":\"release.seal\"}\n\n"))),
    extensions(("x-slipway-permission" = json!("read"))),
)]
async fn watch(
    State(state): State<ApiState>,
    Extension(bearer): Extension<Bearer>,
    Extension(context): Extension<RequestContext>,
    headers: HeaderMap,
    Params(query): Params<WatchQuery>,
    mut reader: Reader,
) -> Result<Response, Failure> {
    let Ok(room) = Arc::clone(&state.streams).try_acquire_owned() else {
        return Err(
            Failure::new(&catalogue::UNAVAILABLE, "too many streams are open just now").retry_after(5),
        );
    };
    events::may_watch(&reader.actor)?;
    let given = last_event_id(&headers)?.or(query.after);
    let filter = Filter {
        deployment: resolve::deployment(&mut reader, query.deployment.as_deref()).await?,
        service: resolve::service(&mut reader, query.service.as_deref()).await?,
        environment: resolve::environment(&mut reader, query.environment.as_deref()).await?,
        kind: query.kind,
    };
    // Subscribed before the last number is read: what comes in between is not missed.
    let live = state.hub.subscribe();
    let after = events::watch_after(&mut reader.tx, &reader.actor, given).await?;
    let actor = Arc::clone(&reader.actor);
    drop(reader);
    let keep_alive = KeepAlive::new()
        .interval(state.config.stream_keep_alive)
        .text("still here");
    let watcher = stream::Watcher {
        app: state.app.clone(),
        config: Arc::clone(&state.config),
        shutdown: state.shutdown.clone(),
        rechecks: state.rechecks.clone(),
        bearer,
        request: request_info(&context),
        actor,
        filter,
        seen: after,
    };
    let (sender, receiver) = tokio::sync::mpsc::channel(64);
    tokio::spawn(async move {
        let _room = room;
        watcher.run(live, sender).await;
    });
    let mut response = Sse::new(ReceiverStream::new(receiver))
        .keep_alive(keep_alive)
        .into_response();
    // Proxies that buffer would hold events back.
    response
        .headers_mut()
        .insert("x-accel-buffering", axum::http::HeaderValue::from_static("no"));
    Ok(response)
}

fn last_event_id(headers: &HeaderMap) -> Result<Option<i64>, Failure> {
    let Some(value) = headers.get("last-event-id") else {
        return Ok(None);
    };
    let number = value
        .to_str()
        .ok()
        .and_then(|text| text.trim().parse().ok())
        .filter(|number: &i64| *number >= 0);
    number.map(Some).ok_or_else(|| {
        Failure::new(
            &catalogue::MALFORMED,
            "`Last-Event-ID` must be the `id` of an event, a number",
        )
    })
}
