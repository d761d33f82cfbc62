//! What a lease is worth: to its holder, to who is too late, and to who takes it back.

use crate::{
    claims::{plain, retry, running},
    shop::{Shop, report},
};
use jiff::SignedDuration;
use serde_json::Value;
use slipway_app::timers;
use slipway_domain::{
    component::bundle::ObjectRef,
    deployment::StateName,
    plan::target::Step,
    ports::WorkQueue as _,
    registry::{Inventory, InventoryItem},
    work::{Ack, StepOutcome},
};

#[tokio::test]
async fn a_stale_report_changes_nothing() {
    let shop = Shop::with(plain(&["eu"])).await;
    let id = running(&shop, "1.0.0").await;
    let stale = shop.claim_one().await;
    shop.touch(&stale).await;
    shop.sql("UPDATE work SET lease_until = now() - interval '1 s'")
        .await
        .unwrap();
    assert_eq!(timers::rescue(&shop.app).await.unwrap(), 1);
    let fresh = shop.claim_one().await;
    assert!(fresh.lease.fence > stale.lease.fence);
    assert!(!fresh.progress.0.is_empty(), "it goes on where the other stopped");
    let before = shop.text("SELECT string_agg(x::text, '|') FROM (SELECT (d.*, t.*, w.*)::text AS x FROM deployments d \
        JOIN deployment_targets t ON t.deployment_id = d.id JOIN work w ON w.deployment_target_id = t.id ORDER BY d.id) y").await;
    let events = shop.number("SELECT count(*) FROM events").await;
    for outcome in [
        StepOutcome::Begun,
        StepOutcome::Done(Value::Null),
        StepOutcome::NotYet(SignedDuration::ZERO),
        retry(false),
        StepOutcome::Succeeded,
        StepOutcome::Failed {
            reason: "no".to_owned(),
        },
        StepOutcome::Errored {
            reason: "no".to_owned(),
        },
    ] {
        let mut report = report(Step::Prune, outcome);
        report.inventory = Some(inventory());
        assert_eq!(shop.queue.report(&stale, report).await.unwrap(), Ack::Lost);
    }
    let after = shop.text("SELECT string_agg(x::text, '|') FROM (SELECT (d.*, t.*, w.*)::text AS x FROM deployments d \
        JOIN deployment_targets t ON t.deployment_id = d.id JOIN work w ON w.deployment_target_id = t.id ORDER BY d.id) y").await;
    assert_eq!(before, after);
    assert_eq!(events, shop.number("SELECT count(*) FROM events").await);
    assert_eq!(
        shop.number("SELECT count(*) FROM targets WHERE inventory <> '[]'")
            .await,
        0
    );
    let held = shop
        .queue
        .heartbeat(
            "executor",
            &[stale.lease.clone(), fresh.lease.clone()],
            SignedDuration::from_secs(60),
        )
        .await;
    let held = held.unwrap();
    assert_eq!((held.extended, held.busy), (vec![fresh.lease.clone()], vec![]));
    assert_eq!(shop.succeed(&fresh).await, Ack::Released);
    assert_eq!(shop.state(id).await, StateName::Succeeded);
    assert_eq!(
        shop.say(&fresh, Step::Prune, StepOutcome::Succeeded).await,
        Ack::Lost,
        "completed stays completed"
    );
    shop.check().await;
}

#[tokio::test]
async fn a_heartbeat_waits_for_no_report_and_takes_nothing_for_lost_that_is_reported_on() {
    let shop = Shop::with(plain(&["eu", "us"])).await;
    running(&shop, "1.0.0").await;
    // The first claim starts the wave, and with it the other target.
    let mut all = shop.claim().await;
    all.extend(shop.claim().await);
    let leases: Vec<_> = all.iter().map(|a| a.lease.clone()).collect();
    assert_eq!(leases.len(), 2);
    let (free, reported) = (vec![leases[0].clone()], vec![leases[1].clone()]);
    let beat = async || {
        let beat = shop
            .queue
            .heartbeat("executor", &leases, SignedDuration::from_secs(60));
        let beat = tokio::time::timeout(std::time::Duration::from_secs(20), beat).await;
        let beat = beat.expect("it waits").unwrap();
        (beat.extended, beat.busy)
    };
    // As a report that waits for its deployment does.
    let mut report = shop.app.begin().await.unwrap();
    slipway_store::work::hold(&mut report, &reported[0])
        .await
        .unwrap();
    assert_eq!(beat().await, (free.clone(), reported.clone()));
    report.rollback().await.unwrap();
    assert_eq!(beat().await.0.len(), 2, "it was held, and is free again");
    let mut report = shop.app.begin().await.unwrap();
    slipway_store::work::finish(&mut report, &reported[0])
        .await
        .unwrap();
    assert_eq!(beat().await, (free.clone(), reported));
    report.commit().await.unwrap();
    assert_eq!(beat().await, (free, vec![]), "what is over is not held");
}

pub(crate) fn inventory() -> Inventory {
    let object = ObjectRef::of(
        &serde_json::json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "web"}}),
    );
    Inventory(vec![InventoryItem {
        object: object.unwrap(),
        uid: Some("u-1".to_owned()),
    }])
}

#[tokio::test]
async fn a_rescue_takes_only_what_is_overdue_and_never_what_was_completed() {
    let shop = Shop::with(plain(&["eu"])).await;
    let id = running(&shop, "1.0.0").await;
    let a = shop.claim_one().await;
    assert_eq!(timers::rescue(&shop.app).await.unwrap(), 0);
    assert_eq!(shop.claim().await.len(), 0);
    shop.touch(&a).await;
    shop.sql("UPDATE work SET lease_until = now() - interval '1 s'")
        .await
        .unwrap();
    let (ack, _) = tokio::join!(
        shop.say(&a, Step::Prune, StepOutcome::Succeeded),
        timers::rescue(&shop.app)
    );
    let state = shop.state(id).await;
    match ack {
        Ack::Released => assert_eq!(state, StateName::Succeeded),
        Ack::Lost => assert_eq!(state, StateName::Running),
        Ack::Continue => panic!("it goes on after the end"),
    }
    shop.run_all().await;
    assert_eq!(shop.state(id).await, StateName::Succeeded);
    shop.check().await;
}

#[tokio::test]
async fn a_lease_that_was_lost_is_told_also_while_others_are_busy_with_the_deployment() {
    let shop = Shop::with(plain(&["eu"])).await;
    let id = running(&shop, "1.0.0").await;
    shop.claim_one().await;
    shop.sql("UPDATE work SET lease_until = now() - interval '1 s'")
        .await
        .unwrap();
    let mut busy = shop.app.begin().await.unwrap();
    slipway_store::deployments::lock(&mut busy, id).await.unwrap();
    assert_eq!(timers::rescue(&shop.app).await.unwrap(), 1);
    busy.rollback().await.unwrap();
    let told = "SELECT count(*) FROM events WHERE kind = 'work.rescued'";
    assert_eq!(shop.number(told).await, 1);
    shop.run_all().await;
    assert_eq!(shop.state(id).await, StateName::Succeeded);
    shop.check().await;
}
