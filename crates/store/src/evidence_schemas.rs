//! Schemas that generic evidence conforms to.

use crate::{Before, Cols, Error, Ref, Tx};
use serde_json::Value;
use slipway_domain::{
    Digest, Name,
    evidence::RegisteredSchema,
    ids::{EvidenceSchemaId, Fresh as _, PrincipalId},
};
use sqlx::{postgres::PgRow, types::Json};

macro_rules! select {
    ($tail:literal) => {
        concat!(
            "SELECT id, name, schema, digest, created_by, created_at FROM evidence_schemas ",
            $tail
        )
    };
}

fn read(row: &PgRow) -> Result<RegisteredSchema, Error> {
    let cols = Cols::new("evidence_schemas", row);
    Ok(RegisteredSchema {
        id: cols.id("id")?,
        name: cols.parse("name")?,
        schema: cols.get("schema")?,
        digest: cols.digest("digest")?,
        created_by: cols.id("created_by")?,
        created_at: cols.time("created_at")?,
    })
}

/// Registers a schema.
///
/// # Errors
/// [`Error::Duplicate`] with `evidence_schemas_name_key` when the name is taken.
pub async fn insert(
    tx: &mut Tx,
    name: &Name,
    schema: &Value,
    digest: Digest,
    by: PrincipalId,
) -> Result<EvidenceSchemaId, Error> {
    let id = EvidenceSchemaId::fresh();
    sqlx::query(
        "INSERT INTO evidence_schemas (id, name, schema, digest, created_by) VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(id.uuid())
    .bind(name.as_str())
    .bind(Json(schema))
    .bind(digest.to_string())
    .bind(by.uuid())
    .execute(tx.conn())
    .await?;
    Ok(id)
}

/// The schema with this id or name.
///
/// # Errors
/// When the database refuses.
pub async fn find(tx: &mut Tx, reference: &Ref) -> Result<Option<RegisteredSchema>, Error> {
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
pub async fn list(tx: &mut Tx, before: Before, limit: i64) -> Result<Vec<RegisteredSchema>, Error> {
    let rows = sqlx::query(select!(
        "WHERE $1::uuid IS NULL OR id < $1 ORDER BY id DESC LIMIT $2"
    ))
    .bind(before)
    .bind(limit)
    .fetch_all(tx.conn())
    .await?;
    rows.iter().map(read).collect()
}
