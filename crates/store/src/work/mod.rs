//! The queue. A claim sets holder, fence and lease end in database time; every later write names the fence and touches
//! nothing when it is stale. See `slipway_domain::work` for the state diagram.

mod due;
mod horizon;
mod lease;
mod outlook;
mod upkeep;

pub use due::{Due, Load, due, due_since, load};
pub use horizon::{Horizon, horizon};
pub use lease::{Failed, Held, finish, give_back, heartbeat, hold, lease, park, park_with, reset_attempts};
pub use outlook::Outlook;
pub use upkeep::{
    Depth, Rescued, depth, drop_idle, of_deployment, park_all, postpone, reconnect, rescue, take_idle,
    unpark_all, wake,
};

use crate::{Error, Tx};
use jiff::SignedDuration;
use slipway_domain::{
    ids::{DeploymentId, DeploymentTargetId, Fresh as _, WorkId},
    work::{KIND_HEAL, KIND_TARGET},
};

/// The channel on which new work is hinted at.
pub const CHANNEL: &str = "slipway_work";

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
        "INSERT INTO work (id, kind, deployment_id, deployment_target_id, target_id, cluster_id, priority, run_at) \
         SELECT $1, CASE WHEN d.heals THEN $6 ELSE $2 END, $3, dt.id, t.id, t.cluster_id, $5, clock_timestamp() FROM deployment_targets dt \
         JOIN targets t ON t.id = dt.target_id JOIN deployments d ON d.id = dt.deployment_id WHERE dt.id = $4",
    )
    .bind(WorkId::fresh().uuid())
    .bind(KIND_TARGET)
    .bind(deployment.uuid())
    .bind(deployment_target.uuid())
    .bind(priority)
    .bind(KIND_HEAL)
    .execute(tx.conn())
    .await?;
    tx.hint(CHANNEL).await
}
