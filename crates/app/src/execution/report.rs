//! Taking an executor's report: recorded if the lease still holds, and answered with whether to go on.

use super::MAX_ATTEMPTS;
use crate::{App, Error, Tx, deployments::advance, drift, record};
use jiff::SignedDuration;
use serde_json::json;
use slipway_domain::{
    deployment::{StateName, TargetState},
    drift::Resolution,
    plan::target::Intent,
    work::{Ack, Assignment, Report, StepOutcome},
};
use slipway_store::{
    deployment_targets,
    deployments::{self, Row},
    steps, targets,
    work::{self, Failed, Held},
};
use slipway_telemetry::catalogue as names;

/// What a report comes to for the target.
struct End {
    state: TargetState,
    reason: Option<String>,
}

fn end_of(outcome: &StepOutcome, attempts: u32) -> Option<End> {
    match outcome {
        StepOutcome::Succeeded => Some(End {
            state: TargetState::Succeeded,
            reason: None,
        }),
        StepOutcome::Failed { reason } => Some(End {
            state: TargetState::Failed,
            reason: Some(reason.clone()),
        }),
        StepOutcome::Errored { reason } => Some(End {
            state: TargetState::Errored,
            reason: Some(reason.clone()),
        }),
        StepOutcome::Retry {
            error, free: false, ..
        } if attempts + 1 >= MAX_ATTEMPTS => Some(End {
            state: TargetState::Errored,
            reason: Some(format!("given up after {MAX_ATTEMPTS} attempts: {error}")),
        }),
        _ => None,
    }
}

/// Records a report.
pub(super) async fn report(app: &App, assignment: &Assignment, report: Report) -> Result<Ack, Error> {
    use StepOutcome::{Begun, Done, Errored, Failed, NotYet, Parked, Retry, Succeeded};
    let mut tx = app.begin().await?;
    // Whoever changes a deployment locks it before its work, here as everywhere: no two wait for each other. What may
    // end the target locks it; the rest only keeps its state from changing until this is recorded.
    let row = if matches!(
        report.outcome,
        Begun | Done(_) | NotYet(_) | Parked { .. } | Retry { free: true, .. }
    ) {
        deployments::share(&mut tx, assignment.deployment).await?
    } else {
        deployments::lock(&mut tx, assignment.deployment).await?
    };
    let row = row.ok_or_else(|| Error::internal(format!("deployment {} is gone", assignment.deployment)))?;
    let held = match report.outcome {
        // It ends in any case: nobody else can have it any more, and no word of it is lost before this is recorded.
        Succeeded | Failed { .. } | Errored { .. } => work::finish(&mut tx, &assignment.lease).await?,
        _ => work::hold(&mut tx, &assignment.lease).await?,
    };
    let Some(held) = held else {
        let cluster = assignment.connection.name.to_string();
        metrics::counter!(names::STALE_REPORTS, "cluster" => cluster).increment(1);
        tracing::warn!(work = %assignment.lease.work, fence = assignment.lease.fence, "a stale report touches nothing");
        // At once: whoever was waited for in between, a lock on the work may be held, and claims skip what is locked.
        tx.rollback().await?;
        return Ok(Ack::Lost);
    };
    let end = end_of(&report.outcome, held.attempts);
    note(&mut tx, assignment, &row, &report, held).await?;
    let ack = match end {
        Some(end) => finish(&mut tx, assignment, &row, &report, end).await?,
        None => go_on(&mut tx, assignment, &row, &report).await?,
    };
    tx.commit().await?;
    Ok(ack)
}

/// What is true whatever becomes of the deployment: what was written to the cluster, what was seen, what happened.
async fn note(
    tx: &mut Tx,
    assignment: &Assignment,
    row: &Row,
    report: &Report,
    held: Held,
) -> Result<(), Error> {
    if let Some(inventory) = &report.inventory {
        targets::set_inventory(tx, assignment.target, inventory).await?;
    }
    // Progress of one target leaves its deployment's row alone: all of its targets would queue up on it, each until the
    // commit of the one before. Whoever watches is told by events, and the tag of an answer goes by all that it shows.
    if let Some(readiness) = &report.readiness {
        deployment_targets::set_readiness(tx, assignment.deployment_target, readiness).await?;
    }
    let of = assignment.deployment_target;
    match &report.outcome {
        StepOutcome::Begun => steps::begin(tx, of, &report.step).await?,
        StepOutcome::Done(output) => {
            steps::done(tx, of, &report.step, output).await?;
            if held.troubled {
                work::reset_attempts(tx, &assignment.lease).await?;
            }
        }
        StepOutcome::NotYet(_) | StepOutcome::Retry { .. } | StepOutcome::Parked { .. } => {
            steps::note(tx, of, &report.step).await?;
        }
        StepOutcome::Succeeded | StepOutcome::Failed { .. } | StepOutcome::Errored { .. } => {}
    }
    for note in &report.notes {
        let mut change =
            record::Change::of(&row.deployment, "", note.message.clone()).with(note.data.clone());
        change.cluster = Some(assignment.connection.name.to_string());
        record::activity(tx, change, &note.kind).await?;
    }
    Ok(())
}

