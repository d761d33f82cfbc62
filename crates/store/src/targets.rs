//! Targets: where one service lands in one environment, and what Slipway put there.

use crate::{Before, Cols, Error, Tx, events::seen_by, row::exactly_one};
use slipway_domain::{
    Name,
    identity::Visible,
    ids::{ClusterId, DeploymentId, EnvironmentId, ServiceId, TargetId, TeamId},
    registry::{Cluster, Environment, Inventory, Labels, Service, Target, TargetNow},
};
use sqlx::{QueryBuilder, postgres::PgRow, types::Json};

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
    .bind(TargetId::new().uuid())
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
    .bind(TargetId::new().uuid())
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

/// A target with the names of what it is made of.
#[derive(Debug, Clone)]
pub struct Listed {
    /// The target.
    pub target: Target,
    /// Whether somebody said so, or it is the default.
    pub declared: bool,
    /// Whether nothing more lands there.
    pub retired: bool,
    /// The team that owns the service.
    pub team: TeamId,
    /// The service's name.
    pub service: Name,
    /// The environment's name.
    pub environment: Name,
    /// The cluster's name.
    pub cluster: Name,
    /// Version of the release that succeeded on it last.
    pub runs: Option<String>,
}

/// Filters of a list.
#[derive(Debug, Clone, Copy, Default)]
pub struct Filter {
    /// Only this one, retired or not.
    pub id: Option<TargetId>,
    /// Only of this service.
    pub service: Option<ServiceId>,
    /// Only in this environment.
    pub environment: Option<EnvironmentId>,
    /// Only on this cluster.
    pub cluster: Option<ClusterId>,
}

/// Targets that may be seen, newest first. Retired ones are only found by id.
///
/// # Errors
/// When the database refuses.
pub async fn list(
    tx: &mut Tx,
    filter: Filter,
    visible: &Visible,
    before: Before,
    limit: i64,
) -> Result<Vec<Listed>, Error> {
    let (everything, teams, environments) = seen_by(visible);
    let mut query = QueryBuilder::new(
        "SELECT g.id, g.service_id, g.environment_id, g.cluster_id, g.namespace, c.labels || g.labels AS labels, \
         g.generation, g.revision, g.now_release_id, g.now_deployment_id, g.now_rendering, g.declared, \
         g.retired_at IS NOT NULL AS retired, s.team_id, s.name AS service, e.name AS environment, \
         c.name AS cluster, r.version AS runs \
         FROM targets g JOIN clusters c ON c.id = g.cluster_id JOIN services s ON s.id = g.service_id \
         JOIN environments e ON e.id = g.environment_id LEFT JOIN releases r ON r.id = g.now_release_id WHERE (",
    );
    query.push_bind(everything);
    query.push(" OR s.team_id = ANY(").push_bind(teams);
    query
        .push(") OR g.environment_id = ANY(")
        .push_bind(environments)
        .push("))");
    match filter.id {
        Some(id) => query.push(" AND g.id = ").push_bind(id.uuid()),
        None => query.push(" AND g.retired_at IS NULL"),
    };
    if let Some(id) = filter.service {
        query.push(" AND g.service_id = ").push_bind(id.uuid());
    }
    if let Some(id) = filter.environment {
        query.push(" AND g.environment_id = ").push_bind(id.uuid());
    }
    if let Some(id) = filter.cluster {
        query.push(" AND g.cluster_id = ").push_bind(id.uuid());
    }
    if let Some(id) = before {
        query.push(" AND g.id < ").push_bind(id);
    }
    query.push(" ORDER BY g.id DESC LIMIT ").push_bind(limit);
    query
        .build()
        .fetch_all(tx.conn())
        .await?
        .iter()
        .map(|row| {
            let cols = Cols::new("targets", row);
            Ok(Listed {
                target: read(row)?,
                declared: cols.get("declared")?,
                retired: cols.get("retired")?,
                team: cols.id("team_id")?,
                service: cols.parse("service")?,
                environment: cols.parse("environment")?,
                cluster: cols.parse("cluster")?,
                runs: cols.get("runs")?,
            })
        })
        .collect()
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
