//! Answers that are lost after the API server acted: what was done is found, hooks run once, and work that gets no
//! watches goes on by looking.

use crate::world::{World, config, web};
use slipway_testkit::live::{Answer, Fate, KubeProxy};

const HOOK: &str = "---
apiVersion: batch/v1
kind: Job
metadata: {name: migrate, annotations: {slipway.dev/hook: before}}
spec: {template: {spec: {restartPolicy: Never, containers: [{name: m, image: 'registry/migrate:1.0'}]}}}
";

/// The first answer to every write is another; and there are no watches.
async fn everything_is_done_once(context: &str, fate: Fate) {
    let mut world = World::new(context).await;
    let proxy = KubeProxy::start(
        &world.direct.server,
        world.direct.certificate_authority.as_deref(),
    );
    proxy.rule(|asked| {
        asked
            .is_watch()
            .then(|| Fate::Answer(Answer::status(503, "no watches here")))
    });
    proxy.rule(move |asked| (asked.method != "GET" && asked.n == 1).then(|| fate.clone()));
    world.connection.server.clone_from(&proxy.url);
    world.connection.certificate_authority = None;
    let bundle = format!(
        "{}{}{HOOK}{}",
        config("one", "1"),
        config("two", "1"),
        web("registry/web:1.0", 1)
    );
    let work = world.deploy(&bundle);
    world.succeed(work).await;
    let jobs = world.path("/apis/batch/v1", "jobs");
    assert_eq!(proxy.count("POST", &jobs), 1, "the hook was created once");
    let path = world.path("/api/v1", "configmaps/one");
    assert!(
        proxy.count("PATCH", &path) == 2,
        "applied, and applied again after the answer was lost"
    );
    let live = world.get(&world.deployment_path()).await.unwrap();
    assert_eq!(live["metadata"]["annotations"]["slipway.dev/generation"], "1");

    let work = world.deploy(&config("two", "2"));
    world.succeed(work).await;
    assert!(world.get(&path).await.is_none() && world.get(&world.deployment_path()).await.is_none());
    world.close().await;
}

#[tokio::test]
async fn connections_that_break_after_every_first_write_do_nothing_twice() {
    everything_is_done_once("staging", Fate::PassThenBreak).await;
}

#[tokio::test]
async fn internal_errors_after_every_first_write_do_nothing_twice() {
    everything_is_done_once("eu", Fate::PassThenAnswer(Answer::status(500, "something broke"))).await;
}
