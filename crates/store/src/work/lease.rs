//! What a worker does with its lease. Every statement names the fence: a stale one touches nothing.
//!
//! That a unit is leased is asked by its holder and not by its state, which the table's `CHECK` keeps together: by the state,
//! Postgres takes the index of all that is leased, whenever it believes that this is next to nothing, and reads all of it.

use super::{CHANNEL, seconds};
use crate::{Cols, Error, Tx};
use jiff::SignedDuration;
use slipway_domain::{ids::WorkId, work::Lease};
use sqlx::postgres::PgRow;
use std::collections::BTreeMap;
use uuid::Uuid;

/// Leases work that [`due`] returned in this transaction.
///
/// # Errors
/// When the database refuses.
pub async fn lease(
    tx: &mut Tx,
    ids: &[WorkId],
    holder: &str,
    duration: SignedDuration,
) -> Result<BTreeMap<WorkId, Lease>, Error> {
    let uuids: Vec<Uuid> = ids.iter().map(type_safe_id::TypeSafeId::uuid).collect();
    let rows = sqlx::query(
        "UPDATE work SET state = 'leased', holder = $2, fence = nextval('work_fence'), woken = false, \
         lease_until = clock_timestamp() + make_interval(secs => $3) WHERE id = ANY($1) AND state = 'ready' \
         RETURNING id, fence",
    )
    .bind(uuids)
    .bind(holder)
    .bind(seconds(duration))
    .fetch_all(tx.conn())
    .await?;
    let now = tx.now;
    rows.iter()
        .map(|row| {
            let cols = Cols::new("work", row);
            let work = cols.id("id")?;
            Ok((
                work,
                Lease {
                    work,
                    fence: cols.get("fence")?,
                    claimed_at: now,
                    duration,
                },
            ))
        })
        .collect()
}

/// Extends leases that this holder still has, and says which, with their fences: a holder may have lost a lease and
/// claimed the same work again. Those come with `true`; with `false` those that it has, as far as can be told, and that
/// somebody else's transaction holds at this moment. For such a one all others would wait, and be lost with it. The holder is
/// asked for such that the index of all that is leased does not fit.
///
/// # Errors
/// When the database refuses.
pub async fn heartbeat(
    tx: &mut Tx,
    holder: &str,
    leases: &[Lease],
    extend_by: SignedDuration,
) -> Result<Vec<(WorkId, i64, bool)>, Error> {
    let ids: Vec<Uuid> = leases.iter().map(|l| l.work.uuid()).collect();
    let fences: Vec<i64> = leases.iter().map(|l| l.fence).collect();
    let held: Vec<(Uuid, i64, bool)> = sqlx::query_as(
        "WITH mine AS MATERIALIZED ( \
            SELECT w.id FROM work w, unnest($1::uuid[], $2::bigint[]) AS l(id, fence) \
            WHERE w.id = ANY($1) AND w.id = l.id AND w.fence = l.fence AND COALESCE(w.holder, '') = $3 \
            FOR UPDATE OF w SKIP LOCKED), \
         extended AS ( \
            UPDATE work w SET lease_until = clock_timestamp() + make_interval(secs => $4) \
            FROM mine WHERE w.id = ANY($1) AND w.id = mine.id RETURNING w.id, w.fence) \
         SELECT id, fence, true FROM extended UNION ALL \
         SELECT w.id, w.fence, false FROM work w, unnest($1::uuid[], $2::bigint[]) AS l(id, fence) \
         WHERE w.id = ANY($1) AND w.id = l.id AND w.fence = l.fence AND COALESCE(w.holder, '') = $3 \
         AND w.id NOT IN (SELECT id FROM extended)",
    )
    .bind(ids)
    .bind(fences)
    .bind(holder)
    .bind(seconds(extend_by))
    .fetch_all(tx.conn())
    .await?;
    Ok(held
        .into_iter()
        .map(|(id, fence, extended)| (WorkId::from_uuid(id), fence, extended))
        .collect())
}

/// What is known of a unit that is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// How often it was tried since its last step that succeeded.
    pub attempts: u32,
    /// Whether anything went wrong since then: it failed, or a lease of it was lost.
    pub troubled: bool,
}

/// Holds a leased unit against rescue until the end of the transaction; none when the lease is somebody else's by now.
///
/// # Errors
/// When the database refuses.
pub async fn hold(tx: &mut Tx, lease: &Lease) -> Result<Option<Held>, Error> {
    let row = sqlx::query(
        "SELECT id, attempts, attempts > 0 OR losses > 0 OR last_error IS NOT NULL AS troubled FROM work \
         WHERE id = $1 AND fence = $2 AND holder IS NOT NULL FOR UPDATE",
    )
    .bind(lease.work.uuid())
    .bind(lease.fence)
    .fetch_optional(tx.conn())
    .await?;
    row.as_ref().map(held).transpose()
}

