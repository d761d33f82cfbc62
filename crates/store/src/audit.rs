//! The audit chain: entries are written unnumbered with the change they record, and chained right after.

use crate::{Cols, Error, Tx};
use jiff::Timestamp;
use serde_json::Value;
use slipway_domain::{
    Digest, audit,
    ids::{AuditEntryId, Fresh as _},
};

/// Lock of the one sequencer.
const SEQUENCER: &str = "slipway:audit-sequencer";

/// Writes an entry, unnumbered, in the transaction of the change that it records. Its time is that of the writing, not of
/// the transaction's beginning: who changes the same thing one after the other is recorded in that order.
///
/// # Errors
/// When the database refuses; the change must fail with it.
pub async fn append(
    tx: &mut Tx,
    actor: &str,
    action: &str,
    subject: &str,
    data: &Value,
) -> Result<(), Error> {
    let id = AuditEntryId::fresh().uuid();
    sqlx::query(
        "INSERT INTO audit_entries (id, at, actor, action, subject, data) VALUES ($1, clock_timestamp(), $2, $3, $4, $5)",
    )
        .bind(id)
        .bind(actor)
        .bind(action)
        .bind(subject)
        .bind(data)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Numbers and chains up to `limit` committed entries; `None` when another sequencer is at it.
///
/// # Errors
/// When the database refuses, or an entry cannot be hashed.
pub async fn chain(tx: &mut Tx, limit: i64) -> Result<Option<u64>, Error> {
    if !tx.try_lock(SEQUENCER).await? {
        return Ok(None);
    }
    let (mut seq, mut previous) = head(tx).await?;
    let rows = sqlx::query(
        "SELECT id, at, actor, action, subject, data FROM audit_entries WHERE seq IS NULL ORDER BY at, id LIMIT $1",
    )
    .bind(limit)
    .fetch_all(tx.conn())
    .await?;
    let (mut ids, mut seqs, mut befores, mut digests) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for row in &rows {
        let cols = Cols::new("audit_entries", row);
        let id = cols.id::<slipway_domain::ids::AuditEntryTag>("id")?;
        seq += 1;
        let entry = audit::Entry {
            seq,
            id: id.to_string(),
            at: cols.time("at")?,
            actor: cols.get("actor")?,
            action: cols.get("action")?,
            subject: cols.get("subject")?,
            data: cols.get("data")?,
            previous,
        };
        let digest = entry.digest().map_err(|e| cols.bad("data", e))?;
        ids.push(id.uuid());
        seqs.push(seq);
        befores.push(previous.to_string());
        digests.push(digest.to_string());
        previous = digest;
    }
    if ids.is_empty() {
        return Ok(Some(0));
    }
    let chained = sqlx::query(
        "UPDATE audit_entries e SET seq = n.seq, previous = n.previous, digest = n.digest \
         FROM unnest($1::uuid[], $2::bigint[], $3::text[], $4::text[]) AS n(id, seq, previous, digest) \
         WHERE e.id = n.id AND e.seq IS NULL",
    )
    .bind(&ids)
    .bind(&seqs)
    .bind(&befores)
    .bind(&digests)
    .execute(tx.conn())
    .await?
    .rows_affected();
    if chained != ids.len() as u64 {
        return Err(Error::Guard {
            what: "chaining audit entries",
            rows: chained,
        });
    }
    Ok(Some(chained))
}

/// The last number and its digest.
///
/// # Errors
/// When the database refuses.
pub async fn head(tx: &mut Tx) -> Result<(i64, Digest), Error> {
    let row = sqlx::query(
        "SELECT id, seq, digest FROM audit_entries WHERE seq IS NOT NULL ORDER BY seq DESC LIMIT 1",
    )
    .fetch_optional(tx.conn())
    .await?;
    match row {
        None => Ok((0, audit::GENESIS)),
        Some(row) => {
            let cols = Cols::new("audit_entries", &row);
            Ok((cols.get("seq")?, cols.digest("digest")?))
        }
    }
}

/// How many entries are written but not chained yet, and since when the oldest waits.
///
/// # Errors
/// When the database refuses.
pub async fn unchained(tx: &mut Tx) -> Result<(i64, Option<Timestamp>), Error> {
    let row = sqlx::query("SELECT count(*) AS n, min(at) AS oldest FROM audit_entries WHERE seq IS NULL")
        .fetch_one(tx.conn())
        .await?;
    let cols = Cols::new("audit_entries", &row);
    Ok((cols.get("n")?, cols.time_opt("oldest")?))
}

/// Filters of a reading.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only of this actor.
    pub actor: Option<String>,
    /// Only this action.
    pub action: Option<String>,
    /// Only of this subject.
    pub subject: Option<String>,
}

/// Chained entries after a number, oldest first.
///
/// # Errors
/// When the database refuses.
pub async fn after(
    tx: &mut Tx,
    seq: i64,
    filter: &Filter,
    limit: i64,
) -> Result<Vec<(audit::Entry, Digest)>, Error> {
    let rows = sqlx::query(
        "SELECT * FROM audit_entries WHERE seq > $1 \
         AND ($2::text IS NULL OR actor = $2) AND ($3::text IS NULL OR action = $3) \
         AND ($4::text IS NULL OR subject = $4) ORDER BY seq LIMIT $5",
    )
    .bind(seq)
    .bind(&filter.actor)
    .bind(&filter.action)
    .bind(&filter.subject)
    .bind(limit)
    .fetch_all(tx.conn())
    .await?;
    rows.iter()
        .map(|row| {
            let cols = Cols::new("audit_entries", row);
            let entry = audit::Entry {
                seq: cols.get("seq")?,
                id: cols.id::<slipway_domain::ids::AuditEntryTag>("id")?.to_string(),
                at: cols.time("at")?,
                actor: cols.get("actor")?,
                action: cols.get("action")?,
                subject: cols.get("subject")?,
                data: cols.get("data")?,
                previous: cols.digest("previous")?,
            };
            Ok((entry, cols.digest("digest")?))
        })
        .collect()
}
