//! Events: what watchers are told, and a deployment's log of activities. Numbered after commit, like the audit chain, so
//! that a reader who has seen number n has seen everything before it.

use crate::{
    Cols, Error, Tx,
    listing::{newest_first, only_seen},
};
use jiff::Timestamp;
use serde_json::Value;
use slipway_domain::{
    identity::Visible,
    ids::{DeploymentId, EnvironmentId, EventId, Fresh as _, ServiceId, TeamId},
};
use sqlx::postgres::PgRow;

/// Lock of the one numberer.
const NUMBERER: &str = "slipway:event-numberer";

/// The channel on which new events are hinted at.
pub const CHANNEL: &str = "slipway_events";

/// One thing that happened, to be written.
#[derive(Debug, Clone, Default)]
pub struct NewEvent {
    /// What kind of thing.
    pub kind: String,
    /// For people.
    pub message: String,
    /// Who did it.
    pub actor: String,
    /// To what.
    pub subject: String,
    /// The team whose it is.
    pub team: Option<TeamId>,
    /// The service it concerns.
    pub service: Option<ServiceId>,
    /// The environment it concerns.
    pub environment: Option<EnvironmentId>,
    /// The deployment it belongs to.
    pub deployment: Option<DeploymentId>,
    /// The cluster it happened on.
    pub cluster: Option<String>,
    /// For machines.
    pub data: Value,
}

/// One thing that happened, as read.
#[derive(Debug, Clone)]
pub struct Event {
    /// Its number; none until it is numbered, moments after its commit.
    pub seq: Option<i64>,
    /// Its id.
    pub id: EventId,
    /// When.
    pub at: Timestamp,
    /// What kind of thing.
    pub kind: String,
    /// For people.
    pub message: String,
    /// Who did it.
    pub actor: String,
    /// To what.
    pub subject: String,
    /// The team whose it is.
    pub team: Option<TeamId>,
    /// The service's id.
    pub service_id: Option<ServiceId>,
    /// The service's name.
    pub service: Option<String>,
    /// The environment's id.
    pub environment_id: Option<EnvironmentId>,
    /// The environment's name.
    pub environment: Option<String>,
    /// The deployment it belongs to.
    pub deployment: Option<DeploymentId>,
    /// The cluster it happened on.
    pub cluster: Option<String>,
    /// For machines.
    pub data: Value,
}

