//! Versions of a policy.

use super::{document, wire, wire_version};
use crate::{
    cursor,
    etag::Tag,
    extract::{Change, Command, NoBody, Params, Reader, json, limit, page},
    problem::Failure,
};
use axum::{extract::Path, response::Response};
use serde::Deserialize;
use slipway_api_types::{
    Page,
    policy::{CreatePolicyVersion, Policy, PolicyVersion},
};
use slipway_app::policies;
use slipway_domain::Faults;
use utoipa::IntoParams;

/// Write a version of a policy.
///
/// It is a draft: what is in force stays in force.
#[utoipa::path(
    post, path = "/v1/policies/{policy}/versions", operation_id = "create_policy_version", tag = "policies",
    params(("policy" = String, Path, description = "Its id or name.", example = "production-basics")),
    request_body = CreatePolicyVersion,
    responses((status = 201, description = "The version.", body = PolicyVersion,
        headers(("ETag" = String, description = "A digest of it."), ("Location" = String, description = "Where it is.")))),
    extensions(("x-slipway-permission" = json!("policy.write"))),
)]
pub(super) async fn create(
    Path(policy): Path<String>,
    Command(body, mut change): Command<CreatePolicyVersion>,
) -> Result<Response, Failure> {
    let mut faults = Faults::new();
    let document = document::read(body.document, &mut faults);
    let Change { tx, actor, .. } = &mut change;
    let version = policies::write_version(tx, actor, &policy, document, faults).await?;
    change
        .created(
            format!("/v1/policies/{}/versions/{}", version.name, version.version),
            Tag::Body,
            &wire_version(&version),
        )
        .await
}

/// Put a version of a policy in force.
///
/// In the place of the one that was. Its examples must pass, and whoever wrote it may not. What waits is judged by it at once.
#[utoipa::path(
    post, path = "/v1/policies/{policy}/versions/{number}/activate", operation_id = "activate_policy_version",
    tag = "policies",
    params(
        ("policy" = String, Path, description = "Its id or name.", example = "production-basics"),
        ("number" = i64, Path, description = "Which version.", example = 1),
    ),
    responses((status = 200, description = "The policy.", body = Policy,
        headers(("ETag" = String, description = "Its revision.")))),
    extensions(
        ("x-slipway-permission" = json!("policy.write")),
        ("x-slipway-problems" = json!(["policy-state", "separation-of-duties", "not-a-person", "validation"])),
    ),
)]
pub(super) async fn activate(
    Path((policy, version)): Path<(String, i64)>,
    Command(_body, mut change): Command<NoBody>,
) -> Result<Response, Failure> {
    let Change { tx, actor, .. } = &mut change;
    let view = policies::activate(tx, actor, &policy, version).await?;
    change.ok(Tag::Revision(view.head.revision), &wire(&view)).await
}

/// What of the list is asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ListQuery {
    /// How many, 50 unless given.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// The `next` of the page before.
    cursor: Option<String>,
}

/// List the versions of a policy.
///
/// Newest first; old ones stay readable.
#[utoipa::path(
    get, path = "/v1/policies/{policy}/versions", operation_id = "list_policy_versions", tag = "policies",
    params(("policy" = String, Path, description = "Its id or name.", example = "production-basics"), ListQuery),
    responses((status = 200, description = "One page.", body = Page<PolicyVersion>)),
    extensions(("x-slipway-permission" = json!("read"))),
)]
pub(super) async fn list(
    Path(policy): Path<String>,
    Params(query): Params<ListQuery>,
    mut reader: Reader,
) -> Result<Response, Failure> {
    let limit = limit(query.limit);
    let below = cursor::below(query.cursor.as_deref())?;
    let all = policies::versions(
        &mut reader.tx,
        &reader.actor,
        &policy,
        below,
        i64::from(limit) + 1,
    )
    .await?;
    json(&page(
        all,
        limit,
        |version| version.version.to_string(),
        |version| wire_version(&version),
    ))
}

/// Show a version of a policy.
#[utoipa::path(
    get, path = "/v1/policies/{policy}/versions/{number}", operation_id = "get_policy_version", tag = "policies",
    params(
        ("policy" = String, Path, description = "Its id or name.", example = "production-basics"),
        ("number" = i64, Path, description = "Which version.", example = 1),
    ),
    responses((status = 200, description = "The version.", body = PolicyVersion,
        headers(("ETag" = String, description = "A digest of it.")))),
    extensions(("x-slipway-permission" = json!("read"))),
)]
pub(super) async fn get(
    Path((policy, version)): Path<(String, i64)>,
    mut reader: Reader,
) -> Result<Response, Failure> {
    let version = policies::version(&mut reader.tx, &reader.actor, &policy, version).await?;
    reader.one(Tag::Body, &wire_version(&version))
}
