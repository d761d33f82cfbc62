//! Fault 23: a manifest that can never be applied. It is quarantined with its reason; its neighbours go on.

use crate::cluster_scene::{Scene, blocked};
use slipway_testkit::live::{
    Answer, Fate,
    manifests::{GOOD, config, deployment},
    text,
};

/// A Deployment that no API server takes: it does not select its own pods.
fn refused() -> String {
    deployment("web", GOOD).replace("matchLabels: {app: web}", "matchLabels: {app: another}")
}

#[tokio::test]
async fn what_the_api_server_refuses_fails_with_its_words_and_neighbours_go_on() {
    let scene = Scene::start("poison", "eu").await;
    let world = &scene.world;
    world
        .sealed("1.0.0", &(config("settings", "one") + &refused()))
        .await;
    let neighbour = scene
        .neighbour(1, &(config("mine", "1") + &deployment("web", GOOD)))
        .await;
    let poison = world.deploy("1.0.0", "staging").await;
    let other = scene.deploy_neighbour(&neighbour).await;
    let failed = world.ends(&poison, "failed").await;
    let reason = text(&failed["reason"]);
    assert!(reason.contains("eu: Deployment web was refused: "), "{reason}");
    assert!(reason.contains("selector"), "{reason}");
    let path = format!("/apis/apps/v1/namespaces/{}/deployments/web", world.service);
    let written = scene
        .proxy
        .log()
        .into_iter()
        .filter(|l| l.path == path && !l.query.contains("dryRun"));
    let tries = written.filter(|l| l.method == "PATCH").count();
    // Once more after a look at what is there, to say more; never again and again.
    assert!(tries <= 2, "it was written {tries} times");
    world.ends(&other, "succeeded").await;
    scene.close(&["eu"]).await;
}

#[tokio::test]
async fn what_makes_the_api_server_absurd_is_given_up_after_eight_attempts_and_neighbours_go_on() {
    let scene = Scene::start("absurd", "us").await;
    let world = &scene.world;
    world
        .sealed("1.0.0", &(config("fine", "one") + &config("poison", "one")))
        .await;
    let neighbour = scene
        .neighbour(1, &(config("mine", "1") + &deployment("web", GOOD)))
        .await;
    scene.proxy.rule(|asked| {
        let absurd = [
            "[]",
            "\"ok\"",
            "{}",
            "{\"metadata\": []}",
            "<html>",
            "",
            "[{}, null]",
            "null",
        ];
        let hit = asked.method == "PATCH" && asked.path.ends_with("/configmaps/poison");
        hit.then(|| Fate::Answer(Answer::ok(absurd[asked.n % absurd.len()])))
    });
    let poison = world.deploy("1.0.0", "staging").await;
    let other = scene.deploy_neighbour(&neighbour).await;
    let tried = |d: &serde_json::Value| blocked(d).contains("tried 3 times: cluster us: answered 200");
    world.until(&poison, "tried again", tried).await;
    world.ends(&other, "succeeded").await;
    let errored = world.ends(&poison, "errored").await;
    let reason = text(&errored["reason"]);
    assert!(
        reason.contains("us: given up after 8 attempts: cluster us: answered 200 with something that"),
        "{reason}"
    );
    let told = world.told(&poison, "target.retry").await;
    assert_eq!(
        told.len(),
        7,
        "every attempt but the last says when the next is: {told:#?}"
    );
    let at_once = told
        .iter()
        .find(|message| message.contains("will try again in 0.0 s"));
    assert_eq!(at_once, None, "tried again without a pause");
    let namespace = world.namespace("us").await;
    assert!(namespace.get("ConfigMap", "fine").await.is_some());
    // What was given up can be tried again, once its cause is gone.
    scene.proxy.clear();
    let again = world
        .otto
        .act(&format!("/v1/deployments/{poison}/retry"))
        .await
        .expect(201);
    world.ends(&text(&again["id"]), "succeeded").await;
    scene.close(&["us"]).await;
}
