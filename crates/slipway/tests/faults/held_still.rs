//! Fault 2: SIGSTOP past the lease, then SIGCONT.
//!
//! Invariant: a stale holder's writes touch no row of the database, and no older generation lands on the cluster.

use crate::ground::{behind_a_proxy, bundle, check_applied, finish, writes, writes_piece};
use rustix::process::Signal;
use serde_json::Value;
use slipway_testkit::live::{Database, Fate, Gate, Namespace, ServerOptions, text, within};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::task::JoinHandle;

const PIECES: usize = 25;

/// Looks at the generations of all objects again and again: none may ever go back.
struct Witness {
    looking: JoinHandle<()>,
    looks: Arc<Mutex<(usize, Option<String>)>>,
}

impl Witness {
    fn of(namespace: Namespace) -> Self {
        let looks: Arc<Mutex<(usize, Option<String>)>> = Arc::default();
        let told = Arc::clone(&looks);
        let looking = tokio::spawn(async move {
            let mut highest: BTreeMap<String, i64> = BTreeMap::new();
            loop {
                for (name, object) in namespace.list("ConfigMap").await {
                    let generation = generation(&object);
                    let most = highest.entry(name.clone()).or_default();
                    if generation < *most {
                        let back = format!("{name} went from generation {most} back to {generation}");
                        told.lock().expect("no panic").1.get_or_insert(back);
                    }
                    *most = generation.max(*most);
                }
                told.lock().expect("no panic").0 += 1;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        Self { looking, looks }
    }

    fn saw_nothing_go_back(self) {
        self.looking.abort();
        let looks = self.looks.lock().expect("no panic");
        assert_eq!(looks.1, None);
        assert!(looks.0 > 50, "it looked {} times only", looks.0);
    }
}

fn generation(object: &Value) -> i64 {
    let mark = &object["metadata"]["annotations"]["slipway.dev/generation"];
    text(mark).parse().unwrap_or_default()
}

#[tokio::test]
async fn a_server_held_still_past_its_lease_changes_nothing_when_it_goes_on() {
    let both = [ServerOptions::default(), ServerOptions::default()];
    let (mut world, proxy) = behind_a_proxy("still", &both, Database::create().await).await;
    let namespace = world.namespace("staging").await;
    world.sealed("1.0.0", &bundle(PIECES, "blue")).await;
    let first = world.deploy("1.0.0", "staging").await;
    world.ends(&first, "succeeded").await;
    let witness = Witness::of(world.namespace("staging").await);

    // Half-way through the second release, its holder's writes hang in the network, and it is held still.
    world.sealed("2.0.0", &bundle(PIECES, "red")).await;
    let gate = Gate::default();
    let stale: Arc<Mutex<Option<String>>> = Arc::default();
    let (holds, who) = (gate.clone(), Arc::clone(&stale));
    let seen = Mutex::new(0);
    proxy.rule(move |asked| {
        if !writes_piece(asked.method, asked.path, asked.query) {
            return None;
        }
        let mut who = who.lock().expect("no panic");
        let first = who.get_or_insert_with(|| asked.agent.to_owned());
        let mut seen = seen.lock().expect("no panic");
        *seen += usize::from(first == asked.agent);
        (first == asked.agent && *seen > 5).then(|| Fate::Hold(holds.clone()))
    });
    let second = world.deploy("2.0.0", "staging").await;
    let hanging = async || {
        writes(&proxy, |_| true)
            .iter()
            .filter(|one| one.code.is_none())
            .count()
            >= 3
    };
    within(Duration::from_secs(20), "writes hang", hanging).await;
    let agent = stale.lock().expect("no panic").clone().expect("somebody wrote");
    let place = world
        .servers
        .iter()
        .position(|s| s.is_named(&agent))
        .expect("a server");
    world.servers[place].signal(Signal::STOP);
    world.turn_to(1 - place);

    // The other one finishes it, and the release after.
    world.ends(&second, "succeeded").await;
    let by_the_other = writes(&proxy, |by| by != agent && world.servers[1 - place].is_named(by));
    assert!(by_the_other.len() >= PIECES, "the other one did not do it");
    world.sealed("3.0.0", &bundle(PIECES, "green")).await;
    let third = world.deploy("3.0.0", "staging").await;
    world.ends(&third, "succeeded").await;

    // Now everything comes late: what hung in the network first, then the process itself.
    let before = world.database.rows(HISTORY).await;
    gate.open();
    let arrived = async || {
        writes(&proxy, |by| by == agent)
            .iter()
            .all(|one| one.code.is_some())
    };
    within(Duration::from_secs(10), "the late writes arrive", arrived).await;
    world.servers[place].signal(Signal::CONT);
    // Whatever it still had to say it says at once: it goes on as it was, and answers again.
    let person = world.vera.at(&world.servers[place].api);
    let answers = async || person.get("/readyz").await.status == 200;
    within(Duration::from_secs(20), "it answers again", answers).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    check_applied(&world, &namespace, &third, PIECES, "green").await;
    witness.saw_nothing_go_back();
    assert_eq!(
        world.database.rows(HISTORY).await,
        before,
        "a stale report touched a row"
    );

    // It is a server like any other again.
    proxy.clear();
    let (status, _) = world.servers[1 - place].terminate().await;
    assert!(status.success());
    world.servers.remove(1 - place);
    world.turn_to(0);
    world.sealed("4.0.0", &bundle(PIECES, "white")).await;
    let fourth = world.deploy("4.0.0", "staging").await;
    world.ends(&fourth, "succeeded").await;
    check_applied(&world, &namespace, &fourth, PIECES, "white").await;
    finish(world, vec![namespace]).await;
}

/// What a stale report would change: states, steps, and what was told of deployments.
const HISTORY: &str = "SELECT d.id, d.state, d.revision, d.finished_at, \
    (SELECT count(*) FROM target_steps s JOIN deployment_targets t ON t.id = s.deployment_target_id \
     WHERE t.deployment_id = d.id) AS steps, \
    (SELECT count(*) FROM events e WHERE e.deployment_id = d.id) AS events, \
    (SELECT count(*) FROM work w WHERE w.deployment_id = d.id) AS work \
    FROM deployments d ORDER BY d.id";
