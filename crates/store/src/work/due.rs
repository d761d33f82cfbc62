//! What is due, in whose turn, and how much of it one executor takes.

use super::Horizon;
use crate::{Cols, Error, Tx};
use jiff_sqlx::ToSqlx as _;
use slipway_domain::{
    ids::{ClusterId, DeploymentId, DeploymentTargetId, TargetId, WorkId},
    work::KINDS,
};
use std::collections::{BTreeMap, HashSet};

/// What is due is to be read in the order of its index, and what is leased by its own: Postgres, which cannot know how much of
/// the table that is at this moment, else reads all of it and sorts. One plan does for every claim.
const BY_INDEX: &str = "SET LOCAL enable_bitmapscan = off; SET LOCAL enable_seqscan = off; \
    SET LOCAL plan_cache_mode = force_generic_plan";
/// The rest of the transaction is none of that's business.
const AS_BEFORE: &str = "SET LOCAL enable_bitmapscan TO DEFAULT; SET LOCAL enable_seqscan TO DEFAULT; \
    SET LOCAL plan_cache_mode TO DEFAULT";

/// A unit of work that is due.
#[derive(Debug, Clone)]
pub struct Due {
    /// Its id.
    pub id: WorkId,
    /// Of which deployment.
    pub deployment: DeploymentId,
    /// On which of its targets.
    pub deployment_target: DeploymentTargetId,
    /// On which target.
    pub target: TargetId,
    /// On which cluster.
    pub cluster: ClusterId,
    /// How often it was tried since its last step that succeeded.
    pub attempts: u32,
}

/// Work that is due, held against every other claim until the end of the transaction: by priority, then in turns over
/// clusters, then by age. A cluster's turns are counted on from what is leased there already, so that one with much work
/// does not keep another waiting, however the work is claimed. One unit a target, and none of a target that somebody acts
/// on. Unknown kinds stay.
///
/// # Errors
/// When the database refuses.
pub async fn due(
    tx: &mut Tx,
    limit: u32,
    cluster_labels: &BTreeMap<String, String>,
) -> Result<Vec<Due>, Error> {
    due_since(tx, Horizon::default(), limit, cluster_labels).await
}

/// As [`due`], of what is not older than a horizon that was looked at moments ago.
///
/// Every step is made such that Postgres finds it by one index, and can find it by no other, whatever it believes of the
/// table, which is empty at one moment and long at the next: `work_due_in_turn` and `work_due_urgent` for the first of a
/// cluster, `work_leased_by_fence` for what is leased there, `work_one_lease_a_target` for each unit (a `LIMIT` keeps that
/// from becoming a join, which reads all that is leased), the primary key for the rows themselves.
///
/// # Errors
/// When the database refuses.
pub async fn due_since(
    tx: &mut Tx,
    horizon: Horizon,
    limit: u32,
    cluster_labels: &BTreeMap<String, String>,
) -> Result<Vec<Due>, Error> {
    sqlx::raw_sql(BY_INDEX).execute(tx.conn()).await?;
    // Others may hold what stands first, so more is looked at than is taken.
    let looked_at = i64::from(limit).saturating_mul(4).max(64);
    let rows = sqlx::query(
        "WITH present AS MATERIALIZED ( \
            SELECT c.id FROM clusters c WHERE ($2 = '{}'::jsonb OR c.labels @> $2) AND ( \
                (SELECT w.run_at FROM work w WHERE w.cluster_id = c.id AND w.state = 'ready' AND w.priority <= 0 \
                    AND w.run_at >= $5 ORDER BY w.run_at LIMIT 1) <= now() \
                OR (SELECT w.run_at FROM work w WHERE w.cluster_id = c.id AND w.state = 'ready' AND w.priority > 0 \
                    ORDER BY w.priority DESC, w.run_at LIMIT 1) IS NOT NULL)), \
         room AS MATERIALIZED (SELECT GREATEST($4 / GREATEST(count(*), 1), 16) AS n FROM present), \
         leased AS MATERIALIZED ( \
            SELECT cluster_id, count(*) AS n FROM work WHERE holder IS NOT NULL AND fence >= $6 GROUP BY cluster_id), \
         turns AS MATERIALIZED ( \
            SELECT d.id, d.priority, d.run_at, COALESCE((SELECT l.n FROM leased l WHERE l.cluster_id = p.id), 0) + \
                row_number() OVER (PARTITION BY p.id ORDER BY d.priority DESC, d.run_at, d.id) AS turn \
            FROM present p CROSS JOIN LATERAL ( \
                (SELECT w.id, w.priority, w.run_at FROM work w \
                 WHERE w.cluster_id = p.id AND w.state = 'ready' AND w.priority > 0 AND w.run_at <= now() AND w.kind = ANY($3) \
                 AND (SELECT true FROM work o WHERE o.target_id = w.target_id AND o.state = 'leased' LIMIT 1) IS NULL \
                 ORDER BY w.priority DESC, w.run_at LIMIT (SELECT n FROM room)) \
                UNION ALL \
                (SELECT w.id, w.priority, w.run_at FROM work w \
                 WHERE w.cluster_id = p.id AND w.state = 'ready' AND w.priority <= 0 AND w.run_at >= $5 AND w.run_at <= now() \
                 AND w.kind = ANY($3) \
                 AND (SELECT true FROM work o WHERE o.target_id = w.target_id AND o.state = 'leased' LIMIT 1) IS NULL \
                 ORDER BY w.run_at LIMIT (SELECT n FROM room))) d), \
         picked AS MATERIALIZED (SELECT array_agg(f.id ORDER BY f.priority DESC, f.turn, f.run_at, f.id) AS ids FROM \
            (SELECT * FROM turns ORDER BY priority DESC, turn, run_at, id LIMIT $4) f) \
         SELECT w.id, w.deployment_id, w.deployment_target_id, w.target_id, w.cluster_id, w.attempts \
         FROM picked p, work w WHERE w.id = ANY(p.ids) AND w.state = 'ready' ORDER BY array_position(p.ids, w.id) LIMIT $1 \
         FOR UPDATE OF w SKIP LOCKED",
    )
    .bind(i64::from(limit))
    .bind(serde_json::json!(cluster_labels))
    .bind(&KINDS[..])
    .bind(looked_at)
    .bind(horizon.ready.to_sqlx())
    .bind(horizon.leased)
    .fetch_all(tx.conn())
    .await?;
    sqlx::raw_sql(AS_BEFORE).execute(tx.conn()).await?;
    let mut targets = HashSet::with_capacity(rows.len());
    let mut all: Vec<Due> = Vec::with_capacity(rows.len());
    for row in &rows {
        let cols = Cols::new("work", row);
        let due = Due {
            id: cols.id("id")?,
            deployment: cols.id("deployment_id")?,
            deployment_target: cols.id("deployment_target_id")?,
            target: cols.id("target_id")?,
            cluster: cols.id("cluster_id")?,
            attempts: cols.count("attempts")?,
        };
        if targets.insert(due.target) {
            all.push(due);
        }
    }
    Ok(all)
}

