//! By priority, then in turns over clusters, then by age.

use crate::setup::{claim, cluster, enqueue, everywhere, labels};
use slipway_store::work;
use slipway_testkit::TestDb;

#[tokio::test]
async fn a_cluster_with_thousands_of_old_units_does_not_keep_another_with_one_waiting() {
    let db = TestDb::create().await;
    let mut tx = db.database.begin().await.unwrap();
    let (big, small) = (
        cluster(&mut tx, "big", &[]).await,
        cluster(&mut tx, "small", &[]).await,
    );
    enqueue(&mut tx, big, 3000, 0, 600).await;
    enqueue(&mut tx, small, 1, 0, 1).await;
    let got = claim(&mut tx, "one", 8, &everywhere()).await;
    assert_eq!((got[&big], got[&small]), (7, 1));
}

#[tokio::test]
async fn turns_are_counted_on_from_what_is_leased_so_that_small_claims_are_fair_too() {
    let db = TestDb::create().await;
    let mut tx = db.database.begin().await.unwrap();
    let (big, small) = (
        cluster(&mut tx, "big", &[]).await,
        cluster(&mut tx, "small", &[]).await,
    );
    enqueue(&mut tx, big, 500, 0, 600).await;
    enqueue(&mut tx, small, 3, 0, 1).await;
    let mut small_got = Vec::new();
    for _ in 0..6 {
        let got = claim(&mut tx, "one", 1, &everywhere()).await;
        small_got.push(got.get(&small).copied().unwrap_or(0));
    }
    assert_eq!(
        small_got,
        [0, 1, 0, 1, 0, 1],
        "one each in turn, although the other's are all older"
    );
}

#[tokio::test]
async fn priority_goes_before_turns_and_age_decides_within_a_cluster() {
    let db = TestDb::create().await;
    let mut tx = db.database.begin().await.unwrap();
    let (a, b) = (cluster(&mut tx, "a", &[]).await, cluster(&mut tx, "b", &[]).await);
    enqueue(&mut tx, a, 5, 0, 600).await;
    enqueue(&mut tx, b, 2, 10, 1).await;
    let first = work::due(&mut tx, 3, &everywhere()).await.unwrap();
    let clusters: Vec<_> = first.iter().map(|unit| unit.cluster).collect();
    assert_eq!(clusters, [b, b, a]);
    let oldest: uuid::Uuid =
        sqlx::query_scalar("SELECT id FROM work WHERE cluster_id = $1 ORDER BY run_at LIMIT 1")
            .bind(a.uuid())
            .fetch_one(tx.conn())
            .await
            .unwrap();
    assert_eq!(first[2].id.uuid(), oldest);
}

#[tokio::test]
async fn what_is_not_due_unknown_elsewhere_or_of_a_target_that_somebody_acts_on_stays() {
    let db = TestDb::create().await;
    let mut tx = db.database.begin().await.unwrap();
    let eu = cluster(&mut tx, "eu", &[("region", "eu")]).await;
    let us = cluster(&mut tx, "us", &[("region", "us")]).await;
    enqueue(&mut tx, eu, 4, 0, 10).await;
    enqueue(&mut tx, us, 1, 0, 10).await;
    sqlx::raw_sql(
        "WITH eu AS (SELECT w.id, row_number() OVER (ORDER BY w.run_at) AS n FROM work w JOIN clusters c ON c.id = w.cluster_id \
            WHERE c.name = 'eu') \
         UPDATE work w SET run_at = CASE WHEN n = 1 THEN now() + interval '1 minute' ELSE run_at END, \
            kind = CASE WHEN n = 2 THEN 'from_a_newer_server' ELSE kind END FROM eu WHERE eu.id = w.id",
    )
    .execute(tx.conn())
    .await
    .unwrap();
    let in_eu = labels(&[("region", "eu")]);
    // Two of the four are left: one is claimed, and the other is made to be of the same target.
    assert_eq!(claim(&mut tx, "one", 1, &in_eu).await[&eu], 1);
    sqlx::raw_sql(
        "UPDATE work SET target_id = (SELECT target_id FROM work WHERE state = 'leased') \
         WHERE state = 'ready' AND kind = 'deployment_target' AND run_at <= now() \
         AND cluster_id = (SELECT id FROM clusters WHERE name = 'eu')",
    )
    .execute(tx.conn())
    .await
    .unwrap();
    assert!(claim(&mut tx, "two", 64, &in_eu).await.is_empty());
    assert_eq!(claim(&mut tx, "two", 64, &everywhere()).await[&us], 1);
}

#[tokio::test]
async fn three_executors_that_look_at_the_same_time_share_the_work() {
    let db = TestDb::create().await;
    let mut tx = db.database.begin().await.unwrap();
    for name in ["a", "b", "c"] {
        let cluster = cluster(&mut tx, name, &[]).await;
        enqueue(&mut tx, cluster, 20, 0, 10).await;
    }
    tx.commit().await.unwrap();
    // None of them sees what the others take, until all of them have.
    let mut claims = Vec::new();
    for holder in ["one", "two", "three"] {
        let mut tx = db.database.begin().await.unwrap();
        let load = work::load(&mut tx, holder, &everywhere()).await.unwrap();
        assert_eq!((load.due, load.leased, load.mine, load.left), (60, 0, 0, 60));
        let got = claim(&mut tx, holder, load.share(3).min(64), &everywhere()).await;
        claims.push((tx, got));
    }
    let mut taken = Vec::new();
    for (tx, got) in claims {
        taken.push(got.values().sum::<usize>());
        tx.commit().await.unwrap();
    }
    assert_eq!(taken, [20, 20, 20]);
    let mut tx = db.database.begin().await.unwrap();
    let load = work::load(&mut tx, "two", &everywhere()).await.unwrap();
    assert_eq!((load.due, load.leased, load.mine, load.left), (0, 60, 20, 0));
    // What is due only now is somebody else's, who has less; what stays due is everybody's.
    let eu = cluster(&mut tx, "eu", &[]).await;
    enqueue(&mut tx, eu, 3, 0, 0).await;
    let load = work::load(&mut tx, "two", &everywhere()).await.unwrap();
    assert_eq!((load.due, load.left, load.share(4)), (3, 0, 0));
    enqueue(&mut tx, eu, 3, 0, 1).await;
    let load = work::load(&mut tx, "two", &everywhere()).await.unwrap();
    assert_eq!((load.due, load.left, load.share(4)), (6, 3, 1));
}
