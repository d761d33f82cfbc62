//! The queue. A claim sets holder, fence and lease end in database time; every later write names the fence and touches
//! nothing when it is stale. See `slipway_domain::work` for the state diagram.

use crate::{Cols, Error, Tx};
use jiff::SignedDuration;
use slipway_domain::{
    ids::{ClusterId, DeploymentId, DeploymentTargetId, TargetId, WorkId},
    work::{KIND_TARGET, Lease},
};
use std::collections::BTreeMap;
use uuid::Uuid;

/// The channel on which new work is hinted at.
pub const CHANNEL: &str = "slipway_work";

/// A unit of work that is due.
#[derive(Debug, Clone)]
pub struct Due {
    /// Its id.
    pub id: WorkId,
    /// Of which deployment.
    pub deployment: DeploymentId,
    /// On which of its targets.
    pub deployment_target: DeploymentTargetId,
    /// On which target.
    pub target: TargetId,
    /// On which cluster.
    pub cluster: ClusterId,
    /// How often it was tried since its last step that succeeded.
    pub attempts: u32,
}

fn seconds(duration: SignedDuration) -> f64 {
    duration.as_secs_f64()
}

/// Puts one deployment's work on one target in the queue, due at once.
///
/// # Errors
/// When the database refuses.
pub async fn enqueue(
    tx: &mut Tx,
    deployment: DeploymentId,
    deployment_target: DeploymentTargetId,
    priority: i32,
) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO work (id, kind, deployment_id, deployment_target_id, target_id, cluster_id, priority) \
         SELECT $1, $2, $3, dt.id, t.id, t.cluster_id, $5 FROM deployment_targets dt JOIN targets t ON t.id = dt.target_id \
         WHERE dt.id = $4",
    )
    .bind(WorkId::new().uuid())
    .bind(KIND_TARGET)
    .bind(deployment.uuid())
    .bind(deployment_target.uuid())
    .bind(priority)
    .execute(tx.conn())
    .await?;
    tx.hint(CHANNEL).await
}

/// Work that is due, held against every other claim until the end of the transaction: by priority, then in turns over
/// clusters, then by age. One unit a target, and none of a target that somebody acts on. Unknown kinds stay.
///
/// # Errors
/// When the database refuses.
pub async fn due(
    tx: &mut Tx,
    limit: u32,
    cluster_labels: &BTreeMap<String, String>,
) -> Result<Vec<Due>, Error> {
    let rows = sqlx::query(
        "WITH due AS MATERIALIZED ( \
            SELECT id, cluster_id, priority, run_at FROM work w WHERE state = 'ready' AND run_at <= now() AND kind = $3 \
            AND NOT EXISTS (SELECT 1 FROM work o WHERE o.target_id = w.target_id AND o.state = 'leased') \
            AND ($2 = '{}'::jsonb OR EXISTS (SELECT 1 FROM clusters c WHERE c.id = w.cluster_id AND c.labels @> $2)) \
            ORDER BY priority DESC, run_at LIMIT 1000), \
         turns AS (SELECT id, priority, run_at, \
            row_number() OVER (PARTITION BY cluster_id ORDER BY priority DESC, run_at, id) AS turn FROM due), \
         picked AS (SELECT id, row_number() OVER (ORDER BY priority DESC, turn, run_at, id) AS n FROM turns) \
         SELECT w.* FROM work w JOIN picked p ON p.id = w.id WHERE w.state = 'ready' ORDER BY p.n LIMIT $1 \
         FOR UPDATE OF w SKIP LOCKED",
    )
    .bind(i64::from(limit))
    .bind(serde_json::json!(cluster_labels))
    .bind(KIND_TARGET)
    .fetch_all(tx.conn())
    .await?;
    let mut all: Vec<Due> = Vec::with_capacity(rows.len());
    for row in &rows {
        let cols = Cols::new("work", row);
        let due = Due {
            id: cols.id("id")?,
            deployment: cols.id("deployment_id")?,
            deployment_target: cols.id("deployment_target_id")?,
            target: cols.id("target_id")?,
            cluster: cols.id("cluster_id")?,
            attempts: cols.count("attempts")?,
        };
        if !all.iter().any(|other| other.target == due.target) {
            all.push(due);
        }
    }
    Ok(all)
}

/// Leases work that [`due`] returned in this transaction.
///
/// # Errors
/// When the database refuses.
pub async fn lease(
    tx: &mut Tx,
    ids: &[WorkId],
    holder: &str,
    duration: SignedDuration,
) -> Result<BTreeMap<WorkId, Lease>, Error> {
    let uuids: Vec<Uuid> = ids.iter().map(type_safe_id::TypeSafeId::uuid).collect();
    let rows = sqlx::query(
        "UPDATE work SET state = 'leased', holder = $2, fence = nextval('work_fence'), woken = false, \
         lease_until = clock_timestamp() + make_interval(secs => $3) WHERE id = ANY($1) AND state = 'ready' \
         RETURNING id, fence",
    )
    .bind(uuids)
    .bind(holder)
    .bind(seconds(duration))
    .fetch_all(tx.conn())
    .await?;
    let now = tx.now;
    rows.iter()
        .map(|row| {
            let cols = Cols::new("work", row);
            let work = cols.id("id")?;
            Ok((
                work,
                Lease {
                    work,
                    fence: cols.get("fence")?,
                    claimed_at: now,
                    duration,
                },
            ))
        })
        .collect()
}

