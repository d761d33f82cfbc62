//! Clusters, and work on them by the hundred.

use jiff::SignedDuration;
use slipway_domain::{
    ids::{ClusterId, WorkId},
    registry::{ClusterGrants, Labels},
};
use slipway_store::{Tx, clusters, work};
use std::collections::BTreeMap;

/// Every cluster.
pub(crate) fn everywhere() -> Labels {
    BTreeMap::new()
}

pub(crate) fn labels(all: &[(&str, &str)]) -> Labels {
    all.iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

pub(crate) async fn cluster(tx: &mut Tx, called: &str, given: &[(&str, &str)]) -> ClusterId {
    let id = ClusterId::new();
    let saved = clusters::Saved {
        id,
        name: &called.parse().unwrap(),
        server: "https://k.example",
        certificate_authority: None,
        tls_server_name: None,
        labels: &labels(given),
        grants: &ClusterGrants::default(),
    };
    let sealed = clusters::Sealed {
        credential: vec![1, 2, 3],
        key: "k1".to_owned(),
    };
    clusters::insert(tx, &saved, &sealed).await.unwrap();
    id
}

/// So many units of work on a cluster, due for so many seconds. The deployments they would belong to are left out: whose
/// turn it is does not depend on them.
pub(crate) async fn enqueue(tx: &mut Tx, cluster: ClusterId, many: i32, priority: i32, due_for: i32) {
    sqlx::raw_sql("SET LOCAL session_replication_role = replica")
        .execute(tx.conn())
        .await
        .unwrap();
    sqlx::query(
        "INSERT INTO work (id, kind, deployment_id, deployment_target_id, target_id, cluster_id, priority, run_at) \
         SELECT gen_random_uuid(), 'deployment_target', gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), $1, $3, \
            now() - make_interval(secs => $4) - n * interval '1 millisecond' FROM generate_series(1, $2) AS n",
    )
    .bind(cluster.uuid())
    .bind(many)
    .bind(priority)
    .bind(f64::from(due_for))
    .execute(tx.conn())
    .await
    .unwrap();
}

/// Claims as an executor does; how many units of which cluster it got.
pub(crate) async fn claim(
    tx: &mut Tx,
    holder: &str,
    most: u32,
    limit: &Labels,
) -> BTreeMap<ClusterId, usize> {
    let due = work::due(tx, most, limit).await.unwrap();
    let ids: Vec<WorkId> = due.iter().map(|unit| unit.id).collect();
    let leases = work::lease(tx, &ids, holder, SignedDuration::from_secs(15))
        .await
        .unwrap();
    assert_eq!(leases.len(), ids.len());
    let mut by_cluster = BTreeMap::new();
    for unit in due {
        *by_cluster.entry(unit.cluster).or_insert(0) += 1;
    }
    by_cluster
}
