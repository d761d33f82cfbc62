//! What comes after a target has ended: the next targets, the next wave, or the end.

use super::{judge, rollback, transition};
use crate::{Error, Tx};
use slipway_domain::{
    deployment::{Kind, State, Transition},
    ids::DeploymentId,
    plan::deployment::{Next, Outcome, TargetFacts, WaveRule, next},
    plan::target::{Progress, Step},
};
use slipway_store::{
    deployment_targets,
    deployments::{self, Row},
    steps, work,
};

fn rules(row: &Row) -> Vec<WaveRule> {
    let waves = row.settings.waves.iter();
    waves
        .map(|wave| WaveRule {
            name: wave.name.to_string(),
            max_parallel: wave.max_parallel,
            max_failures: wave.max_failures,
            soak: wave.soak,
        })
        .collect()
}

fn facts(targets: &[deployment_targets::Row]) -> Vec<TargetFacts> {
    targets
        .iter()
        .map(|row| TargetFacts {
            wave: row.target.wave as usize,
            state: row.target.state,
            name: row.target.cluster_name.to_string(),
            reason: row.target.reason.clone(),
            finished_at: row.target.finished_at,
        })
        .collect()
}

/// Does what the planner says for a running deployment. The deployment must be locked in this transaction.
///
/// # Errors
/// When the database is unavailable.
pub(crate) async fn advance(tx: &mut Tx, id: DeploymentId) -> Result<(), Error> {
    let Some(row) = deployments::lock(tx, id).await? else {
        return Ok(());
    };
    if !matches!(row.deployment.state, State::Running { .. }) {
        return Ok(());
    }
    let targets = deployment_targets::of(tx, id).await?;
    // A rollback undoes everything at once: waves are for what may go wrong, and something has.
    let waves = if row.deployment.kind == Kind::Deploy {
        rules(&row)
    } else {
        Vec::new()
    };
    let now = tx.now;
    match next(&waves, &facts(&targets), now) {
        Next::Wait => deployments::set_look_at(tx, id, None).await?,
        Next::Soak { until, .. } => deployments::set_look_at(tx, id, Some(until)).await?,
        Next::Start(which) => {
            let queued = work::of_deployment(tx, id).await?;
            for index in which {
                let target = targets[index].target.id;
                deployment_targets::start(tx, target).await?;
                if !queued.contains_key(&target) {
                    work::enqueue(tx, id, target, judge::priority(&row)).await?;
                }
            }
            deployments::touch(tx, id).await?;
            deployments::set_look_at(tx, id, None).await?;
        }
        Next::Finish(outcome) => finish(tx, &row, &targets, outcome).await?,
    }
    Ok(())
}

async fn finish(
    tx: &mut Tx,
    row: &Row,
    targets: &[deployment_targets::Row],
    outcome: Outcome,
) -> Result<(), Error> {
    match outcome {
        Outcome::Succeeded { remark } => {
            transition::apply(tx, row, Transition::Succeed { remark }, None).await?;
        }
        Outcome::Failed { reason } => {
            let undo = row.deployment.kind == Kind::Deploy && row.settings.automatic_rollback;
            if undo {
                match rollback::start(tx, row, targets, &reason, None).await {
                    Ok(Some(_)) => return Ok(()),
                    // Nothing to undo, or no right to undo it any more: it failed, and stays as it is.
                    Ok(None) | Err(Error::Conflict { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
            transition::apply(tx, row, Transition::Fail { reason }, None).await?;
        }
        Outcome::Errored { reason } => {
            transition::apply(tx, row, Transition::Error { reason }, None).await?;
        }
    }
    Ok(())
}

/// Whether anything can have been written to a target: its guard was taken.
pub(crate) async fn touched(tx: &mut Tx, row: &deployment_targets::Row) -> Result<bool, Error> {
    if row.target.generation.is_none() {
        return Ok(false);
    }
    let progress: Progress = steps::progress(tx, row.target.id).await?;
    Ok(progress.begun_at(Step::Namespace).is_some() || progress.begun_at(Step::Guard).is_some())
}
