//! Absences: who is away, from when until when. They are never deleted: who was asked meanwhile follows from them.

use crate::{Before, Cols, Error, Tx, listing::newest_first, row::exactly_one};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use slipway_domain::{
    approval::escalation::Away,
    ids::{AbsenceId, Fresh as _, PrincipalId},
};
use sqlx::{QueryBuilder, postgres::PgRow};
use type_safe_id::TypeSafeId;
use uuid::Uuid;

/// An absence, as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Absence {
    /// Its id.
    pub id: AbsenceId,
    /// Who is away, and when.
    pub away: Away,
    /// Counts changes; the entity tag.
    pub revision: i64,
    /// When it was entered.
    pub created_at: Timestamp,
}

fn read(row: &PgRow) -> Result<Absence, Error> {
    let cols = Cols::new("absences", row);
    Ok(Absence {
        id: cols.id("id")?,
        away: Away {
            who: cols.id("principal_id")?,
            from: cols.time("starts")?,
            until: cols.time("ends")?,
        },
        revision: cols.get("revision")?,
        created_at: cols.time("created_at")?,
    })
}

/// Writes a new absence.
///
/// # Errors
/// When the database refuses.
pub async fn insert(tx: &mut Tx, new: &Away) -> Result<AbsenceId, Error> {
    let id = AbsenceId::fresh();
    sqlx::query("INSERT INTO absences (id, principal_id, starts, ends) VALUES ($1, $2, $3, $4)")
        .bind(id.uuid())
        .bind(new.who.uuid())
        .bind(new.from.to_sqlx())
        .bind(new.until.to_sqlx())
        .execute(tx.conn())
        .await?;
    Ok(id)
}

/// The absence with this id.
///
/// # Errors
/// When the database refuses.
pub async fn get(tx: &mut Tx, id: AbsenceId) -> Result<Option<Absence>, Error> {
    let row = sqlx::query("SELECT * FROM absences WHERE id = $1")
        .bind(id.uuid())
        .fetch_optional(tx.conn())
        .await?;
    row.as_ref().map(read).transpose()
}

/// Absences of these people, or of all, newest first.
///
/// # Errors
/// When the database refuses.
pub async fn list(
    tx: &mut Tx,
    of: Option<&[PrincipalId]>,
    before: Before,
    limit: i64,
) -> Result<Vec<Absence>, Error> {
    let mut query = QueryBuilder::new("SELECT * FROM absences WHERE true");
    if let Some(people) = of {
        let ids: Vec<Uuid> = people.iter().map(TypeSafeId::uuid).collect();
        query.push(" AND principal_id = ANY(").push_bind(ids).push(")");
    }
    newest_first(&mut query, "id", before, limit);
    let rows = query.build().fetch_all(tx.conn()).await?;
    rows.iter().map(read).collect()
}

/// Ends an absence at that time; one that is to come ends where it would have started, so that it never was.
///
/// # Errors
/// [`Error::Guard`] when it is over already.
pub async fn end(tx: &mut Tx, id: AbsenceId, at: Timestamp) -> Result<(), Error> {
    let done = sqlx::query(
        "UPDATE absences SET ends = greatest(starts, $2), revision = revision + 1 \
         WHERE id = $1 AND ends > greatest(starts, $2)",
    )
    .bind(id.uuid())
    .bind(at.to_sqlx())
    .execute(tx.conn())
    .await?;
    exactly_one("ending an absence", done.rows_affected())
}

/// When these people are away, those absences that are over too, oldest first.
///
/// # Errors
/// When the database refuses.
pub async fn of(tx: &mut Tx, people: &[PrincipalId]) -> Result<Vec<Away>, Error> {
    let ids: Vec<Uuid> = people.iter().map(TypeSafeId::uuid).collect();
    let rows = sqlx::query("SELECT * FROM absences WHERE principal_id = ANY($1) ORDER BY id")
        .bind(ids)
        .fetch_all(tx.conn())
        .await?;
    rows.iter()
        .map(|row| read(row).map(|absence| absence.away))
        .collect()
}
