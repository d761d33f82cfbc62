//! `/v1/reviews`: of what went on without a gate, in an emergency.

use crate::{
    cursor,
    etag::Tag,
    extract::{Command, Params, Reader, invalid_parameter, json, limit, page},
    problem::Failure,
    state::ApiState,
};
use axum::{extract::Path, response::Response};
use serde::Deserialize;
use slipway_api_types::{
    Page,
    review::{CloseReview, Review},
};
use slipway_app::reviews::{self, ReviewView};
use slipway_domain::ids::ReviewTag;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

pub(crate) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(get))
        .routes(routes!(close))
}

fn wire(view: &ReviewView) -> Review {
    let (review, deployment) = (&view.review, &view.deployment);
    Review {
        id: review.id.to_string(),
        deployment: deployment.id.to_string(),
        release: deployment.release_name(),
        environment: deployment.environment_name.to_string(),
        because: review.because.clone(),
        state: if review.closed.is_some() { "closed" } else { "open" }.to_owned(),
        opened_at: review.opened_at,
        findings: review.closed.as_ref().map(|closed| closed.findings.clone()),
        closed_by: view.closed_by.clone(),
        closed_at: review.closed.as_ref().map(|closed| closed.at),
    }
}

/// What of the list is asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// `open` or `closed`; both unless given.
    #[param(example = "open")]
    state: Option<String>,
    /// How many, 50 unless given.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// The `next` of the page before.
    cursor: Option<String>,
}

/// List reviews.
///
/// Of deployments that went on without a gate; newest first.
#[utoipa::path(
    get, path = "/v1/reviews", operation_id = "list_reviews", tag = "approvals",
    params(ListQuery),
    responses((status = 200, description = "One page.", body = Page<Review>)),
    extensions(("x-slipway-permission" = json!("read"))),
)]
async fn list(Params(query): Params<ListQuery>, mut reader: Reader) -> Result<Response, Failure> {
    let limit = limit(query.limit);
    let before = cursor::before::<ReviewTag>(query.cursor.as_deref())?;
    let open = match query.state.as_deref() {
        None => None,
        Some("open") => Some(true),
        Some("closed") => Some(false),
        Some(_) => return Err(invalid_parameter("state", "must be `open` or `closed`")),
    };
    let views = reviews::list(&mut reader.tx, &reader.actor, open, before, i64::from(limit) + 1).await?;
    json(&page(
        views,
        limit,
        |view| view.review.id.to_string(),
        |view| wire(&view),
    ))
}

/// Show a review.
#[utoipa::path(
    get, path = "/v1/reviews/{review}", operation_id = "get_review", tag = "approvals",
    params(("review" = String, Path, description = "Its id.", example = "rev_01kq3m2x5vf9tb2t7w3c7b8d9e")),
    responses((status = 200, description = "The review.", body = Review,
        headers(("ETag" = String, description = "Its revision.")))),
    extensions(("x-slipway-permission" = json!("read"))),
)]
async fn get(Path(review): Path<String>, mut reader: Reader) -> Result<Response, Failure> {
    let view = reviews::get(&mut reader.tx, &reader.actor, &review).await?;
    reader.one(Tag::Revision(view.review.revision), &wire(&view))
}

/// Close a review.
///
/// By somebody who neither asked for the deployment nor overrode its gates.
#[utoipa::path(
    post, path = "/v1/reviews/{review}/close", operation_id = "close_review", tag = "approvals",
    params(("review" = String, Path, description = "Its id.", example = "rev_01kq3m2x5vf9tb2t7w3c7b8d9e")),
    request_body = CloseReview,
    responses((status = 200, description = "The review as it is now.", body = Review,
        headers(("ETag" = String, description = "Its revision.")))),
    extensions(
        ("x-slipway-permission" = json!("review.write")),
        ("x-slipway-problems" = json!(["not-a-person", "separation-of-duties", "review-closed"])),
    ),
)]
async fn close(
    Path(review): Path<String>,
    Command(body, mut change): Command<CloseReview>,
) -> Result<Response, Failure> {
    let view = reviews::close(&mut change.tx, &change.actor, &review, &body.findings).await?;
    change.ok(Tag::Revision(view.review.revision), &wire(&view)).await
}
