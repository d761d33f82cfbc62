//! Deciding.

use super::{ApprovalView, get, standing};
use crate::{
    Error, Tx,
    deployments::{judge, place},
    record,
};
use serde_json::json;
use slipway_domain::{
    Digest,
    approval::{
        Answer, Approval, Decision, Entitled, Person, SignedIn, Subject,
        decide::{Attempt, Circumstances, Outcome, Refused},
        delegation::{At, Delegation, power},
    },
    deployment::Deployment,
    identity::{Actor, Permission, Place, PrincipalKind},
    ids::{DecisionId, DelegationId, Fresh as _},
};
use slipway_store::{approvals, delegations, deployments, groups, principals};

/// What somebody decides.
#[derive(Debug, Clone)]
pub struct Decide {
    /// Yes or no.
    pub answer: Answer,
    /// The digest of what they looked at.
    pub digest: Digest,
    /// In their words.
    pub comment: Option<String>,
    /// In whose place, by subject or id; in their own when absent.
    pub on_behalf_of: Option<String>,
}

/// What came of it.
#[derive(Debug)]
pub enum Decided {
    /// It was taken.
    Taken(Box<ApprovalView>),
    /// It was refused, and the refusal is on record: the transaction is to be committed all the same.
    Refused(Error),
}

/// Decides on a request.
///
/// # Errors
/// Without the role that is asked for; when the actor is involved, is no person who signed in, or has no power to decide for
/// another. A refusal changes nothing. One that comes late, again, or on what it was before is told as [`Decided::Refused`].
pub async fn decide(tx: &mut Tx, actor: &Actor, reference: &str, input: Decide) -> Result<Decided, Error> {
    let seen = get(tx, actor, reference).await?;
    let place = place(&seen.deployment);
    if input.on_behalf_of.is_none() {
        actor.require(Permission::ApprovalDecide, &place)?;
    }
    // The deployment first, as everything that changes it does: no two wait for each other.
    let row = deployments::lock(tx, seen.deployment.id)
        .await?
        .ok_or_else(|| Error::not_found("approval", reference))?;
    // The approver's request is no part of the deployment's trace, and has to do with it.
    slipway_telemetry::trace::link_to(&tracing::Span::current(), row.traceparent.as_deref());
    // What is decided on is what it is now, not what it was at the last look.
    judge::judge(tx, row.deployment.id).await?;
    let approval = approvals::lock(tx, seen.approval.id)
        .await?
        .ok_or_else(|| Error::not_found("approval", reference))?;
    let d = row.deployment;
    let by = myself(tx, actor, &place).await?;
    let whom = match &input.on_behalf_of {
        Some(reference) => Some(somebody(tx, actor, reference, &place).await?),
        None => None,
    };
    let people: Vec<_> = [Some(by.id), whom.as_ref().map(|whom| whom.id)]
        .into_iter()
        .flatten()
        .collect();
    let stored = delegations::involving(tx, &people).await?;
    let given: Vec<Delegation> = stored.iter().map(|one| one.delegation.clone()).collect();
    let at = At {
        approval: approval.id,
        place: &place,
    };
    let standings = standing::standings(tx, &d, &approval).await?;
    let stand_ins = standing::stand_ins(&standings);
    let behind = standing::behind(tx, &place, &approval).await?;
    let attempt = Attempt {
        person_signed_in: actor.is_person_signed_in(),
        signed_in: actor.signed_in(),
        on_behalf_of: whom.clone(),
        answer: input.answer,
        subject: Subject {
            document: approval.document.as_ref().map(|_| input.digest),
            digest: if approval.document.is_some() {
                approval.digest
            } else {
                input.digest
            },
            plan_digest: approval.plan_digest,
        },
        by: by.clone(),
    };
    let around = Circumstances {
        at,
        stand_ins: &stand_ins,
        delegations: &given,
    };
    let outcome = match approval.request(&behind).decide(&attempt, &around, tx.now) {
        Ok(outcome) => outcome,
        Err(refused) => {
            let digest = |approval: &Approval| approval.document.as_ref().map(|shown| shown.digest);
            let shown_anew = digest(&approval) != digest(&seen.approval);
            return refuse(tx, actor, &d, (&approval, shown_anew), &input, refused).await;
        }
    };
    let delegation = whom.as_ref().filter(|whom| whom.id != by.id).and_then(|whom| {
        let given = power(&given, by.id, whom.id, at, tx.now).ok()?;
        stored
            .iter()
            .find(|one| one.delegation == *given)
            .map(|one| one.id)
    });
    keep(tx, actor, &d, approval, &input, (outcome, delegation, &place)).await?;
    judge::judge(tx, d.id).await?;
    Ok(Decided::Taken(Box::new(get(tx, actor, reference).await?)))
}

/// Whoever acts, and what they are entitled to there: by what they hold, and by what their token says.
async fn myself(tx: &mut Tx, actor: &Actor, place: &Place) -> Result<Entitled, Error> {
    let id = actor.principal.id;
    let groups = groups::of(tx, &[id]).await?.remove(&id).unwrap_or_default();
    Ok(Entitled {
        id,
        person: Person {
            issuer: actor.principal.issuer.clone(),
            subject: actor.principal.subject.clone(),
        },
        roles: standing::roles(&actor.rights, place),
        groups,
    })
}