/// How much there is to share out among executors, of what one of them may work on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Load {
    /// Units that are due.
    pub due: u32,
    /// Units that anybody has leased.
    pub leased: u32,
    /// Of those, the ones that this holder has.
    pub mine: u32,
    /// Of what is due, what has been for a while: nobody else has taken it.
    pub left: u32,
}

impl Load {
    /// How much this holder takes of what is due, as one of so many executors: as much as makes its load their average, and
    /// a part of what the others have left in any case, for one that is thought to be there may be gone.
    #[must_use]
    pub fn share(self, executors: u32) -> u32 {
        let executors = executors.max(1);
        let all = self.due.saturating_add(self.leased);
        let share = all.div_ceil(executors).saturating_sub(self.mine);
        share.max(self.left.div_ceil(executors))
    }
}

/// For how long work that is due is left to an executor that has less of it than the others, in milliseconds.
const LEFT_AFTER: i32 = 300;

/// What there is to share out. Counts stop at some thousands: then there is enough for everybody.
///
/// # Errors
/// When the database refuses.
pub async fn load(
    tx: &mut Tx,
    holder: &str,
    cluster_labels: &BTreeMap<String, String>,
) -> Result<Load, Error> {
    let row: (i64, i64, i64, i64) = sqlx::query_as(
        "SELECT count(*) FILTER (WHERE state = 'ready'), count(*) FILTER (WHERE state = 'leased'), \
            count(*) FILTER (WHERE holder = $1), \
            count(*) FILTER (WHERE state = 'ready' AND run_at <= now() - $4 * interval '1 millisecond') \
         FROM (SELECT w.state, w.holder, w.run_at FROM work w WHERE w.kind = ANY($3) \
            AND (w.state = 'leased' OR (w.state = 'ready' AND w.run_at <= now())) \
            AND ($2 = '{}'::jsonb OR EXISTS (SELECT 1 FROM clusters c WHERE c.id = w.cluster_id AND c.labels @> $2)) \
            LIMIT 5000) AS w",
    )
    .bind(holder)
    .bind(serde_json::json!(cluster_labels))
    .bind(&KINDS[..])
    .bind(LEFT_AFTER)
    .fetch_one(tx.conn())
    .await?;
    let count = |n| u32::try_from(n).unwrap_or(u32::MAX);
    Ok(Load {
        due: count(row.0),
        leased: count(row.1),
        mine: count(row.2),
        left: count(row.3),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_what_makes_the_load_even_and_a_part_of_what_others_left() {
        let load = |due, leased, mine| Load {
            due,
            leased,
            mine,
            left: 0,
        };
        assert_eq!(load(64, 0, 0).share(1), 64);
        assert_eq!(load(64, 0, 0).share(3), 22);
        assert_eq!(load(42, 22, 22).share(3), 0);
        let left = Load {
            left: 42,
            ..load(42, 22, 22)
        };
        assert_eq!(left.share(3), 14);
        assert_eq!(load(42, 22, 0).share(3), 22);
        assert_eq!(load(1, 0, 0).share(3), 1);
        assert_eq!(load(0, 0, 0).share(0), 0);
    }
}
