//! `/v1/deployments`: ask for one, see why it waits, steer it, undo it.

mod create;
mod inside;
mod operate;
mod preview;
mod read;
mod wire;

use crate::state::ApiState;
use utoipa_axum::{router::OpenApiRouter, routes};

pub(crate) use inside::wire_event;
pub(crate) use operate::created;

pub(crate) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(read::list, create::create))
        .routes(routes!(read::get))
        .routes(routes!(read::gates))
        .routes(routes!(read::targets))
        .routes(routes!(inside::explain))
        .routes(routes!(inside::activities))
        .routes(routes!(inside::manifests))
        .routes(routes!(preview::preview))
        .routes(routes!(operate::override_gate))
        .routes(routes!(operate::pause))
        .routes(routes!(operate::resume))
        .routes(routes!(operate::cancel))
        .routes(routes!(operate::retry))
        .routes(routes!(operate::rollback))
}
