//! `/v1/servers`, and `/readyz?verbose`: which processes there are.

use slipway_app::servers::{Myself, beat, keep};
use slipway_testkit::{TestApp, World, json};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

fn process(name: &str, roles: &[&str], limited: &[(&str, &str)]) -> Myself {
    let labels = limited.iter();
    Myself {
        holder: name.to_owned(),
        roles: roles.iter().map(|&role| role.to_owned()).collect(),
        version: "9.9.9".to_owned(),
        cluster_labels: labels.map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
    }
}

#[tokio::test]
async fn operators_and_admins_see_the_processes_and_others_do_not() {
    let app = TestApp::start().await;
    let world = World::people(&app).await;
    assert_eq!(
        world.admin.get("/v1/servers").await.expect(200),
        json!({"items": []})
    );
    beat(&app.app, &process("one", &["api", "scheduler"], &[]))
        .await
        .unwrap();
    beat(&app.app, &process("two", &["executor"], &[("region", "eu")]))
        .await
        .unwrap();
    for person in [&world.admin, &world.operator] {
        let all = person.get("/v1/servers").await.expect(200);
        let two = all["items"]
            .as_array()
            .unwrap()
            .iter()
            .find(|s| s["name"] == "two")
            .unwrap();
        assert_eq!(two["roles"], json!(["executor"]));
        assert_eq!(two["version"], "9.9.9");
        assert_eq!(two["cluster_labels"], json!({"region": "eu"}));
        assert_eq!(two["alive"], true);
        assert!(
            two["stopped_at"].is_null() && two["seen_at"].is_string(),
            "{two:#}"
        );
    }
    for person in [
        &world.viewer,
        &world.engineer,
        &world.manager,
        &world.authority,
        &world.auditor,
    ] {
        assert_eq!(person.get("/v1/servers").await.problem(403), "forbidden");
    }
    let counted = app.nobody().get("/readyz?verbose").await.expect(200);
    assert_eq!(counted, "ready\napi: 1\nscheduler: 1\nexecutor: 1\n");
    assert_eq!(app.nobody().get("/readyz?loud").await.problem(400), "malformed");
}

#[tokio::test]
async fn a_process_that_is_told_to_stop_says_so() {
    let app = TestApp::start().await;
    let world = World::people(&app).await;
    let stop = CancellationToken::new();
    let kept = tokio::spawn(keep(
        app.app.clone(),
        process("brief", &["api"], &[]),
        stop.clone(),
    ));
    let shown = async || world.admin.get("/v1/servers").await.expect(200)["items"][0].clone();
    let seen = tokio::time::timeout(Duration::from_secs(10), async {
        while shown().await["alive"] != true {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    seen.await.unwrap();
    stop.cancel();
    kept.await.unwrap();
    let after = shown().await;
    assert_eq!(after["alive"], false);
    assert!(after["stopped_at"].is_string(), "{after:#}");
}
