//! `/v1`: one file or folder a resource.

mod absences;
mod approvals;
mod audit;
mod clusters;
mod components;
mod delegations;
mod deployments;
mod drift;
mod environments;
pub(crate) mod events;
mod evidence;
mod groups;
mod me;
mod policies;
mod processes;
mod releases;
mod reports;
mod requirement;
mod resolve;
mod reviews;
mod role_bindings;
mod servers;
mod services;
pub(crate) mod status;
mod targets;
mod teams;
mod tokens;

use crate::state::ApiState;
use utoipa_axum::router::OpenApiRouter;

/// Every operation but the event stream, which has no time limit.
pub(crate) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .merge(me::routes())
        .merge(tokens::routes())
        .merge(role_bindings::routes())
        .merge(groups::routes())
        .merge(teams::routes())
        .merge(services::routes())
        .merge(environments::routes())
        .merge(clusters::routes())
        .merge(targets::routes())
        .merge(components::routes())
        .merge(releases::routes())
        .merge(deployments::routes())
        .merge(approvals::routes())
        .merge(reviews::routes())
        .merge(delegations::routes())
        .merge(absences::routes())
        .merge(policies::routes())
        .merge(evidence::routes())
        .merge(processes::routes())
        .merge(reports::routes())
        .merge(drift::routes())
        .merge(audit::routes())
        .merge(status::routes())
        .merge(servers::routes())
}
