//! Fault 18: the API server does what it is told, and answers 500, or nothing, or not in time. What was done is read again and
//! applied again; hooks run once.

use crate::cluster_scene::Scene;
use slipway_testkit::live::{
    Answer, Fate,
    manifests::{GOOD, config, deployment, hook},
};

#[tokio::test]
async fn what_took_effect_without_an_answer_is_found_and_nothing_is_done_twice() {
    let scene = Scene::start("deaf", "us").await;
    let world = &scene.world;
    let names = ["broken", "replaced", "silent"];
    let all: String = names.iter().map(|name| config(name, "1")).collect();
    let migrate = hook("migrate", "registry.example/shop/migrate:1.0");
    world
        .sealed("1.0.0", &(all + &migrate + &deployment("web", GOOD)))
        .await;
    scene.proxy.rule(|asked| {
        if !asked.is_write() || asked.n > 1 {
            return None;
        }
        Some(match asked.path.rsplit('/').next() {
            Some("silent") => Fate::PassThenSilence,
            Some("broken" | "jobs") => Fate::PassThenBreak,
            _ => Fate::PassThenAnswer(Answer::status(500, "etcdserver: request timed out")),
        })
    });
    let id = world.deploy("1.0.0", "staging").await;
    world.ends(&id, "succeeded").await;

    let namespace = world.namespace("us").await;
    let root = format!("/api/v1/namespaces/{}/configmaps", world.service);
    for name in names {
        let live = namespace.get("ConfigMap", name).await.expect("it is there");
        assert_eq!(live["data"]["key"], "1");
        // Read in between: applied over what was there, not blindly once more.
        let path = format!("{root}/{name}");
        let log = scene.proxy.log().into_iter().filter(|l| l.path == path);
        let asked: Vec<_> = log
            .map(|l| l.method)
            .skip_while(|method| method != "PATCH")
            .collect();
        assert_eq!(asked, ["PATCH", "GET", "PATCH"], "{name}");
        assert_eq!(live["metadata"]["annotations"]["slipway.dev/generation"], "1");
    }
    let jobs = format!("/apis/batch/v1/namespaces/{}/jobs", world.service);
    assert_eq!(scene.proxy.count("POST", &jobs), 1, "the hook was created once");
    let pods = namespace.pods().await;
    let of_hook = pods
        .values()
        .filter(|pod| pod["metadata"]["labels"]["job-name"] == "migrate");
    assert_eq!(of_hook.count(), 1, "the hook ran once: {pods:#?}");
    scene.close(&["us"]).await;
}
