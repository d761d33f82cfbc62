//! `/v1/approvals`: the approver's inbox, and decisions.

use super::resolve;
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
    approval::{Approval, CreateDecision, Decision, Excluded},
    registry::ApprovalRule,
};
use slipway_app::approvals::{self, ApprovalView, Decide, Filter};
use slipway_domain::{Faults, ids::ApprovalTag};
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

pub(crate) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(get))
        .routes(routes!(decide))
}

fn wire(view: &ApprovalView) -> Approval {
    let (approval, deployment) = (&view.approval, &view.deployment);
    Approval {
        id: approval.id.to_string(),
        deployment: deployment.id.to_string(),
        service: deployment.service_name.to_string(),
        release: deployment.release_name(),
        environment: deployment.environment_name.to_string(),
        state: approval.state.as_str().to_owned(),
        digest: approval.digest.to_string(),
        plan_digest: approval.plan_digest.to_string(),
        required: ApprovalRule {
            count: approval.rule.count,
            role: approval.rule.role.to_string(),
        },
        excluded: approval
            .involved
            .iter()
            .map(|(who, how)| Excluded {
                who: view.name(*who),
                because: how.verb().to_owned(),
            })
            .collect(),
        decisions: approval
            .decisions
            .iter()
            .map(|decision| Decision {
                by: view.name(decision.by),
                decision: decision.answer.as_str().to_owned(),
                digest: decision.digest.to_string(),
                comment: decision.comment.clone(),
                at: decision.at,
            })
            .collect(),
        requested_by: view.name(deployment.requested_by),
        reason: deployment.reason.clone(),
        mine: view.mine,
        created_at: approval.created_at,
    }
}

/// What of the list is asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// `pending`: only those that you may decide on now.
    #[param(example = "pending")]
    mine: Option<String>,
    /// Only in this state: `pending`, `approved`, `rejected` or `withdrawn`.
    state: Option<String>,
    /// Only of this deployment.
    deployment: Option<String>,
    /// How many, 50 unless given.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// The `next` of the page before.
    cursor: Option<String>,
}

/// List requests for approval.
///
/// Newest first. `?mine=pending` is the approver's inbox.
#[utoipa::path(
    get, path = "/v1/approvals", operation_id = "list_approvals", tag = "approvals",
    params(ListQuery),
    responses((status = 200, description = "One page.", body = Page<Approval>)),
    extensions(("x-slipway-permission" = json!("read"))),
)]
async fn list(Params(query): Params<ListQuery>, mut reader: Reader) -> Result<Response, Failure> {
    let limit = limit(query.limit);
    let before = cursor::before::<ApprovalTag>(query.cursor.as_deref())?;
    let mine = match query.mine.as_deref() {
        None => false,
        Some("pending") => true,
        Some(_) => return Err(invalid_parameter("mine", "must be `pending`")),
    };
    let state = query.state.as_deref().map(str::parse).transpose();
    let filter = Filter {
        state: state.map_err(|error: String| invalid_parameter("state", error))?,
        deployment: resolve::deployment(&mut reader, query.deployment.as_deref()).await?,
        mine,
    };
    let views = approvals::list(
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
        |view| view.approval.id.to_string(),
        |view| wire(&view),
    ))
}

/// Show a request for approval.
///
/// Its `digest` is what is decided on.
#[utoipa::path(
    get, path = "/v1/approvals/{approval}", operation_id = "get_approval", tag = "approvals",
    params(("approval" = String, Path, description = "Its id.", example = "apr_01kq3m2x5vf9tb2t7w3c7b8d9e")),
    responses((status = 200, description = "The request.", body = Approval,
        headers(("ETag" = String, description = "Its revision, and a digest of what is shown.")))),
    extensions(("x-slipway-permission" = json!("read"))),
)]
async fn get(Path(approval): Path<String>, mut reader: Reader) -> Result<Response, Failure> {
    let view = approvals::get(&mut reader.tx, &reader.actor, &approval).await?;
    reader.one(Tag::Composed(view.approval.revision), &wire(&view))
}

/// Decide on a request for approval.
///
/// On the digest that you looked at: any other is refused. Nobody decides on what they authored, edited, sealed or
/// requested; machines and API tokens never do; a decision counts once a person.
#[utoipa::path(
    post, path = "/v1/approvals/{approval}/decisions", operation_id = "decide_approval", tag = "approvals",
    params(("approval" = String, Path, description = "Its id.", example = "apr_01kq3m2x5vf9tb2t7w3c7b8d9e")),
    request_body = CreateDecision,
    responses((status = 200, description = "The request as it is now.", body = Approval,
        headers(("ETag" = String, description = "Its revision.")))),
    extensions(
        ("x-slipway-permission" = json!("approval.decide")),
        ("x-slipway-problems" = json!([
            "separation-of-duties", "not-a-person", "approval-state", "approval-digest", "already-decided",
        ])),
    ),
)]
async fn decide(
    Path(approval): Path<String>,
    Command(body, mut change): Command<CreateDecision>,
) -> Result<Response, Failure> {
    let mut faults = Faults::new();
    let answer = faults.take("/decision", body.decision.parse());
    let digest = faults.take("/digest", body.digest.parse());
    let (Some(answer), Some(digest)) = (answer, digest) else {
        return Err(Failure::invalid(&faults));
    };
    let input = Decide {
        answer,
        digest,
        comment: body.comment,
    };
    let view = approvals::decide(&mut change.tx, &change.actor, &approval, input).await?;
    change
        .ok(Tag::Composed(view.approval.revision), &wire(&view))
        .await
}
