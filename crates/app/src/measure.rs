//! What use-cases count, once it is true: a transaction that is rolled back has done nothing.

use crate::{Error, Tx};
use slipway_domain::{
    deployment::{Deployment, Kind, StateName},
    gates::{Gate, Verdict},
};
use slipway_store::deployments::{self, Row};
use slipway_telemetry::catalogue as names;

/// Gates that kept a deployment waiting and hold now, against what they said before.
pub(crate) fn gates(tx: &mut Tx, row: &Row, now: &[Gate]) {
    let waited = tx.now.duration_since(row.deployment.created_at).as_secs_f64();
    let opened: Vec<&'static str> = now
        .iter()
        .filter(|gate| matches!(gate.verdict, Verdict::Satisfied { .. }))
        .filter(|gate| {
            let before = row.gates.iter().find(|before| before.name == gate.name);
            before.is_some_and(|before| matches!(before.verdict, Verdict::Waiting { .. }))
        })
        .map(|gate| gate.name.as_str())
        .collect();
    if opened.is_empty() {
        return;
    }
    tx.once_true(move || {
        for gate in opened {
            metrics::histogram!(names::GATE_WAIT, "gate" => gate).record(waited.max(0.0));
        }
    });
}

/// A deployment that ended.
pub(crate) async fn ended(tx: &mut Tx, deployment: &Deployment, outcome: StateName) -> Result<(), Error> {
    let kind = match deployment.kind {
        Kind::Deploy => "deploy",
        Kind::RollBack => "roll_back",
        Kind::Heal => "heal",
    };
    let outcome = outcome.as_str();
    let took = deployments::approval_to_applied(tx, deployment.id).await?;
    tx.once_true(move || {
        metrics::counter!(names::DEPLOYMENTS_ENDED, "kind" => kind, "outcome" => outcome).increment(1);
        if let Some(took) = took {
            metrics::histogram!(names::APPROVAL_TO_APPLIED).record(took.max(0.0));
        }
    });
    Ok(())
}
