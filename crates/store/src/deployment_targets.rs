//! One deployment's work on each of its targets.

use crate::{Cols, Error, Tx, row::exactly_one};
use slipway_domain::{
    Digest,
    component::bundle::ObjectRef,
    deployment::{DeploymentTarget, TargetState},
    ids::{DeploymentId, DeploymentTargetId, ReleaseId, TargetId},
    plan::target::Intent,
    registry::TargetNow,
    work::Readiness,
};
use sqlx::{postgres::PgRow, types::Json};
use std::collections::HashMap;
use uuid::Uuid;

/// A deployment's target with what belongs to it in its row.
#[derive(Debug, Clone)]
pub struct Row {
    /// What people see.
    pub target: DeploymentTarget,
    /// The release whose rendering this is.
    pub release: Option<ReleaseId>,
    /// What ran there when work began; none before that, and when nothing did.
    pub previous: Option<TargetNow>,
    /// The step under way.
    pub step: Option<String>,
    /// Of a heal: the objects that it takes back.
    pub heals: Vec<ObjectRef>,
}

const SELECT: &str = "SELECT dt.*, d.heals AS is_heal, t.namespace, t.cluster_id, c.name AS cluster_name, d.settings, \
     (SELECT key FROM target_steps st WHERE st.deployment_target_id = dt.id AND st.done_at IS NULL \
      ORDER BY st.begun_at DESC LIMIT 1) AS step \
     FROM deployment_targets dt JOIN targets t ON t.id = dt.target_id JOIN clusters c ON c.id = t.cluster_id \
     JOIN deployments d ON d.id = dt.deployment_id ";

fn intent_text(intent: Intent) -> &'static str {
    match intent {
        // A heal is known by its deployment's mark; servers before it read an intent that they know.
        Intent::Apply | Intent::Heal => "apply",
        Intent::RollBack => "roll_back",
        Intent::Clean => "clean",
    }
}

fn read(row: &PgRow) -> Result<Row, Error> {
    let cols = Cols::new("deployment_targets", row);
    let intent = match cols.get::<String>("intent")?.as_str() {
        "apply" if cols.get("is_heal")? => Intent::Heal,
        "apply" => Intent::Apply,
        "roll_back" => Intent::RollBack,
        "clean" => Intent::Clean,
        other => return Err(cols.bad("intent", format!("`{other}` is no intent"))),
    };
    let previous = match (
        cols.id_opt("previous_release_id")?,
        cols.id_opt("previous_deployment_id")?,
        cols.parse_opt::<Digest>("previous_rendering")?,
    ) {
        (Some(release), Some(deployment), Some(rendering)) => Some(TargetNow {
            release,
            deployment,
            rendering,
        }),
        (None, None, None) => None,
        _ => {
            return Err(cols.bad(
                "previous_rendering",
                "release, deployment and rendering go together",
            ));
        }
    };
    let settings: slipway_domain::registry::environment::Settings = cols.json("settings")?;
    let wave = cols.count("wave")?;
    let wave_name = settings
        .waves
        .get(wave as usize)
        .map_or_else(|| "rest".to_owned(), |w| w.name.to_string());
    Ok(Row {
        target: DeploymentTarget {
            id: cols.id("id")?,
            deployment: cols.id("deployment_id")?,
            target: cols.id("target_id")?,
            cluster: cols.id("cluster_id")?,
            cluster_name: cols.parse("cluster_name")?,
            namespace: cols.parse("namespace")?,
            wave,
            wave_name: if settings.waves.is_empty() {
                "all".to_owned()
            } else {
                wave_name
            },
            intent,
            rendering: cols.digest("rendering")?,
            generation: cols.get("generation")?,
            state: cols.parse("state")?,
            readiness: Readiness {
                ready: cols.count("ready")?,
                total: cols.count("total")?,
                reason: cols.get("readiness")?,
            },
            reason: cols.get("reason")?,
            started_at: cols.time_opt("started_at")?,
            finished_at: cols.time_opt("finished_at")?,
        },
        release: cols.id_opt("release_id")?,
        previous,
        step: cols.get("step")?,
        heals: cols.json_opt("heals")?.unwrap_or_default(),
    })
}

