//! Deployments.

use crate::{Before, Cols, Error, Ref, Tx, events::seen_by, row::exactly_one};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use slipway_domain::{
    Digest, Name,
    deployment::{Deployment, Ended, Kind, State, StateName},
    gates::Gate,
    identity::Visible,
    ids::{DeploymentId, EnvironmentId, ReleaseId, ServiceId},
    registry::environment::Settings,
};
use sqlx::{QueryBuilder, postgres::PgRow};
use uuid::Uuid;

const SELECT: &str = "SELECT d.*, s.name AS service_name, s.team_id, e.name AS environment_name, r.version AS release_version \
     FROM deployments d JOIN services s ON s.id = d.service_id JOIN environments e ON e.id = d.environment_id \
     LEFT JOIN releases r ON r.id = d.release_id ";

/// A deployment with what belongs to it in its row.
#[derive(Debug, Clone)]
pub struct Row {
    /// The deployment.
    pub deployment: Deployment,
    /// How its environment wanted it done when it was asked for.
    pub settings: Settings,
    /// Its gates, as last judged.
    pub gates: Vec<Gate>,
    /// What rolls it back, if anything does.
    pub rolled_back_by: Option<DeploymentId>,
    /// Trace context of the request.
    pub traceparent: Option<String>,
}

fn read_state(cols: &Cols<'_>) -> Result<State, Error> {
    let name: StateName = cols.parse("state")?;
    let started = cols.time_opt("started_at")?;
    let reason = cols.get::<Option<String>>("reason")?;
    let missing = |column: &str| cols.bad(column, format!("is missing, but the state is {name}"));
    if name.is_terminal() {
        let finished_at = cols
            .time_opt("finished_at")?
            .ok_or_else(|| missing("finished_at"))?;
        let ended = Ended {
            started_at: started,
            finished_at,
            reason,
        };
        return Ok(match name {
            StateName::Succeeded => State::Succeeded(ended),
            StateName::RolledBack => State::RolledBack(ended),
            StateName::Failed => State::Failed(ended),
            StateName::Errored => State::Errored(ended),
            StateName::Cancelled => State::Cancelled(ended),
            StateName::Rejected => State::Rejected(ended),
            StateName::Expired => State::Expired(ended),
            _ => State::Superseded(ended),
        });
    }
    let started_at = || started.ok_or_else(|| missing("started_at"));
    Ok(match name {
        StateName::Pending => State::Pending,
        StateName::Queued => State::Queued,
        StateName::Running => State::Running {
            started_at: started_at()?,
        },
        StateName::Paused => State::Paused {
            started_at: started_at()?,
            reason: reason.ok_or_else(|| missing("reason"))?,
        },
        _ => State::RollingBack {
            started_at: started_at()?,
            reason: reason.ok_or_else(|| missing("reason"))?,
            by: cols
                .id_opt("rolled_back_by")?
                .ok_or_else(|| missing("rolled_back_by"))?,
        },
    })
}

fn read(row: &PgRow) -> Result<Row, Error> {
    let cols = Cols::new("deployments", row);
    let kind = match cols.get::<String>("kind")?.as_str() {
        "deploy" => Kind::Deploy,
        "roll_back" => Kind::RollBack,
        other => return Err(cols.bad("kind", format!("`{other}` is no kind of deployment"))),
    };
    Ok(Row {
        deployment: Deployment {
            id: cols.id("id")?,
            kind,
            service: cols.id("service_id")?,
            service_name: cols.parse("service_name")?,
            team: cols.id("team_id")?,
            environment: cols.id("environment_id")?,
            environment_name: cols.parse("environment_name")?,
            release: cols.id_opt("release_id")?,
            release_version: cols.parse_opt("release_version")?,
            release_digest: cols.parse_opt("release_digest")?,
            plan_digest: cols.digest("plan_digest")?,
            requested_by: cols.id("requested_by")?,
            reason: cols.get("request_reason")?,
            not_before: cols.time_opt("not_before")?,
            expires_at: cols.time("expires_at")?,
            rolls_back: cols.id_opt("rolls_back")?,
            retries: cols.id_opt("retries")?,
            force_conflicts: cols.get("force_conflicts")?,
            state: read_state(&cols)?,
            since: cols.time("since")?,
            revision: cols.get("revision")?,
            created_at: cols.time("created_at")?,
        },
        settings: cols.json("settings")?,
        gates: cols.json("gates")?,
        rolled_back_by: cols.id_opt("rolled_back_by")?,
        traceparent: cols.get("traceparent")?,
    })
}

