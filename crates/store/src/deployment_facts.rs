//! What policies were asked of a deployment, and what it takes long to find out of it.

use crate::{Cols, Error, Tx};
use jiff::Timestamp;
use serde_json::Value;
use slipway_domain::ids::DeploymentId;

/// What is kept of a deployment for its policies.
#[derive(Debug, Clone)]
pub struct Kept {
    /// What was found out from its renderings.
    pub composed: Value,
    /// The facts as they were judged last.
    pub facts: Option<Value>,
    /// When that was.
    pub judged_at: Option<Timestamp>,
}

/// What is kept of a deployment, if anything.
///
/// # Errors
/// When the database refuses.
pub async fn get(tx: &mut Tx, id: DeploymentId) -> Result<Option<Kept>, Error> {
    let row = sqlx::query("SELECT composed, facts, judged_at FROM deployment_facts WHERE deployment_id = $1")
        .bind(id.uuid())
        .fetch_optional(tx.conn())
        .await?;
    row.map(|row| {
        let cols = Cols::new("deployment_facts", &row);
        Ok(Kept {
            composed: cols.get("composed")?,
            facts: cols.get("facts")?,
            judged_at: cols.time_opt("judged_at")?,
        })
    })
    .transpose()
}

/// Keeps what was found out. The deployment must be locked.
///
/// # Errors
/// When the database refuses.
pub async fn put_composed(tx: &mut Tx, id: DeploymentId, composed: &Value) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO deployment_facts (deployment_id, composed) VALUES ($1, $2) \
         ON CONFLICT (deployment_id) DO UPDATE SET composed = excluded.composed",
    )
    .bind(id.uuid())
    .bind(composed)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Keeps the facts that were just judged. The deployment must be locked, and what was composed of it kept.
///
/// # Errors
/// When the database refuses.
pub async fn put_facts(tx: &mut Tx, id: DeploymentId, facts: &Value) -> Result<(), Error> {
    sqlx::query("UPDATE deployment_facts SET facts = $2, judged_at = now() WHERE deployment_id = $1")
        .bind(id.uuid())
        .bind(facts)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// The facts of deployments that were judged since then, newest first: what a draft is tried on.
///
/// # Errors
/// When the database refuses.
pub async fn since(
    tx: &mut Tx,
    since: Timestamp,
    limit: i64,
) -> Result<Vec<(DeploymentId, Timestamp, Value)>, Error> {
    use jiff_sqlx::ToSqlx as _;
    sqlx::query(
        "SELECT deployment_id, judged_at, facts FROM deployment_facts \
         WHERE judged_at >= $1 AND facts IS NOT NULL ORDER BY judged_at DESC LIMIT $2",
    )
    .bind(since.to_sqlx())
    .bind(limit)
    .fetch_all(tx.conn())
    .await?
    .iter()
    .map(|row| {
        let cols = Cols::new("deployment_facts", row);
        Ok((
            cols.id("deployment_id")?,
            cols.time("judged_at")?,
            cols.get("facts")?,
        ))
    })
    .collect()
}
