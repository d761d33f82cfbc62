//! Answers kept for idempotency keys, written in the transaction of the change they answer.

use crate::{Cols, Error, Tx, row::exactly_one};
use slipway_domain::ids::PrincipalId;
use sqlx::types::Json;

/// Whose key it is, for which operation.
#[derive(Debug, Clone, Copy)]
pub struct Key<'a> {
    /// Whose.
    pub principal: PrincipalId,
    /// Method and path.
    pub operation: &'a str,
    /// The key itself.
    pub key: &'a str,
}

/// An answer that was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Headers worth repeating.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// What is known under a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// SHA-256 of the request's body.
    pub body_sha256: Vec<u8>,
    /// The answer; absent when whoever took the key kept none.
    pub answer: Option<Answer>,
}

/// Takes a key. `None`: it was free, and is ours. Otherwise what is kept under it. Waits for whoever holds it in a
/// transaction that is still open.
///
/// # Errors
/// When the database refuses, or the wait takes longer than the lock timeout.
pub async fn take(tx: &mut Tx, key: Key<'_>, body_sha256: [u8; 32]) -> Result<Option<Kept>, Error> {
    let taken = sqlx::query(
        "INSERT INTO idempotency_keys (principal_id, operation, key, body_sha256) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (principal_id, operation, key) DO NOTHING",
    )
    .bind(key.principal.uuid())
    .bind(key.operation)
    .bind(key.key)
    .bind(body_sha256)
    .execute(tx.conn())
    .await?
    .rows_affected();
    if taken == 1 {
        return Ok(None);
    }
    let row = sqlx::query(
        "SELECT principal_id AS id, body_sha256, status, headers, body FROM idempotency_keys \
         WHERE principal_id = $1 AND operation = $2 AND key = $3",
    )
    .bind(key.principal.uuid())
    .bind(key.operation)
    .bind(key.key)
    .fetch_optional(tx.conn())
    .await?
    .ok_or(Error::Guard {
        what: "taking an idempotency key",
        rows: 0,
    })?;
    let cols = Cols::new("idempotency_keys", &row);
    let answer = match cols.get::<Option<i32>>("status")? {
        None => None,
        Some(status) => Some(Answer {
            status: u16::try_from(status).map_err(|e| cols.bad("status", e))?,
            headers: cols.json("headers")?,
            body: cols.get("body")?,
        }),
    };
    Ok(Some(Kept {
        body_sha256: cols.get("body_sha256")?,
        answer,
    }))
}

/// Keeps the answer under a key that was taken in this transaction.
///
/// # Errors
/// [`Error::Guard`] when it was not taken, or has an answer already.
pub async fn keep(tx: &mut Tx, key: Key<'_>, answer: &Answer) -> Result<(), Error> {
    let done = sqlx::query(
        "UPDATE idempotency_keys SET status = $4, headers = $5, body = $6 \
         WHERE principal_id = $1 AND operation = $2 AND key = $3 AND status IS NULL",
    )
    .bind(key.principal.uuid())
    .bind(key.operation)
    .bind(key.key)
    .bind(i32::from(answer.status))
    .bind(Json(&answer.headers))
    .bind(&answer.body)
    .execute(tx.conn())
    .await?;
    exactly_one("keeping an answer", done.rows_affected())
}

/// Deletes what is older than 24 hours; says how much.
///
/// # Errors
/// When the database refuses.
pub async fn sweep(tx: &mut Tx) -> Result<u64, Error> {
    let done = sqlx::query("DELETE FROM idempotency_keys WHERE created_at < now() - interval '24 hours'")
        .execute(tx.conn())
        .await?;
    Ok(done.rows_affected())
}
