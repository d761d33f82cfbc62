//! `Idempotency-Key`: the first answer is kept, and nothing happens twice.

use axum::http::Method;
use slipway_testkit::{Person, Reply, TestApp, Value, json};

async fn keyed(person: &Person, path: &str, key: &str, body: Value) -> Reply {
    person
        .request(Method::POST, path)
        .header("idempotency-key", key)
        .json(&body)
        .send()
        .await
}

#[tokio::test]
async fn a_repetition_gets_the_first_answer_and_changes_nothing() {
    let app = TestApp::start().await;
    let admin = app.person("root", &["admin"]).await;
    let first = keyed(&admin, "/v1/teams", "key-1", json!({"name": "shop"}))
        .await
        .ok(201);
    let second = keyed(&admin, "/v1/teams", "key-1", json!({"name": "shop"}))
        .await
        .ok(201);
    assert_eq!(second.body, first.body);
    assert_eq!(second.etag(), first.etag());
    assert_eq!(second.header("location"), first.header("location"));
    assert_eq!(
        (
            first.header("idempotency-replayed"),
            second.header("idempotency-replayed")
        ),
        ("", "true")
    );
    let teams = admin.get("/v1/teams").await.expect(200);
    assert_eq!(teams["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn another_body_under_the_same_key_is_refused() {
    let app = TestApp::start().await;
    let admin = app.person("root", &["admin"]).await;
    keyed(&admin, "/v1/teams", "key-1", json!({"name": "shop"}))
        .await
        .expect(201);
    let other = keyed(&admin, "/v1/teams", "key-1", json!({"name": "other"})).await;
    assert_eq!(other.problem(422), "idempotency-key-reused");
    admin.get("/v1/teams/other").await.problem(404);
}

#[tokio::test]
async fn a_key_is_its_users_own_and_what_was_refused_may_be_tried_again() {
    let app = TestApp::start().await;
    let admin = app.person("root", &["admin"]).await;
    let other = app.person("ruth", &["admin"]).await;
    assert_eq!(
        keyed(&admin, "/v1/teams", "key-1", json!({"name": "UPPER"}))
            .await
            .problem(422),
        "validation"
    );
    keyed(&admin, "/v1/teams", "key-1", json!({"name": "upper"}))
        .await
        .expect(201);
    keyed(&other, "/v1/teams", "key-1", json!({"name": "lower"}))
        .await
        .expect(201);
    for bad in ["", "with space", &"x".repeat(256)] {
        assert_eq!(
            keyed(&admin, "/v1/teams", bad, json!({"name": "x"}))
                .await
                .problem(400),
            "malformed"
        );
    }
}

#[tokio::test]
async fn many_at_once_under_one_key_make_one_thing() {
    let app = TestApp::start().await;
    let admin = app.person("root", &["admin"]).await;
    let tries = (0..8).map(|_| keyed(&admin, "/v1/teams", "key-1", json!({"name": "shop"})));
    let replies = futures::future::join_all(tries).await;
    let fresh = replies
        .iter()
        .filter(|reply| reply.header("idempotency-replayed").is_empty())
        .count();
    assert_eq!(fresh, 1);
    let ids: std::collections::HashSet<_> = replies
        .into_iter()
        .map(|reply| reply.expect(201)["id"].to_string())
        .collect();
    assert_eq!(ids.len(), 1);
}

#[tokio::test]
async fn the_secret_of_a_token_is_not_kept_for_a_repetition() {
    let app = TestApp::start().await;
    let engineer = app.person("eve", &["engineer"]).await;
    let body = json!({"name": "nightly", "roles": ["engineer"], "expires_in": "PT10M"});
    let first = keyed(&engineer, "/v1/tokens", "key-1", body.clone())
        .await
        .expect(201);
    let secret = first["secret"].as_str().unwrap().to_owned();
    let second = keyed(&engineer, "/v1/tokens", "key-1", body).await;
    assert!(!second.body.to_string().contains(&secret));
    assert_eq!(second.problem(409), "secret-shown-once");
    assert_eq!(
        engineer.get("/v1/tokens").await.expect(200)["items"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}
