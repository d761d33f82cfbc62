//! `/healthz`, `/readyz`, `/metrics`: unauthenticated, and without secrets.

use crate::{
    extract::Params,
    problem::{Failure, catalogue},
    state::ApiState,
};
use axum::{
    extract::State,
    http::{HeaderValue, header},
    response::{IntoResponse as _, Response},
};
use serde::Deserialize;
use slipway_app::identity::issuers::Standing;
use std::{fmt::Write as _, time::Duration};
use utoipa::IntoParams;

/// How long a database may take to answer before the server counts as not ready.
const PATIENCE: Duration = Duration::from_secs(3);

/// Whether the process is alive.
#[utoipa::path(get, path = "/healthz", tag = "system", responses((status = 200, description = "The process is alive.", body = String, content_type = "text/plain", example = "ok")))]
pub(crate) async fn healthz() -> &'static str {
    "ok"
}

/// What of being ready is asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ReadyQuery {
    /// Also say how many server processes of each role there are, and how the keys of issuers stand.
    verbose: Option<String>,
}

/// Whether requests can be served: the database answers, and its migrations are current.
#[utoipa::path(get, path = "/readyz", tag = "system", params(ReadyQuery), responses(
    (status = 200, description = "Requests can be served.", body = String, content_type = "text/plain", example = "ready"),
    (status = 503, description = "They cannot; `detail` says what is waited for.", body = slipway_api_types::Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn readyz(Params(query): Params<ReadyQuery>, State(state): State<ApiState>) -> Response {
    let not_ready = |detail: &str| {
        Failure::new(&catalogue::NOT_READY, detail)
            .retry_after(2)
            .into_response()
    };
    if state.shutdown.is_cancelled() {
        return not_ready("the server is shutting down");
    }
    let database = state.app.database();
    let asked = database.while_it_answers(database.is_migrated());
    match tokio::time::timeout(PATIENCE, asked).await.map(Result::flatten) {
        Ok(Ok(true)) if query.verbose.is_some() => verbose(&state).await,
        Ok(Ok(true)) => "ready".into_response(),
        Ok(Ok(false)) => not_ready("the database lacks migrations: run `slipway migrate`"),
        Ok(Err(error)) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "not ready");
            not_ready(
                error
                    .unavailable_because()
                    .unwrap_or("the database does not answer as it should"),
            )
        }
        Err(_) => not_ready("the database does not answer in time"),
    }
}

/// What else there is: nothing of it makes this process less ready.
async fn verbose(state: &ApiState) -> Response {
    let roles = tokio::time::timeout(PATIENCE, slipway_app::servers::alive_by_role(&state.app)).await;
    let mut text = "ready\n".to_owned();
    match roles {
        Ok(Ok(roles)) => {
            for role in ["api", "scheduler", "executor"] {
                let n = roles.iter().find(|(of, _)| of == role).map_or(0, |(_, n)| *n);
                text.push_str(role);
                text.push_str(": ");
                text.push_str(&n.to_string());
                text.push('\n');
            }
        }
        _ => text.push_str("the server processes could not be counted\n"),
    }
    for issuer in slipway_app::identity::issuers::standing(&state.app) {
        let _ = writeln!(text, "{}", keys(&issuer));
    }
    text.into_response()
}

/// How the keys of an issuer stand, in a line. Why they cannot be fetched is said in the log: anybody may ask here.
fn keys(issuer: &Standing) -> String {
    let name = &issuer.issuer;
    let Some(age) = issuer.age.map(|age| age.as_secs()) else {
        return format!("issuer {name}: its keys could not be fetched yet; its tokens cannot be checked");
    };
    match (&issuer.failed, issuer.usable) {
        (None, _) => format!("issuer {name}: keys fetched {age} s ago"),
        (Some(_), true) => {
            format!("issuer {name}: stale: does not answer, keys are {age} s old and still used")
        }
        (Some(_), false) => {
            format!(
                "issuer {name}: stale: does not answer, keys are {age} s old, too old; its tokens cannot be checked"
            )
        }
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
