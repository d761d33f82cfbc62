//! Renderings, content-addressed: exactly what is applied.

use crate::{Cols, Error, Tx};
use slipway_domain::{Digest, render::Rendering};
use std::collections::BTreeSet;

/// Keeps a rendering under its digest; the same one is kept once.
///
/// # Errors
/// When the database refuses.
pub async fn put(tx: &mut Tx, digest: Digest, rendering: &Rendering) -> Result<(), Error> {
    let content =
        serde_json::to_value(rendering).map_err(|e| Error::Database(sqlx::Error::Encode(Box::new(e))))?;
    sqlx::query("INSERT INTO renderings (digest, content) VALUES ($1, $2) ON CONFLICT DO NOTHING")
        .bind(digest.to_string())
        .bind(content)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// A kept rendering.
///
/// # Errors
/// When the database refuses, or what is kept is no rendering.
pub async fn get(tx: &mut Tx, digest: Digest) -> Result<Option<Rendering>, Error> {
    let row = sqlx::query("SELECT content FROM renderings WHERE digest = $1")
        .bind(digest.to_string())
        .fetch_optional(tx.conn())
        .await?;
    row.map(|row| Cols::new("renderings", &row).json("content"))
        .transpose()
}

/// Which of these are kept.
///
/// # Errors
/// When the database refuses.
pub async fn kept(tx: &mut Tx, digests: &[Digest]) -> Result<BTreeSet<Digest>, Error> {
    let texts: Vec<String> = digests.iter().map(ToString::to_string).collect();
    let rows = sqlx::query("SELECT digest FROM renderings WHERE digest = ANY($1)")
        .bind(texts)
        .fetch_all(tx.conn())
        .await?;
    rows.iter()
        .map(|row| Cols::new("renderings", row).digest("digest"))
        .collect()
}
