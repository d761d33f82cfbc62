//! Which targets may be judged for drift: those where what was begun last is what runs, and where nobody is at work.

use crate::{Cols, Error, Tx};
use slipway_domain::{
    Digest, Name,
    ids::{ClusterId, DeploymentId, EnvironmentId, ServiceId, TargetId, TeamId},
};
use sqlx::postgres::PgRow;
use std::collections::BTreeMap;
use uuid::Uuid;

/// Of `targets t`. After a deployment that failed half-way there is a mixture, and nothing to compare with.
macro_rules! settled {
    () => {
        "t.now_rendering IS NOT NULL AND t.now_deployment_id IS NOT NULL AND t.retired_at IS NULL \
         AND EXISTS (SELECT 1 FROM deployment_targets dt WHERE dt.target_id = t.id AND dt.generation = t.generation \
                     AND dt.rendering = t.now_rendering AND dt.finished_at IS NOT NULL) \
         AND NOT EXISTS (SELECT 1 FROM work w WHERE w.target_id = t.id AND w.state = 'leased') "
    };
}

macro_rules! select {
    ($tail:expr) => {
        concat!(
            "SELECT t.id, t.generation, t.namespace, t.now_rendering, t.now_deployment_id, t.cluster_id, \
             c.name AS cluster, t.service_id, s.name AS service, s.team_id, t.environment_id, e.name AS environment \
             FROM targets t JOIN clusters c ON c.id = t.cluster_id JOIN services s ON s.id = t.service_id \
             JOIN environments e ON e.id = t.environment_id WHERE ",
            settled!(),
            $tail
        )
    };
}

/// A target that may be judged.
#[derive(Debug, Clone)]
pub struct Settled {
    /// Which.
    pub target: TargetId,
    /// Its generation.
    pub generation: i64,
    /// Its namespace.
    pub namespace: Name,
    /// Digest of what runs there.
    pub rendering: Digest,
    /// The deployment that put it there.
    pub deployment: DeploymentId,
    /// The cluster.
    pub cluster_id: ClusterId,
    /// Its name.
    pub cluster: Name,
    /// The service.
    pub service_id: ServiceId,
    /// Its name.
    pub service: Name,
    /// The team that owns the service.
    pub team: TeamId,
    /// The environment.
    pub environment_id: EnvironmentId,
    /// Its name.
    pub environment: Name,
}

fn read(row: &PgRow) -> Result<Settled, Error> {
    let cols = Cols::new("targets", row);
    Ok(Settled {
        target: cols.id("id")?,
        generation: cols.get("generation")?,
        namespace: cols.parse("namespace")?,
        rendering: cols.digest("now_rendering")?,
        deployment: cols.id("now_deployment_id")?,
        cluster_id: cols.id("cluster_id")?,
        cluster: cols.parse("cluster")?,
        service_id: cols.id("service_id")?,
        service: cols.parse("service")?,
        team: cols.id("team_id")?,
        environment_id: cols.id("environment_id")?,
        environment: cols.parse("environment")?,
    })
}

/// Targets of a cluster that may be judged, with their generations.
///
/// # Errors
/// When the database refuses.
pub async fn overview(tx: &mut Tx, cluster: ClusterId) -> Result<BTreeMap<TargetId, i64>, Error> {
    let rows: Vec<(Uuid, i64)> = sqlx::query_as(concat!(
        "SELECT t.id, t.generation FROM targets t WHERE t.cluster_id = $1 AND ",
        settled!()
    ))
    .bind(cluster.uuid())
    .fetch_all(tx.conn())
    .await?;
    Ok(rows
        .into_iter()
        .map(|(id, generation)| (TargetId::from_uuid(id), generation))
        .collect())
}

/// Whether somebody is at work on a cluster.
///
/// # Errors
/// When the database refuses.
pub async fn is_busy(tx: &mut Tx, cluster: ClusterId) -> Result<bool, Error> {
    Ok(
        sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM work WHERE cluster_id = $1 AND state = 'leased')")
            .bind(cluster.uuid())
            .fetch_one(tx.conn())
            .await?,
    )
}

/// Those of these targets of a cluster that may be judged.
///
/// # Errors
/// When the database refuses.
pub async fn of(tx: &mut Tx, cluster: ClusterId, targets: &[TargetId]) -> Result<Vec<Settled>, Error> {
    let ids: Vec<Uuid> = targets.iter().map(type_safe_id::TypeSafeId::uuid).collect();
    sqlx::query(select!("AND t.cluster_id = $1 AND t.id = ANY($2) ORDER BY t.id"))
        .bind(cluster.uuid())
        .bind(ids)
        .fetch_all(tx.conn())
        .await?
        .iter()
        .map(read)
        .collect()
}

/// A target that may be judged and still has this generation, held against a deployment that would begin on it until the
/// end of the transaction.
///
/// # Errors
/// When the database refuses.
pub async fn hold(
    tx: &mut Tx,
    cluster: ClusterId,
    target: TargetId,
    generation: i64,
) -> Result<Option<Settled>, Error> {
    sqlx::query(select!(
        "AND t.cluster_id = $1 AND t.id = $2 AND t.generation = $3 FOR NO KEY UPDATE OF t"
    ))
    .bind(cluster.uuid())
    .bind(target.uuid())
    .bind(generation)
    .fetch_optional(tx.conn())
    .await?
    .as_ref()
    .map(read)
    .transpose()
}
