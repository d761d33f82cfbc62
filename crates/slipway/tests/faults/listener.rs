//! Fault 7: the connections that listen for hints are killed, each as soon as it is there.
//!
//! Invariant: a dead listener costs latency, at most the interval of polling, and never work.

use crate::ground::{finish, two};
use slipway_testkit::live::{Database, World, manifests::config, text};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// Executors look at the queue once in this time, hints or not (`executor::Settings::poll`); the scheduler looks for gates
/// five times a second.
const POLL: Duration = Duration::from_secs(1);
/// For judging, claiming and telling.
const SMALL: Duration = Duration::from_millis(700);
const DEPLOYMENTS: usize = 8;

/// Kills every listener there is. How many there were.
async fn kill_listeners(database: &Database) -> i64 {
    database
        .count(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
             WHERE datname = current_database() AND application_name = 'slipway listens'",
        )
        .await
}

/// Kills listeners for half a second, each before it hears anything: one that is killed now and then is back at once, and
/// misses nothing. Who is told to end twice counts twice.
const DEAFEN: &str = "CREATE FUNCTION deafen() RETURNS bigint LANGUAGE plpgsql AS $$ \
    DECLARE killed bigint := 0; hit bigint; \
    BEGIN \
        FOR i IN 1..200 LOOP \
            SELECT count(pg_terminate_backend(pid)) INTO hit FROM pg_stat_activity \
                WHERE datname = current_database() AND application_name = 'slipway listens'; \
            killed := killed + hit; \
            PERFORM pg_stat_clear_snapshot(), pg_sleep(0.0025); \
        END LOOP; \
        RETURN killed; \
    END $$";

/// From when a deployment is asked for until it has begun.
async fn latency(world: &World, version: &str) -> Duration {
    world.sealed(version, &config("settings", version)).await;
    let id = world.deploy(version, "staging").await;
    world.ends(&id, "succeeded").await;
    let done = world.deployment(&id).await;
    let at = |field: &str| -> jiff::Timestamp { text(&done[field]).parse().expect("a time") };
    let waited = at("started_at").duration_since(at("created_at"));
    Duration::try_from(waited).expect("it began after it was asked for")
}

#[tokio::test]
async fn killing_listeners_costs_no_more_than_a_poll() {
    let world = two("listener").await;
    let namespace = world.namespace("staging").await;
    assert!(kill_listeners(&world.database).await >= 2, "nobody listens");
    // How long it takes on this machine as it is, with every hint heard.
    let mut undisturbed = Duration::ZERO;
    for i in 1..=3 {
        undisturbed = undisturbed.max(latency(&world, &format!("0.{i}.0")).await);
    }
    world.database.execute(DEAFEN).await;
    let (stop, killed) = (Arc::new(AtomicBool::new(false)), Arc::default());
    let killing = {
        let (stop, killed): (_, Arc<std::sync::atomic::AtomicI64>) = (Arc::clone(&stop), Arc::clone(&killed));
        let url = world.database.url.clone();
        tokio::spawn(async move {
            let database = Database::at(&url);
            while !stop.load(Ordering::SeqCst) {
                killed.fetch_add(database.count("SELECT deafen()").await, Ordering::SeqCst);
            }
        })
    };
    let mut latencies = Vec::new();
    for i in 1..=DEPLOYMENTS {
        latencies.push(latency(&world, &format!("{i}.0.0")).await);
    }
    stop.store(true, Ordering::SeqCst);
    killing.await.expect("it kills");
    let killed = killed.load(Ordering::SeqCst);
    eprintln!(
        "{killed} listeners were killed; from asked for to begun: {latencies:?}, undisturbed at most {undisturbed:?}"
    );
    assert!(killed >= 10, "{killed} listeners only");
    for latency in &latencies {
        assert!(
            *latency <= undisturbed + POLL + SMALL,
            "{latencies:?}, undisturbed {undisturbed:?}"
        );
    }
    finish(world, vec![namespace]).await;
}
