//! Who is asked by now, and what people are entitled to, as bindings, groups and absences have it in this transaction.

use crate::{Error, Tx};
use slipway_domain::{
    Name,
    approval::{
        Approval, Entitled, Person, Requirement,
        escalation::{self, Away, Level, Reached, Standing},
    },
    deployment::Deployment,
    identity::{Place, Rights, Role},
    ids::PrincipalId,
};
use slipway_store::{absences, groups, principals, role_bindings, services};
use std::collections::{BTreeMap, BTreeSet};

/// Roles that rights give at a place.
pub(crate) fn roles(rights: &Rights, place: &Place) -> Vec<Role> {
    Role::ALL
        .into_iter()
        .filter(|role| rights.has_role(*role, place))
        .collect()
}

/// Roles that somebody is bound to at a place, whatever a token says.
pub(crate) async fn bound(tx: &mut Tx, place: &Place, who: PrincipalId) -> Result<Vec<Role>, Error> {
    Ok(roles(&Rights::new(role_bindings::grants(tx, who).await?), place))
}

/// What people are entitled to at a place.
pub(crate) async fn entitled(
    tx: &mut Tx,
    place: &Place,
    people: &[PrincipalId],
) -> Result<BTreeMap<PrincipalId, Entitled>, Error> {
    if people.is_empty() {
        return Ok(BTreeMap::new());
    }
    let mut in_groups = groups::of(tx, people).await?;
    let mut all = BTreeMap::new();
    for principal in principals::many(tx, people).await? {
        let roles = bound(tx, place, principal.id).await?;
        let entitled = Entitled {
            id: principal.id,
            person: Person {
                issuer: principal.issuer,
                subject: principal.subject,
            },
            roles,
            groups: in_groups.remove(&principal.id).unwrap_or_default(),
        };
        all.insert(principal.id, entitled);
    }
    Ok(all)
}

/// Those by whose entitlement the decisions on a request were taken, as it is now.
pub(crate) async fn behind(
    tx: &mut Tx,
    place: &Place,
    approval: &Approval,
) -> Result<BTreeMap<PrincipalId, Entitled>, Error> {
    let people: BTreeSet<_> = approval.standing().map(|decision| decision.of).collect();
    entitled(tx, place, &people.into_iter().collect::<Vec<_>>()).await
}

/// Where each requirement of a request stands, in their order.
pub(crate) async fn standings(
    tx: &mut Tx,
    deployment: &Deployment,
    approval: &Approval,
) -> Result<Vec<Standing>, Error> {
    let service = services::get(tx, deployment.service).await?;
    let point = service.and_then(|service| service.escalation_group);
    let quiet = |one: &Requirement| one.escalate.is_empty() && one.remind_every.is_none() && point.is_none();
    if approval.requirements.iter().all(|one| quiet(&one.requirement)) {
        let first = Standing {
            asked: vec![Reached {
                level: Level::First,
                since: approval.created_at,
                ahead: false,
            }],
            reminders: 0,
            next: None,
        };
        return Ok(vec![first; approval.requirements.len()]);
    }
    let mut names: BTreeSet<Name> = point.iter().cloned().collect();
    for one in &approval.requirements {
        let asked = &one.requirement;
        names.extend(asked.any_of.iter().chain(&asked.all_of).cloned());
        names.extend(asked.escalate.iter().map(|step| step.to.clone()));
    }
    let members = groups::members_of(tx, &names.into_iter().collect::<Vec<_>>()).await?;
    let mut firsts = Vec::with_capacity(approval.requirements.len());
    for one in &approval.requirements {
        firsts.push(first(tx, deployment, &one.requirement, &members).await?);
    }
    let everybody: BTreeSet<PrincipalId> = firsts.iter().chain(members.values()).flatten().copied().collect();
    let away: Vec<Away> = absences::of(tx, &everybody.into_iter().collect::<Vec<_>>()).await?;
    let ends = approval.request(&BTreeMap::new()).expires_at();
    let standings = approval.requirements.iter().zip(&firsts).map(|(one, first)| {
        let facts = escalation::Facts {
            asked_at: approval.created_at,
            ends,
            remind_every: one.requirement.remind_every,
            first,
            steps: &one.requirement.escalate,
            point: point.as_ref(),
            members: &members,
            away: &away,
        };
        escalation::stand(&facts, tx.now)
    });
    Ok(standings.collect())
}

/// Whom a requirement asks first: those who are named and those of its groups, or else everybody with the role there.
async fn first(
    tx: &mut Tx,
    deployment: &Deployment,
    asked: &Requirement,
    members: &BTreeMap<Name, BTreeSet<PrincipalId>>,
) -> Result<BTreeSet<PrincipalId>, Error> {
    let of_groups = asked
        .any_of
        .iter()
        .chain(&asked.all_of)
        .filter_map(|group| members.get(group));
    let mut first: BTreeSet<PrincipalId> = of_groups.flatten().copied().collect();
    for person in &asked.named {
        let known = principals::find(tx, &person.issuer, &person.subject).await?;
        first.extend(known.map(|known| known.id));
    }
    if asked.any_of.is_empty() && asked.rest() > 0 {
        let holders = role_bindings::holders(tx, asked.role, deployment.team, deployment.environment).await?;
        first.extend(holders);
    }
    Ok(first)
}

/// Groups that may stand in by now, for each requirement.
pub(crate) fn stand_ins(standings: &[Standing]) -> Vec<Vec<Name>> {
    standings.iter().map(Standing::stand_ins).collect()
}
