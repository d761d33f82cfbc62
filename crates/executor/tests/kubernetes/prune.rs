//! Pruning: what was ours and is not wanted any more goes; nothing else does.

use crate::world::{World, config, web};
use serde_json::json;
use slipway_domain::{plan::target::Intent, render::Rendering};

#[tokio::test]
async fn what_the_release_no_longer_contains_goes_and_what_is_not_ours_stays() {
    let mut world = World::new("staging").await;
    let all: String = ["keep", "drop", "unreported", "relabelled", "recreated"]
        .iter()
        .map(|n| config(n, "one"))
        .collect();
    let work = world.deploy(&all);
    world.succeed(work).await;
    let json = "application/json";
    // One that somebody deleted, and that we made anew without anybody hearing of it: the worker ended before its report.
    let known = world.inventory.clone();
    let path = world.path("/api/v1", "configmaps/unreported");
    world.send("DELETE", &path, json, &json!({})).await.unwrap();
    let work = world.deploy(&all);
    world.succeed(work).await;
    assert!(world.get(&path).await.is_some());
    world.inventory = known;
    let at = |name: &str| world.path("/api/v1", &format!("configmaps/{name}"));
    // Somebody's own; one that somebody took over; one that somebody deleted and made anew, labels and all.
    let theirs = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "theirs"}});
    world.send("POST", &at(""), json, &theirs).await.unwrap();
    world
        .merge(
            &at("relabelled"),
            &json!({"metadata": {"labels": {"slipway.dev/service": "other"}}}),
        )
        .await;
    world
        .send("DELETE", &at("recreated"), json, &json!({}))
        .await
        .unwrap();
    let labels = json!({"slipway.dev/service": "shop", "slipway.dev/environment": "staging"});
    let anew =
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "recreated", "labels": labels}});
    world.send("POST", &at(""), json, &anew).await.unwrap();

    let work = world.deploy(&config("keep", "one"));
    let finished = world.succeed(work).await;
    assert_eq!(
        finished.told("object.pruned"),
        ["deleted ConfigMap drop", "deleted ConfigMap unreported"]
    );
    let kept = finished.told("object.kept").join("\n");
    assert!(
        kept.contains("ConfigMap relabelled was kept: it no longer carries the labels"),
        "{kept}"
    );
    assert!(
        kept.contains("ConfigMap recreated was kept: somebody deleted ours"),
        "{kept}"
    );
    let at = |name: &str| world.path("/api/v1", &format!("configmaps/{name}"));
    assert!(world.get(&at("drop")).await.is_none());
    for name in ["keep", "relabelled", "recreated", "theirs"] {
        assert!(world.get(&at(name)).await.is_some(), "{name}");
    }
    let names: Vec<_> = world
        .inventory
        .0
        .iter()
        .map(|item| item.object.name.as_str())
        .collect();
    assert_eq!(names, ["keep"]);
    world.close().await;
}

#[tokio::test]
async fn cleaning_takes_everything_away_but_the_namespace() {
    let mut world = World::new("eu").await;
    let work = world.deploy(&format!(
        "{}{}",
        config("settings", "one"),
        web("registry/web:1.0", 1)
    ));
    world.succeed(work).await;
    let nothing = Rendering {
        objects: Vec::new(),
        hooks: Vec::new(),
    };
    let work = world.assign(Intent::Clean, nothing.clone());
    let finished = world.succeed(work).await;
    assert_eq!(
        finished.told("object.pruned"),
        ["deleted Deployment web", "deleted ConfigMap settings"]
    );
    assert!(world.get(&world.deployment_path()).await.is_none());
    assert!(world.inventory.0.is_empty());
    assert!(
        world
            .get(&format!("/api/v1/namespaces/{}", world.namespace))
            .await
            .is_some()
    );
    // Once more, and where nothing ever was.
    let work = world.assign(Intent::Clean, nothing.clone());
    world.succeed(work).await;
    world.close().await;
    let mut nowhere = World::new("eu").await;
    let work = nowhere.assign(Intent::Clean, nothing);
    nowhere.succeed(work).await;
}

#[tokio::test]
async fn what_holds_data_is_kept_and_said_to_be() {
    let mut world = World::new("staging").await;
    let claim = "---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: orders}
spec:
  accessModes: [ReadWriteOnce]
  resources: {requests: {storage: 1Gi}}
";
    let work = world.deploy(&format!("{}{claim}", config("settings", "one")));
    world.succeed(work).await;
    let work = world.deploy(&config("settings", "one"));
    let finished = world.succeed(work).await;
    assert!(finished.told("object.pruned").is_empty());
    let kept = finished.told("object.kept").join("\n");
    assert!(kept.contains("PersistentVolumeClaim orders was kept"), "{kept}");
    let path = world.path("/api/v1", "persistentvolumeclaims/orders");
    assert!(world.get(&path).await.is_some());
    world.close().await;
}
