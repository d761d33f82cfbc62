//! Going on without a gate, in an emergency: as far as policies let it, and answered for afterwards.

use super::{DeploymentView, judge, load, place, read};
use crate::{Error, Tx, approvals, input, record};
use serde_json::json;
use slipway_domain::{
    Faults,
    deployment::State,
    gates::{
        self, GateName,
        overrides::{self, MAX_INCIDENT, MAX_JUSTIFICATION, Override},
    },
    identity::{Actor, Permission},
};
use slipway_store::{
    deployments::{self, Row},
    overrides as stored, reviews,
};

/// Why somebody goes on without what is asked for.
#[derive(Debug, Clone)]
pub struct Emergency {
    /// Why, in their words.
    pub justification: String,
    /// What it is about: a reference to an incident.
    pub incident: String,
}

impl Emergency {
    fn check(&self, pointer: &str, faults: &mut Faults) {
        input::line(
            faults,
            &format!("{pointer}/incident"),
            &self.incident,
            MAX_INCIDENT,
        );
        let at = format!("{pointer}/justification");
        if self.justification.trim().is_empty() {
            faults.add(at, "is empty: whoever answers for it afterwards reads it");
        } else {
            input::lines(faults, &at, &self.justification, MAX_JUSTIFICATION);
        }
    }
}

/// Has a deployment that waits go on without one gate.
///
/// # Errors
/// When no policy in force lets that gate go there, when it was done before, or the deployment does not wait; without
/// `deployment.override`, or by anybody but a person who signed in.
pub async fn override_gate(
    tx: &mut Tx,
    actor: &Actor,
    reference: &str,
    gate: &str,
    emergency: Emergency,
) -> Result<DeploymentView, Error> {
    let row = load(tx, actor, reference).await?;
    entitled(actor, &row)?;
    let mut faults = Faults::new();
    let gate = faults.take("/gate", gate.parse::<GateName>());
    emergency.check("", &mut faults);
    faults.check()?;
    let gate = gate.ok_or_else(|| Error::internal("a field without fault is missing"))?;
    let row = deployments::lock(tx, row.deployment.id)
        .await?
        .ok_or_else(|| Error::not_found("deployment", reference))?;
    if !matches!(row.deployment.state, State::Pending | State::Queued) {
        let detail = format!(
            "it is {}; a gate is overridden only while the deployment waits for it",
            row.deployment.state.name()
        );
        return Err(Error::conflict("deployment-state", detail));
    }
    go_on(tx, actor, &row, Some(gate), &emergency).await?;
    judge::judge(tx, row.deployment.id).await?;
    read::view_of(tx, row.deployment.id).await
}

/// Whoever has this permission, as a person who signed in: nobody else takes that on themselves.
fn entitled(actor: &Actor, row: &Row) -> Result<(), Error> {
    actor.require(Permission::DeploymentOverride, &place(&row.deployment))?;
    if actor.is_person_signed_in() {
        return Ok(());
    }
    let detail = "only a person who signed in can override a gate; API tokens and machines never can";
    Err(Error::refused("not-a-person", detail))
}

/// Checks what was given with a request for a deployment.
pub(super) fn check(emergency: Option<&Emergency>) -> Result<(), Faults> {
    let mut faults = Faults::new();
    if let Some(emergency) = emergency {
        emergency.check("/break_glass", &mut faults);
    }
    faults.check()
}

/// Has a new deployment go on without every gate that policies let go.
pub(super) async fn break_glass(
    tx: &mut Tx,
    actor: &Actor,
    row: &Row,
    emergency: &Emergency,
) -> Result<(), Error> {
    entitled(actor, row)?;
    go_on(tx, actor, row, None, emergency).await?;
    // What no policy lets go is refused at once, as it is for any other request.
    let facts = Box::pin(judge::facts(tx, row)).await?;
    let gates = gates::evaluate(&facts, tx.now);
    let before = [GateName::Process, GateName::Promotion];
    match gates
        .iter()
        .find(|gate| before.contains(&gate.name) && !gate.verdict.is_satisfied())
    {
        Some(gate)
            if gate.name == GateName::Process && matches!(gate.verdict, gates::Verdict::Refused { .. }) =>
        {
            Err(Error::conflict("not-in-process", gate.verdict.reason()))
        }
        Some(gate) => Err(Error::conflict("not-promoted", gate.verdict.reason())),
        None => Ok(()),
    }
}

/// Writes it down, loudly: who, why, which gates; asks those who must answer for it; and opens the review.
async fn go_on(
    tx: &mut Tx,
    actor: &Actor,
    row: &Row,
    gate: Option<GateName>,
    emergency: &Emergency,
) -> Result<(), Error> {
    let d = &row.deployment;
    let (mut facts, release) = Box::pin(judge::gathered(tx, row)).await?;
    let allowed = overrides::allowed(&facts.policies);
    let gates: Vec<GateName> = match gate {
        Some(gate) => allowed.iter().copied().filter(|one| *one == gate).collect(),
        None => allowed.iter().copied().collect(),
    };
    if gates.is_empty() {
        let may: Vec<_> = allowed.iter().map(ToString::to_string).collect();
        let what = gate.map_or_else(|| "any gate".to_owned(), |gate| format!("the gate `{gate}`"));
        let but = if may.is_empty() {
            "none".to_owned()
        } else {
            may.join(", ")
        };
        let detail = format!(
            "no policy in force lets {} go without {what} in {}: what may go there is {but}",
            d.service_name, d.environment_name
        );
        return Err(Error::conflict("not-overridable", detail));
    }
    let break_glass = gate.is_none();
    for gate in &gates {
        let new = Override {
            gate: *gate,
            by: record::actor_name(actor),
            justification: emergency.justification.trim().to_owned(),
            incident: emergency.incident.trim().to_owned(),
            at: tx.now,
        };
        let inserted = stored::insert(tx, d.id, actor.principal.id, &new, break_glass).await;
        inserted.map_err(|error| {
            if error.is_duplicate("overrides_deployment_id_gate_key") {
                Error::conflict(
                    "already-overridden",
                    format!("the gate `{gate}` was overridden before"),
                )
            } else {
                error.into()
            }
        })?;
    }
    let named: Vec<_> = gates.iter().map(ToString::to_string).collect();
    let message = format!(
        "OVERRIDE: {} to {} goes on without {} for {}: {}",
        d.release_name(),
        d.environment_name,
        named.join(", "),
        emergency.incident.trim(),
        emergency.justification.trim()
    );
    let policies: Vec<_> = facts
        .policies
        .break_glass
        .iter()
        .map(|lets| json!({"policy": lets.policy, "version": lets.version}))
        .collect();
    let change = record::Change::of(d, "deployment.override", message.clone()).with(json!({
        "gates": named, "break_glass": break_glass, "justification": emergency.justification.trim(),
        "incident": emergency.incident.trim(), "policies": policies,
    }));
    record::change(tx, actor, change).await?;
    facts.overrides = stored::of(tx, d.id).await?;
    approvals::answer_for(
        tx,
        row,
        &facts,
        release.as_ref(),
        gates.contains(&GateName::Approval),
    )
    .await?;
    if let Some(id) = reviews::open(tx, d.id, &message).await? {
        let change = record::Change::of(
            d,
            "review.open",
            format!("{} to {} is to be reviewed", d.release_name(), d.environment_name),
        )
        .with(json!({"review": id}));
        record::by_system(tx, change).await?;
    }
    Ok(())
}
