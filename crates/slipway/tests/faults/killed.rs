//! Fault 1: `kill -9` between object k and object k+1.
//!
//! Invariant: resumed within the lease and a second; in the end what was approved is on every object, and each was applied.

use crate::ground::{behind_a_proxy, bundle, check_applied, finish, writes, writes_piece};
use slipway_testkit::live::{Database, Fate, Gate, LEASE_SECONDS, ServerOptions, within};
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

const PIECES: usize = 40;
/// So many objects are written before the kill.
const K: usize = 17;

#[tokio::test]
async fn a_server_killed_between_two_objects_is_resumed_by_the_other_within_its_lease() {
    let both = [ServerOptions::default(), ServerOptions::default()];
    let (mut world, proxy) = behind_a_proxy("killed", &both, Database::create().await).await;
    let namespace = world.namespace("staging").await;
    world.sealed("1.0.0", &bundle(PIECES, "blue")).await;

    // K objects are written; every further write of the same server hangs in the network.
    let (gate, written) = (Gate::default(), Arc::new(AtomicUsize::new(0)));
    let victim: Arc<Mutex<Option<String>>> = Arc::default();
    let (holds, who) = (gate.clone(), Arc::clone(&victim));
    proxy.rule(move |asked| {
        if !writes_piece(asked.method, asked.path, asked.query) {
            return None;
        }
        let mut who = who.lock().expect("no panic");
        let first = who.get_or_insert_with(|| asked.agent.to_owned());
        (first == asked.agent && written.fetch_add(1, Ordering::SeqCst) >= K)
            .then(|| Fate::Hold(holds.clone()))
    });
    let id = world.deploy("1.0.0", "staging").await;
    let half_done = async || {
        let there = namespace.list("ConfigMap").await;
        there.keys().filter(|name| name.starts_with("settings-")).count() == K
            && writes(&proxy, |_| true).len() > K
    };
    within(Duration::from_secs(20), "K objects are there", half_done).await;
    let agent = victim.lock().expect("no panic").clone().expect("somebody wrote");
    let place = world.servers.iter().position(|s| s.is_named(&agent));
    let place = place.unwrap_or_else(|| panic!("no server is named as in {agent}"));
    world.servers[place].kill();
    let died = Instant::now();
    world.turn_to(1 - place);

    world.ends(&id, "succeeded").await;
    let log = proxy.log();
    let first = log
        .iter()
        .find(|one| one.at > died && one.agent != agent && one.path.contains(&world.service));
    let resumed = first.expect("the other one went on").at - died;
    eprintln!("leases of {LEASE_SECONDS} s: resumed {resumed:?} after the kill");
    let lease = Duration::from_secs(LEASE_SECONDS.unsigned_abs());
    assert!(
        resumed <= lease + Duration::from_secs(1),
        "resumed after {resumed:?} only"
    );
    check_applied(&world, &namespace, &id, PIECES, "blue").await;

    // What the dead one had sent arrives at last, and changes nothing.
    let before = namespace.list("ConfigMap").await;
    gate.open();
    let arrived = async || {
        writes(&proxy, |by| by == agent)
            .iter()
            .all(|one| one.code.is_some())
    };
    within(Duration::from_secs(10), "the late writes arrive", arrived).await;
    let after = namespace.list("ConfigMap").await;
    for (name, object) in &before {
        assert_eq!(after[name]["data"], object["data"], "{name}");
        assert_eq!(
            after[name]["metadata"]["annotations"], object["metadata"]["annotations"],
            "{name}"
        );
    }
    assert!(world.told(&id, "work.rescued").await.len() <= 1);
    finish(world, vec![namespace]).await;
}
