//! The steps of one deployment on one target.

use crate::{Cols, Error, Tx};
use serde_json::Value;
use slipway_domain::{
    ids::DeploymentTargetId,
    plan::target::{Progress, StepKey, StepRecord},
};

/// All steps so far.
///
/// # Errors
/// When the database refuses.
pub async fn progress(tx: &mut Tx, of: DeploymentTargetId) -> Result<Progress, Error> {
    let rows = sqlx::query(
        "SELECT key, begun_at, done_at, output FROM target_steps WHERE deployment_target_id = $1",
    )
    .bind(of.uuid())
    .fetch_all(tx.conn())
    .await?;
    let mut progress = Progress::default();
    for row in &rows {
        let cols = Cols::new("target_steps", row);
        progress.0.insert(
            StepKey(cols.get("key")?),
            StepRecord {
                begun_at: cols.time("begun_at")?,
                done_at: cols.time_opt("done_at")?,
                output: cols.get("output")?,
            },
        );
    }
    Ok(progress)
}

/// A step has begun; the first time counts.
///
/// # Errors
/// When the database refuses.
pub async fn begin(tx: &mut Tx, of: DeploymentTargetId, key: &StepKey) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO target_steps (deployment_target_id, key, begun_at) VALUES ($1, $2, now()) \
         ON CONFLICT (deployment_target_id, key) DO UPDATE SET attempts = target_steps.attempts + 1",
    )
    .bind(of.uuid())
    .bind(&key.0)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Makes sure that a step's beginning is recorded, without counting another attempt.
///
/// # Errors
/// When the database refuses.
pub async fn note(tx: &mut Tx, of: DeploymentTargetId, key: &StepKey) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO target_steps (deployment_target_id, key, begun_at) VALUES ($1, $2, now()) ON CONFLICT DO NOTHING",
    )
    .bind(of.uuid())
    .bind(&key.0)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// A step is done.
///
/// # Errors
/// When the database refuses.
pub async fn done(tx: &mut Tx, of: DeploymentTargetId, key: &StepKey, output: &Value) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO target_steps (deployment_target_id, key, begun_at, done_at, output) VALUES ($1, $2, now(), now(), $3) \
         ON CONFLICT (deployment_target_id, key) DO UPDATE SET done_at = now(), output = $3",
    )
    .bind(of.uuid())
    .bind(&key.0)
    .bind(output)
    .execute(tx.conn())
    .await?;
    Ok(())
}
