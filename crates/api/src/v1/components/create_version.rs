//! Registering versions.

use super::{location, wire_version};
use crate::{etag::Tag, extract::Command, problem::Failure};
use axum::{extract::Path, response::Response};
use slipway_api_types::component::{self as wire, Version};
use slipway_app::components::{self, CreateVersion, ImagePinInput, RequirementInput};
use slipway_domain::component::Source;

/// Register a version of a component.
///
/// It can never be changed. The same content again answers with what is there; other content under the same version is
/// refused. At most 4 MiB of manifests and 1,000 objects; `errors` lists every fault in them, with the number of the
/// document from 0.
#[utoipa::path(
    post, path = "/v1/components/{component}/versions", operation_id = "create_version", tag = "library",
    params(("component" = String, Path, description = "Its id or name.", example = "web")),
    request_body = wire::CreateVersion,
    responses(
        (status = 200, description = "It was there already, with this very content.", body = Version,
            headers(("ETag" = String, description = "Its revision."))),
        (status = 201, description = "The version, with its digest.", body = Version,
            headers(("ETag" = String, description = "Its revision."), ("Location" = String, description = "Where it is."))),
    ),
    extensions(
        ("x-slipway-permission" = json!("component.write")),
        ("x-slipway-problems" = json!(["version-exists"])),
    ),
)]
pub(super) async fn create(
    Path(component): Path<String>,
    Command(body, mut change): Command<wire::CreateVersion>,
) -> Result<Response, Failure> {
    let pin = |pin: wire::ImagePin| ImagePinInput {
        image: pin.image,
        digest: pin.digest,
        tag: pin.tag,
    };
    let needed = |needed: wire::Requirement| RequirementInput {
        component: needed.component,
        version: needed.version,
    };
    let input = CreateVersion {
        version: body.version,
        source: body.source.map(|source| Source {
            repository: source.repository,
            commit: source.commit,
        }),
        requires: body.requires.into_iter().map(needed).collect(),
        images: body.images.into_iter().map(pin).collect(),
        manifests: body.manifests,
    };
    let view =
        components::create_version(&mut change.tx, &change.app, &change.actor, &component, input).await?;
    let tag = Tag::Revision(view.version.revision);
    if view.existed {
        change.ok(tag, &wire_version(&view)).await
    } else {
        change.created(location(&view), tag, &wire_version(&view)).await
    }
}
