//! Drift as people meet it: somebody edits by hand, it is seen within seconds with who and what, and it is over when it was
//! set back; or it is taken back, where the environment says so.

use serde_json::{Value, json};
use slipway_testkit::live::{
    Namespace, World,
    manifests::{GOOD, config, deployment},
    text, within,
};
use std::time::Duration;

/// Edits the `ConfigMap` as `kubectl edit` would.
async fn edit(namespace: &Namespace, value: &str) {
    let path = format!(
        "/api/v1/namespaces/{}/configmaps/settings?fieldManager=kubectl-edit",
        namespace.name
    );
    namespace
        .send("PATCH", &path, &json!({"data": {"key": value}}))
        .await
        .expect("it is there");
}

/// What has drifted, newest first.
async fn drifts(world: &World, query: &str) -> Vec<Value> {
    let page = world.vera.get(&format!("/v1/drift{query}")).await.expect(200);
    page["items"].as_array().expect("a page").clone()
}

#[tokio::test]
async fn an_edit_by_hand_is_seen_with_who_did_it_and_is_over_when_it_was_set_back() {
    let world = World::start("drift").await;
    let namespace = world.namespace("staging").await;
    world
        .sealed("1.0.0", &(config("settings", "one") + &deployment("web", GOOD)))
        .await;
    let id = world.deploy("1.0.0", "staging").await;
    world.ends(&id, "succeeded").await;

    edit(&namespace, "two").await;
    let seen = async || !drifts(&world, "?state=open").await.is_empty();
    within(Duration::from_secs(20), "the edit is seen", seen).await;
    let drift = drifts(&world, "?state=open").await.remove(0);
    assert_eq!(drift["object"]["name"], "settings", "{drift:#}");
    assert_eq!(
        drift["fields"],
        json!([{"pointer": "/data/key", "applied": "one", "found": "two", "manager": "kubectl-edit"}])
    );
    assert_eq!(
        (&drift["hand"]["operation"], &drift["deployment"]),
        (&json!("Update"), &json!(id))
    );
    let shown = world.deployment(&id).await;
    assert_eq!(shown["targets"][0]["drift"], 1, "{shown:#}");

    // The commands of docs/drift.md, as written there.
    let output = world.slipway(&world.vera, &["drift"]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{output:?}");
    for word in [
        "ConfigMap",
        "changed by kubectl-edit",
        "/data/key: applied \"one\", found \"two\"",
    ] {
        assert!(said.contains(word), "{word}: {said}");
    }
    let service = world.service.clone();
    let output = world.slipway(
        &world.vera,
        &["drift", "--service", &service, "--environment", "staging"],
    );
    assert!(
        String::from_utf8_lossy(&output.stdout).contains("/data/key"),
        "{output:?}"
    );
    let output = world.slipway(&world.vera, &["drift", "--state", "any", "--output", "json"]);
    let listed: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(listed["items"][0]["id"], drift["id"]);
    let output = world.slipway(&world.vera, &["-q", "drift"]);
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), text(&drift["id"]));

    edit(&namespace, "one").await;
    let over = async || drifts(&world, "?state=open").await.is_empty();
    within(Duration::from_secs(20), "the reversal is seen", over).await;
    let path = format!("/v1/drift/{}", text(&drift["id"]));
    let drift = world.vera.get(&path).await.expect(200);
    assert_eq!(
        (&drift["state"], &drift["resolution"]),
        (&json!("resolved"), &json!("reverted"))
    );
    assert_eq!(world.told(&id, "drift.found").await.len(), 1);
    assert_eq!(world.told(&id, "drift.resolved").await.len(), 1);
    // Nothing of it was healed: this environment only reports.
    assert_eq!(world.database.number("SELECT count(*) FROM deployments").await, 1);
    world.audit_holds();
    world.examine().await;
    namespace.close().await;
    world.close().await;
}

#[tokio::test]
async fn what_drifts_is_taken_back_where_the_environment_says_so_and_what_others_set_stays() {
    let world = World::start("heal").await;
    let namespace = world.namespace("staging").await;
    let output = world.slipway(&world.admin, &["env", "update", "staging", "--drift", "heal"]);
    assert!(output.status.success(), "{output:?}");
    // The bundle sets no replicas: they are an autoscaler's.
    world
        .sealed("1.0.0", &(config("settings", "one") + &deployment("web", GOOD)))
        .await;
    let id = world.deploy("1.0.0", "staging").await;
    world.ends(&id, "succeeded").await;
    let scale = format!(
        "/apis/apps/v1/namespaces/{}/deployments/web/scale",
        namespace.name
    );
    namespace
        .send("PATCH", &scale, &json!({"spec": {"replicas": 2}}))
        .await
        .expect("it is scaled");

    edit(&namespace, "two").await;
    let healed = async || {
        let live = namespace.get("ConfigMap", "settings").await.expect("it is there");
        live["data"]["key"] == "one"
    };
    within(Duration::from_secs(40), "it is taken back", healed).await;
    let over = async || drifts(&world, "?state=resolved").await.len() == 1;
    within(Duration::from_secs(20), "that is recorded", over).await;
    let drift = drifts(&world, "").await.remove(0);
    assert_eq!(drift["resolution"], "healed", "{drift:#}");
    let all = world
        .vera
        .get("/v1/deployments?environment=staging")
        .await
        .expect(200);
    let heal = &all["items"][0];
    assert_eq!(
        (
            &heal["kind"],
            &heal["requested_by"],
            &heal["targets"][0]["intent"]
        ),
        (&json!("heal"), &json!("slipway"), &json!("heal"))
    );
    let heal = text(&heal["id"]);
    world.ends(&heal, "succeeded").await;
    let live = namespace.get("Deployment", "web").await.expect("it is there");
    assert_eq!(live["spec"]["replicas"], 2, "nobody fights over it");
    assert_eq!(world.told(&heal, "object.applied").await.len(), 1);
    let page = world.vera.get("/v1/drift").await.expect(200);
    assert_eq!(page["items"].as_array().map(Vec::len), Some(1), "{page:#}");
    world.audit_holds();
    world.examine().await;
    namespace.close().await;
    world.close().await;
}