/// By id.
///
/// # Errors
/// When the database refuses.
pub async fn get(tx: &mut Tx, id: DeploymentId) -> Result<Option<Row>, Error> {
    let mut query = QueryBuilder::new(SELECT);
    query.push("WHERE d.id = ").push_bind(id.uuid());
    query
        .build()
        .fetch_optional(tx.conn())
        .await?
        .as_ref()
        .map(read)
        .transpose()
}

/// By id, as a user names it; a deployment has no other name.
///
/// # Errors
/// When the database refuses.
pub async fn find(tx: &mut Tx, reference: &Ref) -> Result<Option<Row>, Error> {
    match reference.id() {
        None => Ok(None),
        Some(id) => get(tx, DeploymentId::from_uuid(id)).await,
    }
}

/// By id, held against every other change until the end of the transaction.
///
/// # Errors
/// When the database refuses.
pub async fn lock(tx: &mut Tx, id: DeploymentId) -> Result<Option<Row>, Error> {
    let mut query = QueryBuilder::new(SELECT);
    query
        .push("WHERE d.id = ")
        .push_bind(id.uuid())
        .push(" FOR UPDATE OF d");
    query
        .build()
        .fetch_optional(tx.conn())
        .await?
        .as_ref()
        .map(read)
        .transpose()
}

/// By id, held against every change of its state until the end of the transaction, but not against others who share it.
///
/// # Errors
/// When the database refuses.
pub async fn share(tx: &mut Tx, id: DeploymentId) -> Result<Option<Row>, Error> {
    let mut query = QueryBuilder::new(SELECT);
    query
        .push("WHERE d.id = ")
        .push_bind(id.uuid())
        .push(" FOR KEY SHARE OF d");
    query
        .build()
        .fetch_optional(tx.conn())
        .await?
        .as_ref()
        .map(read)
        .transpose()
}

/// As [`lock`], but none when somebody else holds it.
///
/// # Errors
/// When the database refuses.
pub async fn try_lock(tx: &mut Tx, id: DeploymentId) -> Result<Option<Row>, Error> {
    let mut query = QueryBuilder::new(SELECT);
    query
        .push("WHERE d.id = ")
        .push_bind(id.uuid())
        .push(" FOR UPDATE OF d SKIP LOCKED");
    query
        .build()
        .fetch_optional(tx.conn())
        .await?
        .as_ref()
        .map(read)
        .transpose()
}

/// Its state's name, without a lock.
///
/// # Errors
/// When the database refuses.
pub async fn state(tx: &mut Tx, id: DeploymentId) -> Result<Option<StateName>, Error> {
    let row = sqlx::query("SELECT id, state FROM deployments WHERE id = $1")
        .bind(id.uuid())
        .fetch_optional(tx.conn())
        .await?;
    row.map(|row| Cols::new("deployments", &row).parse("state"))
        .transpose()
}

/// Its revision, from one index.
///
/// # Errors
/// When the database refuses.
pub async fn revision(tx: &mut Tx, id: DeploymentId) -> Result<Option<i64>, Error> {
    Ok(
        sqlx::query_scalar("SELECT revision FROM deployments WHERE id = $1")
            .bind(id.uuid())
            .fetch_optional(tx.conn())
            .await?,
    )
}

