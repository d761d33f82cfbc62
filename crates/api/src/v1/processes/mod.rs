//! `/v1/processes`: which stages releases go through.

mod document;
mod read;
mod versions;
mod write;

use crate::state::ApiState;
use slipway_api_types::process::{Process, ProcessVersion};
use slipway_app::processes::ProcessView;
use slipway_domain::process::Version;
use utoipa_axum::{router::OpenApiRouter, routes};

pub(crate) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(read::list, write::create))
        .routes(routes!(read::get))
        .routes(routes!(read::releases))
        .routes(routes!(versions::list, versions::create))
        .routes(routes!(versions::get))
        .routes(routes!(versions::diagram))
        .routes(routes!(versions::activate))
        .routes(routes!(write::retire))
}

fn wire(view: &ProcessView) -> Process {
    Process {
        id: view.head.id.to_string(),
        name: view.head.name.to_string(),
        service: view.service().map(ToString::to_string),
        team: view.team().map(ToString::to_string),
        in_force: view.head.in_force,
        latest: view.head.latest,
        version: wire_version(&view.shown),
        created_at: view.head.created_at,
    }
}

fn wire_version(version: &Version) -> ProcessVersion {
    let (activated_by, activated_at) = version.activated.clone().unzip();
    let (retired_by, retired_at) = version.retired.clone().unzip();
    ProcessVersion {
        process: version.name.to_string(),
        version: version.version,
        state: version.state().as_str().to_owned(),
        digest: version.digest.to_string(),
        document: document::wire(&version.document),
        author: version.author.name.clone(),
        created_at: version.created_at,
        activated_by: activated_by.map(|person| person.name),
        activated_at,
        retired_by: retired_by.map(|person| person.name),
        retired_at,
    }
}