/// Somebody by subject or id. One who is not known is told apart from nobody who delegated: nothing is learned by guessing.
async fn somebody(tx: &mut Tx, actor: &Actor, reference: &str, place: &Place) -> Result<Entitled, Error> {
    let nobody = || {
        let called: String = reference.chars().take(80).collect();
        Error::refused(
            "no-delegation",
            format!("nothing is delegated to you by `{called}`"),
        )
    };
    let known = if let Ok(id) = reference.parse() {
        principals::get(tx, id).await?
    } else {
        let mine = delegations::involving(tx, &[actor.principal.id]).await?;
        let from: Vec<_> = mine.iter().map(|one| one.delegation.from).collect();
        let known = principals::many(tx, &from).await?;
        known.into_iter().find(|principal| principal.subject == reference)
    };
    let known = known
        .filter(|known| known.kind == PrincipalKind::Human)
        .ok_or_else(nobody)?;
    standing::entitled(tx, place, &[known.id])
        .await?
        .remove(&known.id)
        .ok_or_else(nobody)
}

/// Writes a decision down.
async fn keep(
    tx: &mut Tx,
    actor: &Actor,
    d: &Deployment,
    mut approval: Approval,
    input: &Decide,
    (outcome, delegation, place): (Outcome, Option<DelegationId>, &Place),
) -> Result<(), Error> {
    let taken = outcome.taken;
    let held = standing::bound(tx, place, taken.of.id).await?;
    let decision = Decision {
        id: DecisionId::fresh(),
        by: taken.by,
        of: taken.of.id,
        delegation,
        claimed_roles: taken
            .of
            .roles
            .iter()
            .copied()
            .filter(|role| !held.contains(role))
            .collect(),
        signed_in: taken.signed_in,
        answer: taken.answer,
        subject: taken.subject,
        comment: input.comment.clone().filter(|comment| !comment.trim().is_empty()),
        at: taken.at,
        withdrawn: None,
    };
    approval.state = outcome.state;
    approvals::decide(tx, &approval, &decision).await?;
    let verb = match input.answer {
        Answer::Approve => "approved",
        Answer::Reject => "rejected",
    };
    let for_whom = match &input.on_behalf_of {
        Some(_) if decision.of != decision.by => format!(", in the place of {}", taken.of.person),
        _ => String::new(),
    };
    let message = format!("{verb} {} to {}{for_whom}", d.release_name(), d.environment_name);
    let SignedIn { at, methods } = &decision.signed_in;
    let mut data = json!({
        "approval": approval.id, "decision": input.answer.as_str(), "digest": decision.subject.digest,
        "plan_digest": decision.subject.plan_digest, "document_digest": decision.subject.document,
        "comment": decision.comment, "state": approval.state.as_str(), "signed_in_at": at, "methods": methods,
        "missing": outcome.quorum.missing.iter().map(ToString::to_string).collect::<Vec<_>>(),
    });
    if decision.of != decision.by {
        data["on_behalf_of"] = json!(taken.of.person);
        data["delegation"] = json!(decision.delegation);
    }
    record::change(
        tx,
        actor,
        record::Change::of(d, "approval.decide", message).with(data),
    )
    .await
}

/// Says why not. What comes late or again is put on record.
async fn refuse(
    tx: &mut Tx,
    actor: &Actor,
    d: &Deployment,
    (approval, shown_anew): (&Approval, bool),
    input: &Decide,
    refused: Refused,
) -> Result<Decided, Error> {
    if refused.on_record().is_none() {
        let error = refusal(refused);
        // What approvers see has just been written anew: that stands, or they would never see it.
        return if shown_anew {
            Ok(Decided::Refused(error))
        } else {
            Err(error)
        };
    }
    let message = format!(
        "tried to {} {} to {}: {refused}",
        input.answer.as_str(),
        d.release_name(),
        d.environment_name
    );
    let change = record::Change::of(d, "approval.refuse", message).with(json!({
        "approval": approval.id, "decision": input.answer.as_str(), "digest": input.digest, "because": refused.to_string(),
    }));
    record::change(tx, actor, change).await?;
    Ok(Decided::Refused(refusal(refused)))
}

fn refusal(refused: Refused) -> Error {
    match refused {
        Refused::NotPending(_) | Refused::Expired(_) => Error::conflict("approval-state", refused),
        Refused::OtherDigest { .. } | Refused::OtherPlan { .. } | Refused::OtherDocument { .. } => {
            Error::conflict("approval-digest", refused)
        }
        Refused::AlreadyDecided | Refused::AlreadyDecidedWhom => Error::conflict("already-decided", refused),
        Refused::Excluded(_) | Refused::ExcludedThrough(_) | Refused::ExcludedWhom(_) => {
            Error::refused("separation-of-duties", refused)
        }
        Refused::NotAPerson => Error::refused("not-a-person", refused),
        Refused::NoPower(_) => Error::refused("no-delegation", refused),
        Refused::Role(..) | Refused::NotAsked(..) => Error::refused("not-asked", refused),
        Refused::SignInAgain(again) => Error::SignInAgain(again),
    }
}
