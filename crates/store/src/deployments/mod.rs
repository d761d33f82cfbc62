//! Deployments: reading them here, changing them in [`changes`], what gates are judged on in [`facts`].

mod changes;
mod facts;

pub use changes::{
    due, insert, look_again, set_gates, set_look_at, set_policies_seen, set_rolled_back_by, touch, transition,
};
pub use facts::{
    Holder, Success, active_of_release, approval_to_applied, earlier_waiting, history, holder,
    last_of_release, last_success,
};

use crate::{
    Before, Cols, Error, Ref, Tx,
    listing::{newest_first, only_seen},
};
use slipway_domain::{
    Name,
    deployment::{Deployment, Ended, Kind, State, StateName},
    gates::{self, Gate},
    identity::Visible,
    ids::{DeploymentId, EnvironmentId, ReleaseId, ServiceId},
    registry::environment::Settings,
};
use sqlx::{QueryBuilder, postgres::PgRow};

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
        "deploy" if cols.get("heals")? => Kind::Heal,
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
        gates: gates::stored(cols.json("gates")?).map_err(|e| cols.bad("gates", e))?,
        rolled_back_by: cols.id_opt("rolled_back_by")?,
        traceparent: cols.get("traceparent")?,
    })
}

async fn one(tx: &mut Tx, id: DeploymentId, hold: &'static str) -> Result<Option<Row>, Error> {
    let mut query = QueryBuilder::new(SELECT);
    query.push("WHERE d.id = ").push_bind(id.uuid()).push(hold);
    let row = query.build().fetch_optional(tx.conn()).await?;
    row.as_ref().map(read).transpose()
}

/// By id.
///
/// # Errors
/// When the database refuses.
pub async fn get(tx: &mut Tx, id: DeploymentId) -> Result<Option<Row>, Error> {
    one(tx, id, "").await
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
    one(tx, id, " FOR UPDATE OF d").await
}

/// By id, held against every change of its state until the end of the transaction, but not against others who share it.
///
/// # Errors
/// When the database refuses.
pub async fn share(tx: &mut Tx, id: DeploymentId) -> Result<Option<Row>, Error> {
    one(tx, id, " FOR KEY SHARE OF d").await
}

/// As [`lock`], but none when somebody else holds it.
///
/// # Errors
/// When the database refuses.
pub async fn try_lock(tx: &mut Tx, id: DeploymentId) -> Result<Option<Row>, Error> {
    one(tx, id, " FOR UPDATE OF d SKIP LOCKED").await
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
    let mut query = QueryBuilder::new(SELECT);
    query.push("WHERE ");
    only_seen(&mut query, visible, "s.team_id", Some("d.environment_id"));
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
    newest_first(&mut query, "d.id", before, limit);
    query
        .build()
        .fetch_all(tx.conn())
        .await?
        .iter()
        .map(read)
        .collect()
}

/// Name of a service's release, as people call it.
#[must_use]
pub fn release_name(service: &Name, version: Option<&semver::Version>) -> String {
    version.map_or_else(
        || format!("{service} (nothing)"),
        |version| format!("{service}@{version}"),
    )
}