/// Writes an event in the transaction of what happened.
///
/// # Errors
/// When the database refuses.
pub async fn append(tx: &mut Tx, event: &NewEvent) -> Result<(), Error> {
    tx.noted().events();
    sqlx::query(
        "INSERT INTO events (id, at, kind, message, actor, subject, team_id, service_id, environment_id, deployment_id, \
         cluster, data) VALUES ($1, clock_timestamp(), $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    )
    .bind(EventId::fresh().uuid())
    .bind(&event.kind)
    .bind(&event.message)
    .bind(&event.actor)
    .bind(&event.subject)
    .bind(event.team.map(|id| id.uuid()))
    .bind(event.service.map(|id| id.uuid()))
    .bind(event.environment.map(|id| id.uuid()))
    .bind(event.deployment.map(|id| id.uuid()))
    .bind(&event.cluster)
    .bind(&event.data)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Numbers up to `limit` committed events; `None` when somebody else is at it.
///
/// # Errors
/// When the database refuses.
pub async fn number(tx: &mut Tx, limit: i64) -> Result<Option<u64>, Error> {
    if !tx.try_lock(NUMBERER).await? {
        return Ok(None);
    }
    let numbered = sqlx::query(
        "WITH last AS (SELECT COALESCE(max(seq), 0) AS seq FROM events), \
         next AS (SELECT id, row_number() OVER (ORDER BY at, id) AS n FROM events WHERE seq IS NULL ORDER BY at, id LIMIT $1) \
         UPDATE events e SET seq = last.seq + next.n FROM last, next WHERE e.id = next.id AND e.seq IS NULL",
    )
    .bind(limit)
    .execute(tx.conn())
    .await?
    .rows_affected();
    if numbered > 0 {
        tx.hint(CHANNEL).await?;
    }
    Ok(Some(numbered))
}

/// How many events are written but not numbered yet, and since when the oldest waits.
///
/// # Errors
/// When the database refuses.
pub async fn unnumbered(tx: &mut Tx) -> Result<(i64, Option<Timestamp>), Error> {
    let row = sqlx::query("SELECT count(*) AS n, min(at) AS oldest FROM events WHERE seq IS NULL")
        .fetch_one(tx.conn())
        .await?;
    let cols = Cols::new("events", &row);
    Ok((cols.get("n")?, cols.time_opt("oldest")?))
}

/// The last number.
///
/// # Errors
/// When the database refuses.
pub async fn last(tx: &mut Tx) -> Result<i64, Error> {
    Ok(sqlx::query_scalar("SELECT COALESCE(max(seq), 0) FROM events")
        .fetch_one(tx.conn())
        .await?)
}

/// Filters of a reading.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only of this deployment.
    pub deployment: Option<DeploymentId>,
    /// Only of this service.
    pub service: Option<ServiceId>,
    /// Only in this environment.
    pub environment: Option<EnvironmentId>,
    /// Only kinds that begin so.
    pub kind: Option<String>,
}

const SELECT: &str = "SELECT e.*, s.name AS service, v.name AS environment FROM events e \
     LEFT JOIN services s ON s.id = e.service_id LEFT JOIN environments v ON v.id = e.environment_id ";

fn read(row: &PgRow) -> Result<Event, Error> {
    let cols = Cols::new("events", row);
    Ok(Event {
        seq: cols.get("seq")?,
        id: cols.id("id")?,
        at: cols.time("at")?,
        kind: cols.get("kind")?,
        message: cols.get("message")?,
        actor: cols.get("actor")?,
        subject: cols.get("subject")?,
        team: cols.id_opt("team_id")?,
        service_id: cols.id_opt("service_id")?,
        service: cols.get("service")?,
        environment_id: cols.id_opt("environment_id")?,
        environment: cols.get("environment")?,
        deployment: cols.id_opt("deployment_id")?,
        cluster: cols.get("cluster")?,
        data: cols.get("data")?,
    })
}

/// Numbered events after a number, oldest first, that may be seen.
///
/// # Errors
/// When the database refuses.
pub async fn after(
    tx: &mut Tx,
    seq: i64,
    filter: &Filter,
    visible: &Visible,
    limit: i64,
) -> Result<Vec<Event>, Error> {
    let mut query = sqlx::QueryBuilder::new(SELECT);
    query.push("WHERE e.seq > ").push_bind(seq).push(" AND ");
    only_seen(&mut query, visible, "e.team_id", Some("e.environment_id"));
    if let Some(id) = filter.deployment {
        query.push(" AND e.deployment_id = ").push_bind(id.uuid());
    }
    if let Some(id) = filter.service {
        query.push(" AND e.service_id = ").push_bind(id.uuid());
    }
    if let Some(id) = filter.environment {
        query.push(" AND e.environment_id = ").push_bind(id.uuid());
    }
    if let Some(kind) = &filter.kind {
        query
            .push(" AND starts_with(e.kind, ")
            .push_bind(kind.clone())
            .push(")");
    }
    query.push(" ORDER BY e.seq LIMIT ").push_bind(limit);
    query
        .build()
        .fetch_all(tx.conn())
        .await?
        .iter()
        .map(read)
        .collect()
}

/// A deployment's activities, newest first; numbered or not.
///
/// # Errors
/// When the database refuses.
pub async fn of_deployment(
    tx: &mut Tx,
    deployment: DeploymentId,
    before: crate::Before,
    limit: i64,
) -> Result<Vec<Event>, Error> {
    let mut query = sqlx::QueryBuilder::new(SELECT);
    query
        .push("WHERE e.deployment_id = ")
        .push_bind(deployment.uuid());
    newest_first(&mut query, "e.id", before, limit);
    query
        .build()
        .fetch_all(tx.conn())
        .await?
        .iter()
        .map(read)
        .collect()
}
