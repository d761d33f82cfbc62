//! Targets that somebody declares, instead of the default.

use crate::{Cols, Error, Tx, row::exactly_one};
use slipway_domain::{
    Name,
    ids::{ClusterId, DeploymentId, EnvironmentId, Fresh as _, ServiceId, TargetId, TeamId},
    registry::Labels,
};
use sqlx::types::Json;

/// A target that somebody declares.
#[derive(Debug, Clone)]
pub struct Declared<'a> {
    /// The service.
    pub service: ServiceId,
    /// The environment.
    pub environment: EnvironmentId,
    /// The cluster.
    pub cluster: ClusterId,
    /// The namespace.
    pub namespace: &'a Name,
    /// Labels over those of the cluster.
    pub labels: &'a Labels,
}

/// Declares a target; what was there as a default, or was retired, is taken over with its history. `None` when it is
/// declared already.
///
/// # Errors
/// When the database refuses.
pub async fn declare(tx: &mut Tx, new: &Declared<'_>) -> Result<Option<TargetId>, Error> {
    let id: Option<uuid::Uuid> = sqlx::query_scalar(
        "INSERT INTO targets (id, service_id, environment_id, cluster_id, namespace, labels, declared) \
         VALUES ($1, $2, $3, $4, $5, $6, true) \
         ON CONFLICT (service_id, environment_id, cluster_id, namespace) DO UPDATE SET \
             retired_at = NULL, declared = true, labels = excluded.labels, revision = targets.revision + 1 \
             WHERE NOT targets.declared OR targets.retired_at IS NOT NULL \
         RETURNING id",
    )
    .bind(TargetId::fresh().uuid())
    .bind(new.service.uuid())
    .bind(new.environment.uuid())
    .bind(new.cluster.uuid())
    .bind(new.namespace.as_str())
    .bind(Json(new.labels))
    .fetch_optional(tx.conn())
    .await?;
    Ok(id.map(TargetId::from_uuid))
}

/// Retires a declared target: nothing more lands there. What runs there keeps running.
///
/// # Errors
/// [`Error::Guard`] when it is retired already, or was never declared.
pub async fn retire(tx: &mut Tx, id: TargetId) -> Result<(), Error> {
    let done = sqlx::query(
        "UPDATE targets SET retired_at = now(), revision = revision + 1 \
         WHERE id = $1 AND declared AND retired_at IS NULL",
    )
    .bind(id.uuid())
    .execute(tx.conn())
    .await?;
    exactly_one("retiring a target", done.rows_affected())
}

/// The deployment that is working on a target or is about to, if any.
///
/// # Errors
/// When the database refuses.
pub async fn busy(tx: &mut Tx, id: TargetId) -> Result<Option<DeploymentId>, Error> {
    let deployment: Option<uuid::Uuid> = sqlx::query_scalar(
        "SELECT d.id FROM deployment_targets dt JOIN deployments d ON d.id = dt.deployment_id \
         WHERE dt.target_id = $1 AND d.finished_at IS NULL AND dt.finished_at IS NULL ORDER BY d.id LIMIT 1",
    )
    .bind(id.uuid())
    .fetch_optional(tx.conn())
    .await?;
    Ok(deployment.map(DeploymentId::from_uuid))
}

/// A deployment that takes away what was put where a target is to be declared, if any.
///
/// # Errors
/// When the database refuses.
pub async fn at_work(tx: &mut Tx, place: &Declared<'_>) -> Result<Option<DeploymentId>, Error> {
    let deployment: Option<uuid::Uuid> = sqlx::query_scalar(
        "SELECT d.id FROM targets g JOIN deployment_targets dt ON dt.target_id = g.id \
         JOIN deployments d ON d.id = dt.deployment_id \
         WHERE g.service_id = $1 AND g.environment_id = $2 AND g.cluster_id = $3 AND g.namespace = $4 \
         AND dt.intent = 'clean' AND d.finished_at IS NULL ORDER BY d.id LIMIT 1",
    )
    .bind(place.service.uuid())
    .bind(place.environment.uuid())
    .bind(place.cluster.uuid())
    .bind(place.namespace.as_str())
    .fetch_optional(tx.conn())
    .await?;
    Ok(deployment.map(DeploymentId::from_uuid))
}

/// Declared targets of an environment on clusters other than these, as `storefront on eu`.
///
/// # Errors
/// When the database refuses.
pub async fn declared_elsewhere(
    tx: &mut Tx,
    environment: EnvironmentId,
    clusters: &[ClusterId],
) -> Result<Vec<(Name, Name)>, Error> {
    let clusters: Vec<_> = clusters.iter().map(type_safe_id::TypeSafeId::uuid).collect();
    sqlx::query(
        "SELECT DISTINCT g.service_id AS id, s.name AS service, c.name AS cluster FROM targets g \
         JOIN services s ON s.id = g.service_id JOIN clusters c ON c.id = g.cluster_id \
         WHERE g.environment_id = $1 AND g.declared AND g.retired_at IS NULL AND g.cluster_id <> ALL($2) \
         ORDER BY 2, 3 LIMIT 100",
    )
    .bind(environment.uuid())
    .bind(clusters)
    .fetch_all(tx.conn())
    .await?
    .iter()
    .map(|row| {
        let cols = Cols::new("targets", row);
        Ok((cols.parse("service")?, cols.parse("cluster")?))
    })
    .collect()
}

/// Whether a namespace (on one cluster, or on any) is where a service of another team lands, or would by default.
///
/// # Errors
/// When the database refuses.
pub async fn is_namespace_of_another_team(
    tx: &mut Tx,
    cluster: Option<ClusterId>,
    namespace: &Name,
    team: TeamId,
) -> Result<bool, Error> {
    Ok(sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM targets g JOIN services s ON s.id = g.service_id \
                        WHERE g.namespace = $1 AND s.team_id <> $2 AND g.retired_at IS NULL \
                        AND ($3::uuid IS NULL OR g.cluster_id = $3)) \
             OR EXISTS (SELECT 1 FROM services WHERE name = $1 AND team_id <> $2)",
    )
    .bind(namespace.as_str())
    .bind(team.uuid())
    .bind(cluster.map(|id| id.uuid()))
    .fetch_one(tx.conn())
    .await?)
}
