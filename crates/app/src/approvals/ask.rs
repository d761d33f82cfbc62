//! Asking people for approval, by whatever asks for it: the environment, the process, policies.

use super::{document, standing, tell};
use crate::{Error, Tx, deployments::place, record};
use serde_json::json;
use slipway_domain::{
    approval::{
        Approval, ApprovalState, Asked, Involved, Involvement, Merged, Told, decide::excluded,
        delegation::At, document::asked_by, merge::again, people,
    },
    counted,
    deployment::Deployment,
    gates::{Facts, overrides},
    ids::{ApprovalId, Fresh as _},
    release::{Release, Seal},
};
use slipway_store::{approvals, delegations, deployments::Row, overrides as stored};

/// Who may not decide: whoever made or asked for it, and whoever had a delegate who did.
async fn involved(
    tx: &mut Tx,
    approval: ApprovalId,
    deployment: &Deployment,
    release: &Release,
    seal: &Seal,
) -> Result<Vec<Involved>, Error> {
    let mut involved = vec![(release.author, Involvement::Author)];
    involved.extend(release.editors.iter().map(|id| (*id, Involvement::Editor)));
    involved.push((seal.by, Involvement::Sealer));
    involved.push((deployment.requested_by, Involvement::Requester));
    let overriders = stored::people(tx, deployment.id).await?;
    involved.extend(overriders.iter().map(|id| (*id, Involvement::Overrider)));
    let ids: Vec<_> = involved.iter().map(|(who, _)| *who).collect();
    let place = place(deployment);
    let at = At {
        approval,
        place: &place,
    };
    let now = tx.now;
    let delegations = delegations::involving(tx, &ids).await?;
    let acted_for: Vec<_> = delegations
        .iter()
        .map(|stored| &stored.delegation)
        .filter(|one| one.in_force(now) && one.scope.covers(at) && ids.contains(&one.to))
        .map(|one| (one.to, one.from))
        .collect();
    Ok(excluded(&involved, &acted_for))
}

/// Has as many people asked as is asked for by now: asks, or asks for more. What was asked for once stays asked for, also when
/// a policy wants less later: whoever wants to be judged by that asks for the deployment again.
pub(crate) async fn want(
    tx: &mut Tx,
    row: &Row,
    facts: &Facts,
    release: Option<&Release>,
) -> Result<(), Error> {
    let raised = facts.raised();
    if raised.is_empty() {
        return Ok(());
    }
    let d = &row.deployment;
    let mut open = approvals::of(tx, &[d.id]).await?;
    open.retain(|approval| approval.asked == Asked::Before);
    if open.is_empty() {
        return ask(tx, row, facts, release, raised, Asked::Before).await;
    }
    for approval in open {
        if matches!(approval.state, ApprovalState::Pending | ApprovalState::Approved) {
            raise(tx, d, approval, &raised).await?;
        }
    }
    Ok(())
}

/// Asks.
pub(crate) async fn ask(
    tx: &mut Tx,
    row: &Row,
    facts: &Facts,
    release: Option<&Release>,
    requirements: Vec<Merged>,
    asked: Asked,
) -> Result<(), Error> {
    let d = &row.deployment;
    let gone = |what: &str| Error::internal(format!("{what} of deployment {} is gone", d.id));
    let release = release.ok_or_else(|| gone("the release"))?;
    let seal = release.state.seal().cloned().ok_or_else(|| gone("the seal"))?;
    let id = ApprovalId::fresh();
    let written = document::written(tx, row, facts, release).await?;
    let approval = Approval {
        id,
        deployment: d.id,
        asked,
        requirements,
        digest: seal.digest,
        plan_digest: d.plan_digest,
        document: Some(written),
        state: ApprovalState::Pending,
        involved: involved(tx, id, d, release, &seal).await?,
        decisions: Vec::new(),
        told: Told::default(),
        revision: 1,
        created_at: tx.now,
    };
    let standings = standing::standings(tx, d, &approval).await?;
    let look_at = tell::first_look(&approval, &standings, tx.now);
    approvals::insert(tx, &approval, look_at).await?;
    let when = match asked {
        Asked::Before => "needs approval",
        Asked::Afterwards => "went on without approval, and needs it afterwards:",
    };
    let message = format!(
        "{} to {} {when} by {}, asked for by {}",
        d.release_name(),
        d.environment_name,
        count(approval.people()),
        asked_by(approval.requirements.iter().flat_map(|one| &one.sources)),
    );
    let change = record::Change::of(d, "approval.request", message).with(json!({
        "approval": approval.id, "asked": asked.as_str(), "digest": approval.digest, "plan_digest": approval.plan_digest,
        "document_digest": approval.document.as_ref().map(|written| written.digest),
        "requirements": approval.requirements,
    }));
    record::by_system(tx, change).await
}

