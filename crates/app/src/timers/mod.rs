//! What happens by itself: judging gates when their time has come, rescuing lost work, numbering events and chaining the
//! audit entries, cleaning up. Each takes no input but the database, and says how much there was to do.

use crate::{App, Error, Tx, deployments, execution, idempotency, record};
use slipway_domain::{deployment::State, identity::Visible, ids::DeploymentId};
use slipway_store::{audit, deployments as stored, events, work};

/// How much one round takes at most.
const BATCH: i64 = 500;

/// Judges deployments whose gates are due, and starts waves whose time has come. One transaction each: one that cannot be
/// judged keeps none of the others waiting.
///
/// # Errors
/// When the database is unavailable.
pub async fn look(app: &App) -> Result<u64, Error> {
    let due = {
        let mut tx = app.read().await?;
        stored::due(&mut tx, BATCH).await?
    };
    let mut looked = 0;
    for id in due {
        let mut tx = app.begin().await?;
        match look_at(&mut tx, id).await {
            Ok(()) => {
                tx.commit().await?;
                looked += 1;
            }
            Err(Error::Unavailable { .. }) => tx.rollback().await?,
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, deployment = %id, "cannot be judged");
                tx.rollback().await?;
                postpone(app, id).await?;
            }
        }
    }
    Ok(looked)
}

async fn look_at(tx: &mut Tx, id: DeploymentId) -> Result<(), Error> {
    let Some(row) = stored::try_lock(tx, id).await? else {
        return Ok(());
    };
    match row.deployment.state {
        State::Pending | State::Queued => deployments::judge::judge(tx, id).await,
        State::Running { .. } => deployments::advance::advance(tx, id).await,
        _ => Ok(stored::set_look_at(tx, id, None).await?),
    }
}

/// Something is wrong with this one; look again in a while, not in a hot loop.
async fn postpone(app: &App, id: DeploymentId) -> Result<(), Error> {
    let mut tx = app.begin().await?;
    let later = tx
        .now
        .checked_add(jiff::SignedDuration::from_secs(30))
        .map_err(Error::internal)?;
    stored::set_look_at(&mut tx, id, Some(later)).await?;
    Ok(tx.commit().await?)
}

/// Takes back work whose lease has ended, and gives up what was tried too often.
///
/// # Errors
/// When the database is unavailable.
pub async fn rescue(app: &App) -> Result<u64, Error> {
    let rescued = {
        let mut tx = app.begin().await?;
        let rescued = work::rescue(&mut tx, BATCH).await?;
        for lost in &rescued {
            // Never waited for: others hold a deployment while they wait for its work. A claim puts away what is left.
            let Some(row) = stored::try_lock(&mut tx, lost.deployment).await? else {
                continue;
            };
            if execution::put_away(&mut tx, &row).await? {
                stored::look_again(&mut tx, row.deployment.service).await?;
                continue;
            }
            let message = format!(
                "executor {} did not report before its lease ended; another takes over",
                lost.holder
            );
            let change = record::Change::of(&row.deployment, "", message);
            record::activity(&mut tx, change, "work.rescued").await?;
        }
        tx.commit().await?;
        rescued
    };
    metrics::counter!("slipway_queue_rescued_total").increment(rescued.len() as u64);
    for lost in rescued
        .iter()
        .filter(|lost| lost.attempts >= execution::MAX_ATTEMPTS)
    {
        // Poison: whoever takes it is lost with it.
        let reason = format!(
            "given up: {} executors in a row were lost while they worked on it",
            lost.attempts
        );
        execution::give_up(app, lost.deployment, lost.deployment_target, lost.id, &reason).await?;
    }
    Ok(rescued.len() as u64)
}

/// Chains committed audit entries; says how many.
///
/// # Errors
/// When the database is unavailable.
pub async fn chain(app: &App) -> Result<u64, Error> {
    let mut tx = app.begin().await?;
    let chained = audit::chain(&mut tx, BATCH).await?;
    tx.commit().await?;
    Ok(chained.unwrap_or(0))
}

/// Numbers committed events; says how many.
///
/// # Errors
/// When the database is unavailable.
pub async fn number(app: &App) -> Result<u64, Error> {
    let mut tx = app.begin().await?;
    let numbered = events::number(&mut tx, BATCH).await?;
    tx.commit().await?;
    Ok(numbered.unwrap_or(0))
}

/// Deletes what is kept for a while only; says how much.
///
/// # Errors
/// When the database is unavailable.
pub async fn sweep(app: &App) -> Result<u64, Error> {
    let mut tx = app.begin().await?;
    let swept = idempotency::sweep(&mut tx).await?;
    tx.commit().await?;
    Ok(swept)
}

/// Measures the queue for the metrics.
///
/// # Errors
/// When the database is unavailable.
#[expect(clippy::cast_precision_loss, reason = "a gauge")]
pub async fn measure(app: &App) -> Result<u64, Error> {
    let mut tx = app.read().await?;
    let (depth, age) = work::depth(&mut tx).await?;
    for state in ["ready", "leased", "parked"] {
        let n = depth.get(state).copied().unwrap_or(0);
        metrics::gauge!("slipway_queue_depth", "state" => state).set(n as f64);
    }
    metrics::gauge!("slipway_queue_oldest_due_seconds").set(age);
    let (unchained, _) = audit::unchained(&mut tx).await?;
    metrics::gauge!("slipway_audit_unchained").set(unchained as f64);
    let everything = Visible {
        everything: true,
        ..Visible::default()
    };
    let (active, approvals) = slipway_store::status::counts(&mut tx, &everything).await?;
    for state in ["pending", "queued", "running", "paused", "rolling_back"] {
        let n = active.get(state).copied().unwrap_or(0);
        metrics::gauge!("slipway_deployments_active", "state" => state).set(n as f64);
    }
    metrics::gauge!("slipway_approvals_pending").set(approvals as f64);
    Ok(0)
}
