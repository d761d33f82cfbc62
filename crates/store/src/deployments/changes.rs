//! Changing deployments: guarded updates, and when to look at one again.

use super::Row;
use crate::{Error, Tx, row::exactly_one};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use slipway_domain::{
    deployment::{Deployment, Kind, State},
    gates::Gate,
    ids::{DeploymentId, ServiceId},
};
use uuid::Uuid;

/// A heal is kept as a deployment with a mark, which servers before it can read.
const fn stored_kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Deploy | Kind::Heal => Kind::Deploy.as_str(),
        Kind::RollBack => Kind::RollBack.as_str(),
    }
}

/// Writes a new one, pending.
///
/// # Errors
/// When the database refuses.
pub async fn insert(tx: &mut Tx, row: &Row) -> Result<(), Error> {
    let d = &row.deployment;
    sqlx::query(
        "INSERT INTO deployments (id, kind, service_id, environment_id, release_id, release_digest, plan_digest, requested_by, \
         request_reason, not_before, expires_at, rolls_back, retries, force_conflicts, settings, state, since, look_at, traceparent, heals) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, 'pending', now(), now(), $16, $17)",
    )
    .bind(d.id.uuid())
    .bind(stored_kind(d.kind))
    .bind(d.service.uuid())
    .bind(d.environment.uuid())
    .bind(d.release.map(|id| id.uuid()))
    .bind(d.release_digest.map(|digest| digest.to_string()))
    .bind(d.plan_digest.to_string())
    .bind(d.requested_by.uuid())
    .bind(&d.reason)
    .bind(d.not_before.map(jiff_sqlx::ToSqlx::to_sqlx))
    .bind(d.expires_at.to_sqlx())
    .bind(d.rolls_back.map(|id| id.uuid()))
    .bind(d.retries.map(|id| id.uuid()))
    .bind(d.force_conflicts)
    .bind(serde_json::json!(row.settings))
    .bind(&row.traceparent)
    .bind(d.kind == Kind::Heal)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Moves it from the state and revision it was read in to a new state.
///
/// # Errors
/// [`Error::Guard`] when it is in another state, or was changed since.
pub async fn transition(tx: &mut Tx, from: &Deployment, to: &State) -> Result<(), Error> {
    let rolled_back_by = match to {
        State::RollingBack { by, .. } => Some(by.uuid()),
        _ => None,
    };
    let rows = sqlx::query(
        "UPDATE deployments SET state = $4, since = GREATEST(now(), since), reason = $5, started_at = $6, finished_at = $7, \
         rolled_back_by = COALESCE($8, rolled_back_by), look_at = CASE WHEN $7::timestamptz IS NULL THEN now() END, \
         revision = revision + 1 WHERE id = $1 AND state = $2 AND revision = $3",
    )
    .bind(from.id.uuid())
    .bind(from.state.name().as_str())
    .bind(from.revision)
    .bind(to.name().as_str())
    .bind(to.reason())
    .bind(to.started_at().map(jiff_sqlx::ToSqlx::to_sqlx))
    .bind(to.ended().map(|e| e.finished_at.to_sqlx()))
    .bind(rolled_back_by)
    .execute(tx.conn())
    .await?
    .rows_affected();
    exactly_one("a deployment's transition", rows)
}

/// Notes what rolls it back, without changing its state (it has ended).
///
/// # Errors
/// When the database refuses.
pub async fn set_rolled_back_by(tx: &mut Tx, id: DeploymentId, by: DeploymentId) -> Result<(), Error> {
    let rows =
        sqlx::query("UPDATE deployments SET rolled_back_by = $2, revision = revision + 1 WHERE id = $1")
            .bind(id.uuid())
            .bind(by.uuid())
            .execute(tx.conn())
            .await?
            .rows_affected();
    exactly_one("noting a rollback", rows)
}

/// Counts a change that people see although the row's own columns stay: its targets' progress.
///
/// # Errors
/// When the database refuses.
pub async fn touch(tx: &mut Tx, id: DeploymentId) -> Result<(), Error> {
    sqlx::query("UPDATE deployments SET revision = revision + 1 WHERE id = $1")
        .bind(id.uuid())
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Keeps the gates as judged, and when to judge them again.
///
/// # Errors
/// When the database refuses.
pub async fn set_gates(
    tx: &mut Tx,
    id: DeploymentId,
    gates: &[Gate],
    look_at: Option<Timestamp>,
) -> Result<(), Error> {
    sqlx::query(
        "UPDATE deployments SET gates = $2, look_at = $3, revision = revision + CASE WHEN gates = $2 THEN 0 ELSE 1 END \
         WHERE id = $1",
    )
    .bind(id.uuid())
    .bind(serde_json::json!(gates))
    .bind(look_at.map(jiff_sqlx::ToSqlx::to_sqlx))
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// When to look at it again by itself.
///
/// # Errors
/// When the database refuses.
pub async fn set_look_at(tx: &mut Tx, id: DeploymentId, at: Option<Timestamp>) -> Result<(), Error> {
    sqlx::query("UPDATE deployments SET look_at = $2 WHERE id = $1")
        .bind(id.uuid())
        .bind(at.map(jiff_sqlx::ToSqlx::to_sqlx))
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Has everything that waits in these places, or for this release, looked at again at once: a fact has changed.
///
/// # Errors
/// When the database refuses.
pub async fn look_again(tx: &mut Tx, service: ServiceId) -> Result<(), Error> {
    // Never waits for a lock: whoever calls this holds others already, and two callers would wait for each other.
    // Who is passed over is being judged at this moment, and looks again by itself while somebody is in its way.
    sqlx::query(
        "UPDATE deployments SET look_at = now() WHERE id IN (SELECT id FROM deployments WHERE service_id = $1 \
         AND state IN ('pending', 'queued') ORDER BY id FOR NO KEY UPDATE SKIP LOCKED)",
    )
    .bind(service.uuid())
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Which changes of policies a deployment was judged after: what came later is judged anew.
///
/// # Errors
/// When the database refuses.
pub async fn set_policies_seen(tx: &mut Tx, id: DeploymentId, changes: i64) -> Result<(), Error> {
    sqlx::query("UPDATE deployments SET policies_seen = $2 WHERE id = $1 AND policies_seen <> $2")
        .bind(id.uuid())
        .bind(changes)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Deployments that are to be looked at by now, or that were judged by policies that have changed since.
///
/// # Errors
/// When the database refuses.
pub async fn due(tx: &mut Tx, limit: i64) -> Result<Vec<DeploymentId>, Error> {
    let ids: Vec<Uuid> = sqlx::query_scalar(
        "(SELECT id FROM deployments WHERE look_at <= now() \
            AND state IN ('pending', 'queued', 'running', 'paused', 'rolling_back') ORDER BY look_at, id LIMIT $1) \
         UNION (SELECT id FROM deployments WHERE state IN ('pending', 'queued') AND kind = 'deploy' AND NOT heals \
            AND policies_seen < (SELECT changes FROM policy_changes) ORDER BY policies_seen, id LIMIT $1)",
    )
    .bind(limit)
    .fetch_all(tx.conn())
    .await?;
    Ok(ids.into_iter().map(DeploymentId::from_uuid).collect())
}
