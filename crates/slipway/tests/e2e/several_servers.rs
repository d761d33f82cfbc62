//! Any number of processes of each role: work is spread over them, each takes what it may, and one may leave in the middle.

use serde_json::{Value, json};
use slipway_testkit::live::{
    Database, Namespace, Server, ServerOptions, World, free_port,
    manifests::{GOOD, config, deployment, hook},
    text, within,
};
use std::{collections::BTreeMap, time::Duration};

/// A process that can be watched without the role `api`: its options, and where it is watched.
fn watched(roles: &str) -> (ServerOptions, String) {
    let port = free_port();
    let listen = format!("metrics_listen = '127.0.0.1:{port}'");
    // What is tested is not how soon a lease is lost on a machine that is busy.
    let options = ServerOptions {
        lease_seconds: 15,
        ..ServerOptions::roles(roles)
    };
    (options.settings(&listen), format!("http://127.0.0.1:{port}"))
}

async fn page(world: &World, url: &str) -> (u16, String) {
    let answer = world.vera.client.get(url).send().await.expect("an answer");
    let status = answer.status().as_u16();
    (status, answer.text().await.expect("a text"))
}

/// The value of every series of a metric, added up.
fn sum(metrics: &str, name: &str) -> f64 {
    let of_metric = |line: &&str| {
        let rest = line.strip_prefix(name);
        rest.is_some_and(|rest| rest.starts_with(['{', ' ']))
    };
    let values = metrics.lines().filter(of_metric);
    values
        .map(|line| {
            line.rsplit(' ')
                .next()
                .and_then(|n| n.parse::<f64>().ok())
                .expect("a number")
        })
        .sum()
}

async fn servers(world: &World) -> Vec<Value> {
    let servers = world.otto.get("/v1/servers").await.expect(200);
    servers["items"].as_array().expect("servers").clone()
}

/// Several places on each of the tests' clusters, each with a namespace of its own: `(cluster, context, namespace)`.
async fn places(world: &mut World, many: usize) -> Vec<(String, &'static str, String)> {
    let contexts = ["staging", "eu", "us"];
    let mut places = Vec::new();
    for i in 0..many {
        let context = contexts[i % contexts.len()];
        let cluster = format!("{context}-{i}");
        let kubeconfig = slipway_testkit::live::kubeconfig();
        world.cluster_at(&cluster, &kubeconfig, context).await;
        places.push((cluster, context, format!("{}-{i}", world.service)));
    }
    let clusters: Vec<&str> = places.iter().map(|(cluster, ..)| cluster.as_str()).collect();
    world
        .environment("everywhere", &clusters, json!({"progress_deadline": "PT1M"}))
        .await;
    for (cluster, _, namespace) in &places {
        let target = json!({
            "service": world.service, "environment": "everywhere", "cluster": cluster, "namespace": namespace,
        });
        world.ana.post("/v1/targets", target).await.expect(201);
    }
    places
}

#[tokio::test]
async fn work_is_spread_over_three_executors_and_one_of_them_may_leave_in_the_middle() {
    const PLACES: usize = 12;
    let mut options = vec![ServerOptions::roles("api"), ServerOptions::roles("api")];
    let mut watches = Vec::new();
    for roles in ["scheduler", "scheduler", "executor", "executor", "executor"] {
        let (option, url) = watched(roles);
        options.push(option);
        watches.push((roles, url));
    }
    let mut world = World::empty_with("several", Database::create().await, &options).await;
    let all_there = async || {
        servers(&world)
            .await
            .iter()
            .filter(|s| s["alive"] == true)
            .count()
            == 7
    };
    within(Duration::from_secs(20), "seven processes are there", all_there).await;
    // Every process has heard of the others: it says so every four seconds.
    let counted = async || {
        let (status, said) = page(&world, &format!("{}/readyz?verbose", watches[2].1)).await;
        status == 200 && said == "ready\napi: 2\nscheduler: 2\nexecutor: 3\n"
    };
    within(Duration::from_secs(20), "an executor counts them all", counted).await;
    // All of them do.
    tokio::time::sleep(slipway_app::servers::PERIOD * 2).await;

    let places = places(&mut world, PLACES).await;
    let mut bundle = hook("migrate", "registry.example/shop/migrate:1.0-slow");
    bundle.push_str(&config("settings", "x"));
    bundle.push_str(&deployment("web", GOOD));
    world.sealed("1.0.0", &bundle).await;
    let id = world.deploy("1.0.0", "everywhere").await;
    let begun = |d: &Value| {
        let targets = d["targets"].as_array().expect("targets");
        targets.iter().all(|target| !target["started_at"].is_null())
    };
    world.until(&id, "at work everywhere", begun).await;

    // What each has claimed until here: every target once, and again where it looked after what it waits for.
    let mut claimed = Vec::new();
    for (_, url) in watches.iter().filter(|(roles, _)| *roles == "executor") {
        let (_, metrics) = page(&world, &format!("{url}/metrics")).await;
        claimed.push(sum(&metrics, "slipway_executor_claimed_total"));
    }
    let all: f64 = claimed.iter().sum();
    eprintln!("{PLACES} targets over three executors, claims of each: {claimed:?}");
    assert!(
        all >= f64::from(u32::try_from(PLACES).expect("few")),
        "{claimed:?}"
    );
    for one in &claimed {
        assert!(*one >= all / 6.0, "the work is not spread: {claimed:?}");
    }

    // One leaves; the other API tells the same.
    let (status, took) = world.servers[4].terminate().await;
    assert!(
        status.success() && took < Duration::from_secs(30),
        "{status} after {took:?}"
    );
    let left = world.servers.remove(4);
    world.turn_to(1);
    world.ends(&id, "succeeded").await;
    assert!(
        world.told(&id, "work.rescued").await.is_empty(),
        "it gave everything back"
    );
    let stopped: Vec<Value> = servers(&world)
        .await
        .into_iter()
        .filter(|s| !s["stopped_at"].is_null())
        .collect();
    assert_eq!(stopped.len(), 1, "{stopped:#?}");
    assert_eq!(stopped[0]["roles"], json!(["executor"]));
    drop(left);

    // Nothing was done twice, anywhere.
    assert_eq!(world.told(&id, "hook.started").await.len(), PLACES);
    let mut applied = BTreeMap::new();
    for activity in world.activities(&id).await {
        for object in activity["data"]["objects"].as_array().into_iter().flatten() {
            *applied
                .entry((text(&activity["cluster"]), text(&object["name"])))
                .or_insert(0) += 1;
        }
    }
    assert_eq!(applied.len(), PLACES * 2, "{applied:?}");
    assert!(applied.values().all(|n| *n == 1), "{applied:?}");
    for (_, context, namespace) in places {
        let namespace = Namespace::of(context, &namespace).await;
        assert_eq!(namespace.list("Job").await.len(), 1);
        assert_eq!(
            namespace.list("Deployment").await["web"]["metadata"]["annotations"]["slipway.dev/deployment"],
            id
        );
        namespace.close().await;
    }
    world.examine().await;
    world.close().await;
}

