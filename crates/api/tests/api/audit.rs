//! The audit chain, as it is published.

use slipway_domain::audit::{Entry, Verifier};
use slipway_testkit::{TestApp, World};

#[tokio::test]
async fn the_published_chain_can_be_verified_by_whoever_reads_it() {
    let app = TestApp::start().await;
    let world = World::shop(&app).await;
    world.sealed("1.0.0").await;
    app.settle().await;
    let (mut after, mut verifier, mut count) = (0, Verifier::default(), 0);
    loop {
        let page = world
            .auditor
            .get(&format!("/v1/audit/entries?after={after}&limit=5"))
            .await
            .expect(200);
        for item in page["items"].as_array().unwrap() {
            let entry: Entry = serde_json::from_value(item.clone()).unwrap();
            let digest = item["digest"].as_str().unwrap().parse().unwrap();
            verifier.check(&entry, digest).unwrap();
            count += 1;
        }
        match page["next"].as_i64() {
            Some(next) => after = next,
            None => break,
        }
    }
    let head = world.auditor.get("/v1/audit/checkpoint").await.expect(200);
    assert_eq!(head["entries"], count);
    assert_eq!(head["digest"], verifier.head().1.to_string());
    assert_eq!(head["unchained"], 0);
    let seals = world
        .auditor
        .get("/v1/audit/entries?action=release.seal&actor=ana")
        .await
        .expect(200);
    assert_eq!(seals["items"].as_array().unwrap().len(), 1);
    assert_eq!(seals["items"][0]["subject"], "storefront@1.0.0");
}

#[tokio::test]
async fn what_was_refused_leaves_no_entry() {
    let app = TestApp::start().await;
    let world = World::shop(&app).await;
    app.settle().await;
    let before = world.auditor.get("/v1/audit/checkpoint").await.expect(200);
    world.sealed("1.0.0").await;
    app.settle().await;
    let between = world.auditor.get("/v1/audit/checkpoint").await.expect(200);
    world
        .manager
        .act("/v1/releases/storefront@1.0.0/seal")
        .await
        .problem(409);
    world
        .viewer
        .act("/v1/releases/storefront@1.0.0/withdraw")
        .await
        .problem(403);
    app.settle().await;
    let after = world.auditor.get("/v1/audit/checkpoint").await.expect(200);
    assert_eq!(after, between);
    assert_eq!(
        between["entries"].as_i64().unwrap(),
        before["entries"].as_i64().unwrap() + 2
    );
}

#[tokio::test]
async fn only_auditors_read_the_chain() {
    let app = TestApp::start().await;
    let world = World::people(&app).await;
    for person in [&world.admin, &world.manager, &world.viewer, &world.stranger] {
        assert_eq!(person.get("/v1/audit/entries").await.problem(403), "forbidden");
        assert_eq!(person.get("/v1/audit/checkpoint").await.problem(403), "forbidden");
    }
}
