//! Public keys that signatures of evidence are verified with.

use crate::{Before, Cols, Error, Ref, Tx, row::exactly_one};
use slipway_domain::{
    Name,
    evidence::{RegisteredKey, Revocation},
    ids::{EvidenceKeyId, Fresh as _, PrincipalId},
};
use sqlx::postgres::PgRow;

macro_rules! select {
    ($tail:literal) => {
        concat!(
            "SELECT id, name, pem, created_by, created_at, revoked_by, revoked_at, revoked_reason FROM evidence_keys ",
            $tail
        )
    };
}

fn read(row: &PgRow) -> Result<RegisteredKey, Error> {
    let cols = Cols::new("evidence_keys", row);
    let revoked = match (
        cols.id_opt("revoked_by")?,
        cols.time_opt("revoked_at")?,
        cols.get::<Option<String>>("revoked_reason")?,
    ) {
        (Some(by), Some(at), Some(reason)) => Some(Revocation { by, at, reason }),
        (None, None, None) => None,
        _ => return Err(cols.bad("revoked_by", "goes with revoked_at and revoked_reason")),
    };
    Ok(RegisteredKey {
        id: cols.id("id")?,
        name: cols.parse("name")?,
        pem: cols.get("pem")?,
        created_by: cols.id("created_by")?,
        created_at: cols.time("created_at")?,
        revoked,
    })
}

/// Registers a key.
///
/// # Errors
/// [`Error::Duplicate`] with `evidence_keys_name_key` when the name is taken, by one that was revoked too.
pub async fn insert(tx: &mut Tx, name: &Name, pem: &str, by: PrincipalId) -> Result<EvidenceKeyId, Error> {
    let id = EvidenceKeyId::fresh();
    sqlx::query("INSERT INTO evidence_keys (id, name, pem, created_by) VALUES ($1, $2, $3, $4)")
        .bind(id.uuid())
        .bind(name.as_str())
        .bind(pem)
        .bind(by.uuid())
        .execute(tx.conn())
        .await?;
    Ok(id)
}

/// The key with this id or name.
///
/// # Errors
/// When the database refuses.
pub async fn find(tx: &mut Tx, reference: &Ref) -> Result<Option<RegisteredKey>, Error> {
    let row = reference
        .either(select!("WHERE id = $1"), select!("WHERE name = $1"))
        .fetch_optional(tx.conn())
        .await?;
    row.as_ref().map(read).transpose()
}

/// Of all of them, the newest first.
///
/// # Errors
/// When the database refuses.
pub async fn list(tx: &mut Tx, before: Before, limit: i64) -> Result<Vec<RegisteredKey>, Error> {
    let rows = sqlx::query(select!(
        "WHERE $1::uuid IS NULL OR id < $1 ORDER BY id DESC LIMIT $2"
    ))
    .bind(before)
    .bind(limit)
    .fetch_all(tx.conn())
    .await?;
    rows.iter().map(read).collect()
}

/// Names and texts of those that are trusted, locked against being revoked before this transaction ends: what is verified
/// with one counts, or is taken back with it.
///
/// # Errors
/// When the database refuses.
pub async fn trusted(tx: &mut Tx) -> Result<Vec<(Name, String)>, Error> {
    let rows =
        sqlx::query("SELECT id, name, pem FROM evidence_keys WHERE revoked_at IS NULL ORDER BY id FOR SHARE")
            .fetch_all(tx.conn())
            .await?;
    rows.iter()
        .map(|row| {
            let cols = Cols::new("evidence_keys", row);
            Ok((cols.parse("name")?, cols.get("pem")?))
        })
        .collect()
}

/// Revokes a key that is trusted.
///
/// # Errors
/// [`Error::Guard`] when it was revoked in the meantime.
pub async fn revoke(tx: &mut Tx, id: EvidenceKeyId, by: PrincipalId, reason: &str) -> Result<(), Error> {
    let done = sqlx::query(
        "UPDATE evidence_keys SET revoked_by = $2, revoked_at = now(), revoked_reason = $3 \
         WHERE id = $1 AND revoked_at IS NULL",
    )
    .bind(id.uuid())
    .bind(by.uuid())
    .bind(reason)
    .execute(tx.conn())
    .await?;
    exactly_one("revoking a key", done.rows_affected())
}
