//! Another key to sign with, while others sign: nobody signs with one that is retired.

use crate::shop::Shop;
use jiff::SignedDuration;
use slipway_app::{audit, releases, timers};
use slipway_domain::{audit::SignedCheckpoint, signing::VerifyingKey};
use slipway_store::{audit_tree, signing_keys};
use tokio::task::JoinHandle;

/// Waits until somebody waits for a lock. Who was to wait and does not has ended by then.
async fn waits<T>(shop: &Shop, who: &JoinHandle<T>) {
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()";
    while shop.number(waiting).await == 0 {
        assert!(!who.is_finished(), "it did not wait");
    }
}

async fn chained(shop: &Shop) {
    while timers::chain(&shop.app).await.unwrap() > 0 {}
}

async fn head(shop: &Shop) -> SignedCheckpoint {
    let mut tx = shop.app.begin().await.unwrap();
    let last = audit_tree::last_checkpoint(&mut tx).await.unwrap();
    last.unwrap().note.parse().unwrap()
}

/// A record with a signed head, and more to sign.
async fn shop() -> (Shop, VerifyingKey) {
    let shop = Shop::open().await;
    let release = shop.release("1.0.0").await;
    assert_eq!(release, "storefront@1.0.0");
    chained(&shop).await;
    audit::grow(&shop.app, SignedDuration::ZERO).await.unwrap();
    shop.release("2.0.0").await;
    chained(&shop).await;
    let auditor = shop
        .person("audrey", &[slipway_domain::identity::Role::Auditor])
        .await;
    let mut tx = shop.app.begin().await.unwrap();
    let first = audit::keys(&mut tx, &auditor).await.unwrap().remove(0).key;
    (shop, first)
}

#[tokio::test]
async fn who_signs_while_a_key_is_being_retired_waits_and_signs_with_the_next() {
    let (shop, first) = shop().await;
    let root = shop.who("root").await;
    let certifying = shop.app.read().await.unwrap();
    let mut rotating = shop.app.begin().await.unwrap();
    let second = audit::rotate(&shop.app, &mut rotating, &root, Some("it leaked"))
        .await
        .unwrap();
    let app = shop.app.clone();
    let growing = tokio::spawn(async move { audit::grow(&app, SignedDuration::ZERO).await });
    waits(&shop, &growing).await;
    rotating.commit().await.unwrap();
    growing.await.unwrap().unwrap();
    let head = head(&shop).await;
    head.verify(std::slice::from_ref(&second.key)).unwrap();
    head.verify(std::slice::from_ref(&first)).unwrap_err();
    // What a certificate says may be of a moment before; who signs it is of now.
    let envelope = releases::certificate(&shop.app, certifying, &root, "storefront@1.0.0")
        .await
        .unwrap();
    assert_eq!(envelope.signatures[0].keyid, second.key.fingerprint());
}

#[tokio::test]
async fn a_certificate_is_not_signed_with_a_key_that_was_retired_while_it_was_written() {
    let (shop, _) = shop().await;
    let root = shop.who("root").await;
    // It sees the database as it is now, and the key that signs now.
    let mut reading = shop.app.read().await.unwrap();
    let earlier = audit_tree::get(&mut reading).await.unwrap();
    let second = shop
        .act(async |tx| audit::rotate(&shop.app, tx, &root, Some("it leaked")).await)
        .await
        .unwrap();
    assert_eq!(audit_tree::get(&mut reading).await.unwrap(), earlier);
    let envelope = releases::certificate(&shop.app, reading, &root, "storefront@1.0.0")
        .await
        .unwrap();
    assert_eq!(envelope.signatures[0].keyid, second.key.fingerprint());
}

#[tokio::test]
async fn a_key_is_not_retired_while_somebody_signs_with_it() {
    let (shop, first) = shop().await;
    let root = shop.who("root").await;
    let mut signing = shop.app.begin().await.unwrap();
    let held = signing_keys::to_sign_with(&mut signing).await.unwrap().unwrap();
    assert_eq!(held.public_key, first.to_pem());
    // Others sign meanwhile.
    audit::grow(&shop.app, SignedDuration::ZERO).await.unwrap();
    head(&shop).await.verify(&[first]).unwrap();
    let app = shop.app.clone();
    let rotating = tokio::spawn(async move {
        let mut tx = app.begin().await?;
        let key = audit::rotate(&app, &mut tx, &root, Some("it leaked")).await?;
        tx.commit().await?;
        Ok::<_, slipway_app::Error>(key)
    });
    waits(&shop, &rotating).await;
    signing.commit().await.unwrap();
    rotating.await.unwrap().unwrap();
    assert_eq!(
        shop.number("SELECT count(*) FROM signing_keys WHERE retired_at IS NOT NULL")
            .await,
        1
    );
}

#[tokio::test]
async fn keys_that_are_rotated_at_once_follow_each_other() {
    let (shop, _) = shop().await;
    let root = shop.who("root").await;
    let rotations: Vec<_> = (0..4)
        .map(|_| {
            let (app, root) = (shop.app.clone(), root.clone());
            tokio::spawn(async move {
                let mut tx = app.begin().await?;
                audit::rotate(&app, &mut tx, &root, Some("it leaked")).await?;
                tx.commit().await?;
                Ok::<_, slipway_app::Error>(())
            })
        })
        .collect();
    for rotation in rotations {
        rotation.await.unwrap().unwrap();
    }
    chained(&shop).await;
    audit::grow(&shop.app, SignedDuration::ZERO).await.unwrap();
    let signs = "SELECT count(*) FROM signing_keys WHERE retired_at IS NULL AND length(sealed) > 0";
    assert_eq!(shop.number(signs).await, 1);
    assert_eq!(shop.number("SELECT count(*) FROM signing_keys").await, 5);
    // Each was retired when the next one was made, not when whoever asked for it began to wait.
    let overlap = "SELECT count(*) FROM signing_keys a JOIN signing_keys b ON a.id <> b.id \
        AND a.created_at < b.created_at AND a.retired_at > b.created_at";
    assert_eq!(shop.number(overlap).await, 0);
    shop.check().await;
}

#[tokio::test]
async fn what_a_retired_key_signed_with_is_gone_and_nothing_brings_it_back() {
    let shop = Shop::open().await;
    let root = shop.who("root").await;
    // Before anything is signed there is none to retire.
    for _ in 0..2 {
        shop.act(async |tx| audit::rotate(&shop.app, tx, &root, Some("it leaked")).await)
            .await
            .unwrap();
    }
    let erased = "SELECT count(*) FROM signing_keys WHERE retired_at IS NOT NULL AND length(sealed) = 0 AND sealed_with = ''";
    let signs = "SELECT count(*) FROM signing_keys WHERE retired_at IS NULL AND length(sealed) > 0";
    assert_eq!((shop.number(erased).await, shop.number(signs).await), (1, 1));
    for change in [
        "UPDATE signing_keys SET retired_at = NULL WHERE retired_at IS NOT NULL",
        "UPDATE signing_keys SET retired_at = now() WHERE retired_at IS NOT NULL",
        "UPDATE signing_keys SET retired_at = now() WHERE retired_at IS NULL",
        "UPDATE signing_keys SET public_key = 'x' WHERE retired_at IS NULL",
        "UPDATE signing_keys SET name = 'x' WHERE retired_at IS NULL",
        "TRUNCATE signing_keys",
    ] {
        shop.sql(change).await.expect_err(change);
    }
}
