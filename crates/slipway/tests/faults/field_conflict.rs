//! Fault 20: a field is another manager's. The target stops and names manager and field; nothing is taken over unless the
//! deployment says so.

use crate::cluster_scene::Scene;
use serde_json::{Value, json};
use slipway_testkit::live::{manifests::config, text};

/// Somebody applies a field of an object, by force, as another manager.
async fn takes_over(client: kube::Client, path: &str, value: &str) -> Value {
    let name = path.rsplit('/').next().expect("a name");
    let wanted =
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"key": value}});
    let request = http::Request::patch(format!("{path}?fieldManager=night-shift&force=true"))
        .header("content-type", "application/apply-patch+yaml")
        .body(wanted.to_string().into_bytes())
        .expect("a request");
    client.request(request).await.expect("it is applied")
}

#[tokio::test]
async fn a_field_of_another_manager_stops_the_target_and_is_taken_over_only_when_told_to() {
    let scene = Scene::start("conflict", "eu").await;
    let world = &scene.world;
    world
        .sealed("1.0.0", &(config("settings", "one") + &config("other", "one")))
        .await;
    let first = world.deploy("1.0.0", "staging").await;
    world.ends(&first, "succeeded").await;
    let namespace = world.namespace("eu").await;
    let path = format!("/api/v1/namespaces/{}/configmaps/settings", world.service);
    takes_over(namespace.client(), &path, "by hand").await;

    world
        .sealed("2.0.0", &(config("settings", "two") + &config("other", "two")))
        .await;
    let second = world.deploy("2.0.0", "staging").await;
    let failed = world.ends(&second, "failed").await;
    let reason = text(&failed["reason"]);
    for words in [
        "eu: ConfigMap settings: .data.key is owned by \"night-shift\"",
        "force conflicts",
    ] {
        assert!(reason.contains(words), "`{words}` is not in: {reason}");
    }
    let live = namespace.get("ConfigMap", "settings").await.expect("it is there");
    assert_eq!(live["data"]["key"], "by hand", "it was taken over");
    // Asking what would come of it, without effect, is not forcing.
    let is_forced = |query: &str| query.contains("force=true") && !query.contains("dryRun=All");
    let forced = scene.proxy.log().iter().filter(|l| is_forced(&l.query)).count();
    assert_eq!(forced, 0, "nothing was forced");

    let body = json!({"release": world.release("2.0.0"), "environment": "staging", "force_conflicts": true});
    let third = text(&world.otto.post("/v1/deployments", body).await.expect(201)["id"]);
    world.ends(&third, "succeeded").await;
    let live = namespace.get("ConfigMap", "settings").await.expect("it is there");
    assert_eq!(live["data"]["key"], "two");
    let managers = live["metadata"]["managedFields"]
        .as_array()
        .expect("managers")
        .clone();
    let theirs = managers.iter().find(|m| m["manager"] == "night-shift");
    assert!(
        theirs.is_none_or(|m| m["fieldsV1"]["f:data"].is_null()),
        "{managers:#?}"
    );
    scene.close(&["eu"]).await;
}
