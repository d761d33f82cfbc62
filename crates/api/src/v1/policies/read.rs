//! Reading policies, and the shape of what they are judged on.

use super::wire;
use crate::{
    cursor,
    etag::Tag,
    extract::{Params, Reader, json, limit, page},
    problem::Failure,
};
use axum::{extract::Path, response::Response};
use serde::Deserialize;
use slipway_api_types::{Page, policy::Policy};
use slipway_app::policies;
use slipway_domain::{ids::PolicyTag, policy::Facts};
use utoipa::IntoParams;

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

/// List policies.
///
/// Newest first, each with the version that counts.
#[utoipa::path(
    get, path = "/v1/policies", operation_id = "list_policies", tag = "policies",
    params(ListQuery),
    responses((status = 200, description = "One page.", body = Page<Policy>)),
    extensions(("x-slipway-permission" = json!("read"))),
)]
pub(super) async fn list(Params(query): Params<ListQuery>, mut reader: Reader) -> Result<Response, Failure> {
    let limit = limit(query.limit);
    let before = cursor::before::<PolicyTag>(query.cursor.as_deref())?;
    let views = policies::list(&mut reader.tx, &reader.actor, before, i64::from(limit) + 1).await?;
    json(&page(
        views,
        limit,
        |view| view.head.id.to_string(),
        |view| wire(&view),
    ))
}

/// Show a policy.
#[utoipa::path(
    get, path = "/v1/policies/{policy}", operation_id = "get_policy", tag = "policies",
    params(("policy" = String, Path, description = "Its id or name.", example = "production-basics")),
    responses((status = 200, description = "The policy.", body = Policy,
        headers(("ETag" = String, description = "Its revision.")))),
    extensions(("x-slipway-permission" = json!("read"))),
)]
pub(super) async fn get(Path(policy): Path<String>, mut reader: Reader) -> Result<Response, Failure> {
    if reader.is_conditional() {
        let revision = policies::revision(&mut reader.tx, &reader.actor, &policy).await?;
        if let Some(unchanged) = reader.unchanged(revision) {
            return Ok(unchanged);
        }
    }
    let view = policies::get(&mut reader.tx, &reader.actor, &policy).await?;
    reader.one(Tag::Revision(view.head.revision), &wire(&view))
}

/// Show what policies are judged on.
///
/// The JSON Schema (2020-12) of the facts. Fields are added, and never renamed.
#[utoipa::path(
    get, path = "/v1/schemas/policy-facts", operation_id = "get_policy_facts_schema", tag = "policies",
    responses((status = 200, description = "The schema.", body = Object,
        headers(("ETag" = String, description = "A digest of it.")))),
    extensions(("x-slipway-permission" = json!("read"))),
)]
pub(super) async fn facts_schema(reader: Reader) -> Result<Response, Failure> {
    policies::may_read(&reader.actor)?;
    reader.one(Tag::Body, &Facts::schema())
}
