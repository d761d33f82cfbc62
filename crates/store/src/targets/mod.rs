//! Targets: where one service lands in one environment, and what Slipway put there.

use crate::{Cols, Error, Tx, row::exactly_one};
use slipway_domain::{
    ids::{EnvironmentId, Fresh as _, ServiceId, TargetId},
    registry::{Cluster, Environment, Inventory, Service, Target, TargetNow},
};
use sqlx::{postgres::PgRow, types::Json};

mod declared;
mod list;

pub use declared::{
    Declared, at_work, busy, declare, declared_elsewhere, is_namespace_of_another_team, retire,
};
pub use list::{Filter, Listed, list};

/// The label columns are overlaid by the database: the cluster's, and the target's own over them.
macro_rules! select {
    ($tail:literal) => {
        concat!(
            "SELECT g.id, g.service_id, g.environment_id, g.cluster_id, g.namespace, c.labels || g.labels AS labels, \
             g.generation, g.revision, g.now_release_id, g.now_deployment_id, g.now_rendering, g.inventory, g.declared, \
             g.retired_at IS NOT NULL AS retired FROM targets g JOIN clusters c ON c.id = g.cluster_id ",
            $tail
        )
    };
}

/// Whether a service lands on target `g` by now, by the same rule as [`of`].
const CURRENT: &str = "(g.retired_at IS NULL \
     AND EXISTS (SELECT 1 FROM environment_clusters ec \
                 WHERE ec.environment_id = g.environment_id AND ec.cluster_id = g.cluster_id) \
     AND g.declared = EXISTS (SELECT 1 FROM targets d WHERE d.service_id = g.service_id \
                              AND d.environment_id = g.environment_id AND d.declared AND d.retired_at IS NULL))";

/// Whether anything of the service may still be on target `g`.
const HOLDS: &str = "(g.now_release_id IS NOT NULL OR g.inventory <> '[]'::jsonb)";

/// Whether a service lands on a target by now; not when there is no such target.
///
/// # Errors
/// When the database refuses.
pub async fn is_current(tx: &mut Tx, id: TargetId) -> Result<bool, Error> {
    let mut query = sqlx::QueryBuilder::new("SELECT EXISTS (SELECT 1 FROM targets g WHERE g.id = ");
    query.push_bind(id.uuid()).push(" AND ").push(CURRENT).push(")");
    Ok(query.build_query_scalar().fetch_one(tx.conn()).await?)
}

/// A target, and what is known of it beside.
#[derive(Debug, Clone)]
pub struct Row {
    /// The target.
    pub target: Target,
    /// Whether somebody said so, or it is the default.
    pub declared: bool,
    /// Whether nothing more lands there.
    pub retired: bool,
    /// Everything Slipway may have put there.
    pub inventory: Inventory,
}

fn read_row(row: &PgRow) -> Result<Row, Error> {
    let cols = Cols::new("targets", row);
    Ok(Row {
        target: read(row)?,
        declared: cols.get("declared")?,
        retired: cols.get("retired")?,
        inventory: cols.json("inventory")?,
    })
}

fn read(row: &PgRow) -> Result<Target, Error> {
    let cols = Cols::new("targets", row);
    let now = match (
        cols.id_opt("now_release_id")?,
        cols.id_opt("now_deployment_id")?,
        cols.parse_opt("now_rendering")?,
    ) {
        (Some(release), Some(deployment), Some(rendering)) => Some(TargetNow {
            release,
            deployment,
            rendering,
        }),
        (None, None, None) => None,
        _ => {
            return Err(cols.bad(
                "now_release_id",
                "release, deployment and rendering come together or not at all",
            ));
        }
    };
    Ok(Target {
        id: cols.id("id")?,
        service: cols.id("service_id")?,
        environment: cols.id("environment_id")?,
        cluster: cols.id("cluster_id")?,
        namespace: cols.parse("namespace")?,
        labels: cols.json("labels")?,
        generation: cols.get("generation")?,
        revision: cols.get("revision")?,
        now,
    })
}

/// The target with this id, retired or not.
///
/// # Errors
/// When the database refuses.
pub async fn get(tx: &mut Tx, id: TargetId) -> Result<Option<Row>, Error> {
    let row = sqlx::query(select!("WHERE g.id = $1"))
        .bind(id.uuid())
        .fetch_optional(tx.conn())
        .await?;
    row.as_ref().map(read_row).transpose()
}

/// The targets with these ids, in no order.
///
/// # Errors
/// When the database refuses.
pub async fn many(tx: &mut Tx, ids: &[TargetId]) -> Result<Vec<Row>, Error> {
    let ids: Vec<_> = ids.iter().map(type_safe_id::TypeSafeId::uuid).collect();
    let rows = sqlx::query(select!("WHERE g.id = ANY($1)"))
        .bind(ids)
        .fetch_all(tx.conn())
        .await?;
    rows.iter().map(read_row).collect()
}

