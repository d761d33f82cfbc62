//! Server processes: seen, gone, stopped, and whom they serve.

use crate::setup::{cluster, labels};
use slipway_store::{Tx, servers};
use slipway_testkit::TestDb;

async fn beat(tx: &mut Tx, holder: &str, roles: &[&str], limited: &[(&str, &str)]) {
    let roles: Vec<String> = roles.iter().map(|&role| role.to_owned()).collect();
    let beat = servers::Beat {
        holder,
        roles: &roles,
        version: "1.2.3",
        cluster_labels: &labels(limited),
    };
    servers::beat(tx, &beat).await.unwrap();
}

/// Makes a process look as if it had last been seen so many seconds ago.
async fn last_seen(tx: &mut Tx, holder: &str, ago: i32) {
    sqlx::query("UPDATE servers SET seen_at = now() - make_interval(secs => $2) WHERE holder = $1")
        .bind(holder)
        .bind(f64::from(ago))
        .execute(tx.conn())
        .await
        .unwrap();
}

#[tokio::test]
async fn a_process_is_alive_while_it_says_so_and_not_when_it_stopped_or_was_killed() {
    let db = TestDb::create().await;
    let mut tx = db.database.begin().await.unwrap();
    beat(&mut tx, "alive", &["api", "executor"], &[("region", "eu")]).await;
    beat(&mut tx, "killed", &["executor"], &[]).await;
    last_seen(&mut tx, "killed", 30).await;
    beat(&mut tx, "stopped", &["scheduler"], &[]).await;
    servers::stop(&mut tx, "stopped").await.unwrap();
    beat(&mut tx, "old", &["api"], &[]).await;
    last_seen(&mut tx, "old", 2 * 86_400).await;
    let all = servers::list(&mut tx, 100).await.unwrap();
    let told: Vec<_> = all
        .iter()
        .map(|s| (s.holder.as_str(), s.alive, s.stopped_at.is_some()))
        .collect();
    assert_eq!(
        told,
        [
            ("alive", true, false),
            ("stopped", false, true),
            ("killed", false, false)
        ]
    );
    assert_eq!(all[0].version, "1.2.3");
    assert_eq!(all[0].cluster_labels, labels(&[("region", "eu")]));
    let by_role = servers::alive_by_role(&mut tx).await.unwrap();
    assert_eq!(by_role, [("api".to_owned(), 1), ("executor".to_owned(), 1)]);
    // It was only held still.
    beat(&mut tx, "stopped", &["scheduler"], &[]).await;
    assert!(
        servers::list(&mut tx, 100)
            .await
            .unwrap()
            .iter()
            .any(|s| s.holder == "stopped" && s.alive)
    );
    last_seen(&mut tx, "old", 8 * 86_400).await;
    assert_eq!(servers::sweep(&mut tx).await.unwrap(), 1);
}

#[tokio::test]
async fn an_executor_serves_the_clusters_that_carry_its_labels() {
    let db = TestDb::create().await;
    let mut tx = db.database.begin().await.unwrap();
    let eu = cluster(&mut tx, "eu", &[("region", "eu"), ("tier", "a")]).await;
    let us = cluster(&mut tx, "us", &[("region", "us")]).await;
    beat(&mut tx, "in-eu", &["executor"], &[("region", "eu")]).await;
    beat(&mut tx, "no-executor", &["api"], &[]).await;
    let serving: Vec<_> = servers::serving(&mut tx, &[eu, us]).await.unwrap();
    let served = |id| serving.iter().find(|(of, _)| *of == id).unwrap().1.served;
    assert!(served(eu) && !served(us));
    let (limits, last) = servers::executors(&mut tx).await.unwrap();
    assert_eq!((limits, last), (vec![labels(&[("region", "eu")])], None));
    // Who can take the same work shares it; who cannot does not count.
    beat(&mut tx, "in-us", &["executor"], &[("region", "us")]).await;
    beat(&mut tx, "everywhere", &["executor"], &[]).await;
    let beside = async |tx: &mut Tx, limited: &[(&str, &str)]| {
        servers::executors_beside(tx, &labels(limited)).await.unwrap()
    };
    assert_eq!(beside(&mut tx, &[("region", "eu")]).await, 2);
    assert_eq!(beside(&mut tx, &[]).await, 3);
    assert_eq!(beside(&mut tx, &[("region", "nowhere")]).await, 0);
}
