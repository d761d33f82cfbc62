//! What the database says of targets, for comparing clusters with.

use crate::{Cols, Error, Tx};
use slipway_domain::{
    Digest, Name,
    component::bundle::ObjectRef,
    deployment::TargetState,
    doctor::cluster::Ran,
    ids::{ClusterId, DeploymentId, TargetId},
    plan::target::Intent,
    registry::Inventory,
};
use sqlx::postgres::PgRow;
use std::collections::BTreeMap;

/// One target that something was ever begun on.
#[derive(Debug, Clone)]
pub struct TargetRow {
    /// Its id.
    pub id: TargetId,
    /// On which cluster.
    pub cluster: ClusterId,
    /// That cluster's name.
    pub cluster_name: Name,
    /// Of which service.
    pub service: Name,
    /// In which environment.
    pub environment: Name,
    /// In which namespace.
    pub namespace: Name,
    /// Its generation.
    pub generation: i64,
    /// Everything Slipway may have put there.
    pub inventory: Inventory,
    /// Whether nothing is under way there: no target of a deployment runs, and no work is in the queue.
    pub idle: bool,
    /// What began last there.
    pub last: Option<Last>,
}

/// What began last on a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Last {
    /// Where it stands.
    pub state: TargetState,
    /// What it was to do.
    pub intent: Intent,
    /// What it applied.
    pub rendering: Digest,
    /// The only objects of that that it applied, when it healed.
    pub heals: Vec<ObjectRef>,
}

const SELECT: &str = "SELECT t.id, t.cluster_id, c.name AS cluster, s.name AS service, e.name AS environment, t.namespace, \
     t.generation, t.inventory, dt.state, dt.rendering, dt.heals, \
     CASE WHEN dd.heals AND dt.intent = 'apply' THEN 'heal' ELSE dt.intent END AS intent, \
     NOT EXISTS (SELECT 1 FROM work w WHERE w.target_id = t.id) \
     AND NOT EXISTS (SELECT 1 FROM deployment_targets r WHERE r.target_id = t.id AND r.state = 'running') AS idle \
     FROM targets t JOIN clusters c ON c.id = t.cluster_id JOIN services s ON s.id = t.service_id \
     JOIN environments e ON e.id = t.environment_id \
     LEFT JOIN deployment_targets dt ON dt.target_id = t.id AND dt.generation = t.generation \
     LEFT JOIN deployments dd ON dd.id = dt.deployment_id ";

fn read(row: &PgRow) -> Result<TargetRow, Error> {
    let cols = Cols::new("targets", row);
    let last = match (
        cols.parse_opt::<TargetState>("state")?,
        cols.parse_opt::<Digest>("rendering")?,
        cols.get::<Option<String>>("intent")?,
    ) {
        (Some(state), Some(rendering), Some(intent)) => Some(Last {
            state,
            rendering,
            intent: serde_json::from_value::<Intent>(intent.into())
                .map_err(|error| cols.bad("intent", error))?,
            heals: cols.json_opt("heals")?.unwrap_or_default(),
        }),
        _ => None,
    };
    Ok(TargetRow {
        id: cols.id("id")?,
        cluster: cols.id("cluster_id")?,
        cluster_name: cols.parse("cluster")?,
        service: cols.parse("service")?,
        environment: cols.parse("environment")?,
        namespace: cols.parse("namespace")?,
        generation: cols.get("generation")?,
        inventory: cols.json("inventory")?,
        idle: cols.get("idle")?,
        last,
    })
}

/// Ids of the targets that something was ever begun on, by cluster.
///
/// # Errors
/// When the database refuses.
pub async fn begun(tx: &mut Tx) -> Result<BTreeMap<ClusterId, Vec<TargetId>>, Error> {
    let rows = sqlx::query("SELECT id, cluster_id FROM targets WHERE generation > 0 ORDER BY cluster_id, id")
        .fetch_all(tx.conn())
        .await?;
    let mut all: BTreeMap<ClusterId, Vec<TargetId>> = BTreeMap::new();
    for row in &rows {
        let cols = Cols::new("targets", row);
        all.entry(cols.id("cluster_id")?)
            .or_default()
            .push(cols.id("id")?);
    }
    Ok(all)
}

/// One target.
///
/// # Errors
/// When the database refuses, or its row cannot be.
pub async fn get(tx: &mut Tx, id: TargetId) -> Result<Option<TargetRow>, Error> {
    let mut query = sqlx::QueryBuilder::new(SELECT);
    query.push("WHERE t.id = ").push_bind(id.uuid());
    let row = query.build().fetch_optional(tx.conn()).await?;
    row.as_ref().map(read).transpose()
}

/// What ran on a target under these generations.
///
/// # Errors
/// When the database refuses.
pub async fn ran(tx: &mut Tx, id: TargetId, generations: &[i64]) -> Result<BTreeMap<i64, Ran>, Error> {
    let rows = sqlx::query(
        "SELECT dt.id, dt.generation, dt.deployment_id, r.digest FROM deployment_targets dt \
         LEFT JOIN releases r ON r.id = dt.release_id WHERE dt.target_id = $1 AND dt.generation = ANY($2)",
    )
    .bind(id.uuid())
    .bind(generations)
    .fetch_all(tx.conn())
    .await?;
    rows.iter()
        .map(|row| {
            let cols = Cols::new("deployment_targets", row);
            let deployment: DeploymentId = cols.id("deployment_id")?;
            let release = cols.parse_opt("digest")?;
            Ok((cols.get("generation")?, Ran { deployment, release }))
        })
        .collect()
}

/// Everything that may be on a cluster of this service in this environment, on any of its targets there.
///
/// # Errors
/// When the database refuses.
pub async fn inventories(tx: &mut Tx, id: TargetId) -> Result<Vec<Inventory>, Error> {
    let rows = sqlx::query(
        "SELECT o.id, o.inventory FROM targets t JOIN targets o ON (o.service_id, o.environment_id, o.cluster_id) \
         = (t.service_id, t.environment_id, t.cluster_id) WHERE t.id = $1",
    )
    .bind(id.uuid())
    .fetch_all(tx.conn())
    .await?;
    rows.iter()
        .map(|row| Cols::new("targets", row).json("inventory"))
        .collect()
}

/// The newest fence that was given.
///
/// # Errors
/// When the database refuses.
pub async fn newest_fence(tx: &mut Tx) -> Result<i64, Error> {
    Ok(sqlx::query_scalar("SELECT last_value FROM work_fence")
        .fetch_one(tx.conn())
        .await?)
}