/// A step succeeded: what failed before it does not count any more.
///
/// # Errors
/// When the database refuses.
pub async fn reset_attempts(tx: &mut Tx, lease: &Lease) -> Result<(), Error> {
    sqlx::query("UPDATE work SET attempts = 0, losses = 0, last_error = NULL WHERE id = $1 AND fence = $2")
        .bind(lease.work.uuid())
        .bind(lease.fence)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// How a try went that gives the lease back.
#[derive(Debug, Clone, Copy)]
pub enum Failed<'a> {
    /// It waits for something; what was wrong before and cost no attempt is over.
    No,
    /// It did not work, and that costs no attempt: the cluster asked to wait, say.
    Free(&'a str),
    /// It did not work.
    Counted(&'a str),
}

/// Gives the lease back; due again after a while, or at once when something was seen in the meantime.
///
/// # Errors
/// When the database refuses.
pub async fn give_back(
    tx: &mut Tx,
    lease: &Lease,
    after: SignedDuration,
    failed: Failed<'_>,
) -> Result<u64, Error> {
    let (error, counts) = match failed {
        Failed::No => (None, 0),
        Failed::Free(error) => (Some(error), 0),
        Failed::Counted(error) => (Some(error), 1),
    };
    let rows = sqlx::query(
        "UPDATE work SET state = 'ready', holder = NULL, lease_until = NULL, \
         run_at = CASE WHEN woken AND $4::text IS NULL THEN clock_timestamp() ELSE clock_timestamp() + make_interval(secs => $3) END, \
         woken = false, attempts = attempts + $5, losses = 0, \
         last_error = CASE WHEN $4::text IS NULL AND attempts = 0 THEN NULL ELSE COALESCE($4, last_error) END WHERE id = $1 AND fence = $2 AND holder IS NOT NULL",
    )
    .bind(lease.work.uuid())
    .bind(lease.fence)
    .bind(seconds(after.max(SignedDuration::ZERO)))
    .bind(error)
    .bind(counts)
    .execute(tx.conn())
    .await?
    .rows_affected();
    if after <= SignedDuration::from_millis(50) {
        tx.hint(CHANNEL).await?;
    }
    Ok(rows)
}

/// Parks a leased unit: its deployment is paused.
///
/// # Errors
/// When the database refuses.
pub async fn park(tx: &mut Tx, lease: &Lease) -> Result<u64, Error> {
    Ok(sqlx::query(
        "UPDATE work SET state = 'parked', holder = NULL, lease_until = NULL WHERE id = $1 AND fence = $2 AND holder IS NOT NULL",
    )
    .bind(lease.work.uuid())
    .bind(lease.fence)
    .execute(tx.conn())
    .await?
    .rows_affected())
}

/// Parks a leased unit until a person has done something about this.
///
/// # Errors
/// When the database refuses.
pub async fn park_with(tx: &mut Tx, lease: &Lease, error: &str) -> Result<u64, Error> {
    Ok(sqlx::query(
        "UPDATE work SET state = 'parked', holder = NULL, lease_until = NULL, woken = false, last_error = $3 \
         WHERE id = $1 AND fence = $2 AND holder IS NOT NULL",
    )
    .bind(lease.work.uuid())
    .bind(lease.fence)
    .bind(error)
    .execute(tx.conn())
    .await?
    .rows_affected())
}

/// Takes a leased unit out of the queue: it is finished. Says what was known of it; none when the lease is somebody else's
/// by now, who goes on.
///
/// # Errors
/// When the database refuses.
pub async fn finish(tx: &mut Tx, lease: &Lease) -> Result<Option<Held>, Error> {
    let row = sqlx::query(
        "DELETE FROM work WHERE id = $1 AND fence = $2 AND holder IS NOT NULL \
         RETURNING id, attempts, attempts > 0 OR losses > 0 OR last_error IS NOT NULL AS troubled",
    )
    .bind(lease.work.uuid())
    .bind(lease.fence)
    .fetch_optional(tx.conn())
    .await?;
    row.as_ref().map(held).transpose()
}

fn held(row: &PgRow) -> Result<Held, Error> {
    let cols = Cols::new("work", row);
    Ok(Held {
        attempts: cols.count("attempts")?,
        troubled: cols.get("troubled")?,
    })
}
