//! Reading and comparing releases.

use super::{wire, wire_diff};
use crate::{
    cursor,
    etag::Tag,
    extract::{Params, Reader, invalid_parameter, json, limit, page},
    problem::Failure,
    state::ApiState,
    v1::resolve,
};
use axum::{
    extract::{Path, State},
    response::Response,
};
use serde::Deserialize;
use slipway_api_types::{
    Page,
    release::{ComponentChange, Release, ReleaseDiff},
};
use slipway_app::releases::{self, Filter};
use slipway_domain::ids::ReleaseTag;
use utoipa::IntoParams;

/// What of the list is asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ListQuery {
    /// Only of this service (name or id).
    service: Option<String>,
    /// Only in this state: `draft`, `sealed` or `withdrawn`.
    state: Option<String>,
    /// How many, 50 unless given.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// The `next` of the page before.
    cursor: Option<String>,
}

/// Certify a release.
///
/// What became of it, signed: an in-toto statement in a DSSE envelope, with the digests of the release, its components, its
/// evidence, the policies and the process that it went by, every decision, and the exact manifests on each target.
/// `slipway verify` verifies it without a server, and so does any verifier of DSSE. That a release failed, or never ran, is
/// certified just so.
#[utoipa::path(
    get, path = "/v1/releases/{release}/certificate", operation_id = "get_release_certificate", tag = "releases",
    params(("release" = String, Path, description = "Its id, or `service@version`.", example = "shop@1.0.0")),
    responses((status = 200, description = "The certificate.", body = Object, content_type = "application/json")),
    extensions(
        ("x-slipway-permission" = json!("read")),
        ("x-slipway-problems" = json!(["release-state", "not-signed"])),
    ),
)]
pub(super) async fn certificate(
    State(state): State<ApiState>,
    Path(release): Path<String>,
    Reader { tx, actor, .. }: Reader,
) -> Result<Response, Failure> {
    let envelope = releases::certificate(&state.app, tx, &actor, &release).await?;
    json(&envelope)
}

/// List releases.
///
/// Newest first.
#[utoipa::path(
    get, path = "/v1/releases", operation_id = "list_releases", tag = "releases",
    params(ListQuery),
    responses((status = 200, description = "One page.", body = Page<Release>)),
    extensions(("x-slipway-permission" = json!("read"))),
)]
pub(super) async fn list(Params(query): Params<ListQuery>, mut reader: Reader) -> Result<Response, Failure> {
    let limit = limit(query.limit);
    let before = cursor::before::<ReleaseTag>(query.cursor.as_deref())?;
    if let Some(state) = &query.state
        && !["draft", "sealed", "withdrawn"].contains(&state.as_str())
    {
        return Err(invalid_parameter("state", "must be draft, sealed or withdrawn"));
    }
    let service = resolve::service(&mut reader, query.service.as_deref()).await?;
    let filter = Filter {
        service,
        state: query.state,
    };
    let views = releases::list(
        &mut reader.tx,
        &reader.actor,
        &filter,
        before,
        i64::from(limit) + 1,
    )
    .await?;
    json(&page(
        views,
        limit,
        |view| view.release.id.to_string(),
        |view| wire(&view),
    ))
}

/// Show a release.
#[utoipa::path(
    get, path = "/v1/releases/{release}", operation_id = "get_release", tag = "releases",
    params(("release" = String, Path, description = "Its id, or `service@version`.", example = "storefront@1.0.0")),
    responses((status = 200, description = "The release.", body = Release,
        headers(("ETag" = String, description = "Its revision.")))),
    extensions(("x-slipway-permission" = json!("read"))),
)]
pub(super) async fn get(Path(release): Path<String>, mut reader: Reader) -> Result<Response, Failure> {
    let view = releases::get(&mut reader.tx, &reader.actor, &release).await?;
    reader.one(Tag::Revision(view.release.revision), &wire(&view))
}

/// With what.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct DiffQuery {
    /// The release to compare with: its id, or `service@version`.
    #[param(example = "storefront@1.0.0")]
    against: String,
}

/// Compare two releases.
///
/// Before any environment's configuration; values of Secrets are redacted.
#[utoipa::path(
    get, path = "/v1/releases/{release}/diff", operation_id = "diff_release", tag = "releases",
    params(
        ("release" = String, Path, description = "Its id, or `service@version`.", example = "storefront@1.1.0"),
        DiffQuery,
    ),
    responses((status = 200, description = "What differs.", body = ReleaseDiff)),
    extensions(("x-slipway-permission" = json!("read"))),
)]
pub(super) async fn diff(
    Path(release): Path<String>,
    Params(query): Params<DiffQuery>,
    mut reader: Reader,
) -> Result<Response, Failure> {
    let diff = releases::diff(&mut reader.tx, &reader.actor, &release, &query.against).await?;
    json(&ReleaseDiff {
        release: diff.release,
        against: diff.against,
        components: diff
            .components
            .into_iter()
            .map(|part| ComponentChange {
                name: part.name,
                from: part.from,
                to: part.to,
            })
            .collect(),
        objects: diff
            .objects
            .into_iter()
            .map(|(object, diff)| wire_diff(&object, diff))
            .collect(),
    })
}
