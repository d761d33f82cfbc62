//! What others do with work that somebody may hold: park, drop, wake, rescue, measure.

use super::{CHANNEL, seconds};
use crate::{Cols, Error, Tx};
use jiff::SignedDuration;
use slipway_domain::ids::{DeploymentId, DeploymentTargetId, WorkId};
use std::collections::BTreeMap;
use uuid::Uuid;

/// Parks everything of a deployment that nobody acts on.
///
/// # Errors
/// When the database refuses.
pub async fn park_all(tx: &mut Tx, deployment: DeploymentId) -> Result<(), Error> {
    sqlx::query("UPDATE work SET state = 'parked' WHERE deployment_id = $1 AND state = 'ready'")
        .bind(deployment.uuid())
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Makes everything of a deployment that is parked due again.
///
/// # Errors
/// When the database refuses.
pub async fn unpark_all(tx: &mut Tx, deployment: DeploymentId) -> Result<(), Error> {
    sqlx::query(
        "UPDATE work SET state = 'ready', run_at = now(), attempts = 0 WHERE deployment_id = $1 AND state = 'parked'",
    )
    .bind(deployment.uuid())
    .execute(tx.conn())
    .await?;
    tx.hint(CHANNEL).await
}

/// Takes everything of a deployment out of the queue that nobody acts on. What is leased goes when it is reported, or
/// when its lease ends.
///
/// # Errors
/// When the database refuses.
pub async fn drop_idle(tx: &mut Tx, deployment: DeploymentId) -> Result<(), Error> {
    sqlx::query("DELETE FROM work WHERE deployment_id = $1 AND state <> 'leased'")
        .bind(deployment.uuid())
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Makes waiting work due: something was seen on the cluster.
///
/// # Errors
/// When the database refuses.
pub async fn wake(tx: &mut Tx, targets: &[DeploymentTargetId]) -> Result<(), Error> {
    let ids: Vec<Uuid> = targets.iter().map(type_safe_id::TypeSafeId::uuid).collect();
    let rows = sqlx::query(
        "UPDATE work SET woken = true, run_at = CASE WHEN state = 'ready' AND attempts = 0 THEN LEAST(run_at, now()) ELSE run_at END \
         WHERE deployment_target_id = ANY($1) AND state IN ('ready', 'leased')",
    )
    .bind(ids)
    .execute(tx.conn())
    .await?
    .rows_affected();
    if rows > 0 {
        tx.hint(CHANNEL).await?;
    }
    Ok(())
}

/// A unit whose lease ended without a report.
#[derive(Debug, Clone)]
pub struct Rescued {
    /// Its id.
    pub id: WorkId,
    /// Of which deployment.
    pub deployment: DeploymentId,
    /// On which of its targets.
    pub deployment_target: DeploymentTargetId,
    /// Who had it.
    pub holder: String,
    /// How often it was tried, this time included.
    pub attempts: u32,
}

/// Takes back work whose lease has ended; the lease is checked in the same statement.
///
/// # Errors
/// When the database refuses.
pub async fn rescue(tx: &mut Tx, limit: i64) -> Result<Vec<Rescued>, Error> {
    let rows = sqlx::query(
        "WITH lost AS (SELECT id, holder FROM work WHERE state = 'leased' AND lease_until < clock_timestamp() \
            ORDER BY lease_until LIMIT $1 FOR UPDATE SKIP LOCKED) \
         UPDATE work w SET state = 'ready', holder = NULL, lease_until = NULL, run_at = now(), attempts = attempts + 1, \
            last_error = 'the executor did not report before its lease ended' \
         FROM lost WHERE w.id = lost.id AND w.state = 'leased' AND w.lease_until < clock_timestamp() \
         RETURNING w.id, w.deployment_id, w.deployment_target_id, lost.holder AS last_holder, w.attempts",
    )
    .bind(limit)
    .fetch_all(tx.conn())
    .await?;
    if !rows.is_empty() {
        tx.hint(CHANNEL).await?;
    }
    rows.iter()
        .map(|row| {
            let cols = Cols::new("work", row);
            Ok(Rescued {
                id: cols.id("id")?,
                deployment: cols.id("deployment_id")?,
                deployment_target: cols.id("deployment_target_id")?,
                holder: cols.get("last_holder")?,
                attempts: cols.count("attempts")?,
            })
        })
        .collect()
}

/// What the queue says about one deployment's targets: `(state, attempts, last error)`.
///
/// # Errors
/// When the database refuses.
pub async fn of_deployment(
    tx: &mut Tx,
    deployment: DeploymentId,
) -> Result<BTreeMap<DeploymentTargetId, (String, u32, Option<String>)>, Error> {
    let rows = sqlx::query(
        "SELECT id, deployment_target_id, state, attempts, last_error FROM work WHERE deployment_id = $1",
    )
    .bind(deployment.uuid())
    .fetch_all(tx.conn())
    .await?;
    rows.iter()
        .map(|row| {
            let cols = Cols::new("work", row);
            Ok((
                cols.id("deployment_target_id")?,
                (
                    cols.get("state")?,
                    cols.count("attempts")?,
                    cols.get("last_error")?,
                ),
            ))
        })
        .collect()
}

/// How many units are in each state, and the age of the oldest that is due, in seconds.
///
/// # Errors
/// When the database refuses.
pub async fn depth(tx: &mut Tx) -> Result<(BTreeMap<String, i64>, f64), Error> {
    let rows = sqlx::query("SELECT state, count(*) AS n FROM work GROUP BY state")
        .fetch_all(tx.conn())
        .await?;
    let counts = rows
        .iter()
        .map(|row| {
            let cols = Cols::new("work", row);
            Ok((cols.get("state")?, cols.get("n")?))
        })
        .collect::<Result<_, Error>>()?;
    let age: Option<f64> = sqlx::query_scalar(
        "SELECT max(extract(epoch FROM now() - run_at))::float8 FROM work WHERE state = 'ready' AND run_at <= now()",
    )
    .fetch_one(tx.conn())
    .await?;
    Ok((counts, age.unwrap_or(0.0)))
}

/// Puts a unit off that nobody acts on, because it cannot be claimed: the others must not wait for it.
///
/// # Errors
/// When the database refuses.
pub async fn postpone(tx: &mut Tx, id: WorkId, by: SignedDuration, error: &str) -> Result<(), Error> {
    sqlx::query(
        "UPDATE work SET run_at = clock_timestamp() + make_interval(secs => $2), last_error = $3 \
         WHERE id = $1 AND state = 'ready'",
    )
    .bind(id.uuid())
    .bind(seconds(by))
    .bind(error)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Takes one unit out of the queue that nobody acts on; false when somebody does.
///
/// # Errors
/// When the database refuses.
pub async fn take_idle(tx: &mut Tx, id: WorkId) -> Result<bool, Error> {
    let rows = sqlx::query("DELETE FROM work WHERE id = $1 AND state <> 'leased'")
        .bind(id.uuid())
        .execute(tx.conn())
        .await?
        .rows_affected();
    Ok(rows == 1)
}
