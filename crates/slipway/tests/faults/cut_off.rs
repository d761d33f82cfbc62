//! Fault 3: heartbeats fail while the work goes on.
//!
//! Invariant: the holder stops writing to the cluster before its lease ends, by itself.

use crate::ground::{Clocks, behind_a_proxy, bundle, check_applied, finish, holder, writes, writes_piece};
use slipway_testkit::live::{Database, Fate, Mode, ServerOptions, TcpProxy, within};
use std::time::Duration;

const PIECES: usize = 300;

#[tokio::test]
async fn a_server_that_cannot_reach_the_database_stops_writing_before_its_lease_ends() {
    let database = Database::create().await;
    let links: Vec<(TcpProxy, String)> = (0..2).map(|_| TcpProxy::before_postgres(&database.url)).collect();
    let both: Vec<_> = links
        .iter()
        .map(|(_, url)| ServerOptions::default().over(url))
        .collect();
    let (mut world, proxy) = behind_a_proxy("cut-off", &both, database).await;
    let namespace = world.namespace("staging").await;
    world.sealed("1.0.0", &bundle(PIECES, "blue")).await;
    // Slow enough that the work would go on for longer than the lease.
    proxy.rule(|asked| {
        writes_piece(asked.method, asked.path, asked.query).then_some(Fate::Delay(Duration::from_millis(400)))
    });
    let id = world.deploy("1.0.0", "staging").await;
    let under_way = async || writes(&proxy, |_| true).len() > 10;
    within(Duration::from_secs(20), "it writes", under_way).await;
    let place = holder(&world).await;
    world.turn_to(1 - place);
    links[place].0.set(Mode::BlackHole);

    // The last that the database knows of its lease.
    let clocks = Clocks::read(&world.database).await;
    let mut lease_ends = 0.0_f64;
    let taken_over = async || {
        let rows = world
            .database
            .rows("SELECT holder, lease_until FROM work WHERE state = 'leased'")
            .await;
        let his = rows.iter().find(|row| {
            let by = row["holder"].as_str().unwrap_or_default();
            world.servers[place].is_named(by)
        });
        if let Some(row) = his {
            lease_ends = lease_ends.max(clocks.until_there(&row["lease_until"]));
        }
        his.is_none() && !rows.is_empty()
    };
    within(Duration::from_secs(15), "the other one takes over", taken_over).await;
    proxy.clear();
    let his = writes(&proxy, |by| world.servers[place].is_named(by));
    // Sent 400 ms later than logged: that is when it could have met the next holder.
    let last = his
        .iter()
        .map(|one| clocks.until(one.at))
        .fold(f64::MIN, f64::max);
    eprintln!(
        "cut off at 0: the last write began after {last:.2} s, the lease ended after {lease_ends:.2} s"
    );
    assert!(last > 0.5, "it did not go on while its lease held: {last}");
    assert!(
        last + 0.4 < lease_ends,
        "it wrote until {last:.2} s; its lease ended at {lease_ends:.2} s"
    );
    world.ends(&id, "succeeded").await;
    check_applied(&world, &namespace, &id, PIECES, "blue").await;
    let later = writes(&proxy, |by| world.servers[place].is_named(by));
    assert_eq!(later.len(), his.len(), "it wrote again without a lease");

    // It comes back by itself.
    links[place].0.set(Mode::Pass);
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let url = format!("{}/readyz", world.servers[place].api);
    let ready = async || {
        client
            .get(&url)
            .send()
            .await
            .is_ok_and(|r| r.status().is_success())
    };
    within(Duration::from_secs(10), "it is ready again", ready).await;
    finish(world, vec![namespace]).await;
}
