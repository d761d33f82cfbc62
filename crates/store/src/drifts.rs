//! What has drifted, and what became of it. An object has at most one open drift.

use crate::{
    Before, Cols, Error, Tx,
    listing::{newest_first, only_seen},
    row::exactly_one,
};
use jiff::Timestamp;
use slipway_domain::{
    Name,
    component::bundle::ObjectRef,
    drift::{Drift, Hand, Resolution},
    identity::Visible,
    ids::{ClusterId, DeploymentId, DriftId, EnvironmentId, Fresh as _, ServiceId, TargetId, TeamId},
};
use sqlx::{QueryBuilder, postgres::PgRow, types::Json};
use std::collections::HashMap;
use uuid::Uuid;

/// One object's drift, with the names of where it is.
#[derive(Debug, Clone)]
pub struct Row {
    /// Its id.
    pub id: DriftId,
    /// The target.
    pub target: TargetId,
    /// The deployment that put there what runs.
    pub deployment: DeploymentId,
    /// The target's generation that was judged last.
    pub generation: i64,
    /// The object.
    pub object: ObjectRef,
    /// What is wrong with it.
    pub drift: Drift,
    /// When it was first seen.
    pub seen_at: Timestamp,
    /// When it changed last.
    pub updated_at: Timestamp,
    /// Why it is not healed although the environment says so.
    pub left_alone: Option<String>,
    /// When it was over, and why.
    pub resolved: Option<(Timestamp, Resolution)>,
    /// Counts changes; the entity tag.
    pub revision: i64,
    /// The team that owns the service.
    pub team: TeamId,
    /// The service.
    pub service_id: ServiceId,
    /// The service's name.
    pub service: Name,
    /// The environment.
    pub environment_id: EnvironmentId,
    /// The environment's name.
    pub environment: Name,
    /// The cluster's name.
    pub cluster: Name,
    /// The namespace.
    pub namespace: Name,
}

const SELECT: &str = "SELECT d.*, t.service_id, s.name AS service, s.team_id, t.environment_id, e.name AS environment, \
     c.name AS cluster, t.namespace FROM drifts d JOIN targets t ON t.id = d.target_id \
     JOIN services s ON s.id = t.service_id JOIN environments e ON e.id = t.environment_id \
     JOIN clusters c ON c.id = t.cluster_id ";

fn read(row: &PgRow) -> Result<Row, Error> {
    let cols = Cols::new("drifts", row);
    let hand = match (
        cols.get::<Option<String>>("manager")?,
        cols.get::<Option<String>>("operation")?,
    ) {
        (Some(manager), Some(operation)) => Some(Hand {
            manager,
            operation,
            subresource: cols.get("subresource")?,
            at: cols.time_opt("changed_at")?,
        }),
        _ => None,
    };
    let resolved = cols
        .time_opt("resolved_at")?
        .zip(cols.parse_opt::<Resolution>("resolution")?);
    Ok(Row {
        id: cols.id("id")?,
        target: cols.id("target_id")?,
        deployment: cols.id("deployment_id")?,
        generation: cols.get("generation")?,
        object: cols.json("object")?,
        drift: Drift {
            kind: cols.parse("kind")?,
            fields: cols.json("fields")?,
            omitted: cols.count("omitted")?,
            hand,
            problem: cols.get("problem")?,
        },
        seen_at: cols.time("seen_at")?,
        updated_at: cols.time("updated_at")?,
        left_alone: cols.get("left_alone")?,
        resolved,
        revision: cols.get("revision")?,
        team: cols.id("team_id")?,
        service_id: cols.id("service_id")?,
        service: cols.parse("service")?,
        environment_id: cols.id("environment_id")?,
        environment: cols.parse("environment")?,
        cluster: cols.parse("cluster")?,
        namespace: cols.parse("namespace")?,
    })
}

/// What an object is known by: group, kind, namespace and name.
#[must_use]
pub fn key(object: &ObjectRef) -> String {
    let (group, kind, namespace, name) = object.identity();
    format!("{group}/{kind}/{}/{name}", namespace.unwrap_or_default())
}

/// A drift to open.
#[derive(Debug, Clone, Copy)]
pub struct New<'a> {
    /// The target.
    pub target: TargetId,
    /// The deployment that put there what runs.
    pub deployment: DeploymentId,
    /// The target's generation.
    pub generation: i64,
    /// The object.
    pub object: &'a ObjectRef,
    /// What is wrong with it.
    pub drift: &'a Drift,
}

