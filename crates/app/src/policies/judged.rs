//! What the policies in force say of a deployment, in the transaction that asks.

use super::{
    facts::{self, Whereabouts},
    in_force,
};
use crate::{Error, Tx, evidence::Stated};
use serde::Deserialize as _;
use serde_json::json;
use slipway_domain::{
    deployment::Kind,
    gates::{Gate, GateName},
    policy::{
        Explained, Facts, Judgement, Place, facts::evidence, judge, judged_by::Versions, risk::Risk, unjudged,
    },
};
use slipway_store::{deployment_facts, deployments::Row, environments, policies, services};

/// Judges a deployment, whose row must be locked. Undoing and healing are never held up.
///
/// # Errors
/// When the database is unavailable, or something that the facts are made of is gone.
pub(crate) async fn judged(tx: &mut Tx, row: &Row, stated: &Stated) -> Result<Judgement, Error> {
    let d = &row.deployment;
    if !facts::are_asked_about(d.kind) {
        return Ok(Judgement::default());
    }
    let policies = in_force(tx).await?;
    if policies.is_empty() {
        return Ok(Judgement::default());
    }
    let whereabouts = whereabouts(tx, row).await?;
    let place = place(&whereabouts, d.kind);
    let all = || policies.iter().map(AsRef::as_ref);
    if !all().any(|policy| policy.document().scope.covers(&place)) {
        return Ok(Judgement::default());
    }
    let known = facts::known(tx, row, whereabouts).await?;
    let evidence = evidence(&stated.subjects, &stated.statements, tx.now);
    let json = known.facts(&evidence, tx.now);
    deployment_facts::put_facts(tx, d.id, &json).await?;
    Ok(match Facts::new(json) {
        Ok(facts) => judge(all(), &place, &facts, Explained::NotKept),
        Err(faults) => unjudged(all(), &place, &faults.to_string()),
    })
}

/// What could go wrong with a deployment, whose row must be locked.
///
/// # Errors
/// When the database is unavailable, or something that it is made of is gone.
pub(crate) async fn risk(tx: &mut Tx, row: &Row) -> Result<Risk, Error> {
    let whereabouts = whereabouts(tx, row).await?;
    Ok(facts::known(tx, row, whereabouts).await?.risk())
}

async fn whereabouts(tx: &mut Tx, row: &Row) -> Result<Whereabouts, Error> {
    let d = &row.deployment;
    let gone = |what: &str| Error::internal(format!("{what} of deployment {} is gone", d.id));
    Ok(Whereabouts {
        environment: environments::get(tx, d.environment)
            .await?
            .ok_or_else(|| gone("the environment"))?,
        service: services::get(tx, d.service)
            .await?
            .ok_or_else(|| gone("the service"))?,
    })
}

fn place(of: &Whereabouts, kind: Kind) -> Place {
    Place {
        tier: of.environment.tier,
        environment: of.environment.name.clone(),
        service: of.service.name.clone(),
        team: of.service.team_name.clone(),
        criticality: of.service.criticality,
        kind,
    }
}

/// Keeps the versions that were judged by, where the gate only names them.
pub(crate) async fn keep(tx: &mut Tx, judgement: &Judgement) -> Result<(), Error> {
    if let Versions::Set { set, .. } = Versions::of(&judgement.policies) {
        policies::keep_set(tx, set, &judgement.policies).await?;
    }
    Ok(())
}

/// Has gates tell the versions that they only name.
pub(crate) async fn tell(tx: &mut Tx, gates: &mut [Gate]) -> Result<(), Error> {
    for gate in gates.iter_mut().filter(|gate| gate.name == GateName::Policy) {
        let named = gate.inputs.get("policies").map(Versions::deserialize);
        if let Some(Ok(Versions::Set { set, .. })) = named {
            let gone = || Error::internal(format!("the policies that {set} names are gone"));
            gate.inputs["policies"] = json!(policies::set(tx, set).await?.ok_or_else(gone)?);
        }
    }
    Ok(())
}
