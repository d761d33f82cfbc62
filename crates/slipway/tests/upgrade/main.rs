//! A rolling upgrade of the server itself, with releases going through all the while.
//!
//! `SLIPWAY_BEFORE` names the binary of the version before the newest migration; `tests/run upgrade` builds it and sets
//! that. What is released is small, and of a place of its own each: what is tested is who does it, and how often.

use rustix::process::Signal;
use serde_json::{Value, json};
use slipway_testkit::live::{
    Database, Namespace, ServerOptions, World, binary, kubeconfig,
    manifests::{GOOD, config, deployment, hook},
    text, within,
};
use std::{
    collections::BTreeMap,
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};

/// Places that releases go to at the same time: the contexts of their clusters.
const PLACES: [&str; 6] = ["staging", "eu", "us", "staging", "eu", "us"];

fn before() -> ServerOptions {
    let path = std::env::var_os("SLIPWAY_BEFORE").expect("SLIPWAY_BEFORE: `tests/run upgrade` sets it");
    ServerOptions {
        binary: Some(PathBuf::from(path)),
        ..ServerOptions::default()
    }
}

/// Everything that was asked for.
struct Stream {
    places: Vec<(String, Namespace)>,
    /// Ids, and the place of each.
    asked: Vec<(String, usize)>,
    releases: usize,
}

impl Stream {
    async fn start(world: &mut World) -> Self {
        let mut places = Vec::new();
        for (i, context) in PLACES.into_iter().enumerate() {
            let (cluster, environment) = (format!("{context}-{i}"), format!("place-{i}"));
            let namespace = format!("{}-{i}", world.service);
            world.cluster_at(&cluster, &kubeconfig(), context).await;
            world
                .environment(&environment, &[&cluster], json!({"progress_deadline": "PT1M"}))
                .await;
            let target = json!({
                "service": world.service, "environment": environment, "cluster": cluster, "namespace": namespace,
            });
            world.ana.post("/v1/targets", target).await.expect(201);
            places.push((environment, Namespace::of(context, &namespace).await));
        }
        Self {
            places,
            asked: Vec::new(),
            releases: 0,
        }
    }

    /// Seals one more release, and asks for it everywhere.
    async fn release(&mut self, world: &World) {
        self.releases += 1;
        let version = format!("1.{}.0", self.releases);
        let mut bundle = hook(
            &format!("migrate-{}", self.releases),
            "registry.example/shop/migrate:1.0-slow",
        );
        bundle.push_str(&config("settings", &version));
        bundle.push_str(&deployment("web", GOOD));
        world.sealed(&version, &bundle).await;
        for i in 0..self.places.len() {
            let id = world.deploy(&version, &self.places[i].0).await;
            self.asked.push((id, i));
        }
    }

    /// Waits until some of what was asked for last is being worked on.
    async fn at_work(&self, world: &World) {
        let last = &self.asked[self.asked.len() - self.places.len()..];
        let begun = async || {
            let mut running = 0;
            for (id, _) in last {
                running += usize::from(world.deployment(id).await["state"] == "running");
            }
            running * 2 >= last.len()
        };
        within(Duration::from_mins(1), "half of it is under way", begun).await;
    }

    /// Waits for everything asked for so far.
    async fn ends(&self, world: &World) {
        for (id, _) in &self.asked {
            world.ends(id, "succeeded").await;
        }
    }

