//! Composing releases, and changing drafts.

use super::{overlay, wire};
use crate::{
    etag::Tag,
    extract::{Change, Command},
    problem::Failure,
};
use axum::{extract::Path, response::Response};
use slipway_api_types::release::{ComponentRef, CreateRelease, Release, UpdateRelease};
use slipway_app::releases::{self, ComponentChoice, Compose, Update};

/// Compose a release.
///
/// As a draft: nothing is fixed until it is sealed.
#[utoipa::path(
    post, path = "/v1/releases", operation_id = "create_release", tag = "releases",
    request_body = CreateRelease,
    responses((status = 201, description = "The draft.", body = Release,
        headers(("ETag" = String, description = "Its revision."), ("Location" = String, description = "Where it is.")))),
    extensions(
        ("x-slipway-permission" = json!("release.write")),
        ("x-slipway-problems" = json!(["release-exists", "component-recalled", "not-found"])),
    ),
)]
pub(super) async fn create(Command(body, mut change): Command<CreateRelease>) -> Result<Response, Failure> {
    let input = Compose {
        service: body.service,
        version: body.version,
        components: choices(body.components),
        notes: body.notes.unwrap_or_default(),
        config: body.config.unwrap_or_default().into_iter().map(overlay).collect(),
    };
    let view = releases::compose(&mut change.tx, &change.actor, input).await?;
    change
        .created(
            format!("/v1/releases/{}", view.release.id),
            Tag::Revision(view.release.revision),
            &wire(&view),
        )
        .await
}

/// Change a draft.
///
/// What is absent stays. A sealed release never changes.
#[utoipa::path(
    patch, path = "/v1/releases/{release}", operation_id = "update_release", tag = "releases",
    params(("release" = String, Path, description = "Its id, or `service@version`.", example = "storefront@1.0.0")),
    request_body = UpdateRelease,
    responses((status = 200, description = "The draft as it is now.", body = Release,
        headers(("ETag" = String, description = "Its revision.")))),
    extensions(
        ("x-slipway-permission" = json!("release.write")),
        ("x-slipway-problems" = json!(["release-state", "component-recalled"])),
    ),
)]
pub(super) async fn update(
    Path(release): Path<String>,
    Command(body, mut change): Command<UpdateRelease>,
) -> Result<Response, Failure> {
    let if_match = change.if_match()?;
    let input = Update {
        components: body.components.map(choices),
        notes: body.notes,
        config: body
            .config
            .map(|config| config.into_iter().map(overlay).collect()),
    };
    let Change { tx, actor, .. } = &mut change;
    let view = releases::update(tx, actor, &release, if_match, input).await?;
    change
        .ok(Tag::Revision(view.release.revision), &wire(&view))
        .await
}

fn choices(components: Vec<ComponentRef>) -> Vec<ComponentChoice> {
    let choice = |part: ComponentRef| ComponentChoice {
        name: part.name,
        version: part.version,
    };
    components.into_iter().map(choice).collect()
}
