//! What Slipway itself has written never gives a finding.

use crate::{shop::Shop, story};
use slipway_app::doctor::{Options, examine};
use slipway_domain::{deployment::StateName, doctor::Invariant, ports::ClusterFault};
use slipway_testkit::doctor::assert_clean;
use std::{
    collections::BTreeSet,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

#[tokio::test]
async fn a_shop_in_which_everything_has_happened_gives_no_finding_and_everything_was_looked_at() {
    let story = Box::pin(story::play()).await;
    let states: BTreeSet<StateName> = story.deployments.iter().map(|(state, _)| *state).collect();
    for state in StateName::ALL {
        // What is being rolled back, and what failed for good, end at once in this story.
        if !matches!(state, StateName::RollingBack | StateName::Failed) {
            assert!(states.contains(&state), "no deployment is {state}: {states:?}");
        }
    }
    let told = Mutex::new(BTreeSet::new());
    let progress = |what: &str, _: u64| {
        told.lock().unwrap().insert(what.to_owned());
    };
    let options = Options {
        clusters: false,
        progress: &progress,
        ..Options::default()
    };
    let report = examine(&story.shop.app, &options).await.unwrap();
    assert_clean(&report);
    for invariant in Invariant::ALL {
        let examined: u64 = report
            .examined
            .iter()
            .filter(|e| e.invariant == invariant && e.what != "rules")
            .map(|e| e.count)
            .sum();
        assert!(examined > 0, "nothing was looked at for {invariant}");
    }
    let told = told.into_inner().unwrap();
    for what in ["rules", "renderings", "audit entries", "texts"] {
        assert!(told.contains(what), "{told:?}");
    }
}

#[tokio::test]
async fn an_empty_installation_gives_no_finding() {
    let db = slipway_testkit::TestApp::start().await;
    slipway_testkit::doctor::assert_healthy(&db.app).await;
}

#[tokio::test]
async fn it_changes_nothing_and_leaves_no_transaction_open() {
    let shop = Shop::open().await;
    shop.released("1.0.0").await;
    let rows = "SELECT (SELECT count(*) FROM audit_entries) * 1000000 + (SELECT count(*) FROM events) * 1000 \
        + (SELECT sum(revision)::bigint FROM deployments)";
    let before = shop.number(rows).await;
    slipway_testkit::doctor::examine(&shop.app, true).await;
    assert_eq!(shop.number(rows).await, before);
    let open = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in transaction%'";
    assert_eq!(shop.number(open).await, 0);
}

#[tokio::test]
async fn a_cluster_that_cannot_be_reached_is_named_once_and_does_not_pass_for_examined() {
    let app = slipway_testkit::TestApp::start().await;
    let world = slipway_testkit::World::shop(&app).await;
    world.sealed("1.0.0").await;
    world.deploy("storefront@1.0.0", "staging").await;
    // Work begins, so that something may be there.
    let queue = slipway_app::execution::Queue::new(app.app.clone(), app.app.database().clone());
    let request = slipway_domain::ports::ClaimRequest {
        holder: "executor".to_owned(),
        max: 10,
        lease: jiff::SignedDuration::from_secs(30),
        cluster_labels: std::collections::BTreeMap::new(),
    };
    let claimed = slipway_domain::ports::WorkQueue::claim(&queue, &request)
        .await
        .unwrap();
    assert_eq!(claimed.len(), 1);
    app.clusters.fails("eu", |cluster| ClusterFault::Unreachable {
        cluster,
        detail: "connection refused".to_owned(),
    });
    app.settle().await;
    let calls = AtomicU64::new(0);
    let progress = |_: &str, _: u64| {
        calls.fetch_add(1, Ordering::Relaxed);
    };
    let options = Options {
        progress: &progress,
        ..Options::default()
    };
    let report = examine(&app.app, &options).await.unwrap();
    assert!(report.is_healthy(), "{:#?}", report.findings);
    assert!(!report.is_complete());
    assert_eq!(report.unexamined.len(), 1, "{:#?}", report.unexamined);
    assert_eq!(report.unexamined[0].subject, "cluster eu");
    assert!(
        report.unexamined[0]
            .why
            .contains("connection refused; 1 target there could not")
    );
    assert!(calls.into_inner() > 0);
}
