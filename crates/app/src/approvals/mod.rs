//! Approvals: the approver's inbox, and decisions.

use crate::{Before, Error, Tx, deployments::judge, record};
use serde_json::json;
use slipway_domain::{
    Digest,
    approval::{Answer, Approval, ApprovalState, Decision, Refused},
    deployment::Deployment,
    identity::{Actor, Permission, Place},
    ids::{ApprovalId, DeploymentId, PrincipalId},
};
use slipway_store::{approvals, deployments, principals};
use std::collections::BTreeMap;

/// A request with what an approver needs to see beside it.
#[derive(Debug, Clone)]
pub struct ApprovalView {
    /// The request.
    pub approval: Approval,
    /// The deployment it is about.
    pub deployment: Deployment,
    /// Who the ids in it are.
    pub people: BTreeMap<PrincipalId, String>,
    /// Whether the actor may decide on it now.
    pub mine: bool,
}

impl ApprovalView {
    /// What somebody is called.
    #[must_use]
    pub fn name(&self, id: PrincipalId) -> String {
        self.people.get(&id).cloned().unwrap_or_else(|| id.to_string())
    }
}

fn place(deployment: &Deployment) -> Place {
    Place::team_in(
        deployment.team,
        deployment.environment,
        format!(
            "service {} in {}",
            deployment.service_name, deployment.environment_name
        ),
    )
}

async fn view(tx: &mut Tx, actor: &Actor, approval: Approval) -> Result<Option<ApprovalView>, Error> {
    let row = deployments::get(tx, approval.deployment)
        .await?
        .ok_or_else(|| Error::internal(format!("deployment {} is gone", approval.deployment)))?;
    let deployment = row.deployment;
    if !actor.rights.allows(Permission::Read, &place(&deployment)) {
        return Ok(None);
    }
    let mut ids: Vec<PrincipalId> = approval.involved.iter().map(|(who, _)| *who).collect();
    ids.extend(approval.decisions.iter().map(|d| d.by));
    ids.push(deployment.requested_by);
    ids.sort();
    ids.dedup();
    let people = principals::names(tx, &ids).await?;
    let me = actor.principal.id;
    let mine = approval.state == ApprovalState::Pending
        && actor.is_person_signed_in()
        && actor.rights.has_role(approval.rule.role, &place(&deployment))
        && !approval.involved.iter().any(|(who, _)| *who == me)
        && !approval.decisions.iter().any(|d| d.by == me);
    Ok(Some(ApprovalView {
        approval,
        deployment,
        people,
        mine,
    }))
}

/// One request.
///
/// # Errors
/// When there is none that the actor may see.
pub async fn get(tx: &mut Tx, actor: &Actor, reference: &str) -> Result<ApprovalView, Error> {
    let missing = || Error::not_found("approval", reference);
    let id: ApprovalId = reference.parse().map_err(|_| missing())?;
    let approval = approvals::get(tx, id).await?.ok_or_else(missing)?;
    view(tx, actor, approval).await?.ok_or_else(missing)
}

/// Filters of a list.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only in this state.
    pub state: Option<ApprovalState>,
    /// Only of this deployment.
    pub deployment: Option<DeploymentId>,
    /// Only those that the actor may decide on now.
    pub mine: bool,
}

/// Requests, newest first, as far as the actor may see them.
///
/// # Errors
/// When the database is unavailable.
pub async fn list(
    tx: &mut Tx,
    actor: &Actor,
    filter: &Filter,
    before: Before,
    limit: i64,
) -> Result<Vec<ApprovalView>, Error> {
    let state = if filter.mine {
        Some(ApprovalState::Pending)
    } else {
        filter.state
    };
    let mut found = Vec::new();
    let mut before = before;
    let limit = usize::try_from(limit).unwrap_or(0);
    // What may not be seen is passed over, so a page is filled from as many rows as it takes.
    loop {
        let batch = approvals::list(tx, state, filter.deployment, before, 200).await?;
        let last = batch.last().map(|a| a.id.uuid());
        let full = batch.len() == 200;
        for approval in batch {
            if let Some(view) = view(tx, actor, approval)
                .await?
                .filter(|v| v.mine || !filter.mine)
            {
                found.push(view);
                if found.len() == limit {
                    return Ok(found);
                }
            }
        }
        if !full {
            return Ok(found);
        }
        before = last;
    }
}

/// What somebody decides.
#[derive(Debug, Clone)]
pub struct Decide {
    /// Yes or no.
    pub answer: Answer,
    /// The digest they looked at.
    pub digest: Digest,
    /// In their words.
    pub comment: Option<String>,
}

/// Decides on a request.
///
/// # Errors
/// Without the role that is asked for; when it is not pending, names another digest, or the actor is involved, has decided
/// before or is no person who signed in. A refusal changes nothing.
pub async fn decide(
    tx: &mut Tx,
    actor: &Actor,
    reference: &str,
    input: Decide,
) -> Result<ApprovalView, Error> {
    let seen = get(tx, actor, reference).await?;
    actor.require(Permission::ApprovalDecide, &place(&seen.deployment))?;
    // The deployment first, as everything that changes it does: no two wait for each other.
    let row = deployments::lock(tx, seen.deployment.id)
        .await?
        .ok_or_else(|| Error::not_found("approval", reference))?;
    // The approver's request is no part of the deployment's trace, and has to do with it.
    slipway_telemetry::trace::link_to(&tracing::Span::current(), row.traceparent.as_deref());
    let approval = approvals::lock(tx, seen.approval.id)
        .await?
        .ok_or_else(|| Error::not_found("approval", reference))?;
    let decision = Decision {
        by: actor.principal.id,
        answer: input.answer,
        digest: input.digest,
        plan_digest: approval.plan_digest,
        comment: input.comment.filter(|c| !c.trim().is_empty()),
        at: tx.now,
    };
    let decided = approval
        .decide(decision.clone(), actor.is_person_signed_in())
        .map_err(refusal)?;
    approvals::decide(tx, &decided, &decision).await?;
    let verb = match input.answer {
        Answer::Approve => "approved",
        Answer::Reject => "rejected",
    };
    let d = &row.deployment;
    let message = format!("{verb} {} to {}", d.release_name(), d.environment_name);
    let change = record::Change::of(d, "approval.decide", message).with(json!({
        "approval": decided.id, "decision": input.answer.as_str(), "digest": decision.digest,
        "plan_digest": decision.plan_digest, "comment": decision.comment, "state": decided.state.as_str(),
    }));
    record::change(tx, actor, change).await?;
    judge::judge(tx, d.id).await?;
    get(tx, actor, reference).await
}

fn refusal(refused: Refused) -> Error {
    match refused {
        Refused::NotPending(_) => Error::conflict("approval-state", refused),
        Refused::OtherDigest { .. } => Error::conflict("approval-digest", refused),
        Refused::AlreadyDecided => Error::conflict("already-decided", refused),
        Refused::Involved(_) => Error::refused("separation-of-duties", refused),
        Refused::NotAPerson => Error::refused("not-a-person", refused),
    }
}