/// Opens one.
///
/// # Errors
/// [`Error::Duplicate`] when the object has an open one; when the database refuses.
pub async fn open(tx: &mut Tx, new: New<'_>) -> Result<DriftId, Error> {
    let id = DriftId::fresh();
    let (drift, hand) = (new.drift, new.drift.hand.as_ref());
    sqlx::query(
        "INSERT INTO drifts (id, target_id, deployment_id, generation, object, object_key, kind, fields, omitted, problem, \
         manager, operation, subresource, changed_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
    )
    .bind(id.uuid())
    .bind(new.target.uuid())
    .bind(new.deployment.uuid())
    .bind(new.generation)
    .bind(Json(new.object))
    .bind(key(new.object))
    .bind(drift.kind.as_str())
    .bind(Json(&drift.fields))
    .bind(i32::try_from(drift.omitted).unwrap_or(i32::MAX))
    .bind(&drift.problem)
    .bind(hand.map(|hand| &hand.manager))
    .bind(hand.map(|hand| &hand.operation))
    .bind(hand.and_then(|hand| hand.subresource.as_ref()))
    .bind(hand.and_then(|hand| hand.at).map(jiff_sqlx::ToSqlx::to_sqlx))
    .execute(tx.conn())
    .await?;
    Ok(id)
}

/// Writes down that an open one has changed.
///
/// # Errors
/// [`Error::Guard`] when it is not open (any more), or was changed since it was read.
pub async fn change(tx: &mut Tx, row: &Row, new: New<'_>) -> Result<(), Error> {
    let (drift, hand) = (new.drift, new.drift.hand.as_ref());
    let rows = sqlx::query(
        "UPDATE drifts SET deployment_id = $3, generation = $4, object = $5, kind = $6, fields = $7, omitted = $8, \
         problem = $9, manager = $10, operation = $11, subresource = $12, changed_at = $13, updated_at = now(), \
         revision = revision + 1 WHERE id = $1 AND revision = $2 AND resolved_at IS NULL",
    )
    .bind(row.id.uuid())
    .bind(row.revision)
    .bind(new.deployment.uuid())
    .bind(new.generation)
    .bind(Json(new.object))
    .bind(drift.kind.as_str())
    .bind(Json(&drift.fields))
    .bind(i32::try_from(drift.omitted).unwrap_or(i32::MAX))
    .bind(&drift.problem)
    .bind(hand.map(|hand| &hand.manager))
    .bind(hand.map(|hand| &hand.operation))
    .bind(hand.and_then(|hand| hand.subresource.as_ref()))
    .bind(hand.and_then(|hand| hand.at).map(jiff_sqlx::ToSqlx::to_sqlx))
    .execute(tx.conn())
    .await?
    .rows_affected();
    exactly_one("changing a drift", rows)
}

/// It is over.
///
/// # Errors
/// [`Error::Guard`] when it is over already, or was changed since it was read.
pub async fn resolve(tx: &mut Tx, row: &Row, resolution: Resolution) -> Result<(), Error> {
    let rows = sqlx::query(
        "UPDATE drifts SET resolved_at = now(), resolution = $3, updated_at = now(), revision = revision + 1 \
         WHERE id = $1 AND revision = $2 AND resolved_at IS NULL",
    )
    .bind(row.id.uuid())
    .bind(row.revision)
    .bind(resolution.as_str())
    .execute(tx.conn())
    .await?
    .rows_affected();
    exactly_one("resolving a drift", rows)
}

/// Says why it is not healed; none when it may be.
///
/// # Errors
/// [`Error::Guard`] when it is over, or was changed since it was read.
pub async fn leave_alone(tx: &mut Tx, row: &Row, why: Option<&str>) -> Result<(), Error> {
    let rows = sqlx::query(
        "UPDATE drifts SET left_alone = $3, updated_at = now(), revision = revision + 1 \
         WHERE id = $1 AND revision = $2 AND resolved_at IS NULL",
    )
    .bind(row.id.uuid())
    .bind(row.revision)
    .bind(why)
    .execute(tx.conn())
    .await?
    .rows_affected();
    exactly_one("leaving a drift alone", rows)
}

