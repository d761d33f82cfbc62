//! `/v1/policies`: an organisation's own rules.

pub(super) mod document;
mod evaluate;
mod read;
mod versions;
mod write;

use crate::state::ApiState;
use slipway_api_types::policy::{Policy, PolicyVersion};
use slipway_app::policies::PolicyView;
use slipway_domain::policy::Version;
use utoipa_axum::{router::OpenApiRouter, routes};

pub(crate) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(read::list, write::create))
        .routes(routes!(read::get))
        .routes(routes!(versions::list, versions::create))
        .routes(routes!(versions::get))
        .routes(routes!(versions::activate))
        .routes(routes!(write::retire))
        .routes(routes!(evaluate::evaluate))
        .routes(routes!(evaluate::report))
        .routes(routes!(read::facts_schema))
}

fn wire(view: &PolicyView) -> Policy {
    Policy {
        id: view.head.id.to_string(),
        name: view.head.name.to_string(),
        in_force: view.head.in_force,
        latest: view.head.latest,
        version: wire_version(&view.shown),
        created_at: view.head.created_at,
    }
}

fn wire_version(version: &Version) -> PolicyVersion {
    let (activated_by, activated_at) = version.activated.clone().unzip();
    let (retired_by, retired_at) = version.retired.clone().unzip();
    PolicyVersion {
        policy: version.name.to_string(),
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
