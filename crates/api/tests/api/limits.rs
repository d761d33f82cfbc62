//! Room and time.

use axum::http::Method;
use slipway_api::ApiConfig;
use slipway_testkit::{TestApp, json};
use std::time::Duration;

#[tokio::test]
async fn a_body_over_the_limit_is_refused_and_the_limit_named() {
    let app = TestApp::start().await;
    let engineer = app.person("eve", &["engineer"]).await;
    let large = json!({"name": "x", "team": "x", "description": "y".repeat(300_000)});
    let reply = engineer.post("/v1/components", large).await;
    assert!(
        reply.body["detail"].as_str().unwrap().contains("262144 bytes"),
        "{:#}",
        reply.body
    );
    assert_eq!(reply.problem(413), "too-large");
    let version = json!({"version": "1.0.0", "manifests": "z".repeat(300_000)});
    assert_eq!(
        engineer
            .post("/v1/components/web/versions", version)
            .await
            .problem(404),
        "not-found"
    );
    let huge = json!({"version": "1.0.0", "manifests": "z".repeat(13 << 20)});
    assert_eq!(
        engineer
            .post("/v1/components/web/versions", huge)
            .await
            .problem(413),
        "too-large"
    );
}

#[tokio::test]
async fn nothing_is_read_of_somebody_unknown() {
    let app = TestApp::start().await;
    let huge = app
        .nobody()
        .request(Method::POST, "/v1/components/web/versions")
        .raw("z".repeat(20 << 20));
    assert_eq!(huge.send().await.problem(401), "unauthenticated");
}

#[tokio::test]
async fn what_is_too_much_is_shed_with_a_hint_when_to_come_back() {
    let app = TestApp::with(ApiConfig {
        max_in_flight: 0,
        ..ApiConfig::default()
    })
    .await;
    let shed = app.as_("root").get("/v1/me").await;
    assert_eq!(shed.header("retry-after"), "1");
    assert_eq!(shed.problem(503), "unavailable");
    app.nobody().get("/healthz").await.expect(200);
}

#[tokio::test]
async fn a_request_that_takes_too_long_ends_and_changes_nothing() {
    let app = TestApp::with(ApiConfig {
        request_timeout: Duration::from_millis(300),
        ..ApiConfig::default()
    })
    .await;
    let admin = app.person("root", &["admin"]).await;
    let mut tx = app.app.begin().await.unwrap();
    tx.lock("slipway:role-bindings").await.unwrap();
    let binding = json!({"principal": {"subject": "new"}, "role": "viewer"});
    let reply = admin.post("/v1/role-bindings", binding).await;
    assert!(!reply.header("retry-after").is_empty());
    assert_eq!(reply.problem(503), "unavailable");
    tx.rollback().await.unwrap();
    let listed = admin.get("/v1/role-bindings?subject=new").await.expect(200);
    assert_eq!(listed["items"], json!([]));
}

/// Sends all of a body before it listens, as many clients do; what it is answered.
async fn sent_whole(at: std::net::SocketAddr, token: &str, bytes: usize) -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut stream = tokio::net::TcpStream::connect(at).await.unwrap();
    let head = format!(
        "POST /v1/components/web/versions HTTP/1.1\r\nhost: slipway\r\nconnection: close\r\n\
         authorization: Bearer {token}\r\ncontent-type: application/json\r\ncontent-length: {bytes}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
        .write_all(&vec![b' '; bytes])
        .await
        .expect("it is cut off while it sends");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an answer");
    answer
}

#[tokio::test]
async fn whoever_sends_too_much_before_listening_is_told_so_and_not_cut_off() {
    let app = TestApp::start().await;
    let eve = app.person("eve", &["engineer"]).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let router = app.router.clone();
    let server = tokio::spawn(async move { axum::serve(listener, router).await });
    let token = eve.token.clone().unwrap();
    for _ in 0..5 {
        let answer = sent_whole(at, &token, 13 * 1024 * 1024).await;
        assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
        let answer = sent_whole(at, "unknown", 13 * 1024 * 1024).await;
        assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
    }
    server.abort();
}
