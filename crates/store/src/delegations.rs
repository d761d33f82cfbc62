//! Delegations: who decides in the place of whom. They are never deleted: what was decided by one is explained by it.

use crate::{Before, Cols, Error, Tx, listing::newest_first, row::exactly_one};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use slipway_domain::{
    Name,
    approval::delegation::{Delegation, Scope},
    ids::{DelegationId, Fresh as _, PrincipalId},
};
use sqlx::{QueryBuilder, postgres::PgRow};
use type_safe_id::TypeSafeId;
use uuid::Uuid;

macro_rules! select {
    ($tail:literal) => {
        concat!(
            "SELECT d.*, t.name AS team, e.name AS environment FROM delegations d \
             LEFT JOIN teams t ON t.id = d.team_id LEFT JOIN environments e ON e.id = d.environment_id ",
            $tail
        )
    };
}

/// A delegation, as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Its id.
    pub id: DelegationId,
    /// What it says.
    pub delegation: Delegation,
    /// Name of the team that it is for.
    pub team: Option<Name>,
    /// Name of the environment that it is for.
    pub environment: Option<Name>,
    /// When it was entered.
    pub created_at: Timestamp,
}

fn scope(cols: &Cols<'_>) -> Result<Scope, Error> {
    Ok(
        match (
            cols.id_opt("team_id")?,
            cols.id_opt("environment_id")?,
            cols.id_opt("approval_id")?,
        ) {
            (None, None, None) => Scope::Everything,
            (Some(team), None, None) => Scope::Team(team),
            (None, Some(environment), None) => Scope::Environment(environment),
            (None, None, Some(approval)) => Scope::Approval(approval),
            _ => return Err(cols.bad("team_id", "it is for one thing, or for everything")),
        },
    )
}

fn read(row: &PgRow) -> Result<Stored, Error> {
    let cols = Cols::new("delegations", row);
    Ok(Stored {
        id: cols.id("id")?,
        delegation: Delegation {
            from: cols.id("from_id")?,
            to: cols.id("to_id")?,
            starts: cols.time("starts")?,
            ends: cols.time("ends")?,
            scope: scope(&cols)?,
            reason: cols.get("reason")?,
            revoked_at: cols.time_opt("revoked_at")?,
        },
        team: cols.parse_opt("team")?,
        environment: cols.parse_opt("environment")?,
        created_at: cols.time("created_at")?,
    })
}

/// Writes a new delegation.
///
/// # Errors
/// When the database refuses.
pub async fn insert(tx: &mut Tx, new: &Delegation) -> Result<DelegationId, Error> {
    let id = DelegationId::fresh();
    let (mut team, mut environment, mut approval) = (None, None, None);
    match new.scope {
        Scope::Everything => {}
        Scope::Team(id) => team = Some(id.uuid()),
        Scope::Environment(id) => environment = Some(id.uuid()),
        Scope::Approval(id) => approval = Some(id.uuid()),
    }
    sqlx::query(
        "INSERT INTO delegations (id, from_id, to_id, starts, ends, team_id, environment_id, approval_id, reason) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(id.uuid())
    .bind(new.from.uuid())
    .bind(new.to.uuid())
    .bind(new.starts.to_sqlx())
    .bind(new.ends.to_sqlx())
    .bind(team)
    .bind(environment)
    .bind(approval)
    .bind(&new.reason)
    .execute(tx.conn())
    .await?;
    Ok(id)
}

/// The delegation with this id.
///
/// # Errors
/// When the database refuses.
pub async fn get(tx: &mut Tx, id: DelegationId) -> Result<Option<Stored>, Error> {
    let row = sqlx::query(select!("WHERE d.id = $1"))
        .bind(id.uuid())
        .fetch_optional(tx.conn())
        .await?;
    row.as_ref().map(read).transpose()
}

/// Delegations from or to somebody, or all, newest first.
///
/// # Errors
/// When the database refuses.
pub async fn list(
    tx: &mut Tx,
    of: Option<PrincipalId>,
    before: Before,
    limit: i64,
) -> Result<Vec<Stored>, Error> {
    let mut query = QueryBuilder::new(select!("WHERE true"));
    if let Some(who) = of {
        query.push(" AND (d.from_id = ").push_bind(who.uuid());
        query.push(" OR d.to_id = ").push_bind(who.uuid()).push(")");
    }
    newest_first(&mut query, "d.id", before, limit);
    let rows = query.build().fetch_all(tx.conn()).await?;
    rows.iter().map(read).collect()
}

/// Takes a delegation back, from that time on.
///
/// # Errors
/// [`Error::Guard`] when it was taken back already.
pub async fn revoke(tx: &mut Tx, id: DelegationId, at: Timestamp) -> Result<(), Error> {
    let done = sqlx::query("UPDATE delegations SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL")
        .bind(id.uuid())
        .bind(at.to_sqlx())
        .execute(tx.conn())
        .await?;
    exactly_one("taking a delegation back", done.rows_affected())
}

/// Every delegation from or to these people, those that are over too, oldest first.
///
/// # Errors
/// When the database refuses.
pub async fn involving(tx: &mut Tx, people: &[PrincipalId]) -> Result<Vec<Stored>, Error> {
    let ids: Vec<Uuid> = people.iter().map(TypeSafeId::uuid).collect();
    let rows = sqlx::query(select!(
        "WHERE d.from_id = ANY($1) OR d.to_id = ANY($1) ORDER BY d.id"
    ))
    .bind(ids)
    .fetch_all(tx.conn())
    .await?;
    rows.iter().map(read).collect()
}