/// Asks those who must answer for it that a deployment goes on without gates, once for all of them. Where approval is one of
/// them, those who were asked before are asked afterwards, too.
pub(crate) async fn answer_for(
    tx: &mut Tx,
    row: &Row,
    facts: &Facts,
    release: Option<&Release>,
    approval_too: bool,
) -> Result<(), Error> {
    let d = &row.deployment;
    for who in stored::people(tx, d.id).await? {
        approvals::involve(tx, d.id, who, Involvement::Overrider).await?;
    }
    let answers = overrides::answers(&facts.policies);
    let mut pending = approvals::of(tx, &[d.id]).await?;
    pending.retain(|one| {
        one.state == ApprovalState::Pending && (one.asked == Asked::Afterwards || approval_too)
    });
    // One that is answered afterwards already takes in what was asked before.
    pending.sort_by_key(|one| one.asked == Asked::Before);
    let mut pending = pending.into_iter();
    let Some(mut approval) = pending.next() else {
        return ask(tx, row, facts, release, answers, Asked::Afterwards).await;
    };
    let Some(release) = release else {
        return Err(Error::internal(format!(
            "the release of deployment {} is gone",
            d.id
        )));
    };
    let mut requirements = approval.requirements;
    requirements.extend(answers);
    for taken_in in pending {
        requirements.extend(taken_in.requirements.clone());
        take_in(tx, d, &taken_in, &approval.id).await?;
    }
    approval.requirements = again(requirements);
    approval.asked = Asked::Afterwards;
    let written = document::written(tx, row, facts, release).await?;
    approvals::answered_afterwards(tx, &approval, &written).await?;
    let because = "it goes on without it, in an emergency";
    let withdrawn = approvals::withdraw_decisions(tx, approval.id, because).await?;
    let message = format!(
        "{} to {} goes on without approval, and needs it afterwards: by {}",
        d.release_name(),
        d.environment_name,
        count(approval.people())
    );
    let change = record::Change::of(d, "approval.change", message).with(json!({
        "approval": approval.id, "asked": Asked::Afterwards.as_str(), "state": ApprovalState::Pending.as_str(),
        "withdrawn": withdrawn, "requirements": approval.requirements, "document_digest": written.digest,
    }));
    record::by_system(tx, change).await
}

/// What was asked before is asked afterwards, by another request.
async fn take_in(tx: &mut Tx, d: &Deployment, taken_in: &Approval, by: &ApprovalId) -> Result<(), Error> {
    approvals::taken_in(tx, taken_in).await?;
    let message = format!(
        "what was asked for {} to {} is answered afterwards",
        d.release_name(),
        d.environment_name
    );
    let change = record::Change::of(d, "approval.change", message).with(json!({
        "approval": taken_in.id, "asked": Asked::Afterwards.as_str(), "state": ApprovalState::Withdrawn.as_str(), "by": by,
    }));
    record::by_system(tx, change).await
}

fn count(people: u32) -> String {
    counted(people, "person", "people")
}

/// Asks for more, where more is asked for than before. Who approved already still counts for what they can.
async fn raise(tx: &mut Tx, d: &Deployment, mut approval: Approval, raised: &[Merged]) -> Result<(), Error> {
    let before = again(approval.requirements.clone());
    let requirements = again(before.iter().chain(raised).cloned());
    if requirements == before {
        return Ok(());
    }
    approval.requirements = requirements;
    // Those whom another requirement asks have been told nothing yet.
    approval.told.levels.clear();
    approval.told.reminders.clear();
    let place = place(d);
    let standings = standing::standings(tx, d, &approval).await?;
    let behind = standing::behind(tx, &place, &approval).await?;
    let (state, _) = approval.request(&behind).judge(&standing::stand_ins(&standings));
    approval.state = match state {
        ApprovalState::Approved => ApprovalState::Approved,
        _ => ApprovalState::Pending,
    };
    approvals::raise(tx, &approval).await?;
    let (was, is) = (people(&before), approval.people());
    let message = format!(
        "{} to {} needs approval by {}, {was} before, as asked for by {}",
        d.release_name(),
        d.environment_name,
        count(is),
        asked_by(raised.iter().flat_map(|one| &one.sources)),
    );
    let change = record::Change::of(d, "approval.raise", message).with(json!({
        "approval": approval.id, "required": is, "before": was, "state": approval.state.as_str(),
        "requirements": approval.requirements,
    }));
    record::by_system(tx, change).await
}
