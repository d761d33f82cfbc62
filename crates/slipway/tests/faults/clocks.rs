//! Fault 15: the clocks of the machines are an hour off, one ahead and one behind.
//!
//! Invariant: no effect. Time is the database's: in leases, schedules, expiry, tokens, order.

use crate::ground::{behind_a_proxy, finish, holder};
use serde_json::{Value, json};
use slipway_testkit::live::{
    Database, LEASE_SECONDS, Person, Server, ServerOptions, World,
    manifests::{config, hook},
    text, within,
};
use std::{path::Path, time::Duration};

/// Where Debian's package `libfaketime` has it, for any architecture.
fn faketime() -> String {
    let libraries = std::fs::read_dir("/usr/lib").expect("/usr/lib").flatten();
    let found = libraries
        .map(|entry| entry.path().join("faketime/libfaketimeMT.so.1"))
        .find(|path| Path::exists(path));
    let found =
        found.expect("Debian's package `faketime` is not installed: it makes a process's clock wrong");
    found.to_str().expect("a path").to_owned()
}

/// A full server whose wall clock is this far off; its monotonic clock is right.
fn off_by(hours: &str) -> ServerOptions {
    ServerOptions::default()
        .env("LD_PRELOAD", &faketime())
        .env("FAKETIME", hours)
        .env("DONT_FAKE_MONOTONIC", "1")
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
        .env("NO_FAKE_STAT", "1")
}

/// Unlinks what the library keeps in memory under a process's id: one that is killed would leave it there.
fn forget_faketime(server: &Server) {
    for kind in ["faketime_shm_", "sem.faketime_sem_"] {
        let _ = std::fs::remove_file(format!("/dev/shm/{kind}{}", server.pid()));
    }
}

/// How far a server's clock is off, as its own log shows.
fn is_off_by(server: &Server) -> i64 {
    let log = server.log();
    let last: Value = log
        .lines()
        .rev()
        .find_map(|line| serde_json::from_str(line).ok())
        .expect("a line of its log");
    let at: jiff::Timestamp = text(&last["timestamp"]).parse().expect("a time");
    at.duration_since(slipway_domain::clock::process_now()).as_mins()
}

fn time(value: &Value) -> jiff::Timestamp {
    text(value).parse().unwrap_or_else(|e| panic!("{value}: {e}"))
}

async fn now(world: &World) -> jiff::Timestamp {
    let rows = world.database.rows("SELECT clock_timestamp() AS now").await;
    time(&rows[0]["now"])
}

#[tokio::test]
async fn an_hour_ahead_and_an_hour_behind_change_nothing() {
    // The third has a right clock, only to sign people in: an issuer's clock is nothing of ours.
    let servers = [ServerOptions::roles("api"), off_by("+1h"), off_by("-1h")];
    let (mut world, _proxy) = behind_a_proxy("clocks", &servers, Database::create().await).await;
    let namespace = world.namespace("staging").await;
    let off: Vec<i64> = world.servers[1..].iter().map(is_off_by).collect();
    world.servers[1..].iter().for_each(forget_faketime);
    assert!(
        (58..=62).contains(&off[0]) && (-62..=-58).contains(&off[1]),
        "{off:?}"
    );
    let at = |world: &World, person: &Person| -> [Person; 2] {
        [person.at(&world.servers[1].api), person.at(&world.servers[2].api)]
    };
    tokens(&world).await;

    // Order: what was asked for later is later, wherever it was asked for.
    let guarded = json!({"approvals": {"count": 1, "role": "authority"}});
    world.cluster("eu").await;
    world.environment("guarded", &["eu"], guarded).await;
    world.sealed("1.0.0", &config("settings", "1")).await;
    world.sealed("2.0.0", &config("settings", "2")).await;
    let ask = async |person: &Person, version: &str| {
        let body = json!({"release": world.release(version), "environment": "guarded"});
        person.post("/v1/deployments", body).await.expect(201)
    };
    let [ahead, behind] = at(&world, &world.otto);
    let earlier = ask(&ahead, "1.0.0").await;
    let later = ask(&behind, "2.0.0").await;
    let listed = world.vera.get("/v1/deployments").await.expect(200);
    let ids: Vec<String> = listed["items"]
        .as_array()
        .expect("a page")
        .iter()
        .map(|d| text(&d["id"]))
        .collect();
    assert_eq!(
        ids,
        [text(&later["id"]), text(&earlier["id"])],
        "the newest comes first"
    );
    // So the later one, once let go, takes the place of the earlier one, and not the other way round.
    let approval = text(&later["approval"]);
    let digest = world.ada.looks_at(&approval).await;
    world.ada.decide(&approval, "approve", &digest).await.expect(200);
    world.ends(&text(&later["id"]), "succeeded").await;
    assert_eq!(
        world.deployment(&text(&earlier["id"])).await["state"],
        "superseded"
    );

    schedules(&world).await;
    expiry(&world).await;

    // Leases: who is killed is followed within its lease; nobody is taken for dead before.
    world
        .sealed(
            "4.0.0",
            &hook("migrate", "registry.example/shop/migrate:1.0-slow"),
        )
        .await;
    let id = world.deploy("4.0.0", "staging").await;
    let hooking = |d: &Value| text(&d["targets"][0]["step"]).starts_with("hook:");
    world.until(&id, "running its hook", hooking).await;
    let place = holder(&world).await;
    world.servers[place].kill();
    let died = now(&world).await;
    world.ends(&id, "succeeded").await;
    let activities = world.activities(&id).await;
    let rescued: Vec<_> = activities
        .iter()
        .filter(|a| a["kind"] == "work.rescued")
        .collect();
    assert!(rescued.len() <= 1, "{rescued:#?}");
    for rescue in rescued {
        let after = time(&rescue["at"]).duration_since(died).as_secs_f64();
        assert!(
            (0.0..=f64::from(u32::try_from(LEASE_SECONDS).expect("short")) + 1.0).contains(&after),
            "{after} s"
        );
    }
    assert!(world.told(&id, "hook.started").await.len() <= 1);
    let other = world.namespace("eu").await;
    finish(world, vec![namespace, other]).await;
}

