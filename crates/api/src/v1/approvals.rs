//! `/v1/approvals`: the approver's inbox, and decisions.

use super::{requirement, resolve};
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
    approval::{Approval, ApprovalAsked, ApprovalRequirement, CreateDecision, Decision, Excluded},
};
use slipway_app::approvals::{self, ApprovalView, Decide, Decided, Filter};
use slipway_domain::{
    Faults,
    approval::{Merged, escalation::Standing},
    ids::ApprovalTag,
};
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
    let document = approval.document.as_ref();
    Approval {
        id: approval.id.to_string(),
        deployment: deployment.id.to_string(),
        service: deployment.service_name.to_string(),
        release: deployment.release_name(),
        environment: deployment.environment_name.to_string(),
        asked: approval.asked.as_str().to_owned(),
        state: approval.state.as_str().to_owned(),
        digest: approval.to_decide_on().to_string(),
        document: document.and_then(|written| serde_json::to_value(&written.document).ok()),
        release_digest: approval.digest.to_string(),
        plan_digest: approval.plan_digest.to_string(),
        requirements: approval
            .requirements
            .iter()
            .enumerate()
            .map(|(i, one)| wire_requirement(one, view.asked.get(i)))
            .collect(),
        people: approval.people(),
        missing: view.quorum.missing.iter().map(ToString::to_string).collect(),
        due_at: view.due_at,
        excluded: approval
            .involved
            .iter()
            .map(|one| Excluded {
                who: view.name(one.who),
                because: one.how.verb().to_owned(),
                through_delegate: one.through_delegate,
            })
            .collect(),
        decisions: approval
            .decisions
            .iter()
            .map(|decision| Decision {
                by: view.name(decision.by),
                on_behalf_of: (decision.of != decision.by).then(|| view.name(decision.of)),
                decision: decision.answer.as_str().to_owned(),
                digest: decision
                    .subject
                    .document
                    .unwrap_or(decision.subject.digest)
                    .to_string(),
                comment: decision.comment.clone(),
                at: decision.at,
                withdrawn_because: decision.withdrawn.as_ref().map(|(_, because)| because.clone()),
            })
            .collect(),
        requested_by: view.name(deployment.requested_by),
        reason: deployment.reason.clone(),
        mine: view.mine,
        mine_for: view.for_others.iter().map(|whom| view.name(*whom)).collect(),
        created_at: approval.created_at,
    }
}

fn wire_requirement(one: &Merged, standing: Option<&Standing>) -> ApprovalRequirement {
    let asked = standing.map_or(&[][..], |standing| standing.asked.as_slice());
    ApprovalRequirement {
        rule: requirement::wire(&one.requirement),
        asked_by: one.sources.iter().map(ToString::to_string).collect(),
        asked: asked
            .iter()
            .map(|reached| ApprovalAsked {
                who: reached.level.to_string(),
                since: reached.since,
                ahead: reached.ahead,
            })
            .collect(),
        next: standing.and_then(|standing| standing.next),
    }
}

/// What of the list is asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// `pending`: only those that you may decide on now, for yourself or in the place of somebody who delegated to you.
    #[param(example = "pending")]
    mine: Option<String>,
    /// Only in this state: `pending`, `approved`, `rejected`, `withdrawn` or `expired`.
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
/// Its `document` is what is decided on, by its `digest`.
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
/// requested, nor on what a delegate of theirs did; machines and API tokens never do; a decision counts once a person.
/// In the place of another you decide what they delegated to you. A decision that comes late or again is refused, and put
/// on record.
#[utoipa::path(
    post, path = "/v1/approvals/{approval}/decisions", operation_id = "decide_approval", tag = "approvals",
    params(("approval" = String, Path, description = "Its id.", example = "apr_01kq3m2x5vf9tb2t7w3c7b8d9e")),
    request_body = CreateDecision,
    responses((status = 200, description = "The request as it is now.", body = Approval,
        headers(("ETag" = String, description = "Its revision.")))),
    extensions(
        ("x-slipway-permission" = json!("approval.decide")),
        ("x-slipway-problems" = json!([
            "sign-in-again", "separation-of-duties", "not-a-person", "no-delegation", "not-asked", "approval-state",
            "approval-digest", "already-decided",
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
        on_behalf_of: body.on_behalf_of,
    };
    match approvals::decide(&mut change.tx, &change.actor, &approval, input).await? {
        Decided::Taken(view) => {
            change
                .ok(Tag::Composed(view.approval.revision), &wire(&view))
                .await
        }
        Decided::Refused(error) => Err(change.refused(error).await),
    }
}
