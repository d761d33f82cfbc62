//! Reviews after what went on without a gate.

use crate::{Before, Cols, Error, Tx, listing::newest_first, row::exactly_one};
use jiff::Timestamp;
use slipway_domain::{
    identity::Visible,
    ids::{DeploymentId, Fresh as _, PrincipalId, ReviewId},
};
use sqlx::{QueryBuilder, postgres::PgRow};
use uuid::Uuid;

/// A review.
#[derive(Debug, Clone)]
pub struct Review {
    /// Its id.
    pub id: ReviewId,
    /// Of which deployment.
    pub deployment: DeploymentId,
    /// Why there is one.
    pub because: String,
    /// Since when.
    pub opened_at: Timestamp,
    /// What was found, by whom and when; nothing yet while it is open.
    pub closed: Option<Closed>,
    /// Counts changes; the entity tag.
    pub revision: i64,
}

/// How a review ended.
#[derive(Debug, Clone)]
pub struct Closed {
    /// What was found, in their words.
    pub findings: String,
    /// Who closed it.
    pub by: PrincipalId,
    /// When.
    pub at: Timestamp,
}

const SELECT: &str = "SELECT r.* FROM reviews r JOIN deployments d ON d.id = r.deployment_id \
     JOIN services s ON s.id = d.service_id WHERE true";

fn read(row: &PgRow) -> Result<Review, Error> {
    let cols = Cols::new("reviews", row);
    let closed = match cols.id_opt("closed_by")? {
        Some(by) => Some(Closed {
            findings: cols.get("findings")?,
            by,
            at: cols.time("closed_at")?,
        }),
        None => None,
    };
    Ok(Review {
        id: cols.id("id")?,
        deployment: cols.id("deployment_id")?,
        because: cols.get("because")?,
        opened_at: cols.time("opened_at")?,
        closed,
        revision: cols.get("revision")?,
    })
}

/// Opens a review of a deployment; says its id, or nothing when there is one already.
///
/// # Errors
/// When the database refuses.
pub async fn open(tx: &mut Tx, deployment: DeploymentId, because: &str) -> Result<Option<ReviewId>, Error> {
    let id = ReviewId::fresh();
    let done = sqlx::query(
        "INSERT INTO reviews (id, deployment_id, because) VALUES ($1, $2, $3) ON CONFLICT (deployment_id) DO NOTHING",
    )
    .bind(id.uuid())
    .bind(deployment.uuid())
    .bind(because)
    .execute(tx.conn())
    .await?;
    Ok((done.rows_affected() == 1).then_some(id))
}

/// The review with this id.
///
/// # Errors
/// When the database refuses.
pub async fn get(tx: &mut Tx, id: ReviewId) -> Result<Option<Review>, Error> {
    let mut query = QueryBuilder::new(SELECT);
    query.push(" AND r.id = ").push_bind(id.uuid());
    query
        .build()
        .fetch_optional(tx.conn())
        .await?
        .as_ref()
        .map(read)
        .transpose()
}

/// Reviews of what may be seen, newest first; only those that are open or not, if that is asked for.
///
/// # Errors
/// When the database refuses.
pub async fn list(
    tx: &mut Tx,
    open: Option<bool>,
    visible: &Visible,
    before: Before,
    limit: i64,
) -> Result<Vec<Review>, Error> {
    let teams: Vec<Uuid> = visible.teams.iter().map(type_safe_id::TypeSafeId::uuid).collect();
    let environments: Vec<Uuid> = visible
        .environments
        .iter()
        .map(type_safe_id::TypeSafeId::uuid)
        .collect();
    let mut query = QueryBuilder::new(SELECT);
    query
        .push(" AND (")
        .push_bind(visible.everything)
        .push(" OR s.team_id = ANY(")
        .push_bind(teams);
    query
        .push(") OR d.environment_id = ANY(")
        .push_bind(environments)
        .push("))");
    if let Some(open) = open {
        query.push(" AND (r.closed_at IS NULL) = ").push_bind(open);
    }
    newest_first(&mut query, "r.id", before, limit);
    query
        .build()
        .fetch_all(tx.conn())
        .await?
        .iter()
        .map(read)
        .collect()
}

/// Closes a review with what was found.
///
/// # Errors
/// [`Error::Guard`] when it was changed in between, or is closed.
pub async fn close(tx: &mut Tx, review: &Review, by: PrincipalId, findings: &str) -> Result<(), Error> {
    let done = sqlx::query(
        "UPDATE reviews SET findings = $2, closed_by = $3, closed_at = now(), revision = revision + 1 \
         WHERE id = $1 AND closed_at IS NULL AND revision = $4",
    )
    .bind(review.id.uuid())
    .bind(findings)
    .bind(by.uuid())
    .bind(review.revision)
    .execute(tx.conn())
    .await?;
    exactly_one("closing a review", done.rows_affected())
}
