//! `/healthz`, `/readyz`, `/metrics`: unauthenticated, and without secrets.

use crate::{
    problem::{Failure, catalogue},
    state::ApiState,
};
use axum::{
    extract::State,
    http::{HeaderValue, header},
    response::{IntoResponse as _, Response},
};
use std::time::Duration;

/// How long a database may take to answer before the server counts as not ready.
const PATIENCE: Duration = Duration::from_secs(3);

/// Whether the process is alive.
#[utoipa::path(get, path = "/healthz", tag = "system", responses((status = 200, description = "The process is alive.", body = String, content_type = "text/plain", example = "ok")))]
pub(crate) async fn healthz() -> &'static str {
    "ok"
}

/// Whether requests can be served: the database answers, and its migrations are current.
#[utoipa::path(get, path = "/readyz", tag = "system", responses(
    (status = 200, description = "Requests can be served.", body = String, content_type = "text/plain", example = "ready"),
    (status = 503, description = "They cannot; `detail` says what is waited for.", body = slipway_api_types::Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn readyz(State(state): State<ApiState>) -> Response {
    let not_ready = |detail: &str| {
        Failure::new(&catalogue::NOT_READY, detail)
            .retry_after(2)
            .into_response()
    };
    if state.shutdown.is_cancelled() {
        return not_ready("the server is shutting down");
    }
    match tokio::time::timeout(PATIENCE, state.app.database().is_migrated()).await {
        Ok(Ok(true)) => "ready".into_response(),
        Ok(Ok(false)) => not_ready("the database lacks migrations: run `slipway migrate`"),
        Ok(Err(error)) => {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "not ready: the database does not answer"
            );
            not_ready("the database does not answer")
        }
        Err(_) => not_ready("the database does not answer in time"),
    }
}

/// Metrics of this server, as Prometheus reads them.
#[utoipa::path(get, path = "/metrics", tag = "system", responses((status = 200, description = "Prometheus text.", body = String, content_type = "text/plain")))]
pub(crate) async fn metrics(State(state): State<ApiState>) -> Response {
    match &state.config.metrics {
        Some(render) => (
            [(
                header::CONTENT_TYPE,
                HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8"),
            )],
            render(),
        )
            .into_response(),
        None => Failure::new(&catalogue::NOT_FOUND, "this server keeps no metrics").into_response(),
    }
}