    /// Everything was done, by whomever, once.
    async fn was_done_once(&self, world: &World) {
        for (id, _) in &self.asked {
            assert!(
                world.told(id, "work.rescued").await.is_empty(),
                "{id}: something was not given back"
            );
            assert_eq!(world.told(id, "hook.started").await.len(), 1, "{id}");
            let mut applied = BTreeMap::new();
            for activity in world.activities(id).await {
                for object in activity["data"]["objects"].as_array().into_iter().flatten() {
                    *applied.entry(text(&object["name"])).or_insert(0) += 1;
                }
            }
            let once = BTreeMap::from([("settings".to_owned(), 1), ("web".to_owned(), 1)]);
            assert_eq!(applied, once, "{id}");
        }
        for (i, (_, namespace)) in self.places.iter().enumerate() {
            let last = self
                .asked
                .iter()
                .rev()
                .find(|(_, place)| *place == i)
                .map(|(id, _)| id.as_str());
            let settings = namespace
                .get("ConfigMap", "settings")
                .await
                .expect("what was applied");
            assert_eq!(
                settings["metadata"]["annotations"]["slipway.dev/deployment"].as_str(),
                last
            );
        }
    }
}

/// Servers go on by themselves within this time after they lost their connections.
const RECOVERY: Duration = Duration::from_secs(10);

async fn ready(world: &World, server: usize) -> bool {
    let url = format!("{}/readyz", world.servers[server].api);
    let answer = world.vera.client.get(url).send().await;
    answer.is_ok_and(|answer| answer.status().is_success())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the binary of the version before: `tests/run upgrade`"]
async fn old_and_new_servers_run_side_by_side_and_either_may_leave_in_the_middle() {
    let mut world = World::empty_with("upgrade", Database::create().await, &[before()]).await;
    let mut stream = Stream::start(&mut world).await;
    stream.release(&world).await;
    stream.at_work(&world).await;

    // The schema moves on under the old server, which goes on.
    let known = "SELECT count(*) FROM _sqlx_migrations WHERE success";
    let migrations = world.database.number(known).await;
    let migrated = Command::new(binary())
        .args(["migrate", "--config"])
        .arg(&world.servers[0].config)
        .output()
        .expect("it runs");
    assert!(
        migrated.status.success(),
        "{}",
        String::from_utf8_lossy(&migrated.stderr)
    );
    let more = world.database.number(known).await - migrations;
    assert!(more > 0, "no migration was new");
    // Its connections were ended, which it notices when it uses one: the next ones are new, as after a restart of Postgres.
    let moved = Instant::now();
    while !ready(&world, 0).await {
        assert!(
            moved.elapsed() < RECOVERY,
            "the old server is not ready on the new schema"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    stream.ends(&world).await;
    stream.release(&world).await;

    // Side by side; work is asked for at both.
    let new = world.server(&ServerOptions::default()).await;
    world.turn_to(new);
    stream.release(&world).await;
    world.turn_to(0);
    stream.ends(&world).await;
    stream.release(&world).await;
    stream.at_work(&world).await;
    world.servers[0].signal(Signal::TERM);
    let told = Instant::now();
    world.turn_to(new);
    let (status, _) = world.servers[0].terminate().await;
    let took = told.elapsed();
    assert!(
        status.success() && took < Duration::from_secs(30),
        "{status} after {took:?}"
    );
    eprintln!("{more} new migrations; the old server left in the middle within {took:?}");
    let left = world.servers.remove(0);
    stream.release(&world).await;
    stream.ends(&world).await;
    stream.was_done_once(&world).await;
    world.examine().await;

    // And back: the old one serves the new schema alone.
    let old = world
        .server(&ServerOptions {
            migrate: false,
            ..before()
        })
        .await;
    stream.release(&world).await;
    stream.at_work(&world).await;
    let (status, took) = world.servers[0].terminate().await;
    assert!(
        status.success() && took < Duration::from_secs(30),
        "{status} after {took:?}"
    );
    world.turn_to(old);
    world.servers.remove(0);
    stream.release(&world).await;
    stream.ends(&world).await;
    stream.was_done_once(&world).await;
    let report: Value = world.examine().await;
    eprintln!(
        "{} deployments, {} releases; the doctor: {report}",
        stream.asked.len(),
        stream.releases
    );
    drop(left);
    for (_, namespace) in stream.places {
        namespace.close().await;
    }
    world.close().await;
}
