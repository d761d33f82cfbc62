//! How far back there is anything to look at.
//!
//! While somebody keeps a snapshot open (a long report, a backup), rows that have left the queue stay in the table and its
//! indexes, at the very end where every claim begins to look. A claim that knows how old the oldest unit is begins there,
//! and passes none of them. To find that out one must pass them all, so it is done apart from claims, and now and then;
//! from where it was found before, only those are passed that were added since.

use crate::{Cols, Error, Tx};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;

/// Nothing that waits is due since before, and no lease that holds was made before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Horizon {
    /// When what is not urgent is due at the earliest.
    pub ready: Timestamp,
    /// The least fence.
    pub leased: i64,
}

impl Default for Horizon {
    /// As far back as there is time.
    fn default() -> Self {
        // Postgres knows no year as early as the earliest here.
        Self {
            ready: Timestamp::UNIX_EPOCH,
            leased: 0,
        }
    }
}

/// Looks for it. Whoever writes a unit makes it due at the time of writing at the earliest, which is after its transaction
/// began: so what is being written now, and is not to be seen yet, is not older than the oldest transaction that writes.
/// Those are asked for first; what ends in between is seen by the second question. What is older than `since` is not looked
/// at: nothing is, if that is what a look found before.
///
/// # Errors
/// When the database refuses.
pub async fn horizon(tx: &mut Tx, since: Horizon) -> Result<Horizon, Error> {
    let row = sqlx::query(
        "SELECT LEAST(clock_timestamp(), min(xact_start) FILTER (WHERE backend_xid IS NOT NULL)) AS written, \
            (SELECT last_value FROM work_fence) AS fence \
         FROM pg_stat_activity WHERE datname = current_database()",
    )
    .fetch_one(tx.conn())
    .await?;
    let cols = Cols::new("pg_stat_activity", &row);
    let (written, fence): (Timestamp, i64) = (cols.time("written")?, cols.get("fence")?);
    let row = sqlx::query(
        "SELECT (SELECT min(first.run_at) FROM clusters c CROSS JOIN LATERAL ( \
                SELECT w.run_at FROM work w WHERE w.cluster_id = c.id AND w.state = 'ready' AND w.priority <= 0 \
                AND w.run_at >= $2 ORDER BY w.run_at LIMIT 1) first) AS ready, \
            LEAST($1, (SELECT w.fence FROM work w WHERE w.holder IS NOT NULL AND w.fence >= $3 ORDER BY w.fence LIMIT 1)) AS leased",
    )
    .bind(fence)
    .bind(since.ready.to_sqlx())
    .bind(since.leased)
    .fetch_one(tx.conn())
    .await?;
    let cols = Cols::new("work", &row);
    let ready = cols.time_opt("ready")?.map_or(written, |at| at.min(written));
    Ok(Horizon {
        ready,
        leased: cols.get("leased")?,
    })
}
