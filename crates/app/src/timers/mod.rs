//! What happens by itself: judging gates when their time has come, rescuing lost work, numbering events and chaining the
//! audit entries, cleaning up. Each takes no input but the database, and says how much there was to do.

use crate::{App, Error, Tx, deployments, drift, execution, idempotency, processes, record};
use jiff::Timestamp;
use slipway_domain::{deployment::State, identity::Visible, ids::DeploymentId};
use slipway_store::{audit, deployments as stored, drifts, events, policies, servers, work};
use slipway_telemetry::catalogue as names;
use std::collections::BTreeMap;

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
    // Nor because policies have changed: what cannot be judged by them is tried again then, too.
    let changes = policies::changes(&mut tx).await?;
    stored::set_policies_seen(&mut tx, id, changes).await?;
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
            let row = match stored::try_lock(&mut tx, lost.deployment).await? {
                Some(row) if execution::put_away(&mut tx, &row).await? => {
                    stored::look_again(&mut tx, row.deployment.service).await?;
                    continue;
                }
                Some(row) => Some(row),
                // It is told all the same: that needs no lock.
                None => stored::get(&mut tx, lost.deployment).await?,
            };
            let Some(row) = row.filter(|row| !row.deployment.state.name().is_terminal()) else {
                continue;
            };
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
    for lost in &rescued {
        metrics::counter!(names::QUEUE_RESCUED, "cluster" => lost.cluster.clone()).increment(1);
    }
    for lost in rescued
        .iter()
        .filter(|lost| lost.losses >= execution::MAX_ATTEMPTS)
    {
        // Poison: whoever takes it is lost with it.
        let reason = format!(
            "given up: {} times in a row an executor took it and was not heard of again before its lease ended",
            lost.losses
        );
        execution::give_up(app, lost.deployment, lost.deployment_target, lost.id, &reason).await?;
    }
    Ok(rescued.len() as u64)
}

/// Asks for heals where the environment says that drift is taken back; says how many.
///
/// # Errors
/// When the database is unavailable.
pub async fn heal(app: &App) -> Result<u64, Error> {
    drift::heal::heal(app).await
}

/// Asks for releases where their processes promote them by themselves; says how many.
///
/// # Errors
/// When the database is unavailable.
pub async fn promote(app: &App) -> Result<u64, Error> {
    processes::promote(app).await
}

/// Tells people that they are asked for approval, whoever is to be told by now; says of how many requests.
///
/// # Errors
/// When the database is unavailable.
pub async fn tell(app: &App) -> Result<u64, Error> {
    crate::approvals::tell(app).await
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

/// Adds chained audit entries to the tree over them, and signs its head when that is due; says how many entries.
///
/// # Errors
/// When the database is unavailable, or there is no key to sign with.
pub async fn grow(app: &App) -> Result<u64, Error> {
    crate::audit::grow(app, crate::audit::SIGNED_EVERY).await
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
    servers::sweep(&mut tx).await?;
    tx.commit().await?;
    Ok(swept)
}

/// Measures what only the database knows, for the metrics.
///
/// # Errors
/// When the database is unavailable.
#[expect(clippy::cast_precision_loss, reason = "a gauge")]
pub async fn measure(app: &App) -> Result<u64, Error> {
    let mut tx = app.read().await?;
    let now = tx.now;
    let age =
        |since: Option<Timestamp>| since.map_or(0.0, |at| now.duration_since(at).as_secs_f64().max(0.0));
    for cluster in work::depth(&mut tx).await? {
        let counts = [
            ("ready", cluster.ready),
            ("leased", cluster.leased),
            ("parked", cluster.parked),
            ("unknown", cluster.unknown),
        ];
        for (state, n) in counts {
            metrics::gauge!(names::QUEUE_DEPTH, "cluster" => cluster.cluster.clone(), "state" => state)
                .set(n as f64);
        }
        // Each begins at 0, not with the first that is lost.
        metrics::counter!(names::QUEUE_RESCUED, "cluster" => cluster.cluster.clone()).increment(0);
        metrics::gauge!(names::QUEUE_OLDEST_DUE, "cluster" => cluster.cluster).set(cluster.oldest_due);
    }
    let (unchained, oldest) = audit::unchained(&mut tx).await?;
    metrics::gauge!(names::AUDIT_UNCHAINED).set(unchained as f64);
    metrics::gauge!(names::AUDIT_LAG).set(age(oldest));
    let (unnumbered, oldest) = events::unnumbered(&mut tx).await?;
    metrics::gauge!(names::EVENTS_UNNUMBERED).set(unnumbered as f64);
    metrics::gauge!(names::EVENTS_LAG).set(age(oldest));
    let alive: BTreeMap<String, i64> = servers::alive_by_role(&mut tx).await?.into_iter().collect();
    for role in ["api", "scheduler", "executor"] {
        let n = alive.get(role).copied().unwrap_or(0);
        metrics::gauge!(names::SERVERS, "role" => role).set(n as f64);
    }
    let everything = Visible {
        everything: true,
        ..Visible::default()
    };
    let (active, approvals) = slipway_store::status::counts(&mut tx, &everything).await?;
    for state in ["pending", "queued", "running", "paused", "rolling_back"] {
        let n = active.get(state).copied().unwrap_or(0);
        metrics::gauge!(names::DEPLOYMENTS_ACTIVE, "state" => state).set(n as f64);
    }
    metrics::gauge!(names::APPROVALS_PENDING).set(approvals as f64);
    for (cluster, open) in drifts::by_cluster(&mut tx).await? {
        metrics::gauge!(names::DRIFT_OPEN, "cluster" => cluster).set(open as f64);
    }
    Ok(0)
}
