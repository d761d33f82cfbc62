//! The Merkle tree over the audit chain: how far it has grown, its nodes, and its heads that were signed.

use crate::{Cols, Error, Tx, row::exactly_one};
use jiff::Timestamp;
use slipway_domain::{
    Digest,
    audit::merkle::{Frontier, Node},
};
use sqlx::postgres::PgRow;
use std::collections::HashMap;

/// Nodes are kept from this level on: those below are made of at most this many entries' digests, which are read at once.
pub const KEPT_FROM: u32 = 8;

/// The tree, as far as it has grown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree {
    /// The name of the log.
    pub origin: String,
    /// What it grows from.
    pub frontier: Frontier,
}

fn read(row: &PgRow) -> Result<Tree, Error> {
    let cols = Cols::new("audit_tree", row);
    let size = u64::try_from(cols.get::<i64>("size")?).map_err(|error| cols.bad("size", error))?;
    let nodes = cols.get::<Vec<String>>("frontier")?;
    let nodes = nodes
        .iter()
        .map(|node| node.parse::<Digest>())
        .collect::<Result<_, _>>();
    let nodes = nodes.map_err(|error| cols.bad("frontier", error))?;
    Ok(Tree {
        origin: cols.get("origin")?,
        frontier: Frontier::new(size, nodes).map_err(|error| cols.bad("frontier", error))?,
    })
}

/// The tree.
///
/// # Errors
/// When the database refuses, or the row cannot be.
pub async fn get(tx: &mut Tx) -> Result<Tree, Error> {
    let row = sqlx::query("SELECT origin AS id, origin, size, frontier FROM audit_tree");
    read(&row.fetch_one(tx.conn()).await?)
}

/// The tree, held against others that would have it grow; none while another does.
///
/// # Errors
/// When the database refuses, or the row cannot be.
pub async fn try_lock(tx: &mut Tx) -> Result<Option<Tree>, Error> {
    let row =
        sqlx::query("SELECT origin AS id, origin, size, frontier FROM audit_tree FOR UPDATE SKIP LOCKED");
    row.fetch_optional(tx.conn())
        .await?
        .as_ref()
        .map(read)
        .transpose()
}

/// Digests of chained entries: those from `first` to `last`, in their order, as far as there are any.
///
/// # Errors
/// When the database refuses, or one of them is missing.
pub async fn digests(tx: &mut Tx, first: u64, last: u64) -> Result<Vec<Digest>, Error> {
    let rows =
        sqlx::query("SELECT id, seq, digest FROM audit_entries WHERE seq BETWEEN $1 AND $2 ORDER BY seq")
            .bind(number(first))
            .bind(number(last))
            .fetch_all(tx.conn())
            .await?;
    let mut expected = number(first);
    let digest = |row| {
        let cols = Cols::new("audit_entries", row);
        if cols.get::<i64>("seq")? != expected {
            return Err(cols.bad("seq", format!("{expected} is missing before it")));
        }
        expected += 1;
        cols.digest("digest")
    };
    rows.iter().map(digest).collect()
}

/// Keeps what has grown, with the nodes that were completed.
///
/// # Errors
/// [`Error::Guard`] when it has grown meanwhile.
pub async fn grow(
    tx: &mut Tx,
    from: u64,
    grown: &Frontier,
    completed: &[(Node, Digest)],
) -> Result<(), Error> {
    let (mut levels, mut positions, mut hashes) = (Vec::new(), Vec::new(), Vec::new());
    for (node, hash) in completed {
        levels.push(i32::try_from(node.level).unwrap_or(i32::MAX));
        positions.push(number(node.index));
        hashes.push(hash.to_string());
    }
    sqlx::query("INSERT INTO audit_nodes (level, position, hash) SELECT * FROM unnest($1::int[], $2::bigint[], $3::text[])")
        .bind(levels)
        .bind(positions)
        .bind(hashes)
        .execute(tx.conn())
        .await?;
    let frontier: Vec<String> = grown.nodes().iter().map(ToString::to_string).collect();
    let rows = sqlx::query("UPDATE audit_tree SET size = $2, frontier = $3 WHERE size = $1")
        .bind(number(from))
        .bind(number(grown.size()))
        .bind(frontier)
        .execute(tx.conn())
        .await?
        .rows_affected();
    exactly_one("growing the tree over the audit chain", rows)
}

