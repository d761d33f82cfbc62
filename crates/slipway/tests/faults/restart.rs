//! Fault 6: Postgres restarts, at once (`kill -9` of all its processes) and in order.
//!
//! Invariant: every server recovers in its own process within ten seconds, and no acknowledged write is lost.

use crate::ground::finish;
use serde_json::{Value, json};
use slipway_testkit::live::{
    Database, OwnPostgres, Person, ServerOptions, World, manifests::hook, text, within,
};
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// Somebody who writes all the time, and keeps what was acknowledged.
async fn write(person: Person, prefix: &'static str, until: Arc<AtomicBool>, kept: Arc<Mutex<Vec<String>>>) {
    for i in 0.. {
        if until.load(Ordering::SeqCst) {
            return;
        }
        let name = format!("{prefix}-{i}");
        let request = person
            .request(reqwest::Method::POST, "/v1/teams")
            .json(&json!({"name": name}));
        // What was not acknowledged may be there or not.
        if let Ok(reply) = person.try_send(request).await {
            match reply.status.as_u16() {
                201 => kept.lock().expect("no panic").push(name),
                503 => assert!(!reply.header("retry-after").is_empty(), "{reply:?}"),
                _ => panic!("{reply:#?}"),
            }
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Both servers are ready, and both take writes.
async fn recovered(world: &World, round: &str) -> Duration {
    let mut ready = [false; 2];
    let both = async || {
        for (i, server) in world.servers.iter().enumerate() {
            let admin = world.admin.at(&server.api);
            let looked = admin.request(reqwest::Method::GET, "/readyz");
            let name = format!("{round}-{i}");
            let body = json!({"name": name});
            let asked = admin.request(reqwest::Method::POST, "/v1/teams").json(&body);
            ready[i] = ready[i]
                || (admin.try_send(looked).await.is_ok_and(|r| r.status == 200)
                    && admin
                        .try_send(asked)
                        .await
                        .is_ok_and(|r| [201, 409].contains(&r.status.as_u16())));
        }
        ready == [true, true]
    };
    within(Duration::from_secs(10), "both servers have recovered", both).await
}

#[tokio::test]
async fn servers_outlive_their_postgres_and_lose_nothing_that_they_acknowledged() {
    let mut postgres = OwnPostgres::start("restarted").await;
    let database = Database::create_on(&postgres.url).await;
    let both = [ServerOptions::default(), ServerOptions::default()];
    let world = World::start_with("restart", database, &both).await;
    let namespace = world.namespace("staging").await;
    let pids: Vec<u32> = world
        .servers
        .iter()
        .map(slipway_testkit::live::Server::pid)
        .collect();

    let (stop, kept) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Vec::new())));
    let writers: Vec<_> = ["north", "south"]
        .into_iter()
        .zip(&world.servers)
        .map(|(prefix, server)| {
            let person = world.admin.at(&server.api);
            tokio::spawn(write(person, prefix, Arc::clone(&stop), Arc::clone(&kept)))
        })
        .collect();
    let acknowledged = || kept.lock().expect("no panic").len();

    for (round, fault) in ["killed", "stopped"].into_iter().enumerate() {
        let version = format!("{}.0.0", round + 1);
        world
            .sealed(
                &version,
                &hook("migrate", "registry.example/shop/migrate:1.0-slow"),
            )
            .await;
        let id = world.deploy(&version, "staging").await;
        let hooking = |d: &Value| text(&d["targets"][0]["step"]).starts_with("hook:");
        world.until(&id, "running its hook", hooking).await;
        let before = acknowledged();
        assert!(before > 0);
        if fault == "killed" {
            postgres.kill().await;
        } else {
            postgres.restart().await;
        }
        let answers = async || sqlx::Connection::close(world.database.try_connect().await?).await;
        let up = async || answers().await.is_ok();
        within(Duration::from_secs(20), "Postgres is back", up).await;
        let took = recovered(&world, fault).await;
        eprintln!("Postgres {fault}: both servers take writes {took:?} after it is back");
        world.ends(&id, "succeeded").await;
        let more = async || acknowledged() > before + 20;
        within(Duration::from_secs(10), "clients write again", more).await;
    }
    stop.store(true, Ordering::SeqCst);
    for writer in writers {
        writer.await.expect("a client");
    }
    let kept = kept.lock().expect("no panic").clone();
    let rows = world.database.rows("SELECT name FROM teams").await;
    let there: std::collections::BTreeSet<String> = rows.iter().map(|row| text(&row["name"])).collect();
    let lost: Vec<_> = kept.iter().filter(|name| !there.contains(*name)).collect();
    assert!(
        lost.is_empty(),
        "{lost:?} of {} were acknowledged, and are lost",
        kept.len()
    );
    eprintln!("{} acknowledged writes, all there", kept.len());
    for (server, pid) in world.servers.iter().zip(pids) {
        assert_eq!(server.pid(), pid);
    }
    finish(world, vec![namespace]).await;
}