/// Extends leases that this holder still has, and says which, with their fences: a holder may have lost a lease and
/// claimed the same work again.
///
/// # Errors
/// When the database refuses.
pub async fn heartbeat(
    tx: &mut Tx,
    holder: &str,
    leases: &[Lease],
    extend_by: SignedDuration,
) -> Result<Vec<(WorkId, i64)>, Error> {
    let ids: Vec<Uuid> = leases.iter().map(|l| l.work.uuid()).collect();
    let fences: Vec<i64> = leases.iter().map(|l| l.fence).collect();
    let held: Vec<(Uuid, i64)> = sqlx::query_as(
        "UPDATE work w SET lease_until = clock_timestamp() + make_interval(secs => $4) \
         FROM unnest($1::uuid[], $2::bigint[]) AS l(id, fence) \
         WHERE w.id = l.id AND w.fence = l.fence AND w.holder = $3 AND w.state = 'leased' RETURNING w.id, w.fence",
    )
    .bind(ids)
    .bind(fences)
    .bind(holder)
    .bind(seconds(extend_by))
    .fetch_all(tx.conn())
    .await?;
    Ok(held
        .into_iter()
        .map(|(id, fence)| (WorkId::from_uuid(id), fence))
        .collect())
}

/// Holds a leased unit against rescue until the end of the transaction, and says how often it was tried since its last
/// step that succeeded; none when the lease is somebody else's by now.
///
/// # Errors
/// When the database refuses.
pub async fn hold(tx: &mut Tx, lease: &Lease) -> Result<Option<u32>, Error> {
    let row = sqlx::query(
        "SELECT id, attempts FROM work WHERE id = $1 AND fence = $2 AND state = 'leased' FOR UPDATE",
    )
    .bind(lease.work.uuid())
    .bind(lease.fence)
    .fetch_optional(tx.conn())
    .await?;
    row.map(|row| Cols::new("work", &row).count("attempts"))
        .transpose()
}

/// A step succeeded: what failed before it does not count any more.
///
/// # Errors
/// When the database refuses.
pub async fn reset_attempts(tx: &mut Tx, lease: &Lease) -> Result<(), Error> {
    sqlx::query(
        "UPDATE work SET attempts = 0, last_error = NULL WHERE id = $1 AND fence = $2 AND attempts > 0",
    )
    .bind(lease.work.uuid())
    .bind(lease.fence)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Gives the lease back; due again after a while, or at once when something was seen in the meantime.
///
/// # Errors
/// When the database refuses.
pub async fn give_back(
    tx: &mut Tx,
    lease: &Lease,
    after: SignedDuration,
    failed_with: Option<&str>,
) -> Result<u64, Error> {
    let rows = sqlx::query(
        "UPDATE work SET state = 'ready', holder = NULL, lease_until = NULL, \
         run_at = CASE WHEN woken AND $4::text IS NULL THEN clock_timestamp() ELSE clock_timestamp() + make_interval(secs => $3) END, \
         woken = false, attempts = attempts + CASE WHEN $4::text IS NULL THEN 0 ELSE 1 END, \
         last_error = COALESCE($4, last_error) WHERE id = $1 AND fence = $2 AND state = 'leased'",
    )
    .bind(lease.work.uuid())
    .bind(lease.fence)
    .bind(seconds(after.max(SignedDuration::ZERO)))
    .bind(failed_with)
    .execute(tx.conn())
    .await?
    .rows_affected();
    if after <= SignedDuration::from_millis(50) {
        tx.hint(CHANNEL).await?;
    }
    Ok(rows)
}

/// Parks a leased unit: its deployment is paused.
///
/// # Errors
/// When the database refuses.
pub async fn park(tx: &mut Tx, lease: &Lease) -> Result<u64, Error> {
    Ok(sqlx::query(
        "UPDATE work SET state = 'parked', holder = NULL, lease_until = NULL WHERE id = $1 AND fence = $2 AND state = 'leased'",
    )
    .bind(lease.work.uuid())
    .bind(lease.fence)
    .execute(tx.conn())
    .await?
    .rows_affected())
}

/// Takes a leased unit out of the queue: it is finished.
///
/// # Errors
/// When the database refuses.
pub async fn finish(tx: &mut Tx, lease: &Lease) -> Result<u64, Error> {
    Ok(
        sqlx::query("DELETE FROM work WHERE id = $1 AND fence = $2 AND state = 'leased'")
            .bind(lease.work.uuid())
            .bind(lease.fence)
            .execute(tx.conn())
            .await?
            .rows_affected(),
    )
}

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