/// Filters of a list.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only of this service.
    pub service: Option<ServiceId>,
    /// Only to this environment.
    pub environment: Option<EnvironmentId>,
    /// Only of this release.
    pub release: Option<ReleaseId>,
    /// Only in one of these states; all when empty.
    pub states: Vec<StateName>,
}

/// Newest first.
///
/// # Errors
/// When the database refuses.
pub async fn list(
    tx: &mut Tx,
    filter: &Filter,
    visible: &Visible,
    before: Before,
    limit: i64,
) -> Result<Vec<Row>, Error> {
    let (everything, teams, environments) = seen_by(visible);
    let mut query = QueryBuilder::new(SELECT);
    query.push("WHERE (").push_bind(everything);
    query.push(" OR s.team_id = ANY(").push_bind(teams);
    query
        .push(") OR d.environment_id = ANY(")
        .push_bind(environments)
        .push("))");
    if let Some(id) = filter.service {
        query.push(" AND d.service_id = ").push_bind(id.uuid());
    }
    if let Some(id) = filter.environment {
        query.push(" AND d.environment_id = ").push_bind(id.uuid());
    }
    if let Some(id) = filter.release {
        query.push(" AND d.release_id = ").push_bind(id.uuid());
    }
    if !filter.states.is_empty() {
        let states: Vec<&str> = filter.states.iter().map(|s| s.as_str()).collect();
        query.push(" AND d.state = ANY(").push_bind(states).push(")");
    }
    if let Some(id) = before {
        query.push(" AND d.id < ").push_bind(id);
    }
    query.push(" ORDER BY d.id DESC LIMIT ").push_bind(limit);
    query
        .build()
        .fetch_all(tx.conn())
        .await?
        .iter()
        .map(read)
        .collect()
}

