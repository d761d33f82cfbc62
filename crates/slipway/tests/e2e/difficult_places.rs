//! Targets that change between releases: what ran at the former place is neither forgotten nor taken away by itself.

use serde_json::{Value, json};
use slipway_testkit::live::{
    Namespace, World,
    manifests::{GOOD, config, deployment, hook},
    text, within,
};
use std::time::Duration;

async fn targets(world: &World) -> Vec<Value> {
    let path = format!("/v1/targets?service={}", world.service);
    let page = world.vera.get(&path).await.expect(200);
    page["items"].as_array().expect("a page").clone()
}

fn at<'a>(targets: &'a [Value], place: &str) -> &'a Value {
    let found = targets
        .iter()
        .find(|t| format!("{}/{}", text(&t["cluster"]), text(&t["namespace"])) == place);
    found.unwrap_or_else(|| panic!("no {place} in {targets:#?}"))
}

async fn clusters(world: &World, environment: &str, clusters: &[&str]) {
    let path = format!("/v1/environments/{environment}");
    let there = world.admin.get(&path).await;
    let etag = there.header("etag").to_owned();
    let change = json!({"clusters": clusters});
    world.admin.patch(&path, &etag, change).await.expect(200);
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "one story, told in its order")]
async fn a_service_that_moves_to_another_namespace_stays_where_it_was_until_somebody_cleans_it() {
    let world = World::start("moved").await;
    let old = world.namespace("staging").await;
    let new = Namespace::of("staging", &format!("{}-new", world.service)).await;
    let bundle = deployment("web", GOOD) + &config("settings", "one");
    world.sealed("1.0.0", &bundle).await;
    let first = world.deploy("1.0.0", "staging").await;
    world.ends(&first, "succeeded").await;

    let body = json!({"service": world.service, "environment": "staging", "cluster": "staging", "namespace": new.name});
    let declared = world.ana.post("/v1/targets", body).await.expect(201);
    let said = format!("staging/{} still runs 1.0.0 and is no target any more", old.name);
    let all = targets(&world).await;
    assert_eq!(all.len(), 2, "{all:#?}");
    assert_eq!(at(&all, &format!("staging/{}", new.name))["current"], true);
    let former = at(&all, &format!("staging/{}", old.name));
    assert_eq!(former["current"], false, "{former:#}");
    assert!(text(&former["message"]).starts_with(&said), "{former:#}");
    let former = text(&former["id"]);
    let listed = world.slipway(&world.vera, &["target", "list", "--service", &world.service]);
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    assert!(listed.contains("1.0.0 (former)"), "{listed}");

    world.sealed("2.0.0", &bundle).await;
    let second = world.deploy("2.0.0", "staging").await;
    let shown = world.ends(&second, "succeeded").await;
    assert_eq!(shown["targets"].as_array().map(Vec::len), Some(1), "{shown:#}");
    assert_eq!(shown["targets"][0]["namespace"], new.name.as_str());
    assert!(
        text(&shown["former_targets"][0]["message"]).starts_with(&said),
        "{shown:#}"
    );
    assert!(old.get("Deployment", "web").await.is_some() && new.get("Deployment", "web").await.is_some());

    // Who may: those who may roll back. What: only what is no target any more.
    let clean = |id: &str| format!("/v1/targets/{id}/clean");
    world
        .changes_nothing(world.vera.act(&clean(&former)))
        .await
        .problem(403, "forbidden");
    let current = text(&declared["id"]);
    world
        .changes_nothing(world.otto.act(&clean(&current)))
        .await
        .problem(409, "in-use")
        .says("only what is no target any more is cleaned");
    world
        .otto
        .act(&clean("tgt_01kq3m2x5vf9tb2t7w3c7b8d9e"))
        .await
        .problem(404, "not-found");

    let reason = json!({"reason": "moved for good"});
    let cleaning = world.otto.post(&clean(&former), reason).await.expect(201);
    assert_eq!(cleaning["kind"], "roll_back", "{cleaning:#}");
    assert_eq!(cleaning["targets"][0]["intent"], "clean", "{cleaning:#}");
    let cleaning = text(&cleaning["id"]);
    world.ends(&cleaning, "succeeded").await;
    assert!(old.get("Deployment", "web").await.is_none() && old.get("ConfigMap", "settings").await.is_none());
    assert!(
        new.get("Deployment", "web").await.is_some(),
        "the new place is left alone"
    );
    let all = targets(&world).await;
    assert_eq!(all.len(), 1, "{all:#?}");
    let shown = world.deployment(&second).await;
    assert!(shown["former_targets"].is_null(), "{shown:#}");
    world
        .otto
        .act(&clean(&former))
        .await
        .problem(409, "conflict")
        .says("holds nothing");
    let mut asked = Value::Null;
    let chained = async || {
        let entries = world.iris.get("/v1/audit/entries?limit=200").await.expect(200);
        let mut entries = entries["items"].as_array().expect("a page").iter();
        let of_it =
            entries.find(|e| e["subject"] == cleaning.as_str() && e["action"] == "deployment.request");
        asked = of_it.cloned().unwrap_or_default();
        asked.is_object()
    };
    within(Duration::from_secs(10), "the cleaning is in the record", chained).await;
    assert_eq!(asked["actor"], "otto", "{asked:#}");

    // Even that can be undone: what ran at the former place comes back, from its stored rendering.
    let undone = world.steer(&cleaning, "rollback").await.expect(201);
    world.ends(&text(&undone["id"]), "succeeded").await;
    assert!(old.get("Deployment", "web").await.is_some());
    let all = targets(&world).await;
    assert!(
        text(&at(&all, &format!("staging/{}", old.name))["message"]).starts_with(&said),
        "{all:#?}"
    );

    // Taken back, the declaration leaves a former place too, and the default counts again.
    world
        .ana
        .send(
            world
                .ana
                .request(reqwest::Method::DELETE, &format!("/v1/targets/{current}")),
        )
        .await
        .expect(204);
    let all = targets(&world).await;
    assert_eq!(at(&all, &format!("staging/{}", old.name))["current"], true);
    let left = at(&all, &format!("staging/{}", new.name));
    assert!(
        text(&left["message"]).contains("still runs 2.0.0 and is no target any more"),
        "{left:#}"
    );
    world.audit_holds();
    world.examine().await;
    old.close().await;
    new.close().await;
    world.close().await;
}

