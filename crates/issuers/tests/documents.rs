//! What a stranger can answer, and what becomes of it.

use axum::{
    Router,
    body::{Body, Bytes},
    http::{StatusCode, header},
    routing::get,
};
use futures::stream;
use slipway_domain::ports::IssuerDocuments as _;
use slipway_issuers::{HttpDocuments, MAX_BYTES};
use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

/// A stranger on this machine.
async fn stranger(router: Router) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

fn documents(patience: Duration) -> HttpDocuments {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    HttpDocuments::with_patience(patience).expect("a client")
}

async fn ask(address: SocketAddr, path: &str) -> Result<Vec<u8>, String> {
    let url = format!("http://{address}{path}").parse().expect("an address");
    documents(Duration::from_secs(20)).get(&url).await
}

#[tokio::test]
async fn a_document_is_what_answers_with_200() {
    let router = Router::new()
        .route("/keys", get(async || r#"{"keys":[]}"#))
        .route("/gone", get(async || StatusCode::GONE))
        .route("/none", get(async || StatusCode::NO_CONTENT));
    let at = stranger(router).await;
    assert_eq!(ask(at, "/keys").await.expect("a document"), br#"{"keys":[]}"#);
    for path in ["/gone", "/none", "/missing"] {
        let refused = ask(at, path).await.expect_err(path);
        assert!(refused.starts_with("answers "), "{refused}");
    }
}

#[tokio::test]
async fn nothing_is_followed_to_another_place() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let elsewhere = Router::new().fallback(move || {
        count.fetch_add(1, Ordering::SeqCst);
        async { "{}" }
    });
    let elsewhere = stranger(elsewhere).await;
    let away = format!("http://{elsewhere}/latest/meta-data");
    let redirect = move || {
        let away = away.clone();
        async move { (StatusCode::FOUND, [(header::LOCATION, away)]) }
    };
    let at = stranger(Router::new().route("/keys", get(redirect))).await;
    let refused = ask(at, "/keys").await.expect_err("a redirect");
    assert!(refused.contains("redirects are not followed"), "{refused}");
    assert_eq!(asked.load(Ordering::SeqCst), 0, "the other place was asked");
}

#[tokio::test]
async fn no_more_is_read_than_a_document_can_be() {
    let whole = async || vec![b' '; MAX_BYTES];
    let larger = async || vec![b' '; MAX_BYTES + 1];
    // Without a length, and without an end.
    let endless = async || {
        let chunk = Bytes::from(vec![b' '; 64 * 1024]);
        Body::from_stream(stream::repeat_with(move || Ok::<_, Infallible>(chunk.clone())))
    };
    let router = Router::new()
        .route("/whole", get(whole))
        .route("/larger", get(larger))
        .route("/endless", get(endless));
    let at = stranger(router).await;
    assert_eq!(ask(at, "/whole").await.expect("a document").len(), MAX_BYTES);
    for path in ["/larger", "/endless"] {
        let refused = ask(at, path).await.expect_err(path);
        assert!(refused.contains("larger than"), "{refused}");
    }
}

#[tokio::test]
async fn whoever_does_not_go_on_is_not_waited_for() {
    let never = async || {
        std::future::pending::<()>().await;
    };
    let at = stranger(Router::new().route("/keys", get(never))).await;
    let url = format!("http://{at}/keys").parse().expect("an address");
    let refused = documents(Duration::from_millis(100)).get(&url).await;
    let refused = refused.expect_err("no answer");
    assert!(refused.contains("in time"), "{refused}");
}
