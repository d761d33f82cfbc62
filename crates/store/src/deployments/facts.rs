//! What gates are judged on: who holds an environment, what succeeded where, what waits beside it.

use crate::{Cols, Error, Tx};
use jiff::Timestamp;
use slipway_domain::{
    Digest,
    deployment::{Deployment, StateName},
    ids::{DeploymentId, EnvironmentId, ReleaseId, ServiceId},
    policy::facts::known::History,
};
use uuid::Uuid;

/// Who holds a service's environment.
#[derive(Debug, Clone)]
pub struct Holder {
    /// Which deployment.
    pub id: DeploymentId,
    /// Its state.
    pub state: StateName,
    /// Its release's version.
    pub version: Option<semver::Version>,
}

/// A deployment, other than these, that holds the environment, or that an executor is still finishing a step of.
///
/// # Errors
/// When the database refuses.
pub async fn holder(
    tx: &mut Tx,
    service: ServiceId,
    environment: EnvironmentId,
    except: &[DeploymentId],
) -> Result<Option<Holder>, Error> {
    let except: Vec<Uuid> = except.iter().map(type_safe_id::TypeSafeId::uuid).collect();
    let row = sqlx::query(
        "SELECT d.id, d.state, r.version FROM deployments d LEFT JOIN releases r ON r.id = d.release_id \
         WHERE d.service_id = $1 AND d.environment_id = $2 AND d.id <> ALL($3) \
         AND (d.state IN ('running', 'paused', 'rolling_back') \
              OR EXISTS (SELECT 1 FROM work w WHERE w.deployment_id = d.id AND w.state = 'leased')) \
         ORDER BY d.id LIMIT 1",
    )
    .bind(service.uuid())
    .bind(environment.uuid())
    .bind(except)
    .fetch_optional(tx.conn())
    .await?;
    row.map(|row| {
        let cols = Cols::new("deployments", &row);
        Ok(Holder {
            id: cols.id("id")?,
            state: cols.parse("state")?,
            version: cols.parse_opt("version")?,
        })
    })
    .transpose()
}

/// The last success of a release in an environment, and what undid it since.
#[derive(Debug, Clone)]
pub struct Success {
    /// The deployment that succeeded.
    pub id: DeploymentId,
    /// When.
    pub at: Timestamp,
    /// A rollback that undid it and did not fail.
    pub undone_by: Option<DeploymentId>,
}

/// The last time exactly this digest succeeded for a service in an environment.
///
/// # Errors
/// When the database refuses.
pub async fn last_success(
    tx: &mut Tx,
    service: ServiceId,
    environment: EnvironmentId,
    digest: Digest,
) -> Result<Option<Success>, Error> {
    let row = sqlx::query(
        "SELECT d.id, d.finished_at, u.id AS undone_by FROM deployments d \
         LEFT JOIN deployments u ON u.id = d.rolled_back_by AND u.state NOT IN ('failed', 'errored', 'cancelled', 'rejected', 'expired') \
         WHERE d.service_id = $1 AND d.environment_id = $2 AND d.release_digest = $3 AND d.state = 'succeeded' \
         AND d.kind = 'deploy' AND NOT d.heals ORDER BY d.finished_at DESC LIMIT 1",
    )
    .bind(service.uuid())
    .bind(environment.uuid())
    .bind(digest.to_string())
    .fetch_optional(tx.conn())
    .await?;
    row.map(|row| {
        let cols = Cols::new("deployments", &row);
        Ok(Success {
            id: cols.id("id")?,
            at: cols.time("finished_at")?,
            undone_by: cols.id_opt("undone_by")?,
        })
    })
    .transpose()
}

/// The last deployment of a release to an environment that began, else the last that was asked for; none that undoes or heals.
///
/// # Errors
/// When the database refuses.
pub async fn last_of_release(
    tx: &mut Tx,
    release: ReleaseId,
    environment: EnvironmentId,
) -> Result<Option<DeploymentId>, Error> {
    let id: Option<Uuid> = sqlx::query_scalar(
        "SELECT id FROM deployments WHERE release_id = $1 AND environment_id = $2 AND kind = 'deploy' AND NOT heals \
         ORDER BY started_at IS NOT NULL DESC, id DESC LIMIT 1",
    )
    .bind(release.uuid())
    .bind(environment.uuid())
    .fetch_optional(tx.conn())
    .await?;
    Ok(id.map(DeploymentId::from_uuid))
}

