//! Fault 8: the database is black-holed: what is sent to it vanishes, and nothing says so.
//!
//! Invariant: noticed within ten seconds: not ready, with the reason; requests are answered with 503 and `Retry-After`, and
//! none hangs. Ready again within ten seconds after it is back, also when every connection there was is dead for good.

use crate::ground::{bundle, finish};
use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use slipway_testkit::live::{
    Database, Mode, Person, Server, ServerOptions, TcpProxy, World, manifests::hook, text, within,
};
use std::time::{Duration, Instant};

const MOST: Duration = Duration::from_secs(10);

/// Asks, and checks that the answer is a refusal that says when to come again. How long it took.
async fn is_refused(person: &Person, method: Method, path: &str, body: Option<Value>) -> Duration {
    let began = Instant::now();
    let mut request = person.request(method, path);
    if let Some(body) = body {
        request = request.json(&body);
    }
    let reply = person.send(request).await;
    assert!(!reply.header("retry-after").is_empty(), "{reply:#?}");
    reply.problem(503, "unavailable");
    began.elapsed()
}

async fn ready(person: &Person) -> (u16, String) {
    let reply = person.get("/readyz").await;
    (reply.status.as_u16(), text(&reply.body["detail"]))
}

#[tokio::test]
async fn a_database_that_swallows_everything_is_noticed_and_come_back_from() {
    let database = Database::create().await;
    let links: Vec<_> = (0..2).map(|_| TcpProxy::before_postgres(&database.url)).collect();
    let both: Vec<_> = links
        .iter()
        .map(|(_, url)| ServerOptions::default().over(url))
        .collect();
    let world = World::start_with("black-hole", database, &both).await;
    let namespace = world.namespace("staging").await;
    let slow = hook("migrate", "registry.example/shop/migrate:1.0-slow") + &bundle(5, "blue");
    world.sealed("1.0.0", &slow).await;
    let id = world.deploy("1.0.0", "staging").await;
    let hooking = |d: &Value| text(&d["targets"][0]["step"]).starts_with("hook:");
    world.until(&id, "running its hook", hooking).await;
    let admins: Vec<Person> = world
        .servers
        .iter()
        .map(|s: &Server| world.admin.at(&s.api))
        .collect();

    for round in ["late", "lost"] {
        for (link, _) in &links {
            link.set(Mode::BlackHole);
        }
        let began = Instant::now();
        // What was under way, and what comes while nobody knows yet.
        let first = join_all(admins.iter().enumerate().flat_map(|(i, admin)| {
            (0..30).map(move |n| async move {
                let name = json!({"name": format!("{round}-{i}-{n}")});
                if n % 2 == 0 {
                    is_refused(admin, Method::POST, "/v1/teams", Some(name)).await
                } else {
                    is_refused(admin, Method::GET, "/v1/deployments", None).await
                }
            })
        }))
        .await;
        let longest = first.iter().max().expect("answers");
        assert!(
            *longest <= MOST + Duration::from_secs(1),
            "a request hung for {longest:?}"
        );
        for admin in &admins {
            let (status, why) = ready(admin).await;
            assert_eq!(status, 503);
            assert!(why.contains("does not answer"), "{why}");
        }
        let noticed = began.elapsed();
        assert!(
            noticed <= MOST + Duration::from_secs(1),
            "noticed after {noticed:?}"
        );
        // Who comes now does not wait at all.
        let quick = is_refused(&admins[0], Method::GET, "/v1/deployments", None).await;
        assert!(quick < Duration::from_millis(1500), "{quick:?}");

        if round == "lost" {
            for (link, _) in &links {
                link.lose();
            }
        }
        for (link, _) in &links {
            link.set(Mode::Pass);
        }
        let back = Instant::now();
        for admin in &admins {
            let again = async || ready(admin).await.0 == 200;
            within(MOST, "ready again", again).await;
        }
        let took = back.elapsed();
        // And as quick as ever: the pool is not full of the dead.
        for reply in join_all(
            admins
                .iter()
                .flat_map(|admin| (0..20).map(|_| admin.get("/v1/deployments"))),
        )
        .await
        {
            reply.expect(200);
        }
        let usable = back.elapsed();
        assert!(usable <= MOST, "usable after {usable:?} only");
        eprintln!(
            "{round}: the longest of 60 requests waited {longest:?}; not ready after {noticed:?}; ready {took:?}, and 40 \
             requests answered {usable:?} after it was back"
        );
    }
    world.ends(&id, "succeeded").await;
    check_only_applied(&world, &namespace, &id).await;
    finish(world, vec![namespace]).await;
}

async fn check_only_applied(world: &World, namespace: &slipway_testkit::live::Namespace, id: &str) {
    let jobs = namespace.list("Job").await;
    assert_eq!(jobs.keys().collect::<Vec<_>>(), ["migrate"]);
    // The note that it was started may have been in the hole; the thing itself was started once.
    assert!(world.told(id, "hook.started").await.len() <= 1);
    let pods = namespace.list("Pod").await;
    let runs = pods
        .values()
        .filter(|pod| pod["metadata"]["labels"]["job-name"] == "migrate");
    assert_eq!(runs.count(), 1, "the hook ran more than once");
    let live = namespace.list("ConfigMap").await;
    assert_eq!(
        live.keys().filter(|name| name.starts_with("settings-")).count(),
        5
    );
}
