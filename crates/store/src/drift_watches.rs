//! Who watches which cluster for drift: executors that are there, and the leases they have. Database time throughout.

use crate::{Cols, Error, Tx};
use jiff::SignedDuration;
use slipway_domain::{
    drift::{ClusterWatch, WatchRequest, Watcher},
    ids::ClusterId,
};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// Lock of whoever shares clusters out: two at once would share them out differently.
const SHARING: &str = "slipway:cluster-watches";

/// Says that an executor is there to watch; forgets those that have not said so in time. Nobody else shares clusters out
/// until the end of the transaction.
///
/// # Errors
/// When the database refuses.
pub async fn present(tx: &mut Tx, request: &WatchRequest) -> Result<(), Error> {
    tx.lock(SHARING).await?;
    sqlx::query("DELETE FROM cluster_watchers WHERE lease_until < clock_timestamp() AND holder <> $1")
        .bind(&request.holder)
        .execute(tx.conn())
        .await?;
    sqlx::query(
        "INSERT INTO cluster_watchers (holder, cluster_labels, lease_until) \
         VALUES ($1, $2, clock_timestamp() + make_interval(secs => $3)) \
         ON CONFLICT (holder) DO UPDATE SET cluster_labels = excluded.cluster_labels, lease_until = excluded.lease_until",
    )
    .bind(&request.holder)
    .bind(serde_json::json!(request.cluster_labels))
    .bind(request.lease.as_secs_f64())
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Executors that are there, each with the clusters that it may watch.
///
/// # Errors
/// When the database refuses.
pub async fn watchers(tx: &mut Tx) -> Result<Vec<Watcher<ClusterId>>, Error> {
    let rows: Vec<(String, Vec<Uuid>)> = sqlx::query_as(
        "SELECT w.holder, COALESCE(array_agg(c.id) FILTER (WHERE c.id IS NOT NULL), '{}') FROM cluster_watchers w \
         LEFT JOIN clusters c ON c.labels @> w.cluster_labels GROUP BY w.holder ORDER BY w.holder",
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows
        .into_iter()
        .map(|(holder, clusters)| Watcher {
            holder,
            clusters: clusters
                .into_iter()
                .map(ClusterId::from_uuid)
                .collect::<BTreeSet<_>>(),
        })
        .collect())
}

/// Who watches what at this moment: leases that have not ended.
///
/// # Errors
/// When the database refuses.
pub async fn held(tx: &mut Tx) -> Result<BTreeMap<ClusterId, String>, Error> {
    let rows: Vec<(Uuid, String)> = sqlx::query_as(
        "SELECT cluster_id, holder FROM cluster_watches WHERE lease_until > clock_timestamp()",
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows
        .into_iter()
        .map(|(id, holder)| (ClusterId::from_uuid(id), holder))
        .collect())
}

/// Lets go of everything but these clusters, takes those of them that nobody has, and extends what the holder has then.
///
/// # Errors
/// When the database refuses.
pub async fn take(
    tx: &mut Tx,
    holder: &str,
    clusters: &[ClusterId],
    lease: SignedDuration,
) -> Result<Vec<ClusterWatch>, Error> {
    let ids: Vec<Uuid> = clusters.iter().map(type_safe_id::TypeSafeId::uuid).collect();
    sqlx::query("DELETE FROM cluster_watches WHERE holder = $1 AND cluster_id <> ALL($2)")
        .bind(holder)
        .bind(&ids)
        .execute(tx.conn())
        .await?;
    // An ended lease changes hands, also to who had it: its fence grows, and what was judged under it does not count.
    sqlx::query(
        "INSERT INTO cluster_watches AS w (cluster_id, holder, fence, lease_until) \
         SELECT id, $1, nextval('cluster_watch_fence'), clock_timestamp() + make_interval(secs => $3) \
         FROM unnest($2::uuid[]) AS wanted(id) \
         ON CONFLICT (cluster_id) DO UPDATE SET holder = excluded.holder, \
             fence = CASE WHEN w.lease_until > clock_timestamp() THEN w.fence ELSE excluded.fence END, \
             lease_until = excluded.lease_until \
         WHERE w.holder = excluded.holder OR w.lease_until <= clock_timestamp()",
    )
    .bind(holder)
    .bind(&ids)
    .bind(lease.as_secs_f64())
    .execute(tx.conn())
    .await?;
    sqlx::query(
        "SELECT w.cluster_id AS id, c.name, w.holder, w.fence FROM cluster_watches w \
         JOIN clusters c ON c.id = w.cluster_id WHERE w.holder = $1 ORDER BY c.name",
    )
    .bind(holder)
    .fetch_all(tx.conn())
    .await?
    .iter()
    .map(|row| {
        let cols = Cols::new("cluster_watches", row);
        Ok(ClusterWatch {
            cluster: cols.id("id")?,
            name: cols.parse("name")?,
            holder: cols.get("holder")?,
            fence: cols.get("fence")?,
        })
    })
    .collect()
}

/// A holder goes, and lets go of everything.
///
/// # Errors
/// When the database refuses.
pub async fn leave(tx: &mut Tx, holder: &str) -> Result<(), Error> {
    for sql in [
        "DELETE FROM cluster_watchers WHERE holder = $1",
        "DELETE FROM cluster_watches WHERE holder = $1",
    ] {
        sqlx::query(sql).bind(holder).execute(tx.conn()).await?;
    }
    Ok(())
}

/// Whether a watch holds; held against others who would take it until the end of the transaction.
///
/// # Errors
/// When the database refuses.
pub async fn holds(tx: &mut Tx, watch: &ClusterWatch) -> Result<bool, Error> {
    let found: Option<i32> = sqlx::query_scalar(
        "SELECT 1 FROM cluster_watches WHERE cluster_id = $1 AND holder = $2 AND fence = $3 \
         AND lease_until > clock_timestamp() FOR SHARE",
    )
    .bind(watch.cluster.uuid())
    .bind(&watch.holder)
    .bind(watch.fence)
    .fetch_optional(tx.conn())
    .await?;
    Ok(found.is_some())
}
