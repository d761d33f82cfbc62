//! `/v1/status`: what dashboards poll.

use crate::{
    etag::ETag,
    extract::{encode, not_modified, tagged},
    problem::Failure,
    state::ApiState,
};
use axum::{
    Extension,
    body::Bytes,
    extract::State,
    http::{HeaderMap, HeaderValue, header},
    response::Response,
};
use slipway_api_types::status::{
    ActiveCounts, Emergencies, LatestDeployment, RunningRelease, ServiceStatus, Status,
};
use slipway_app::status::StatusView;
use slipway_domain::identity::Actor;
use std::{collections::BTreeMap, sync::Arc};
use utoipa_axum::{router::OpenApiRouter, routes};

/// A dashboard may show what is a second old.
const CACHE: HeaderValue = HeaderValue::from_static("private, max-age=1");

pub(crate) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(show))
}

/// Show everything at once.
///
/// What runs where, what is under way, what waits; at most a second old. Made to be polled: send the `ETag` as
/// `If-None-Match`.
#[utoipa::path(
    get, path = "/v1/status", operation_id = "get_status", tag = "watching",
    responses((status = 200, description = "The status.", body = Status,
        headers(("ETag" = String, description = "A digest of what is shown, but for `at`.")))),
    extensions(("x-slipway-permission" = json!("read"))),
)]
async fn show(
    State(state): State<ApiState>,
    Extension(actor): Extension<Arc<Actor>>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let shown = state.status.read(&state.app, &actor, Shown::of).await?;
    let mut response = if shown.tag.is_known(&headers) {
        not_modified(&shown.tag)
    } else {
        tagged(&shown.tag, shown.body.clone())
    };
    response.headers_mut().insert(header::CACHE_CONTROL, CACHE);
    Ok(response)
}

/// The status as it is sent.
pub(crate) struct Shown {
    tag: ETag,
    body: Bytes,
}

impl Shown {
    fn of(view: StatusView) -> Result<Self, Failure> {
        let body = wire(view);
        // When it was read is not part of what it says.
        let said = (
            &body.services,
            &body.active,
            &body.pending_approvals,
            &body.emergencies,
        );
        Ok(Self {
            tag: ETag::of_body(&encode(&said)?),
            body: encode(&body)?.into(),
        })
    }
}

fn wire(view: StatusView) -> Status {
    let mut services: BTreeMap<(String, String), ServiceStatus> = BTreeMap::new();
    let entry = |service: &str, environment: &str| ServiceStatus {
        service: service.to_owned(),
        environment: environment.to_owned(),
        runs: Vec::new(),
        latest: None,
    };
    for running in view.running {
        let key = (running.service, running.environment);
        let shown = services
            .entry(key.clone())
            .or_insert_with(|| entry(&key.0, &key.1));
        let release = format!("{}@{}", key.0, running.version);
        match shown.runs.iter_mut().find(|other| other.release == release) {
            Some(same) => same.clusters.push(running.cluster),
            None => shown.runs.push(RunningRelease {
                release,
                clusters: vec![running.cluster],
            }),
        }
    }
    for latest in view.latest {
        let key = (latest.service, latest.environment);
        let shown = services
            .entry(key.clone())
            .or_insert_with(|| entry(&key.0, &key.1));
        shown.latest = Some(LatestDeployment {
            id: latest.id.to_string(),
            release: latest.version.map(|version| format!("{}@{version}", key.0)),
            state: latest.state.as_str().to_owned(),
            since: latest.since,
            reason: latest.reason,
        });
    }
    let count = |state: &str| {
        view.active
            .get(state)
            .copied()
            .and_then(|n| u64::try_from(n).ok())
            .unwrap_or(0)
    };
    Status {
        services: services.into_values().collect(),
        active: ActiveCounts {
            pending: count("pending"),
            queued: count("queued"),
            running: count("running"),
            paused: count("paused"),
            rolling_back: count("rolling_back"),
        },
        pending_approvals: u64::try_from(view.pending_approvals).unwrap_or(0),
        emergencies: Emergencies {
            unanswered: u64::try_from(view.emergencies.unanswered).unwrap_or(0),
            overdue: u64::try_from(view.emergencies.overdue).unwrap_or(0),
            open_reviews: u64::try_from(view.emergencies.reviews).unwrap_or(0),
        },
        at: view.at,
    }
}
