//! For machines and readers, without a token.

use slipway_api::{ApiConfig, problem::catalogue};
use slipway_testkit::TestApp;
use std::sync::Arc;

#[tokio::test]
async fn a_healthy_server_says_so_to_anybody() {
    let config = ApiConfig {
        metrics: Some(Arc::new(|| "# metrics\n".to_owned())),
        ..ApiConfig::default()
    };
    let app = TestApp::with(config).await;
    let nobody = app.nobody();
    assert_eq!(nobody.get("/healthz").await.expect(200), "ok");
    assert_eq!(nobody.get("/readyz").await.expect(200), "ready");
    assert_eq!(nobody.get("/metrics").await.expect(200), "# metrics\n");
    app.shutdown.cancel();
    assert_eq!(nobody.get("/readyz").await.problem(503), "not-ready");
    nobody.get("/healthz").await.expect(200);
}

#[tokio::test]
async fn a_server_whose_database_is_gone_is_alive_but_not_ready() {
    let app = TestApp::start().await;
    app.app.database().pool().close().await;
    let reply = app.nobody().get("/readyz").await;
    assert!(!reply.header("retry-after").is_empty());
    assert_eq!(reply.problem(503), "not-ready");
    assert_eq!(app.as_("root").get("/v1/me").await.problem(503), "unavailable");
    app.nobody().get("/healthz").await.expect(200);
}

#[tokio::test]
async fn every_kind_of_problem_is_explained_where_its_type_says() {
    let app = TestApp::start().await;
    for kind in catalogue::ALL {
        let text = app.nobody().get(&kind.path()).await.expect(200);
        assert!(text.as_str().unwrap().contains(kind.title), "{}", kind.slug);
    }
    assert_eq!(app.nobody().get("/problems/none").await.problem(404), "not-found");
    assert!(
        app.nobody()
            .get("/problems")
            .await
            .expect(200)
            .as_str()
            .unwrap()
            .contains("| `/problems/validation` |")
    );
}

#[tokio::test]
async fn the_documentation_needs_no_network_but_this_server() {
    let app = TestApp::start().await;
    let document = app.nobody().get("/openapi.json").await.ok(200);
    assert_eq!(document.body["openapi"], "3.1.0");
    assert!(!document.etag().is_empty());
    let page = app.nobody().get("/docs/").await.ok(200);
    assert!(
        page.header("content-security-policy")
            .contains("connect-src 'self'")
    );
    let html = page.body.as_str().unwrap().to_owned();
    let mut loaded = 0;
    for attribute in ["src=\"", "href=\""] {
        for rest in html.split(attribute).skip(1) {
            let target = rest.split('"').next().unwrap();
            assert!(!target.contains("//"), "{target} is elsewhere");
            let path = format!("/docs/{}", target.trim_start_matches("./"));
            app.nobody().get(&path).await.ok(200);
            loaded += 1;
        }
    }
    assert!(loaded >= 4, "{html}");
    let start = app.nobody().get("/docs/swagger-initializer.js").await.expect(200);
    assert!(start.as_str().unwrap().contains("/openapi.json"), "{start}");
}