/// Open drifts of these targets, oldest first.
///
/// # Errors
/// When the database refuses.
pub async fn open_on(tx: &mut Tx, targets: &[TargetId]) -> Result<HashMap<TargetId, Vec<Row>>, Error> {
    let ids: Vec<Uuid> = targets.iter().map(type_safe_id::TypeSafeId::uuid).collect();
    let mut query = QueryBuilder::new(SELECT);
    query
        .push("WHERE d.resolved_at IS NULL AND d.target_id = ANY(")
        .push_bind(ids);
    query.push(") ORDER BY d.id");
    let mut all: HashMap<TargetId, Vec<Row>> = HashMap::new();
    for row in &query.build().fetch_all(tx.conn()).await? {
        let row = read(row)?;
        all.entry(row.target).or_default().push(row);
    }
    Ok(all)
}

/// How many open drifts there are where a deployment is what runs: by deployment and target.
///
/// # Errors
/// When the database refuses.
pub async fn counts(
    tx: &mut Tx,
    deployments: &[DeploymentId],
) -> Result<HashMap<(DeploymentId, TargetId), u32>, Error> {
    let ids: Vec<Uuid> = deployments.iter().map(type_safe_id::TypeSafeId::uuid).collect();
    let rows: Vec<(Uuid, Uuid, i64)> = sqlx::query_as(
        "SELECT t.now_deployment_id, t.id, count(*) FROM deployment_targets dt JOIN targets t ON t.id = dt.target_id \
         AND t.now_deployment_id = dt.deployment_id JOIN drifts d ON d.target_id = t.id AND d.resolved_at IS NULL \
         WHERE dt.deployment_id = ANY($1) GROUP BY 1, 2",
    )
    .bind(ids)
    .fetch_all(tx.conn())
    .await?;
    Ok(rows
        .into_iter()
        .map(|(deployment, target, n)| {
            let of = (DeploymentId::from_uuid(deployment), TargetId::from_uuid(target));
            (of, u32::try_from(n).unwrap_or(u32::MAX))
        })
        .collect())
}

/// How many open drifts there are on each cluster, also where there are none.
///
/// # Errors
/// When the database refuses.
pub async fn by_cluster(tx: &mut Tx) -> Result<Vec<(String, i64)>, Error> {
    Ok(sqlx::query_as(
        "SELECT c.name, count(d.id) FROM clusters c LEFT JOIN targets t ON t.cluster_id = c.id \
         LEFT JOIN drifts d ON d.target_id = t.id AND d.resolved_at IS NULL GROUP BY c.name",
    )
    .fetch_all(tx.conn())
    .await?)
}

/// Filters of a list.
#[derive(Debug, Clone, Copy, Default)]
pub struct Filter {
    /// Only this one.
    pub id: Option<DriftId>,
    /// Only of this service.
    pub service: Option<ServiceId>,
    /// Only in this environment.
    pub environment: Option<EnvironmentId>,
    /// Only on this cluster.
    pub cluster: Option<ClusterId>,
    /// Only open ones, or only those that are over.
    pub open: Option<bool>,
}

/// Newest first, as far as they may be seen.
///
/// # Errors
/// When the database refuses.
pub async fn list(
    tx: &mut Tx,
    filter: Filter,
    visible: &Visible,
    before: Before,
    limit: i64,
) -> Result<Vec<Row>, Error> {
    let mut query = QueryBuilder::new(SELECT);
    query.push("WHERE ");
    only_seen(&mut query, visible, "s.team_id", Some("t.environment_id"));
    if let Some(id) = filter.id {
        query.push(" AND d.id = ").push_bind(id.uuid());
    }
    if let Some(id) = filter.service {
        query.push(" AND t.service_id = ").push_bind(id.uuid());
    }
    if let Some(id) = filter.environment {
        query.push(" AND t.environment_id = ").push_bind(id.uuid());
    }
    if let Some(id) = filter.cluster {
        query.push(" AND t.cluster_id = ").push_bind(id.uuid());
    }
    match filter.open {
        None => {}
        Some(true) => drop(query.push(" AND d.resolved_at IS NULL")),
        Some(false) => drop(query.push(" AND d.resolved_at IS NOT NULL")),
    }
    newest_first(&mut query, "d.id", before, limit);
    query
        .build()
        .fetch_all(tx.conn())
        .await?
        .iter()
        .map(read)
        .collect()
}