/// Those of these nodes that are kept.
///
/// # Errors
/// When the database refuses.
pub async fn nodes(tx: &mut Tx, wanted: &[Node]) -> Result<HashMap<Node, Digest>, Error> {
    let kept: Vec<_> = wanted.iter().filter(|node| node.level >= KEPT_FROM).collect();
    let levels: Vec<i32> = kept
        .iter()
        .map(|node| i32::try_from(node.level).unwrap_or(i32::MAX))
        .collect();
    let positions: Vec<i64> = kept.iter().map(|node| number(node.index)).collect();
    let rows = sqlx::query(
        "SELECT n.level || '/' || n.position AS id, n.level, n.position, n.hash FROM audit_nodes n \
         JOIN unnest($1::int[], $2::bigint[]) AS w(level, position) USING (level, position)",
    )
    .bind(levels)
    .bind(positions)
    .fetch_all(tx.conn())
    .await?;
    rows.iter()
        .map(|row| {
            let cols = Cols::new("audit_nodes", row);
            let level = u32::try_from(cols.get::<i32>("level")?).map_err(|error| cols.bad("level", error))?;
            let index =
                u64::try_from(cols.get::<i64>("position")?).map_err(|error| cols.bad("position", error))?;
            Ok((Node { level, index }, cols.digest("hash")?))
        })
        .collect()
}

/// A head of the tree that was signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// How many entries it covers.
    pub size: u64,
    /// The root over them.
    pub root: Digest,
    /// The signed note.
    pub note: String,
    /// When it was signed.
    pub at: Timestamp,
}

fn signed(row: &PgRow) -> Result<Signed, Error> {
    let cols = Cols::new("audit_checkpoints", row);
    Ok(Signed {
        size: u64::try_from(cols.get::<i64>("size")?).map_err(|error| cols.bad("size", error))?,
        root: cols.digest("root")?,
        note: cols.get("note")?,
        at: cols.time("at")?,
    })
}

/// Keeps a signed head.
///
/// # Errors
/// [`Error::Duplicate`] when there is one of that size.
pub async fn insert_checkpoint(tx: &mut Tx, checkpoint: &Signed) -> Result<(), Error> {
    use jiff_sqlx::ToSqlx as _;
    sqlx::query("INSERT INTO audit_checkpoints (size, root, note, at) VALUES ($1, $2, $3, $4)")
        .bind(number(checkpoint.size))
        .bind(checkpoint.root.to_string())
        .bind(&checkpoint.note)
        .bind(checkpoint.at.to_sqlx())
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// The signed head that covers the most entries.
///
/// # Errors
/// When the database refuses.
pub async fn last_checkpoint(tx: &mut Tx) -> Result<Option<Signed>, Error> {
    let row = sqlx::query(
        "SELECT size::text AS id, size, root, note, at FROM audit_checkpoints ORDER BY size DESC LIMIT 1",
    )
    .fetch_optional(tx.conn())
    .await?;
    row.as_ref().map(signed).transpose()
}

/// The signed head over so many entries, if there is one.
///
/// # Errors
/// When the database refuses.
pub async fn checkpoint_over(tx: &mut Tx, size: u64) -> Result<Option<Signed>, Error> {
    let row =
        sqlx::query("SELECT size::text AS id, size, root, note, at FROM audit_checkpoints WHERE size = $1")
            .bind(number(size))
            .fetch_optional(tx.conn())
            .await?;
    row.as_ref().map(signed).transpose()
}

/// All of them, as [`doctor`](crate::doctor) reads them: the smallest first, after one of this size.
///
/// # Errors
/// When the database refuses.
pub async fn checkpoints_after(tx: &mut Tx, size: u64, limit: i64) -> Result<Vec<Signed>, Error> {
    let rows = sqlx::query(
        "SELECT size::text AS id, size, root, note, at FROM audit_checkpoints WHERE size > $1 ORDER BY size LIMIT $2",
    )
    .bind(number(size))
    .bind(limit)
    .fetch_all(tx.conn())
    .await?;
    rows.iter().map(signed).collect()
}

fn number(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}
