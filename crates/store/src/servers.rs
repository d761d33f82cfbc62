//! Server processes: who says that it is there, in which roles, and for which clusters.

use crate::{Cols, Error, Tx};
use jiff::Timestamp;
use slipway_domain::{ids::ClusterId, registry::Labels};
use sqlx::{postgres::PgRow, types::Json};
use uuid::Uuid;

/// One process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Its name: unique to the process, and the holder of its leases.
    pub holder: String,
    /// `api`, `scheduler`, `executor`.
    pub roles: Vec<String>,
    /// The binary's version.
    pub version: String,
    /// Its executor works on clusters that carry all of these only; empty for every cluster.
    pub cluster_labels: Labels,
    /// When it first said that it is there.
    pub started_at: Timestamp,
    /// When it last did.
    pub seen_at: Timestamp,
    /// When it said that it stops.
    pub stopped_at: Option<Timestamp>,
    /// Whether it was seen lately and has not stopped, by the database's time.
    pub alive: bool,
}

/// What a process says of itself.
#[derive(Debug, Clone)]
pub struct Beat<'a> {
    /// Its name.
    pub holder: &'a str,
    /// Its roles.
    pub roles: &'a [String],
    /// The binary's version.
    pub version: &'a str,
    /// What its executor is limited to.
    pub cluster_labels: &'a Labels,
}

/// A process that has not been seen for longer than this is taken for gone: several times its period, in seconds.
pub const ALIVE_SECONDS: i32 = 20;

macro_rules! select {
    ($tail:literal) => {
        concat!(
            "SELECT holder, roles, version, cluster_labels, started_at, seen_at, stopped_at, \
             (stopped_at IS NULL AND seen_at > now() - make_interval(secs => $1)) AS alive FROM servers ",
            $tail
        )
    };
}

fn read(row: &PgRow) -> Result<Server, Error> {
    let cols = Cols::new("servers", row);
    Ok(Server {
        holder: cols.get("holder")?,
        roles: cols.get("roles")?,
        version: cols.get("version")?,
        cluster_labels: cols.json("cluster_labels")?,
        started_at: cols.time("started_at")?,
        seen_at: cols.time("seen_at")?,
        stopped_at: cols.time_opt("stopped_at")?,
        alive: cols.get("alive")?,
    })
}

/// Says that a process is there.
///
/// # Errors
/// When the database refuses.
pub async fn beat(tx: &mut Tx, beat: &Beat<'_>) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO servers (holder, roles, version, cluster_labels) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (holder) DO UPDATE SET seen_at = now(), stopped_at = NULL",
    )
    .bind(beat.holder)
    .bind(beat.roles)
    .bind(beat.version)
    .bind(Json(beat.cluster_labels))
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Says that a process stops.
///
/// # Errors
/// When the database refuses.
pub async fn stop(tx: &mut Tx, holder: &str) -> Result<(), Error> {
    sqlx::query("UPDATE servers SET seen_at = now(), stopped_at = now() WHERE holder = $1")
        .bind(holder)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// How many executors that are alive can take work that this one can take, itself included.
///
/// # Errors
/// When the database refuses.
pub async fn executors_beside(tx: &mut Tx, cluster_labels: &Labels) -> Result<u32, Error> {
    let n: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM servers s WHERE 'executor' = ANY(s.roles) AND s.stopped_at IS NULL \
         AND s.seen_at > now() - make_interval(secs => $1) \
         AND ((s.cluster_labels = '{}'::jsonb AND $2 = '{}'::jsonb) \
            OR EXISTS (SELECT 1 FROM clusters c WHERE c.labels @> s.cluster_labels AND c.labels @> $2))",
    )
    .bind(f64::from(ALIVE_SECONDS))
    .bind(Json(cluster_labels))
    .fetch_one(tx.conn())
    .await?;
    Ok(u32::try_from(n).unwrap_or(u32::MAX))
}

/// All that were seen within the last day, the living first, then those seen last.
///
/// # Errors
/// When the database refuses.
pub async fn list(tx: &mut Tx, limit: i64) -> Result<Vec<Server>, Error> {
    let rows = sqlx::query(select!(
        "WHERE seen_at > now() - interval '1 day' ORDER BY alive DESC, seen_at DESC, holder LIMIT $2"
    ))
    .bind(f64::from(ALIVE_SECONDS))
    .bind(limit)
    .fetch_all(tx.conn())
    .await?;
    rows.iter().map(read).collect()
}

/// How many are alive, by role.
///
/// # Errors
/// When the database refuses.
pub async fn alive_by_role(tx: &mut Tx) -> Result<Vec<(String, i64)>, Error> {
    Ok(sqlx::query_as(
        "SELECT role, count(*) FROM servers s, unnest(s.roles) AS role WHERE s.stopped_at IS NULL \
         AND s.seen_at > now() - make_interval(secs => $1) GROUP BY role ORDER BY role",
    )
    .bind(f64::from(ALIVE_SECONDS))
    .fetch_all(tx.conn())
    .await?)
}

/// Who could work on a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Serving {
    /// The cluster's labels.
    pub labels: Labels,
    /// Whether an executor is alive that works on it.
    pub served: bool,
}

/// Who could work on these clusters.
///
/// # Errors
/// When the database refuses.
pub async fn serving(tx: &mut Tx, clusters: &[ClusterId]) -> Result<Vec<(ClusterId, Serving)>, Error> {
    let ids: Vec<Uuid> = clusters.iter().map(type_safe_id::TypeSafeId::uuid).collect();
    let rows = sqlx::query(
        "SELECT c.id, c.labels, EXISTS (SELECT 1 FROM servers s WHERE 'executor' = ANY(s.roles) \
            AND s.stopped_at IS NULL AND s.seen_at > now() - make_interval(secs => $2) \
            AND c.labels @> s.cluster_labels) AS served \
         FROM clusters c WHERE c.id = ANY($1)",
    )
    .bind(ids)
    .bind(f64::from(ALIVE_SECONDS))
    .fetch_all(tx.conn())
    .await?;
    rows.iter()
        .map(|row| {
            let cols = Cols::new("clusters", row);
            let serving = Serving {
                labels: cols.json("labels")?,
                served: cols.get("served")?,
            };
            Ok((cols.id("id")?, serving))
        })
        .collect()
}

/// Executors: those that are alive, as their limits, and when one was last seen that is not.
///
/// # Errors
/// When the database refuses.
pub async fn executors(tx: &mut Tx) -> Result<(Vec<Labels>, Option<Timestamp>), Error> {
    let rows = sqlx::query(select!(
        "WHERE 'executor' = ANY(roles) ORDER BY alive DESC, seen_at DESC, holder LIMIT 200"
    ))
    .bind(f64::from(ALIVE_SECONDS))
    .fetch_all(tx.conn())
    .await?;
    let all = rows.iter().map(read).collect::<Result<Vec<_>, Error>>()?;
    let last = all.iter().filter(|s| !s.alive).map(|s| s.seen_at).max();
    let mut limits: Vec<Labels> = all
        .into_iter()
        .filter(|s| s.alive)
        .map(|s| s.cluster_labels)
        .collect();
    limits.sort();
    limits.dedup();
    Ok((limits, last))
}

/// Forgets processes that have not been seen for a week; says how many.
///
/// # Errors
/// When the database refuses.
pub async fn sweep(tx: &mut Tx) -> Result<u64, Error> {
    Ok(
        sqlx::query("DELETE FROM servers WHERE seen_at < now() - interval '7 days'")
            .execute(tx.conn())
            .await?
            .rows_affected(),
    )
}