/// A token holds for as long as it says, whatever a server thinks the time is; a stream under it does not end before.
async fn tokens(world: &World) {
    let [ahead, behind] = [&world.servers[1], &world.servers[2]].map(|s| world.otto.at(&s.api));
    let made = json!({"name": "short", "roles": ["operator"], "expires_in": "PT4S"});
    let made = ahead.post("/v1/tokens", made).await.expect(201);
    let short = text(&made["secret"]);
    let ends = time(&made["token"]["expires_at"]);
    futures::future::join_all([&ahead, &behind].map(async |person| {
        person.get("/v1/me").await.expect(200);
        person.with_token(&short).get("/v1/me").await.expect(200);
        let request = person.request(reqwest::Method::GET, "/v1/events");
        let mut stream = person
            .client
            .execute(request.build().expect("a request"))
            .await
            .expect("a stream");
        assert_eq!(stream.status(), 200);
        let ended = tokio::time::timeout(Duration::from_secs(1), async {
            while let Ok(Some(_)) = stream.chunk().await {}
        });
        assert!(ended.await.is_err(), "the stream ended though its token holds");
    }))
    .await;
    let over = async || now(world).await > ends + jiff::SignedDuration::from_millis(1200);
    within(Duration::from_secs(10), "the token has ended", over).await;
    for person in [&ahead, &behind] {
        let reply = person.with_token(&short).get("/v1/me").await;
        reply.problem(401, "unauthenticated").says("expired");
    }
}

/// What is to begin at a time begins then.
async fn schedules(world: &World) {
    world.sealed("3.0.0", &config("settings", "3")).await;
    for place in [1, 2] {
        let otto = world.otto.at(&world.servers[place].api);
        let not_before = now(world).await + jiff::SignedDuration::from_secs(3);
        let body = json!({
            "release": world.release("3.0.0"), "environment": "staging", "not_before": not_before.to_string(),
        });
        let id = text(&otto.post("/v1/deployments", body).await.expect(201)["id"]);
        let done = world.ends(&id, "succeeded").await;
        let late = time(&done["started_at"]).duration_since(not_before).as_secs_f64();
        assert!((0.0..=5.0).contains(&late), "it began {late} s after its time");
    }
}

/// What waits too long expires, and not before.
async fn expiry(world: &World) {
    for place in [1, 2] {
        let otto = world.otto.at(&world.servers[place].api);
        let body = json!({"release": world.release("1.0.0"), "environment": "guarded"});
        let asked = otto.post("/v1/deployments", body).await.expect(201);
        let id = text(&asked["id"]);
        let week = time(&asked["expires_at"])
            .duration_since(now(world).await)
            .as_hours();
        assert!((166..=168).contains(&week), "it expires in {week} hours");
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(world.deployment(&id).await["state"], "pending");
        let sql = format!(
            "UPDATE deployments SET expires_at = clock_timestamp() + interval '2 s', look_at = now() \
             WHERE finished_at IS NULL AND release_id IS NOT NULL AND state = 'pending' -- {id}"
        );
        world.database.execute(&sql).await;
        let gone = world.until(&id, "over", |d| !d["finished_at"].is_null()).await;
        assert_eq!(gone["state"], "expired", "{gone:#}");
        let late = time(&gone["finished_at"])
            .duration_since(time(&gone["expires_at"]))
            .as_secs_f64();
        assert!((0.0..=5.0).contains(&late), "it expired {late} s after its time");
    }
}
