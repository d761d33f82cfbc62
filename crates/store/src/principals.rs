//! Principals: the people and machines that can act, each an issuer's subject.

use crate::{Cols, Database, Error, Tx, role_bindings, row::exactly_one};
use jiff::Timestamp;
use slipway_domain::{
    identity::{Grant, Principal, PrincipalKind},
    ids::{Fresh as _, PrincipalId},
};
use sqlx::postgres::PgRow;
use std::collections::BTreeMap;

/// A principal, as written in the database.
#[must_use]
pub const fn kind_as_str(kind: PrincipalKind) -> &'static str {
    match kind {
        PrincipalKind::Human => "human",
        PrincipalKind::Machine => "machine",
    }
}

/// Reads a principal from columns with the names of the table.
///
/// # Errors
/// When the row cannot be.
pub(crate) fn read(row: &PgRow, id: &str) -> Result<Principal, Error> {
    let cols = Cols::new("principals", row);
    let kind = match cols.get::<String>("kind")?.as_str() {
        "human" => PrincipalKind::Human,
        "machine" => PrincipalKind::Machine,
        other => return Err(cols.bad("kind", format!("`{other}` is no kind of principal"))),
    };
    Ok(Principal {
        id: cols.id(id)?,
        kind,
        issuer: cols.get("issuer")?,
        subject: cols.get("subject")?,
        name: cols.get("principal_name")?,
    })
}

macro_rules! select {
    ($tail:literal) => {
        concat!(
            "SELECT id, kind, issuer, subject, name AS principal_name FROM principals ",
            $tail
        )
    };
}

/// The principal with this id.
///
/// # Errors
/// When the database refuses.
pub async fn get(tx: &mut Tx, id: PrincipalId) -> Result<Option<Principal>, Error> {
    let row = sqlx::query(select!("WHERE id = $1"))
        .bind(id.uuid())
        .fetch_optional(tx.conn())
        .await?;
    row.as_ref().map(|row| read(row, "id")).transpose()
}

/// The principals with these ids.
///
/// # Errors
/// When the database refuses.
pub async fn many(tx: &mut Tx, ids: &[PrincipalId]) -> Result<Vec<Principal>, Error> {
    let ids: Vec<_> = ids.iter().map(type_safe_id::TypeSafeId::uuid).collect();
    let rows = sqlx::query(select!("WHERE id = ANY($1)"))
        .bind(ids)
        .fetch_all(tx.conn())
        .await?;
    rows.iter().map(|row| read(row, "id")).collect()
}

/// The principal that an issuer calls so.
///
/// # Errors
/// When the database refuses.
pub async fn find(tx: &mut Tx, issuer: &str, subject: &str) -> Result<Option<Principal>, Error> {
    let row = sqlx::query(select!("WHERE issuer = $1 AND subject = $2"))
        .bind(issuer)
        .bind(subject)
        .fetch_optional(tx.conn())
        .await?;
    row.as_ref().map(|row| read(row, "id")).transpose()
}

/// The principal that an issuer calls so; registered if it is new, and then `true`.
///
/// # Errors
/// When the database refuses.
pub async fn ensure(
    tx: &mut Tx,
    issuer: &str,
    subject: &str,
    kind: PrincipalKind,
    name: &str,
) -> Result<(Principal, bool), Error> {
    let row = sqlx::query(
        "INSERT INTO principals (id, kind, issuer, subject, name) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (issuer, subject) DO NOTHING \
         RETURNING id, kind, issuer, subject, name AS principal_name",
    )
    .bind(PrincipalId::fresh().uuid())
    .bind(kind_as_str(kind))
    .bind(issuer)
    .bind(subject)
    .bind(name)
    .fetch_optional(tx.conn())
    .await?;
    if let Some(row) = row {
        return Ok((read(&row, "id")?, true));
    }
    let principal = find(tx, issuer, subject).await?;
    Ok((
        principal.ok_or(Error::Guard {
            what: "registering a principal",
            rows: 0,
        })?,
        false,
    ))
}

/// Saves what the issuer says about a principal now.
///
/// # Errors
/// When the database refuses.
pub async fn update(tx: &mut Tx, id: PrincipalId, kind: PrincipalKind, name: &str) -> Result<(), Error> {
    tx.noted().identity();
    let done = sqlx::query("UPDATE principals SET kind = $2, name = $3 WHERE id = $1")
        .bind(id.uuid())
        .bind(kind_as_str(kind))
        .bind(name)
        .execute(tx.conn())
        .await?;
    exactly_one("changing a principal", done.rows_affected())
}

/// What the issuers call these principals.
///
/// # Errors
/// When the database refuses.
pub async fn names(tx: &mut Tx, ids: &[PrincipalId]) -> Result<BTreeMap<PrincipalId, String>, Error> {
    let ids: Vec<_> = ids.iter().map(type_safe_id::TypeSafeId::uuid).collect();
    sqlx::query("SELECT id, subject FROM principals WHERE id = ANY($1)")
        .bind(ids)
        .fetch_all(tx.conn())
        .await?
        .iter()
        .map(|row| {
            let cols = Cols::new("principals", row);
            Ok((cols.id("id")?, cols.get("subject")?))
        })
        .collect()
}

/// What an authentication needs, as it is at this moment.
#[derive(Debug, Clone)]
pub struct SignedIn {
    /// The database's time.
    pub now: Timestamp,
    /// Who it is, if they have been seen before, and what they hold.
    pub known: Option<(Principal, Vec<Grant>)>,
}

/// Who an issuer's subject is and what they hold, with the database's time: one statement, outside any transaction,
/// because it is asked on every request.
///
/// # Errors
/// When the database refuses.
pub async fn signed_in(database: &Database, issuer: &str, subject: &str) -> Result<SignedIn, Error> {
    let rows = sqlx::query(
        "SELECT now() AS now, p.id, p.kind, p.issuer, p.subject, p.name AS principal_name, \
         b.role, b.team_id, b.environment_id \
         FROM (VALUES (1)) one LEFT JOIN principals p ON p.issuer = $1 AND p.subject = $2 \
         LEFT JOIN role_bindings b ON b.principal_id = p.id",
    )
    .bind(issuer)
    .bind(subject)
    .fetch_all(database.pool())
    .await?;
    let first = rows.first().ok_or(Error::Guard {
        what: "reading a principal",
        rows: 0,
    })?;
    let cols = Cols::new("principals", first);
    let now = cols.time("now")?;
    if cols.get::<Option<uuid::Uuid>>("id")?.is_none() {
        return Ok(SignedIn { now, known: None });
    }
    let principal = read(first, "id")?;
    Ok(SignedIn {
        now,
        known: Some((principal, role_bindings::joined(&rows)?)),
    })
}
