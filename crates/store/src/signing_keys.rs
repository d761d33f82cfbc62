//! Keys that this installation signs with. The private halves are ciphertext here.

use crate::{Cols, Error, Tx, row::exactly_one};
use jiff::Timestamp;
use slipway_domain::ids::{Fresh as _, SigningKeyId};
use sqlx::postgres::PgRow;

/// Lock of those who sign, together, and of who changes what they sign with, alone.
const SIGNERS: &str = "slipway:signing-key";

/// A key, its private half encrypted.
#[derive(Debug, Clone)]
pub struct Kept {
    /// Its id.
    pub id: SigningKeyId,
    /// The name that it signs in.
    pub name: String,
    /// The public half, PEM.
    pub public_key: String,
    /// The private half, encrypted; nothing once it is retired.
    pub sealed: Vec<u8>,
    /// With which key; empty once it is retired.
    pub sealed_with: String,
    /// Since when there is one.
    pub created_at: Timestamp,
    /// Since when it signs nothing any more.
    pub retired_at: Option<Timestamp>,
}

fn read(row: &PgRow) -> Result<Kept, Error> {
    let cols = Cols::new("signing_keys", row);
    Ok(Kept {
        id: cols.id("id")?,
        name: cols.get("name")?,
        public_key: cols.get("public_key")?,
        sealed: cols.get("sealed")?,
        sealed_with: cols.get("sealed_with")?,
        created_at: cols.time("created_at")?,
        retired_at: cols.time_opt("retired_at")?,
    })
}

/// A new id, which the private half is bound to before it is kept.
#[must_use]
pub fn fresh() -> SigningKeyId {
    SigningKeyId::fresh()
}

/// Keeps a key, unless there is one that signs already; whether it did. `created_at` is the time of the writing.
///
/// # Errors
/// When the database refuses.
pub async fn insert(tx: &mut Tx, key: &Kept) -> Result<bool, Error> {
    let rows = sqlx::query(
        "INSERT INTO signing_keys (id, name, public_key, sealed, sealed_with, created_at) \
         VALUES ($1, $2, $3, $4, $5, clock_timestamp()) ON CONFLICT ((true)) WHERE retired_at IS NULL DO NOTHING",
    )
    .bind(key.id.uuid())
    .bind(&key.name)
    .bind(&key.public_key)
    .bind(&key.sealed)
    .bind(&key.sealed_with)
    .execute(tx.conn())
    .await?
    .rows_affected();
    Ok(rows == 1)
}

/// The one that signs, to sign with before this transaction ends: until then nobody retires it.
///
/// # Errors
/// When the database refuses.
pub async fn to_sign_with(tx: &mut Tx) -> Result<Option<Kept>, Error> {
    tx.lock_shared(SIGNERS).await?;
    // A statement of its own: it sees what was committed while the lock was waited for.
    active(tx).await
}

/// The one that signs, to be retired in this transaction: nobody is signing, and whoever wants to waits for its end.
///
/// # Errors
/// When the database refuses.
pub async fn to_retire(tx: &mut Tx) -> Result<Option<Kept>, Error> {
    tx.lock(SIGNERS).await?;
    active(tx).await
}

async fn active(tx: &mut Tx) -> Result<Option<Kept>, Error> {
    let row = sqlx::query("SELECT * FROM signing_keys WHERE retired_at IS NULL")
        .fetch_optional(tx.conn())
        .await?;
    row.as_ref().map(read).transpose()
}

/// Retires a key: its private half is erased.
///
/// # Errors
/// [`Error::Guard`] when it was retired before.
pub async fn retire(tx: &mut Tx, id: SigningKeyId) -> Result<(), Error> {
    let done = sqlx::query(
        "UPDATE signing_keys SET retired_at = clock_timestamp(), sealed = '', sealed_with = '' \
         WHERE id = $1 AND retired_at IS NULL",
    )
    .bind(id.uuid())
    .execute(tx.conn())
    .await?;
    exactly_one("retiring a signing key", done.rows_affected())
}

/// All of them, the newest first: there are few.
///
/// # Errors
/// When the database refuses.
pub async fn all(tx: &mut Tx) -> Result<Vec<Kept>, Error> {
    let rows = sqlx::query("SELECT * FROM signing_keys ORDER BY retired_at DESC NULLS FIRST")
        .fetch_all(tx.conn())
        .await?;
    rows.iter().map(read).collect()
}
