//! Gates that somebody took it on themselves to go on without.

use crate::{Cols, Error, Tx};
use slipway_domain::{
    gates::overrides::Override,
    ids::{DeploymentId, Fresh as _, OverrideId, PrincipalId},
};

/// Writes down that somebody goes on without a gate.
///
/// # Errors
/// [`Error::Duplicate`] with `overrides_deployment_id_gate_key` when that was done before.
pub async fn insert(
    tx: &mut Tx,
    deployment: DeploymentId,
    by: PrincipalId,
    new: &Override,
    break_glass: bool,
) -> Result<OverrideId, Error> {
    let id = OverrideId::fresh();
    sqlx::query(
        "INSERT INTO overrides (id, deployment_id, gate, break_glass, principal_id, justification, incident) \
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(id.uuid())
    .bind(deployment.uuid())
    .bind(new.gate.as_str())
    .bind(break_glass)
    .bind(by.uuid())
    .bind(&new.justification)
    .bind(&new.incident)
    .execute(tx.conn())
    .await?;
    Ok(id)
}

/// Whoever had a deployment go on without a gate.
///
/// # Errors
/// When the database refuses.
pub async fn people(tx: &mut Tx, deployment: DeploymentId) -> Result<Vec<PrincipalId>, Error> {
    let ids: Vec<uuid::Uuid> =
        sqlx::query_scalar("SELECT DISTINCT principal_id FROM overrides WHERE deployment_id = $1")
            .bind(deployment.uuid())
            .fetch_all(tx.conn())
            .await?;
    Ok(ids.into_iter().map(PrincipalId::from_uuid).collect())
}

/// The gates that a deployment goes on without, in the order in which that was said.
///
/// # Errors
/// When the database refuses.
pub async fn of(tx: &mut Tx, deployment: DeploymentId) -> Result<Vec<Override>, Error> {
    let rows = sqlx::query(
        "SELECT o.id, o.gate, o.justification, o.incident, o.at, p.subject FROM overrides o \
         JOIN principals p ON p.id = o.principal_id WHERE o.deployment_id = $1 ORDER BY o.id",
    )
    .bind(deployment.uuid())
    .fetch_all(tx.conn())
    .await?;
    let all = rows.iter().map(|row| {
        let cols = Cols::new("overrides", row);
        Ok(Override {
            gate: cols.parse("gate")?,
            by: cols.get("subject")?,
            justification: cols.get("justification")?,
            incident: cols.get("incident")?,
            at: cols.time("at")?,
        })
    });
    all.collect()
}
