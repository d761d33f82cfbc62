//! Approvals: who is asked, what they see, and what they decide.
//!
//! * [`decide()`]: a decision, in one's own place or by a delegation.
//! * `ask`: has people asked by whatever asks for it; `document`: what they see, and what withdraws their decisions.
//! * `facts`: what the gate is judged on; `standing`: who is asked by now, and entitled to what.
//! * [`tell()`]: reminders, escalation and expiry, by a timer.

mod ask;
mod decide;
mod document;
mod facts;
mod input;
mod standing;
mod tell;

pub(crate) use ask::{answer_for, want};
pub use decide::{Decide, Decided, decide};
pub(crate) use document::refresh;
pub(crate) use facts::facts;
pub use input::RequirementInput;
pub(crate) use input::known_groups;
pub(crate) use tell::tell;

use crate::{Before, Error, Tx, deployments::place};
use slipway_domain::{
    approval::{
        Approval, ApprovalState,
        decide::Request,
        delegation::{At, power},
        escalation::Standing,
        quorum::{Asked, Entitled, Quorum},
    },
    deployment::Deployment,
    identity::{Actor, Permission},
    ids::{ApprovalId, DeploymentId, PrincipalId},
};
use slipway_store::{approvals, delegations, deployments, principals};
use std::collections::{BTreeMap, BTreeSet};

/// A request with what an approver needs to see beside it.
#[derive(Debug, Clone)]
pub struct ApprovalView {
    /// The request.
    pub approval: Approval,
    /// The deployment it is about.
    pub deployment: Deployment,
    /// Who the ids in it are.
    pub people: BTreeMap<PrincipalId, String>,
    /// Whether the actor may decide on it now, for themselves.
    pub mine: bool,
    /// In whose place they may decide on it now.
    pub for_others: Vec<PrincipalId>,
    /// Who fills what, and who is missing.
    pub quorum: Quorum,
    /// Who is asked by now, for each requirement.
    pub asked: Vec<Standing>,
    /// When an answer is due.
    pub due_at: Option<jiff::Timestamp>,
}

impl ApprovalView {
    /// What somebody is called.
    #[must_use]
    pub fn name(&self, id: PrincipalId) -> String {
        self.people.get(&id).cloned().unwrap_or_else(|| id.to_string())
    }
}

async fn view(tx: &mut Tx, actor: &Actor, approval: Approval) -> Result<Option<ApprovalView>, Error> {
    let row = deployments::get(tx, approval.deployment)
        .await?
        .ok_or_else(|| Error::internal(format!("deployment {} is gone", approval.deployment)))?;
    let deployment = row.deployment;
    let place = place(&deployment);
    let delegators = delegators(tx, actor, &approval, &place).await?;
    // Whoever decides for somebody sees what they decide on.
    if !actor.rights.allows(Permission::Read, &place) && delegators.is_empty() {
        return Ok(None);
    }
    let mut ids: BTreeSet<PrincipalId> = approval.involved.iter().map(|one| one.who).collect();
    ids.extend(approval.decisions.iter().flat_map(|d| [d.by, d.of]));
    ids.extend(&delegators);
    ids.insert(deployment.requested_by);
    let people = principals::names(tx, &ids.into_iter().collect::<Vec<_>>()).await?;
    let asked = standing::standings(tx, &deployment, &approval).await?;
    let stand_ins = standing::stand_ins(&asked);
    let behind = standing::behind(tx, &place, &approval).await?;
    let request = approval.request(&behind);
    let (_, quorum) = request.judge(&stand_ins);
    let open = request.state == ApprovalState::Pending
        && actor.is_person_signed_in()
        && free(&request, actor.principal.id);
    let wanted = |who: &Entitled| {
        let mut each = request.requirements.iter().enumerate();
        each.any(|(i, one)| {
            let stand_ins = stand_ins.get(i).map_or(&[][..], Vec::as_slice);
            let requirement = &one.requirement;
            Asked {
                requirement,
                stand_ins,
            }
            .wants(who)
        })
    };
    let mut me = standing::entitled(tx, &place, &[actor.principal.id])
        .await?
        .remove(&actor.principal.id);
    if let Some(me) = &mut me {
        me.roles = standing::roles(&actor.rights, &place);
    }
    let others = standing::entitled(tx, &place, &delegators).await?;
    let for_others = others
        .values()
        .filter(|whom| open && free(&request, whom.id) && wanted(whom));
    let for_others = for_others.map(|whom| whom.id).collect();
    Ok(Some(ApprovalView {
        mine: open && me.as_ref().is_some_and(wanted),
        for_others,
        due_at: request.due_at(),
        approval,
        deployment,
        people,
        quorum,
        asked,
    }))
}

/// Whether somebody has nothing to do with it, and has not decided yet.
fn free(request: &Request, who: PrincipalId) -> bool {
    !request.excluded.iter().any(|one| one.who == who)
        && !request
            .decisions
            .iter()
            .any(|taken| taken.by == who || taken.of.id == who)
}

/// Those in whose place the actor may decide there by now.
async fn delegators(
    tx: &mut Tx,
    actor: &Actor,
    approval: &Approval,
    place: &slipway_domain::identity::Place,
) -> Result<Vec<PrincipalId>, Error> {
    if !actor.is_person_signed_in() {
        return Ok(Vec::new());
    }
    let me = actor.principal.id;
    let given = delegations::involving(tx, &[me]).await?;
    let given: Vec<_> = given
        .into_iter()
        .map(|stored| stored.delegation)
        .filter(|one| one.to == me)
        .collect();
    let at = At {
        approval: approval.id,
        place,
    };
    let from: BTreeSet<_> = given.iter().map(|one| one.from).collect();
    let now = tx.now;
    Ok(from
        .into_iter()
        .filter(|whom| power(&given, me, *whom, at, now).is_ok())
        .collect())
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
    /// Only those that the actor may decide on now, for themselves or for somebody who delegated to them.
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
            let wanted = |v: &ApprovalView| !filter.mine || v.mine || !v.for_others.is_empty();
            if let Some(view) = view(tx, actor, approval).await?.filter(wanted) {
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