#[tokio::test]
async fn an_executor_takes_the_clusters_of_its_labels_and_a_deployment_says_when_none_does() {
    let mut world = World::start_as("limited", &["api,scheduler"]).await;
    let namespace = world.namespace("staging").await;
    world.sealed("1.0.0", &config("web", "blue")).await;
    let id = world.deploy("1.0.0", "staging").await;
    let says = async |world: &World, what: &str| {
        let explained = world
            .vera
            .get(&format!("/v1/deployments/{id}/explain"))
            .await
            .expect(200);
        explained["blockers"][0]["kind"] == "executor"
            && text(&explained["blockers"][0]["reason"]).contains(what)
    };
    assert!(says(&world, "waiting for an executor: none has ever been seen").await);

    let limited = |to: &str| {
        ServerOptions::roles("executor").settings(&format!("[executor.cluster_labels]\nregion = '{to}'"))
    };
    let elsewhere = world.server(&limited("us")).await;
    let none_serves = async || {
        let wanted = "no executor serves cluster staging (labels region=staging); those that run are limited to region=us";
        says(&world, wanted).await
    };
    within(
        Duration::from_secs(10),
        "it says that none serves the cluster",
        none_serves,
    )
    .await;
    let blockers = world.deployment(&id).await["blockers"].clone();
    assert!(
        text(&blockers[0]["unblocked_by"]).contains("executor.cluster_labels"),
        "{blockers:#}"
    );
    assert!(!namespace.exists().await, "it was none of its clusters");

    let (status, _) = world.servers[elsewhere].terminate().await;
    assert!(status.success());
    world.servers.remove(elsewhere);
    assert!(says(&world, "waiting for an executor: none has been seen since 20").await);

    let (option, url) = watched("executor");
    world
        .server(&option.settings("[executor.cluster_labels]\nregion = 'staging'"))
        .await;
    world.ends(&id, "succeeded").await;
    let (_, metrics) = page(&world, &format!("{url}/metrics")).await;
    assert!(
        sum(&metrics, "slipway_executor_claimed_total") >= 1.0,
        "{metrics}"
    );
    let shown: Vec<Value> = servers(&world).await;
    let here = shown
        .iter()
        .find(|s| s["alive"] == true && s["roles"] == json!(["executor"]));
    assert_eq!(
        here.expect("the executor")["cluster_labels"],
        json!({"region": "staging"})
    );
    let listed = world.slipway(&world.otto, &["server", "list"]);
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    assert!(
        listed.contains("region=staging") && listed.contains("stopped"),
        "{listed}"
    );
    namespace.close().await;
    world.close().await;
}

#[tokio::test]
async fn a_process_without_the_api_can_be_watched_until_it_ends() {
    let mut world = World::start_as("watched", &["api"]).await;
    let (options, url) = watched("scheduler");
    let scheduler: usize = world.server(&options).await;
    let up = async || {
        let answer = world.vera.client.get(format!("{url}/readyz")).send().await;
        answer.is_ok_and(|answer| answer.status().is_success())
    };
    within(Duration::from_secs(20), "it is ready", up).await;
    assert_eq!(
        page(&world, &format!("{url}/healthz")).await,
        (200, "ok".to_owned())
    );
    assert_eq!(
        page(&world, &format!("{url}/readyz")).await,
        (200, "ready".to_owned())
    );
    let (status, said) = page(&world, &format!("{url}/v1/status")).await;
    assert_eq!(status, 404, "{said}");
    let measured = async || {
        let (_, metrics) = page(&world, &format!("{url}/metrics")).await;
        metrics.contains("slipway_ready 1") && metrics.contains("slipway_servers{role=\"scheduler\"} 1")
    };
    within(Duration::from_secs(20), "it says how it is", measured).await;
    world
        .vera
        .get("/v1/servers")
        .await
        .problem(403, "forbidden")
        .says("server.read");
    let server: &mut Server = &mut world.servers[scheduler];
    let (status, _) = server.terminate().await;
    assert!(status.success());
    world.servers.remove(scheduler);
    world.close().await;
}