/// Those of the same service and environment that were asked for earlier and have not begun.
///
/// # Errors
/// When the database refuses.
pub async fn earlier_waiting(tx: &mut Tx, than: &Deployment) -> Result<Vec<DeploymentId>, Error> {
    let ids: Vec<Uuid> = sqlx::query_scalar(
        "SELECT id FROM deployments WHERE service_id = $1 AND environment_id = $2 AND id < $3 \
         AND state IN ('pending', 'queued') AND kind = 'deploy' ORDER BY id",
    )
    .bind(than.service.uuid())
    .bind(than.environment.uuid())
    .bind(than.id.uuid())
    .fetch_all(tx.conn())
    .await?;
    Ok(ids.into_iter().map(DeploymentId::from_uuid).collect())
}

/// What happened in the last thirty days, this deployment left out.
///
/// # Errors
/// When the database refuses.
pub async fn history(tx: &mut Tx, of: &Deployment) -> Result<History, Error> {
    let row = sqlx::query(
        "WITH before AS MATERIALIZED ( \
            SELECT state, finished_at FROM deployments WHERE service_id = $1 AND environment_id = $2 AND id <> $3 \
            AND kind = 'deploy' AND NOT heals AND finished_at >= now() - interval '30 days') \
         SELECT count(*) FILTER (WHERE state IN ('succeeded', 'failed', 'errored', 'rolled_back')) AS deployments, \
            count(*) FILTER (WHERE state IN ('failed', 'errored', 'rolled_back')) AS failures, \
            (SELECT state FROM before ORDER BY finished_at DESC LIMIT 1) AS last, \
            max(finished_at) FILTER (WHERE state = 'succeeded') AS last_success FROM before",
    )
    .bind(of.service.uuid())
    .bind(of.environment.uuid())
    .bind(of.id.uuid())
    .fetch_one(tx.conn())
    .await?;
    let cols = Cols::new("deployments", &row);
    Ok(History {
        deployments: cols.get("deployments")?,
        failures: cols.get("failures")?,
        last: cols.get("last")?,
        last_success: cols.time_opt("last_success")?,
    })
}

/// Deployments of a release that have not ended.
///
/// # Errors
/// When the database refuses.
pub async fn active_of_release(tx: &mut Tx, release: ReleaseId) -> Result<Vec<DeploymentId>, Error> {
    let ids: Vec<Uuid> = sqlx::query_scalar(
        "SELECT id FROM deployments WHERE release_id = $1 AND finished_at IS NULL ORDER BY id",
    )
    .bind(release.uuid())
    .fetch_all(tx.conn())
    .await?;
    Ok(ids.into_iter().map(DeploymentId::from_uuid).collect())
}

/// Seconds from the approval that was the last one needed (or from `not_before`, when that is later) until the first
/// target had every object applied; none when nobody was asked, or nothing was applied.
///
/// # Errors
/// When the database refuses.
pub async fn approval_to_applied(tx: &mut Tx, id: DeploymentId) -> Result<Option<f64>, Error> {
    Ok(sqlx::query_scalar(
        "WITH applied AS (SELECT max(s.done_at) AS at FROM target_steps s \
            JOIN deployment_targets dt ON dt.id = s.deployment_target_id \
            WHERE dt.deployment_id = $1 AND s.key LIKE 'apply:%' GROUP BY dt.id HAVING bool_and(s.done_at IS NOT NULL)) \
         SELECT extract(epoch FROM (SELECT min(at) FROM applied) - GREATEST( \
            (SELECT max(de.at) FROM decisions de JOIN approvals a ON a.id = de.approval_id \
                WHERE a.deployment_id = $1 AND a.state = 'approved'), d.not_before))::float8 \
         FROM deployments d WHERE d.id = $1 AND EXISTS ( \
            SELECT 1 FROM approvals a WHERE a.deployment_id = $1 AND a.state = 'approved')",
    )
    .bind(id.uuid())
    .fetch_optional(tx.conn())
    .await?
    .flatten())
}
