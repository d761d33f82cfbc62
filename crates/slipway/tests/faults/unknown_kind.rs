//! Fault 5: work of a kind that no server here knows: a newer one wrote it.
//!
//! Invariant: it stays in the queue, untouched; everything else goes on; and people are told what it waits for.

use crate::ground::{finish, two};
use serde_json::{Value, json};
use slipway_testkit::live::{manifests::config, text, within};
use std::time::Duration;

/// As a newer server would: its work for this environment is of a kind of its own.
const NEWER: &str = "CREATE FUNCTION newer() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
    IF EXISTS (SELECT 1 FROM deployments d JOIN environments e ON e.id = d.environment_id \
               WHERE d.id = NEW.deployment_id AND e.name = 'tomorrow') THEN NEW.kind := 'future'; END IF; \
    RETURN NEW; END $$; \
    CREATE TRIGGER newer BEFORE INSERT ON work FOR EACH ROW EXECUTE FUNCTION newer()";
const FUTURE: &str = "SELECT to_jsonb(w) AS work FROM work w WHERE kind = 'future'";

#[tokio::test]
async fn work_of_an_unknown_kind_waits_for_the_server_that_knows_it() {
    let mut world = two("unknown").await;
    let namespace = world.namespace("staging").await;
    world.cluster("eu").await;
    world.environment("tomorrow", &["eu"], json!({})).await;
    world.database.execute(NEWER).await;
    world.sealed("1.0.0", &config("settings", "old")).await;
    world.sealed("2.0.0", &config("settings", "new")).await;
    let waiting = world.deploy("2.0.0", "tomorrow").await;
    let queued = async || world.database.rows(FUTURE).await.len() == 1;
    within(Duration::from_secs(5), "it is in the queue", queued).await;
    let before = world.database.rows(FUTURE).await;

    // The rest goes on, on both servers, for as long as many looks at the queue take.
    for _ in 0..3 {
        let id = world.deploy("1.0.0", "staging").await;
        world.ends(&id, "succeeded").await;
    }
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(world.database.rows(FUTURE).await, before, "somebody touched it");
    let now = world.deployment(&waiting).await;
    assert_eq!(now["state"], "queued", "{now:#}");
    let newer = |blockers: &Value| {
        let all = blockers.as_array().expect("blockers").iter();
        all.clone()
            .any(|b| b["kind"] == "executor" && text(&b["reason"]).contains("newer"))
    };
    assert!(newer(&now["blockers"]), "{now:#}");
    let path = format!("/v1/deployments/{waiting}/explain");
    let explained = world.vera.get(&path).await.expect(200);
    assert!(newer(&explained["blockers"]), "{explained:#}");
    // It is nobody's backlog: what alerts look at does not count it among what an executor here could take.
    for server in &world.servers {
        let person = world.vera.at(&server.api);
        let counted = async || {
            let metrics = person.get("/metrics").await.expect(200);
            let metrics = metrics.as_str().expect("text");
            let of = |state: &str| {
                let found = metrics.lines().find(|line| {
                    line.starts_with("slipway_queue_depth{") && line.contains(&format!("state=\"{state}\""))
                });
                found.and_then(|line| line.rsplit(' ').next()).map(str::to_owned)
            };
            of("unknown").as_deref() == Some("1") && of("ready").as_deref() == Some("0")
        };
        within(Duration::from_secs(10), "a metric counts it", counted).await;
    }

    // The server that knows it comes.
    world
        .database
        .execute(
            "DROP TRIGGER newer ON work; UPDATE work SET kind = 'deployment_target' WHERE kind = 'future'",
        )
        .await;
    world.ends(&waiting, "succeeded").await;
    let other = world.namespace("eu").await;
    finish(world, vec![namespace, other]).await;
}
