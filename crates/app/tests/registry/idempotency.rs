//! Requests under a key.

use crate::setup::engineer;
use crate::support::actor;
use slipway_app::idempotency::{self, Answer, Begin};
use slipway_testkit::TestApp;

/// Waits until something holds; fails after ten seconds.
async fn until<F: Future<Output = bool>>(holds: impl Fn() -> F) {
    let ask = async {
        while !holds().await {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), ask)
        .await
        .expect("it never held");
}

#[tokio::test]
async fn a_request_under_a_key_is_done_once_whoever_asks_at_the_same_time() {
    let app = TestApp::start().await;
    let eve = engineer(&app).await;
    let answer = Answer {
        status: 201,
        headers: vec![("etag".to_owned(), "\"1\"".to_owned())],
        body: b"{}".to_vec(),
    };
    let mut first = app.app.begin().await.unwrap();
    assert_eq!(
        idempotency::begin(&mut first, &eve, "POST /v1/teams", "k", [1; 32])
            .await
            .unwrap(),
        Begin::Fresh
    );
    let second = {
        let (app, eve) = (app.app.clone(), eve.clone());
        tokio::spawn(async move {
            let mut tx = app.begin().await.unwrap();
            idempotency::begin(&mut tx, &eve, "POST /v1/teams", "k", [1; 32])
                .await
                .unwrap()
        })
    };
    // Until the first has ended, the second waits for its answer.
    until(|| async {
        let waiting: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()",
        )
        .fetch_one(app.app.database().pool())
        .await
        .unwrap();
        waiting == 1
    })
    .await;
    assert!(!second.is_finished());
    idempotency::keep(&mut first, &eve, "POST /v1/teams", "k", &answer)
        .await
        .unwrap();
    first.commit().await.unwrap();
    assert_eq!(second.await.unwrap(), Begin::Replay(answer));
    let mut tx = app.app.begin().await.unwrap();
    assert_eq!(
        idempotency::begin(&mut tx, &eve, "POST /v1/teams", "k", [2; 32])
            .await
            .unwrap(),
        Begin::OtherBody
    );
    assert_eq!(
        idempotency::begin(&mut tx, &eve, "POST /v1/services", "k", [2; 32])
            .await
            .unwrap(),
        Begin::Fresh
    );
    app.person("otto", &["operator"]).await;
    let otto = actor(&app, "otto").await;
    assert_eq!(
        idempotency::begin(&mut tx, &otto, "POST /v1/teams", "k", [2; 32])
            .await
            .unwrap(),
        Begin::Fresh
    );
}

#[tokio::test]
async fn a_key_is_free_again_when_its_request_failed_and_after_a_day() {
    let app = TestApp::start().await;
    let eve = engineer(&app).await;
    let mut failed = app.app.begin().await.unwrap();
    assert_eq!(
        idempotency::begin(&mut failed, &eve, "POST /v1/teams", "k", [1; 32])
            .await
            .unwrap(),
        Begin::Fresh
    );
    failed.rollback().await.unwrap();
    let mut tx = app.app.begin().await.unwrap();
    assert_eq!(
        idempotency::begin(&mut tx, &eve, "POST /v1/teams", "k", [2; 32])
            .await
            .unwrap(),
        Begin::Fresh
    );
    let answer = Answer {
        status: 204,
        headers: Vec::new(),
        body: Vec::new(),
    };
    idempotency::keep(&mut tx, &eve, "POST /v1/teams", "k", &answer)
        .await
        .unwrap();
    assert_eq!(idempotency::sweep(&mut tx).await.unwrap(), 0);
    tx.commit().await.unwrap();
    sqlx::query("UPDATE idempotency_keys SET created_at = now() - interval '25 hours'")
        .execute(app.app.database().pool())
        .await
        .unwrap();
    let mut tx = app.app.begin().await.unwrap();
    assert_eq!(idempotency::sweep(&mut tx).await.unwrap(), 1);
}