async fn go_on(tx: &mut Tx, assignment: &Assignment, row: &Row, report: &Report) -> Result<Ack, Error> {
    let state = row.deployment.state.name();
    if state.is_terminal() || state == StateName::RollingBack {
        work::finish(tx, &assignment.lease).await?;
        deployments::look_again(tx, row.deployment.service).await?;
        return Ok(Ack::Released);
    }
    // A step that has begun is finished; pausing takes effect after it.
    if state == StateName::Paused && report.outcome != StepOutcome::Begun {
        work::park(tx, &assignment.lease).await?;
        return Ok(Ack::Released);
    }
    match &report.outcome {
        StepOutcome::NotYet(after) => {
            work::give_back(tx, &assignment.lease, *after, Failed::No).await?;
            Ok(Ack::Released)
        }
        StepOutcome::Retry { error, after, free } => {
            let failed = if *free {
                Failed::Free(error)
            } else {
                Failed::Counted(error)
            };
            work::give_back(tx, &assignment.lease, *after, failed).await?;
            let mut change = record::Change::of(
                &row.deployment,
                "",
                format!(
                    "{}: will try again in {}: {error}",
                    assignment.connection.name,
                    seconds(*after)
                ),
            );
            change.cluster = Some(assignment.connection.name.to_string());
            record::activity(tx, change, "target.retry").await?;
            Ok(Ack::Released)
        }
        StepOutcome::Parked { error } => {
            work::park_with(tx, &assignment.lease, error).await?;
            deployments::touch(tx, assignment.deployment).await?;
            let message = format!("{}: waits for a person: {error}", assignment.connection.name);
            let mut change = record::Change::of(&row.deployment, "", message);
            change.cluster = Some(assignment.connection.name.to_string());
            record::activity(tx, change, "target.parked").await?;
            Ok(Ack::Released)
        }
        _ => Ok(Ack::Continue),
    }
}

fn seconds(duration: SignedDuration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}

async fn finish(
    tx: &mut Tx,
    assignment: &Assignment,
    row: &Row,
    report: &Report,
    end: End,
) -> Result<Ack, Error> {
    if matches!(report.outcome, StepOutcome::Retry { .. }) {
        // One try too many.
        work::finish(tx, &assignment.lease).await?;
    }
    deployments::look_again(tx, row.deployment.service).await?;
    let state = row.deployment.state.name();
    if end.state == TargetState::Succeeded {
        // What runs there is true even when the deployment was stopped a moment ago.
        settle_target(tx, assignment).await?;
    }
    if state.is_terminal() || state == StateName::RollingBack {
        return Ok(Ack::Released);
    }
    deployment_targets::finish(tx, assignment.deployment_target, end.state, end.reason.as_deref()).await?;
    deployments::touch(tx, assignment.deployment).await?;
    let place = format!(
        "{} on {}",
        row.deployment.release_name(),
        assignment.connection.name
    );
    let message = match &end.reason {
        None => format!("{place} {}", end.state),
        Some(reason) => format!("{place} {}: {reason}", end.state),
    };
    let action = match end.state {
        TargetState::Succeeded => "target.succeed",
        TargetState::Failed => "target.fail",
        _ => "target.error",
    };
    let mut change = record::Change::of(&row.deployment, action, message).with(json!({
        "target": assignment.target, "cluster": assignment.connection.name, "namespace": assignment.namespace,
        "generation": assignment.generation, "rendering": assignment.rendering_digest, "step": report.step,
        "release_digest": assignment.release_digest,
    }));
    change.cluster = Some(assignment.connection.name.to_string());
    record::by_system(tx, change).await?;
    advance::advance(tx, assignment.deployment).await?;
    Ok(Ack::Released)
}

/// What the target runs from now on.
async fn settle_target(tx: &mut Tx, assignment: &Assignment) -> Result<(), Error> {
    let target_row = deployment_targets::get(tx, assignment.deployment_target)
        .await?
        .ok_or_else(|| Error::internal("a target at work is gone"))?;
    let now = match (assignment.intent, target_row.release) {
        (Intent::Apply | Intent::RollBack, Some(release)) => Some(slipway_domain::registry::TargetNow {
            release,
            deployment: assignment.deployment,
            rendering: assignment.rendering_digest,
        }),
        // What ran, runs: the deployment that brought it stays the one that did.
        (Intent::Heal, _) => {
            return drift::record::healed(tx, assignment.target, &target_row.heals).await;
        }
        _ => None,
    };
    targets::set_now(tx, assignment.target, now.as_ref()).await?;
    // All of it was applied anew, over whatever had drifted.
    drift::record::resolve_all(tx, assignment.target, Resolution::Redeployed).await?;
    Ok(())
}
