//! How far back a claim looks: never so far that it passes what is over, and never so near that something stays behind.

use crate::shop::Shop;
use slipway_app::deployments;
use slipway_store::work::{self, Horizon};
use std::collections::BTreeMap;

async fn due(shop: &Shop, horizon: Horizon) -> usize {
    let mut tx = shop.app.begin().await.unwrap();
    let due = work::due_since(&mut tx, horizon, 16, &BTreeMap::new())
        .await
        .unwrap();
    // What it holds is free again before anybody else looks.
    tx.rollback().await.unwrap();
    due.len()
}

async fn look(shop: &Shop) -> Horizon {
    look_from(shop, Horizon::default()).await
}

async fn look_from(shop: &Shop, since: Horizon) -> Horizon {
    let mut tx = shop.app.begin().await.unwrap();
    work::horizon(&mut tx, since).await.unwrap()
}

#[tokio::test]
async fn what_waits_is_found_from_the_horizon_on_and_what_is_written_out_of_its_time_from_the_next() {
    let shop = Shop::open().await;
    let release = shop.release("1.0.0").await;
    shop.ask(&release, "staging").await.unwrap();
    assert_eq!(due(&shop, Horizon::default()).await, 1);
    let horizon = look(&shop).await;
    assert_eq!(due(&shop, horizon).await, 1);

    // As by hand: the product makes nothing due in the past.
    shop.sql("UPDATE work SET run_at = now() - interval '1 hour'")
        .await
        .unwrap();
    assert_eq!(due(&shop, horizon).await, 0, "it is beyond the horizon");
    let followed = look_from(&shop, horizon).await;
    assert!(followed.ready > horizon.ready, "it was passed over");
    let next = look(&shop).await;
    assert!(next.ready < horizon.ready);
    assert_eq!(due(&shop, next).await, 1);

    // What waits for later moves no horizon into the future.
    shop.sql("UPDATE work SET run_at = now() + interval '1 hour'")
        .await
        .unwrap();
    let next = look(&shop).await;
    shop.sql("UPDATE work SET run_at = now()").await.unwrap();
    assert_eq!(due(&shop, next).await, 1);
}

#[tokio::test]
async fn the_queue_is_followed_from_where_it_was_found() {
    let shop = Shop::open().await;
    let first = shop.release("1.0.0").await;
    shop.ask(&first, "staging").await.unwrap();
    let since = look(&shop).await;
    shop.claim_one().await;
    let followed = look_from(&shop, since).await;
    assert!(followed.ready > since.ready, "nothing waits any more");
    assert_eq!(followed.leased, look(&shop).await.leased);
    shop.sql(
        "UPDATE work SET state = 'ready', holder = NULL, lease_until = NULL, run_at = clock_timestamp()",
    )
    .await
    .unwrap();
    let again = look_from(&shop, followed).await;
    assert_eq!(again, look(&shop).await, "what came since is found from there");
    assert_eq!(due(&shop, again).await, 1);
}

#[tokio::test]
async fn what_was_being_written_when_the_horizon_was_looked_for_is_found_from_it_on() {
    let shop = Shop::open().await;
    let otto = shop.who("otto").await;
    let input = deployments::Create {
        release: shop.release("1.0.0").await,
        environment: "staging".to_owned(),
        ..Default::default()
    };
    let mut slow = shop.app.begin().await.unwrap();
    deployments::create(&shop.app, &mut slow, &otto, input)
        .await
        .unwrap();
    let horizon = look(&shop).await;
    slow.commit().await.unwrap();
    assert_eq!(due(&shop, horizon).await, 1);
}

#[tokio::test]
async fn what_is_urgent_is_found_whatever_its_age() {
    let shop = Shop::open().await;
    let release = shop.release("1.0.0").await;
    shop.ask(&release, "staging").await.unwrap();
    let horizon = look(&shop).await;
    shop.sql("UPDATE work SET priority = 10, run_at = now() - interval '1 hour'")
        .await
        .unwrap();
    assert_eq!(due(&shop, horizon).await, 1);
}

#[tokio::test]
async fn an_empty_queue_has_its_horizon_at_this_moment_and_leases_at_the_last_fence() {
    let shop = Shop::open().await;
    let before = look(&shop).await;
    let release = shop.release("1.0.0").await;
    shop.ask(&release, "staging").await.unwrap();
    let claimed = shop.claim_one().await;
    let during = look(&shop).await;
    assert_eq!(during.leased, claimed.lease.fence, "the oldest lease that holds");
    assert!(during.ready > before.ready, "nothing waits any more");
    let counted = "SELECT count(*) FROM work WHERE holder IS NOT NULL AND fence >= ";
    assert_eq!(shop.number(&format!("{counted}{}", during.leased)).await, 1);
}
