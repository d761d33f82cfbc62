//! The queue. A claim sets holder, fence and lease end in database time; every later write names the fence and touches
//! nothing when it is stale. See `slipway_domain::work` for the state diagram.

mod lease;
mod upkeep;

pub use lease::{finish, give_back, heartbeat, hold, lease, park, reset_attempts};
pub use upkeep::{
    Rescued, depth, drop_idle, of_deployment, park_all, postpone, rescue, take_idle, unpark_all, wake,
};

use crate::{Cols, Error, Tx};
use jiff::SignedDuration;
use slipway_domain::{
    ids::{ClusterId, DeploymentId, DeploymentTargetId, TargetId, WorkId},
    work::KIND_TARGET,
};
use std::collections::BTreeMap;

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
