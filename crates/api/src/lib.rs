//! The REST API: axum handlers over the use-cases of `slipway-app`, and nothing that decides.
//!
//! A request passes, from the outside in: its id, trace and metrics; a net under panics; room and time; for `/v1`
//! authentication; then one handler, which takes a [`extract::Command`] or a [`extract::Reader`], calls one use-case and
//! answers. Everything that goes wrong is a problem document, of a kind in [`problem::catalogue`].
//!
//! # How to extend
//! * an operation: a handler in `v1/<resource>.rs` (or `v1/<resource>/<verb>.rs`) with `#[utoipa::path]` and the
//!   extension `x-slipway-permission`, registered in that resource's `routes()`; its body type is an
//!   [`extract::Input`]. Then `UPDATE_OPENAPI=1 cargo test -p slipway-api` writes `openapi/openapi.json`;
//! * a kind of problem: an entry of [`problem::catalogue`], then `UPDATE_DOCS=1 cargo test -p slipway-api`.

mod config;
mod cursor;
mod etag;
mod extract;
mod middleware;
mod openapi;
pub mod problem;
mod schema;
mod state;
mod system;
mod v1;

pub use config::{ApiConfig, RenderMetrics};

use axum::{Router, http::HeaderMap, routing::get};
use middleware::{Around, Guard, Routes};
use slipway_app::App;
use state::ApiState;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use utoipa_axum::{router::OpenApiRouter, routes};

/// The API of one server. Event streams end when `shutdown` is cancelled.
///
/// Starts the task that reads events for all streams, so it must be called inside a tokio runtime; `app.feed()` must be
/// followed for it to have news.
pub fn router(app: App, config: ApiConfig, shutdown: CancellationToken) -> Router {
    let state = ApiState::new(app.clone(), config, shutdown.clone());
    tokio::spawn(state.hub.clone().run(app, shutdown));
    let (api, _) = operations().split_for_parts();
    let (streams, _) = v1::events::routes().split_for_parts();
    let text: Arc<str> = openapi::text(&openapi_document()).into();

    let routes = Arc::<Routes>::default();
    let (system, _) = system_operations().split_for_parts();
    let open = Router::new()
        .merge(system)
        .merge(system::docs::router())
        .route(
            "/openapi.json",
            get(move |headers: HeaderMap| async move { openapi::serve(&text, &headers) }),
        )
        .route("/problems", get(problem::page::index))
        .route("/problems/{slug}", get(problem::page::show))
        .fallback(unknown_path)
        .layer(Around::new(&routes, Guard::Open));
    Router::new()
        .merge(api.route_layer(Around::new(&routes, Guard::TokenAndLimits(state.clone()))))
        .merge(streams.route_layer(Around::new(&routes, Guard::Token(state.clone()))))
        .merge(open)
        .with_state(state)
}

/// What a process without the role `api` answers: `/healthz`, `/readyz` and `/metrics`, for those who watch it.
pub fn system_router(app: App, config: ApiConfig, shutdown: CancellationToken) -> Router {
    let state = ApiState::new(app, config, shutdown);
    let (system, _) = system_operations().split_for_parts();
    system
        .fallback(unknown_path)
        .layer(Around::new(&Arc::<Routes>::default(), Guard::Open))
        .with_state(state)
}

/// The `OpenAPI` document, as committed at `openapi/openapi.json`.
#[must_use]
pub fn openapi_document() -> serde_json::Value {
    let document = operations()
        .merge(v1::events::routes())
        .merge(system_operations())
        .into_openapi();
    openapi::finish(&document)
}

fn operations() -> OpenApiRouter<ApiState> {
    OpenApiRouter::with_openapi(openapi::base()).merge(v1::routes())
}

fn system_operations() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(system::health::healthz))
        .routes(routes!(system::health::readyz))
        .routes(routes!(system::health::metrics))
}

async fn unknown_path() -> problem::Failure {
    problem::Failure::new(
        &problem::catalogue::NOT_FOUND,
        "there is no such path; `/docs` has all there are",
    )
}
