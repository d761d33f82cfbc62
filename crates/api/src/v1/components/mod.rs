//! `/v1/components`: the library, and its immutable versions.

mod component;
mod create_version;
mod state;
mod versions;

use super::releases::wire_object;
use crate::state::ApiState;
use slipway_api_types::component::{ImagePin, Requirement, Source, Version, Warning};
use slipway_app::components::VersionView;
use utoipa_axum::{router::OpenApiRouter, routes};

pub(crate) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(component::list, component::create))
        .routes(routes!(component::get))
        .routes(routes!(versions::list, create_version::create))
        .routes(routes!(versions::get))
        .routes(routes!(state::deprecate))
        .routes(routes!(state::recall))
}

/// Where a version is.
fn location(view: &VersionView) -> String {
    let version = &view.version;
    // A `+` in a version is data, not a space.
    let text = version.version.to_string().replace('+', "%2B");
    format!("/v1/components/{}/versions/{text}", version.component_name)
}

fn wire_version(view: &VersionView) -> Version {
    let version = &view.version;
    Version {
        id: version.id.to_string(),
        component: version.component_name.to_string(),
        version: version.version.to_string(),
        digest: version.digest.to_string(),
        state: version.state.as_str().to_owned(),
        state_reason: version.state_reason.clone(),
        source: version.source.as_ref().map(|source| Source {
            repository: source.repository.clone(),
            commit: source.commit.clone(),
        }),
        requires: version
            .requires
            .iter()
            .map(|needed| Requirement {
                component: needed.component.to_string(),
                version: needed.version.to_string(),
            })
            .collect(),
        images: version
            .images
            .iter()
            .map(|pin| ImagePin {
                image: pin.image.clone(),
                digest: pin.digest.to_string(),
                tag: pin.tag.clone(),
            })
            .collect(),
        objects: version.objects.iter().map(wire_object).collect(),
        warnings: version
            .warnings
            .iter()
            .map(|warning| Warning {
                pointer: warning.pointer.clone(),
                detail: warning.detail.clone(),
            })
            .collect(),
        created_by: view.created_by.clone(),
        created_at: version.created_at,
    }
}