#[tokio::test]
async fn a_cluster_that_an_environment_loses_keeps_what_ran_there_and_one_that_comes_back_is_not_cleaned() {
    let mut world = World::empty("shrunk", &[slipway_testkit::live::ALL]).await;
    world.cluster("eu").await;
    world.cluster("us").await;
    world
        .environment("production", &["eu", "us"], json!({"progress_deadline": "PT40S"}))
        .await;
    let (eu, us) = (world.namespace("eu").await, world.namespace("us").await);
    world.sealed("1.0.0", &config("settings", "one")).await;
    let first = world.deploy("1.0.0", "production").await;
    world.ends(&first, "succeeded").await;
    clusters(&world, "production", &["eu"]).await;
    let place = format!("us/{}", world.service);
    let all = targets(&world).await;
    assert!(
        text(&at(&all, &place)["message"])
            .starts_with(&format!("{place} still runs 1.0.0 and is no target any more")),
        "{all:#?}"
    );
    let former = text(&at(&all, &place)["id"]);

    // A deployment holds the environment; the cleaning waits for it, and the cluster comes back in the meantime.
    let slow = hook("migrate", "registry.example/shop/migrate:1.0-slow") + &config("settings", "two");
    world.sealed("2.0.0", &slow).await;
    let second = world.deploy("2.0.0", "production").await;
    world
        .until(&second, "running its hook", |d| {
            text(&d["targets"][0]["step"]).starts_with("hook:")
        })
        .await;
    let cleaning = world
        .otto
        .act(&format!("/v1/targets/{former}/clean"))
        .await
        .expect(201);
    assert_eq!(cleaning["state"], "pending", "{cleaning:#}");
    assert_eq!(cleaning["blockers"][0]["kind"], "concurrency", "{cleaning:#}");
    let again = world.otto.act(&format!("/v1/targets/{former}/clean")).await;
    again.problem(409, "in-use").says("works on us/");
    clusters(&world, "production", &["eu", "us"]).await;
    world.ends(&second, "succeeded").await;
    let rejected = world.ends(&text(&cleaning["id"]), "rejected").await;
    assert!(
        text(&rejected["reason"]).contains("is a target again"),
        "{rejected:#}"
    );
    let live = us.get("ConfigMap", "settings").await.expect("it is there");
    assert_eq!(live["data"]["key"], "one");

    // Gone for good this time: cleaned on a cluster that the environment has no more.
    clusters(&world, "production", &["eu"]).await;
    let cleaning = world
        .otto
        .act(&format!("/v1/targets/{former}/clean"))
        .await
        .expect(201);
    world.ends(&text(&cleaning["id"]), "succeeded").await;
    assert!(us.get("ConfigMap", "settings").await.is_none());
    assert_eq!(
        eu.get("ConfigMap", "settings").await.expect("it is there")["data"]["key"],
        "two"
    );
    world.audit_holds();
    eu.close().await;
    us.close().await;
    world.close().await;
}
