//! `/v1/clusters`: Kubernetes API endpoints. A credential goes in and never comes out.

mod check;
mod read;
mod write;

use crate::state::ApiState;
use slipway_api_types::registry::{Cluster, ClusterGrants};
use slipway_app::clusters::ClusterView;
use utoipa_axum::{router::OpenApiRouter, routes};

pub(crate) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(read::list, write::create))
        .routes(routes!(read::get, write::update))
        .routes(routes!(check::check))
}

fn wire(view: &ClusterView) -> Cluster {
    Cluster {
        id: view.id.to_string(),
        name: view.name.to_string(),
        server: view.server.clone(),
        labels: view.labels.clone(),
        grants: ClusterGrants {
            cluster_scoped_kinds: view.grants.cluster_scoped_kinds.clone(),
        },
        last_seen_at: view.last_seen_at,
        created_at: view.created_at,
    }
}
