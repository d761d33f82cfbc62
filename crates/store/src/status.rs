//! One cheap read of everything a wall dashboard shows.

use crate::{Cols, Error, Tx, listing::seen_by};
use jiff::Timestamp;
use slipway_domain::{deployment::StateName, identity::Visible, ids::DeploymentId};
use std::collections::BTreeMap;

/// What one target runs.
#[derive(Debug, Clone)]
pub struct Running {
    /// The service.
    pub service: String,
    /// The environment.
    pub environment: String,
    /// The cluster.
    pub cluster: String,
    /// The release's version.
    pub version: String,
}

/// The latest deployment of a service to an environment.
#[derive(Debug, Clone)]
pub struct Latest {
    /// The service.
    pub service: String,
    /// The environment.
    pub environment: String,
    /// The deployment.
    pub id: DeploymentId,
    /// Its release's version.
    pub version: Option<String>,
    /// Its state.
    pub state: StateName,
    /// Since when.
    pub since: Timestamp,
    /// Why.
    pub reason: Option<String>,
}

/// What runs on every target that may be seen.
///
/// # Errors
/// When the database refuses.
pub async fn running(tx: &mut Tx, visible: &Visible) -> Result<Vec<Running>, Error> {
    let (everything, teams, environments) = seen_by(visible);
    let rows = sqlx::query(
        "SELECT t.id, s.name AS service, e.name AS environment, c.name AS cluster, r.version FROM targets t \
         JOIN services s ON s.id = t.service_id JOIN environments e ON e.id = t.environment_id \
         JOIN clusters c ON c.id = t.cluster_id JOIN releases r ON r.id = t.now_release_id \
         WHERE $1 OR s.team_id = ANY($2) OR t.environment_id = ANY($3) ORDER BY s.name, e.name, c.name",
    )
    .bind(everything)
    .bind(teams)
    .bind(environments)
    .fetch_all(tx.conn())
    .await?;
    rows.iter()
        .map(|row| {
            let cols = Cols::new("targets", row);
            Ok(Running {
                service: cols.get("service")?,
                environment: cols.get("environment")?,
                cluster: cols.get("cluster")?,
                version: cols.get("version")?,
            })
        })
        .collect()
}

/// The latest deployment of each service to each environment that may be seen.
///
/// # Errors
/// When the database refuses.
pub async fn latest(tx: &mut Tx, visible: &Visible) -> Result<Vec<Latest>, Error> {
    let (everything, teams, environments) = seen_by(visible);
    let rows = sqlx::query(
        "SELECT s.name AS service, e.name AS environment, d.id, r.version, d.state, d.since, d.reason \
         FROM services s CROSS JOIN environments e \
         CROSS JOIN LATERAL (SELECT * FROM deployments d WHERE d.service_id = s.id AND d.environment_id = e.id \
                             ORDER BY d.id DESC LIMIT 1) d \
         LEFT JOIN releases r ON r.id = d.release_id \
         WHERE $1 OR s.team_id = ANY($2) OR e.id = ANY($3) ORDER BY s.name, e.name",
    )
    .bind(everything)
    .bind(teams)
    .bind(environments)
    .fetch_all(tx.conn())
    .await?;
    rows.iter()
        .map(|row| {
            let cols = Cols::new("deployments", row);
            Ok(Latest {
                service: cols.get("service")?,
                environment: cols.get("environment")?,
                id: cols.id("id")?,
                version: cols.get("version")?,
                state: cols.parse("state")?,
                since: cols.time("since")?,
                reason: cols.get("reason")?,
            })
        })
        .collect()
}

/// What went on without a gate, and is not done with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Emergencies {
    /// How many nobody has answered for yet.
    pub unanswered: i64,
    /// How many of these are late.
    pub overdue: i64,
    /// How many reviews are open.
    pub reviews: i64,
}

/// What went on without a gate, of those that may be seen.
///
/// # Errors
/// When the database refuses.
pub async fn emergencies(tx: &mut Tx, visible: &Visible) -> Result<Emergencies, Error> {
    let (everything, teams, environments) = seen_by(visible);
    let row = sqlx::query(
        "SELECT count(a.id) AS unanswered, count(a.id) FILTER (WHERE a.told->>'overdue' = 'true') AS overdue, \
            count(r.id) FILTER (WHERE r.closed_at IS NULL) AS reviews \
         FROM reviews r JOIN deployments d ON d.id = r.deployment_id JOIN services s ON s.id = d.service_id \
         LEFT JOIN approvals a ON a.deployment_id = d.id AND a.asked = 'afterwards' AND a.state = 'pending' \
         WHERE (r.closed_at IS NULL OR a.id IS NOT NULL) AND ($1 OR s.team_id = ANY($2) OR d.environment_id = ANY($3))",
    )
    .bind(everything)
    .bind(&teams)
    .bind(&environments)
    .fetch_one(tx.conn())
    .await?;
    let cols = Cols::new("reviews", &row);
    Ok(Emergencies {
        unanswered: cols.get("unanswered")?,
        overdue: cols.get("overdue")?,
        reviews: cols.get("reviews")?,
    })
}

/// How many deployments are in each state that has not ended, and how many requests for approval are pending, of those
/// that may be seen.
///
/// # Errors
/// When the database refuses.
pub async fn counts(tx: &mut Tx, visible: &Visible) -> Result<(BTreeMap<String, i64>, i64), Error> {
    let (everything, teams, environments) = seen_by(visible);
    let rows = sqlx::query(
        "SELECT d.state, count(*) AS n FROM deployments d JOIN services s ON s.id = d.service_id \
         WHERE d.state IN ('pending', 'queued', 'running', 'paused', 'rolling_back') \
         AND ($1 OR s.team_id = ANY($2) OR d.environment_id = ANY($3)) GROUP BY d.state",
    )
    .bind(everything)
    .bind(&teams)
    .bind(&environments)
    .fetch_all(tx.conn())
    .await?;
    let states = rows
        .iter()
        .map(|row| {
            let cols = Cols::new("deployments", row);
            Ok((cols.get("state")?, cols.get("n")?))
        })
        .collect::<Result<_, Error>>()?;
    let pending = sqlx::query_scalar(
        "SELECT count(*) FROM approvals a JOIN deployments d ON d.id = a.deployment_id \
         JOIN services s ON s.id = d.service_id WHERE a.state = 'pending' \
         AND ($1 OR s.team_id = ANY($2) OR d.environment_id = ANY($3))",
    )
    .bind(everything)
    .bind(&teams)
    .bind(&environments)
    .fetch_one(tx.conn())
    .await?;
    Ok((states, pending))
}