/// Where a service lands in an environment: the declared targets if there are any, else the default ones that are
/// there already (on clusters the environment still has). In the order of the environment's clusters.
///
/// # Errors
/// When the database refuses.
pub async fn of(tx: &mut Tx, service: ServiceId, environment: EnvironmentId) -> Result<Vec<Row>, Error> {
    sqlx::query(select!(
        "JOIN environment_clusters ec ON ec.environment_id = g.environment_id AND ec.cluster_id = g.cluster_id \
         WHERE g.service_id = $1 AND g.environment_id = $2 AND g.retired_at IS NULL \
         AND g.declared = EXISTS (SELECT 1 FROM targets d WHERE d.service_id = $1 AND d.environment_id = $2 \
                                  AND d.declared AND d.retired_at IS NULL) \
         ORDER BY ec.position, g.namespace, g.id"
    ))
    .bind(service.uuid())
    .bind(environment.uuid())
    .fetch_all(tx.conn())
    .await?
    .iter()
    .map(read_row)
    .collect()
}

/// Whether somebody said where a service lands in an environment.
///
/// # Errors
/// When the database refuses.
pub async fn any_declared(
    tx: &mut Tx,
    service: ServiceId,
    environment: EnvironmentId,
) -> Result<bool, Error> {
    Ok(sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM targets WHERE service_id = $1 AND environment_id = $2 AND declared \
         AND retired_at IS NULL)",
    )
    .bind(service.uuid())
    .bind(environment.uuid())
    .fetch_one(tx.conn())
    .await?)
}

/// The default target of a service on a cluster: in a namespace named after the service. Made if it is not there.
///
/// # Errors
/// When the database refuses.
pub async fn ensure_default(
    tx: &mut Tx,
    service: &Service,
    environment: &Environment,
    cluster: &Cluster,
) -> Result<Target, Error> {
    let id: uuid::Uuid = sqlx::query_scalar(
        "INSERT INTO targets (id, service_id, environment_id, cluster_id, namespace, declared) \
         VALUES ($1, $2, $3, $4, $5, false) \
         ON CONFLICT (service_id, environment_id, cluster_id, namespace) DO UPDATE SET \
             retired_at = NULL, \
             declared = targets.declared AND targets.retired_at IS NULL, \
             labels = CASE WHEN targets.retired_at IS NULL THEN targets.labels ELSE '{}' END \
         RETURNING id",
    )
    .bind(TargetId::fresh().uuid())
    .bind(service.id.uuid())
    .bind(environment.id.uuid())
    .bind(cluster.id.uuid())
    .bind(service.name.as_str())
    .fetch_one(tx.conn())
    .await?;
    let target = get(tx, TargetId::from_uuid(id)).await?;
    target.map(|row| row.target).ok_or(Error::Guard {
        what: "making a default target",
        rows: 0,
    })
}

/// Writes down everything that Slipway may have put on a target; before the first write to it.
///
/// # Errors
/// When the database refuses, or there is no such target.
pub async fn set_inventory(tx: &mut Tx, id: TargetId, inventory: &Inventory) -> Result<(), Error> {
    let done = sqlx::query("UPDATE targets SET inventory = $2 WHERE id = $1")
        .bind(id.uuid())
        .bind(Json(inventory))
        .execute(tx.conn())
        .await?;
    exactly_one("writing a target's inventory", done.rows_affected())
}

/// Says what a target runs from now on.
///
/// # Errors
/// When the database refuses, or there is no such target.
pub async fn set_now(tx: &mut Tx, id: TargetId, now: Option<&TargetNow>) -> Result<(), Error> {
    let done = sqlx::query(
        "UPDATE targets SET now_release_id = $2, now_deployment_id = $3, now_rendering = $4, revision = revision + 1 \
         WHERE id = $1",
    )
    .bind(id.uuid())
    .bind(now.map(|now| now.release.uuid()))
    .bind(now.map(|now| now.deployment.uuid()))
    .bind(now.map(|now| now.rendering.to_string()))
    .execute(tx.conn())
    .await?;
    exactly_one("saying what a target runs", done.rows_affected())
}

/// The revision of a target, by one index.
///
/// # Errors
/// When the database refuses.
pub async fn revision(tx: &mut Tx, id: TargetId) -> Result<Option<i64>, Error> {
    Ok(sqlx::query_scalar("SELECT revision FROM targets WHERE id = $1")
        .bind(id.uuid())
        .fetch_optional(tx.conn())
        .await?)
}