/// Writes a new one, pending.
///
/// # Errors
/// When the database refuses.
pub async fn insert(tx: &mut Tx, row: &Row) -> Result<(), Error> {
    let d = &row.deployment;
    sqlx::query(
        "INSERT INTO deployments (id, kind, service_id, environment_id, release_id, release_digest, plan_digest, requested_by, \
         request_reason, not_before, expires_at, rolls_back, retries, force_conflicts, settings, state, since, look_at, traceparent) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, 'pending', now(), now(), $16)",
    )
    .bind(d.id.uuid())
    .bind(d.kind.as_str())
    .bind(d.service.uuid())
    .bind(d.environment.uuid())
    .bind(d.release.map(|id| id.uuid()))
    .bind(d.release_digest.map(|digest| digest.to_string()))
    .bind(d.plan_digest.to_string())
    .bind(d.requested_by.uuid())
    .bind(&d.reason)
    .bind(d.not_before.map(jiff_sqlx::ToSqlx::to_sqlx))
    .bind(d.expires_at.to_sqlx())
    .bind(d.rolls_back.map(|id| id.uuid()))
    .bind(d.retries.map(|id| id.uuid()))
    .bind(d.force_conflicts)
    .bind(serde_json::json!(row.settings))
    .bind(&row.traceparent)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Moves it from the state and revision it was read in to a new state.
///
/// # Errors
/// [`Error::Guard`] when it is in another state, or was changed since.
pub async fn transition(tx: &mut Tx, from: &Deployment, to: &State) -> Result<(), Error> {
    let rolled_back_by = match to {
        State::RollingBack { by, .. } => Some(by.uuid()),
        _ => None,
    };
    let rows = sqlx::query(
        "UPDATE deployments SET state = $4, since = now(), reason = $5, started_at = $6, finished_at = $7, \
         rolled_back_by = COALESCE($8, rolled_back_by), look_at = CASE WHEN $7::timestamptz IS NULL THEN now() END, \
         revision = revision + 1 WHERE id = $1 AND state = $2 AND revision = $3",
    )
    .bind(from.id.uuid())
    .bind(from.state.name().as_str())
    .bind(from.revision)
    .bind(to.name().as_str())
    .bind(to.reason())
    .bind(to.started_at().map(jiff_sqlx::ToSqlx::to_sqlx))
    .bind(to.ended().map(|e| e.finished_at.to_sqlx()))
    .bind(rolled_back_by)
    .execute(tx.conn())
    .await?
    .rows_affected();
    exactly_one("a deployment's transition", rows)
}

/// Notes what rolls it back, without changing its state (it has ended).
///
/// # Errors
/// When the database refuses.
pub async fn set_rolled_back_by(tx: &mut Tx, id: DeploymentId, by: DeploymentId) -> Result<(), Error> {
    let rows =
        sqlx::query("UPDATE deployments SET rolled_back_by = $2, revision = revision + 1 WHERE id = $1")
            .bind(id.uuid())
            .bind(by.uuid())
            .execute(tx.conn())
            .await?
            .rows_affected();
    exactly_one("noting a rollback", rows)
}

/// Counts a change that people see although the row's own columns stay: its targets' progress.
///
/// # Errors
/// When the database refuses.
pub async fn touch(tx: &mut Tx, id: DeploymentId) -> Result<(), Error> {
    sqlx::query("UPDATE deployments SET revision = revision + 1 WHERE id = $1")
        .bind(id.uuid())
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Keeps the gates as judged, and when to judge them again.
///
/// # Errors
/// When the database refuses.
pub async fn set_gates(
    tx: &mut Tx,
    id: DeploymentId,
    gates: &[Gate],
    look_at: Option<Timestamp>,
) -> Result<(), Error> {
    sqlx::query(
        "UPDATE deployments SET gates = $2, look_at = $3, revision = revision + CASE WHEN gates = $2 THEN 0 ELSE 1 END \
         WHERE id = $1",
    )
    .bind(id.uuid())
    .bind(serde_json::json!(gates))
    .bind(look_at.map(jiff_sqlx::ToSqlx::to_sqlx))
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// When to look at it again by itself.
///
/// # Errors
/// When the database refuses.
pub async fn set_look_at(tx: &mut Tx, id: DeploymentId, at: Option<Timestamp>) -> Result<(), Error> {
    sqlx::query("UPDATE deployments SET look_at = $2 WHERE id = $1")
        .bind(id.uuid())
        .bind(at.map(jiff_sqlx::ToSqlx::to_sqlx))
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Has everything that waits in these places, or for this release, looked at again at once: a fact has changed.
///
/// # Errors
/// When the database refuses.
pub async fn look_again(tx: &mut Tx, service: ServiceId) -> Result<(), Error> {
    // Never waits for a lock: whoever calls this holds others already, and two callers would wait for each other.
    // Who is passed over is being judged at this moment, and looks again by itself while somebody is in its way.
    sqlx::query(
        "UPDATE deployments SET look_at = now() WHERE id IN (SELECT id FROM deployments WHERE service_id = $1 \
         AND state IN ('pending', 'queued') ORDER BY id FOR NO KEY UPDATE SKIP LOCKED)",
    )
    .bind(service.uuid())
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Deployments that are to be looked at by now.
///
/// # Errors
/// When the database refuses.
pub async fn due(tx: &mut Tx, limit: i64) -> Result<Vec<DeploymentId>, Error> {
    let ids: Vec<Uuid> = sqlx::query_scalar(
        "SELECT id FROM deployments WHERE look_at <= now() \
         AND state IN ('pending', 'queued', 'running', 'paused', 'rolling_back') ORDER BY look_at, id LIMIT $1",
    )
    .bind(limit)
    .fetch_all(tx.conn())
    .await?;
    Ok(ids.into_iter().map(DeploymentId::from_uuid).collect())
}

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
         AND d.kind = 'deploy' ORDER BY d.finished_at DESC LIMIT 1",
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

/// Name of a service's release, as people call it.
#[must_use]
pub fn release_name(service: &Name, version: Option<&semver::Version>) -> String {
    version.map_or_else(
        || format!("{service} (nothing)"),
        |version| format!("{service}@{version}"),
    )
}
