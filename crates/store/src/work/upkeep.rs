//! What others do with work that somebody may hold: park, drop, wake, rescue, measure.

use super::{CHANNEL, seconds};
use crate::{Cols, Error, Tx};
use jiff::SignedDuration;
use slipway_domain::{
    ids::{ClusterId, DeploymentId, DeploymentTargetId, WorkId},
    work::KINDS,
};
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

/// Makes everything of a deployment that is parked due again; says how much that was.
///
/// # Errors
/// When the database refuses.
pub async fn unpark_all(tx: &mut Tx, deployment: DeploymentId) -> Result<u64, Error> {
    let rows = sqlx::query(
        "UPDATE work SET state = 'ready', run_at = clock_timestamp(), attempts = 0, losses = 0 \
         WHERE deployment_id = $1 AND state = 'parked'",
    )
    .bind(deployment.uuid())
    .execute(tx.conn())
    .await?
    .rows_affected();
    tx.hint(CHANNEL).await?;
    Ok(rows)
}

/// A cluster's connection details have changed: what was parked because of them, and what waits for another try, is due
/// at once. What is parked because its deployment is paused stays.
///
/// # Errors
/// When the database refuses.
pub async fn reconnect(tx: &mut Tx, cluster: ClusterId) -> Result<u64, Error> {
    let rows = sqlx::query(
        "UPDATE work w SET state = 'ready', run_at = clock_timestamp(), attempts = 0, losses = 0 FROM deployments d \
         WHERE w.cluster_id = $1 AND d.id = w.deployment_id AND d.state = 'running' \
         AND (w.state = 'parked' OR w.state = 'ready' AND w.attempts > 0)",
    )
    .bind(cluster.uuid())
    .execute(tx.conn())
    .await?
    .rows_affected();
    if rows > 0 {
        tx.hint(CHANNEL).await?;
    }
    Ok(rows)
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
        "UPDATE work SET woken = true, run_at = CASE WHEN state = 'ready' AND attempts = 0 THEN LEAST(run_at, clock_timestamp()) ELSE run_at END \
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
    /// Name of its cluster.
    pub cluster: String,
    /// Who had it.
    pub holder: String,
    /// How many leases ended like this, one after the other, this one included.
    pub losses: u32,
}

/// Takes back work whose lease has ended; the lease is checked in the same statement. The first two times it is due again
/// at once, for it was most likely the executor; then after 1 s, 2 s, … 30 s, for it may be the work.
///
/// # Errors
/// When the database refuses.
pub async fn rescue(tx: &mut Tx, limit: i64) -> Result<Vec<Rescued>, Error> {
    let rows = sqlx::query(
        "WITH lost AS (SELECT id, holder FROM work WHERE state = 'leased' AND lease_until < clock_timestamp() \
            ORDER BY lease_until LIMIT $1 FOR UPDATE SKIP LOCKED) \
         UPDATE work w SET state = 'ready', holder = NULL, lease_until = NULL, losses = losses + 1, \
            run_at = clock_timestamp() + make_interval(secs => \
                CASE WHEN losses < 2 THEN 0 ELSE LEAST(power(2, LEAST(losses, 10) - 2), 30) END), \
            last_error = 'the executor did not report before its lease ended' \
         FROM lost WHERE w.id = lost.id AND w.state = 'leased' AND w.lease_until < clock_timestamp() \
         RETURNING w.id, w.deployment_id, w.deployment_target_id, lost.holder AS last_holder, w.losses, \
            (SELECT c.name FROM clusters c WHERE c.id = w.cluster_id) AS cluster",
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
                cluster: cols.get("cluster")?,
                holder: cols.get("last_holder")?,
                losses: cols.count("losses")?,
            })
        })
        .collect()
}

/// What the queue says about one deployment's targets: `(state, tries that came to nothing, last error)`. The state of what waits and is of a
/// kind that this server does not know is `unknown`.
///
/// # Errors
/// When the database refuses.
pub async fn of_deployment(
    tx: &mut Tx,
    deployment: DeploymentId,
) -> Result<BTreeMap<DeploymentTargetId, (String, u32, Option<String>)>, Error> {
    let rows = sqlx::query(
        "SELECT id, deployment_target_id, CASE WHEN kind <> ALL($2) AND state <> 'leased' THEN 'unknown' ELSE state END AS state, \
            attempts + losses AS attempts, last_error FROM work WHERE deployment_id = $1",
    )
    .bind(deployment.uuid())
    .bind(&KINDS[..])
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

/// What the queue holds for one cluster.
#[derive(Debug, Clone)]
pub struct Depth {
    /// The cluster's name.
    pub cluster: String,
    /// Units that wait, due or not.
    pub ready: i64,
    /// Units that somebody acts on.
    pub leased: i64,
    /// Units of paused deployments.
    pub parked: i64,
    /// Units of a kind that this server does not know: a newer one wrote them, and takes them.
    pub unknown: i64,
    /// For how long the oldest unit that is due has been due, in seconds; 0 when none is.
    pub oldest_due: f64,
}

/// What the queue holds, for every cluster there is.
///
/// # Errors
/// When the database refuses.
pub async fn depth(tx: &mut Tx) -> Result<Vec<Depth>, Error> {
    let rows = sqlx::query(
        "SELECT c.id, c.name, count(w.id) FILTER (WHERE w.state = 'ready' AND w.kind = ANY($1)) AS ready, \
            count(w.id) FILTER (WHERE w.state = 'ready' AND w.kind <> ALL($1)) AS unknown, \
            count(w.id) FILTER (WHERE w.state = 'leased') AS leased, \
            count(w.id) FILTER (WHERE w.state = 'parked') AS parked, \
            COALESCE(max(extract(epoch FROM now() - w.run_at)) \
                FILTER (WHERE w.state = 'ready' AND w.run_at <= now() AND w.kind = ANY($1)), 0)::float8 AS oldest_due \
         FROM clusters c LEFT JOIN work w ON w.cluster_id = c.id GROUP BY c.id, c.name ORDER BY c.name",
    )
    .bind(&KINDS[..])
    .fetch_all(tx.conn())
    .await?;
    rows.iter()
        .map(|row| {
            let cols = Cols::new("work", row);
            Ok(Depth {
                cluster: cols.get("name")?,
                ready: cols.get("ready")?,
                leased: cols.get("leased")?,
                parked: cols.get("parked")?,
                unknown: cols.get("unknown")?,
                oldest_due: cols.get("oldest_due")?,
            })
        })
        .collect()
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
