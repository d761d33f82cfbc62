//! What healing is decided on: where there is something to heal, and what was healed before.

use crate::{Cols, Error, Tx};
use jiff::{SignedDuration, Timestamp};
use slipway_domain::ids::{EnvironmentId, ServiceId, TargetId};
use std::collections::HashMap;
use uuid::Uuid;

/// Services with open drift in environments that heal, where no deployment is at work and no heal waits.
///
/// # Errors
/// When the database refuses.
pub async fn places(tx: &mut Tx, limit: i64) -> Result<Vec<(ServiceId, EnvironmentId)>, Error> {
    let rows: Vec<(Uuid, Uuid)> = sqlx::query_as(
        "SELECT DISTINCT t.service_id, t.environment_id FROM drifts d JOIN targets t ON t.id = d.target_id \
         JOIN environments e ON e.id = t.environment_id \
         WHERE d.resolved_at IS NULL AND e.settings->>'drift' = 'heal' AND NOT EXISTS (SELECT 1 FROM deployments h \
             WHERE h.service_id = t.service_id AND h.environment_id = t.environment_id \
             AND (h.state IN ('running', 'paused', 'rolling_back') OR (h.heals AND h.state IN ('pending', 'queued')))) \
         ORDER BY 1, 2 LIMIT $1",
    )
    .bind(limit)
    .fetch_all(tx.conn())
    .await?;
    Ok(rows
        .into_iter()
        .map(|(service, environment)| {
            (
                ServiceId::from_uuid(service),
                EnvironmentId::from_uuid(environment),
            )
        })
        .collect())
}

/// Whether it is (still) so in this transaction.
///
/// # Errors
/// When the database refuses.
pub async fn is_free(tx: &mut Tx, service: ServiceId, environment: EnvironmentId) -> Result<bool, Error> {
    Ok(sqlx::query_scalar(
        "SELECT NOT EXISTS (SELECT 1 FROM deployments WHERE service_id = $1 AND environment_id = $2 \
         AND (state IN ('running', 'paused', 'rolling_back') OR (heals AND state IN ('pending', 'queued'))))",
    )
    .bind(service.uuid())
    .bind(environment.uuid())
    .fetch_one(tx.conn())
    .await?)
}

/// Targets of a service in an environment that have open drift.
///
/// # Errors
/// When the database refuses.
pub async fn targets(
    tx: &mut Tx,
    service: ServiceId,
    environment: EnvironmentId,
) -> Result<Vec<TargetId>, Error> {
    let ids: Vec<Uuid> = sqlx::query_scalar(
        "SELECT id FROM targets t WHERE service_id = $1 AND environment_id = $2 \
         AND EXISTS (SELECT 1 FROM drifts d WHERE d.target_id = t.id AND d.resolved_at IS NULL) ORDER BY id",
    )
    .bind(service.uuid())
    .bind(environment.uuid())
    .fetch_all(tx.conn())
    .await?;
    Ok(ids.into_iter().map(TargetId::from_uuid).collect())
}

/// When heals of a target were asked for within this time, whatever became of them.
///
/// # Errors
/// When the database refuses.
pub async fn asked(tx: &mut Tx, target: TargetId, within: SignedDuration) -> Result<Vec<Timestamp>, Error> {
    sqlx::query(
        "SELECT d.id, d.created_at FROM deployment_targets dt JOIN deployments d ON d.id = dt.deployment_id \
         WHERE dt.target_id = $1 AND d.heals AND d.created_at > now() - make_interval(secs => $2) ORDER BY d.created_at",
    )
    .bind(target.uuid())
    .bind(within.as_secs_f64())
    .fetch_all(tx.conn())
    .await?
    .iter()
    .map(|row| Cols::new("deployments", row).time("created_at"))
    .collect()
}

/// When objects of a target were healed within this time, by what they are known by.
///
/// # Errors
/// When the database refuses.
pub async fn healed(
    tx: &mut Tx,
    target: TargetId,
    within: SignedDuration,
) -> Result<HashMap<String, Vec<Timestamp>>, Error> {
    let rows = sqlx::query(
        "SELECT id, object_key, resolved_at FROM drifts WHERE target_id = $1 AND resolution = 'healed' \
         AND resolved_at > now() - make_interval(secs => $2)",
    )
    .bind(target.uuid())
    .bind(within.as_secs_f64())
    .fetch_all(tx.conn())
    .await?;
    let mut all: HashMap<String, Vec<Timestamp>> = HashMap::new();
    for row in &rows {
        let cols = Cols::new("drifts", row);
        all.entry(cols.get("object_key")?)
            .or_default()
            .push(cols.time("resolved_at")?);
    }
    Ok(all)
}
