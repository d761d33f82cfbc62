//! `/v1/status`: what dashboards poll.

use axum::http::Method;
use slipway_testkit::{TestApp, World, json};

#[tokio::test]
async fn the_status_shows_what_is_under_way_and_is_cheap_to_poll() {
    let app = TestApp::start().await;
    let world = World::shop(&app).await;
    let quiet = world.viewer.get("/v1/status").await.ok(200);
    assert_eq!(quiet.header("cache-control"), "private, max-age=1");
    let poll = |tag: String| {
        world
            .viewer
            .request(Method::GET, "/v1/status")
            .header("if-none-match", &tag)
            .send()
    };
    poll(quiet.etag()).await.ok(304);
    world.sealed("1.0.0").await;
    world.deploy("storefront@1.0.0", "staging").await;
    let busy = poll(quiet.etag()).await.expect(200);
    assert_eq!(busy["active"]["queued"], 1);
    assert_eq!(busy["services"][0]["service"], "storefront");
    assert_eq!(busy["services"][0]["latest"]["release"], "storefront@1.0.0");
    assert_eq!(busy["services"][0]["runs"], json!([]));
    assert_eq!(world.stranger.get("/v1/status").await.problem(403), "forbidden");
}