/// A target of a new deployment.
#[derive(Debug, Clone)]
pub struct New {
    /// Its id.
    pub id: DeploymentTargetId,
    /// Which target.
    pub target: TargetId,
    /// In which wave.
    pub wave: usize,
    /// Apply, roll back or clean.
    pub intent: Intent,
    /// The release whose rendering it is.
    pub release: Option<ReleaseId>,
    /// The rendering.
    pub rendering: Digest,
}

/// Writes a new deployment's targets, in order.
///
/// # Errors
/// When the database refuses.
pub async fn insert(tx: &mut Tx, deployment: DeploymentId, targets: &[New]) -> Result<(), Error> {
    for (position, target) in targets.iter().enumerate() {
        sqlx::query(
            "INSERT INTO deployment_targets (id, deployment_id, target_id, position, wave, intent, release_id, rendering) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        )
        .bind(target.id.uuid())
        .bind(deployment.uuid())
        .bind(target.target.uuid())
        .bind(i32::try_from(position).unwrap_or(i32::MAX))
        .bind(i32::try_from(target.wave).unwrap_or(i32::MAX))
        .bind(intent_text(target.intent))
        .bind(target.release.map(|id| id.uuid()))
        .bind(target.rendering.to_string())
        .execute(tx.conn())
        .await?;
    }
    Ok(())
}

/// Which objects a heal takes back on a target; before it begins.
///
/// # Errors
/// [`Error::Guard`] when it has begun.
pub async fn set_heals(
    tx: &mut Tx,
    deployment: DeploymentId,
    target: TargetId,
    objects: &[ObjectRef],
) -> Result<(), Error> {
    let rows = sqlx::query(
        "UPDATE deployment_targets SET heals = $3 WHERE deployment_id = $1 AND target_id = $2 AND generation IS NULL",
    )
    .bind(deployment.uuid())
    .bind(target.uuid())
    .bind(Json(objects))
    .execute(tx.conn())
    .await?
    .rows_affected();
    exactly_one("saying what is healed", rows)
}

/// The generation of the newest deployment that brought something to a target: heals bring nothing.
///
/// # Errors
/// When the database refuses.
pub async fn newest_generation(tx: &mut Tx, target: TargetId) -> Result<Option<i64>, Error> {
    Ok(sqlx::query_scalar(
        "SELECT max(dt.generation) FROM deployment_targets dt JOIN deployments d ON d.id = dt.deployment_id \
         WHERE dt.target_id = $1 AND NOT d.heals",
    )
    .bind(target.uuid())
    .fetch_one(tx.conn())
    .await?)
}

/// A deployment's targets, in order of waves.
///
/// # Errors
/// When the database refuses.
pub async fn of(tx: &mut Tx, deployment: DeploymentId) -> Result<Vec<Row>, Error> {
    Ok(of_many(tx, &[deployment])
        .await?
        .remove(&deployment)
        .unwrap_or_default())
}

/// The targets of several deployments.
///
/// # Errors
/// When the database refuses.
pub async fn of_many(
    tx: &mut Tx,
    deployments: &[DeploymentId],
) -> Result<HashMap<DeploymentId, Vec<Row>>, Error> {
    let ids: Vec<Uuid> = deployments.iter().map(type_safe_id::TypeSafeId::uuid).collect();
    let mut query = sqlx::QueryBuilder::new(SELECT);
    query.push("WHERE dt.deployment_id = ANY(").push_bind(ids);
    query.push(") ORDER BY dt.deployment_id, dt.wave, dt.position");
    let mut all: HashMap<DeploymentId, Vec<Row>> = HashMap::new();
    for row in &query.build().fetch_all(tx.conn()).await? {
        let row = read(row)?;
        all.entry(row.target.deployment).or_default().push(row);
    }
    Ok(all)
}

/// One of them.
///
/// # Errors
/// When the database refuses.
pub async fn get(tx: &mut Tx, id: DeploymentTargetId) -> Result<Option<Row>, Error> {
    let mut query = sqlx::QueryBuilder::new(SELECT);
    query.push("WHERE dt.id = ").push_bind(id.uuid());
    query
        .build()
        .fetch_optional(tx.conn())
        .await?
        .as_ref()
        .map(read)
        .transpose()
}

/// Its wave has started.
///
/// # Errors
/// [`Error::Guard`] when it was not waiting.
pub async fn start(tx: &mut Tx, id: DeploymentTargetId) -> Result<(), Error> {
    let rows =
        sqlx::query("UPDATE deployment_targets SET state = 'running' WHERE id = $1 AND state = 'waiting'")
            .bind(id.uuid())
            .execute(tx.conn())
            .await?
            .rows_affected();
    exactly_one("starting a target", rows)
}

/// Work on it begins: the target's next generation, and what ran there until now. Does nothing when it has begun.
///
/// # Errors
/// When the database refuses.
pub async fn begin(tx: &mut Tx, id: DeploymentTargetId) -> Result<(), Error> {
    sqlx::query(
        "WITH mine AS (SELECT target_id FROM deployment_targets WHERE id = $1 AND generation IS NULL), \
         next AS (UPDATE targets t SET generation = t.generation + 1, revision = t.revision + 1 FROM mine WHERE t.id = mine.target_id \
                  RETURNING t.id, t.generation, t.now_release_id, t.now_deployment_id, t.now_rendering) \
         UPDATE deployment_targets dt SET generation = next.generation, started_at = now(), \
           previous_release_id = next.now_release_id, previous_deployment_id = next.now_deployment_id, \
           previous_rendering = next.now_rendering \
         FROM next WHERE dt.id = $1 AND dt.target_id = next.id",
    )
    .bind(id.uuid())
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// It has ended.
///
/// # Errors
/// [`Error::Guard`] when it was not running.
pub async fn finish(
    tx: &mut Tx,
    id: DeploymentTargetId,
    state: TargetState,
    reason: Option<&str>,
) -> Result<(), Error> {
    let rows = sqlx::query(
        "UPDATE deployment_targets SET state = $2, reason = $3, finished_at = now(), \
         readiness = CASE WHEN $2 = 'succeeded' THEN NULL ELSE readiness END WHERE id = $1 AND state = 'running'",
    )
    .bind(id.uuid())
    .bind(state.as_str())
    .bind(reason)
    .execute(tx.conn())
    .await?
    .rows_affected();
    exactly_one("finishing a target", rows)
}

/// Ends those that have not: those at work as `running_become`, those never begun as skipped.
///
/// # Errors
/// When the database refuses.
pub async fn end_rest(
    tx: &mut Tx,
    deployment: DeploymentId,
    running_become: TargetState,
    reason: &str,
) -> Result<(), Error> {
    sqlx::query(
        "UPDATE deployment_targets SET state = CASE WHEN state = 'running' AND generation IS NOT NULL THEN $2 ELSE 'skipped' END, \
         reason = $3, finished_at = now() WHERE deployment_id = $1 AND state IN ('waiting', 'running')",
    )
    .bind(deployment.uuid())
    .bind(running_become.as_str())
    .bind(reason)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Readiness as last seen; says whether it changed.
///
/// # Errors
/// When the database refuses.
pub async fn set_readiness(
    tx: &mut Tx,
    id: DeploymentTargetId,
    readiness: &Readiness,
) -> Result<bool, Error> {
    let rows = sqlx::query(
        "UPDATE deployment_targets SET ready = $2, total = $3, readiness = $4 \
         WHERE id = $1 AND (ready, total, readiness) IS DISTINCT FROM ($2, $3, $4)",
    )
    .bind(id.uuid())
    .bind(i32::try_from(readiness.ready).unwrap_or(i32::MAX))
    .bind(i32::try_from(readiness.total).unwrap_or(i32::MAX))
    .bind(&readiness.reason)
    .execute(tx.conn())
    .await?
    .rows_affected();
    Ok(rows > 0)
}
