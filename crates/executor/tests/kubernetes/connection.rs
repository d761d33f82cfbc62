//! Testing a connection, and what faults of a cluster do to work.

use crate::{
    queue::Recorder,
    server,
    world::{Running, World, config, connection, unique},
};
use jiff::SignedDuration;
use secrecy::SecretString;
use serde_json::json;
use slipway_domain::{
    ports::{ClusterFault, ClusterProbe as _, ClusterReport},
    registry::{Connection, Credential},
    work::StepOutcome,
};
use slipway_executor::{ClientSettings, Clients, Probe};
use std::time::{Duration, Instant};

async fn check(connection: &Connection) -> Result<ClusterReport, ClusterFault> {
    Probe::new(Clients::default()).check(connection).await
}

#[tokio::test]
async fn a_good_connection_tells_version_round_trip_and_that_nothing_is_missing() {
    let report = check(&connection("staging")).await.unwrap();
    assert!(report.version.starts_with("v1."), "{}", report.version);
    assert!(report.round_trip > SignedDuration::ZERO && report.round_trip < SignedDuration::from_secs(5));
    assert_eq!(report.missing_rights, Vec::<String>::new());
}

#[tokio::test]
async fn a_credential_that_is_not_accepted_is_told_and_not_quoted() {
    let mut wrong = connection("eu");
    wrong.credential = Credential::Token(SecretString::from("open-sesame"));
    let fault = check(&wrong).await.unwrap_err();
    assert_eq!(
        fault,
        ClusterFault::Unauthorized {
            cluster: "eu".parse().unwrap()
        }
    );
    assert!(!format!("{fault} {fault:?} {wrong:?}").contains("sesame"));
}

#[tokio::test]
async fn rights_that_are_missing_are_told_one_by_one() {
    let world = World::new("us").await;
    world.create_namespace().await;
    let name = unique("viewer");
    let json = "application/json";
    let rbac = "/apis/rbac.authorization.k8s.io/v1";
    let role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": name},
        "rules": [{"apiGroups": ["", "apps"], "resources": ["*"], "verbs": ["get", "list", "watch"]}]});
    world
        .send("POST", &format!("{rbac}/clusterroles"), json, &role)
        .await
        .unwrap();
    let binding = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
        "metadata": {"name": name}, "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name},
        "subjects": [{"kind": "ServiceAccount", "name": "viewer", "namespace": world.namespace}]});
    world
        .send("POST", &format!("{rbac}/clusterrolebindings"), json, &binding)
        .await
        .unwrap();
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "viewer"}});
    world
        .send("POST", &world.path("/api/v1", "serviceaccounts"), json, &account)
        .await
        .unwrap();
    let request = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}});
    let path = world.path("/api/v1", "serviceaccounts/viewer/token");
    let token = world.send("POST", &path, json, &request).await.unwrap();
    let mut viewer = connection("us");
    viewer.credential = Credential::Token(SecretString::from(token["status"]["token"].as_str().unwrap()));

    let missing = check(&viewer).await.unwrap().missing_rights;
    assert!(
        missing.contains(&"may not create namespaces in all namespaces".to_owned()),
        "{missing:?}"
    );
    let deployments = "may not create, patch, delete deployments.apps in all namespaces".to_owned();
    assert!(missing.contains(&deployments), "{missing:?}");
    assert!(!missing.iter().any(|m| m.contains(" pods ")), "{missing:?}");

    // What it may not do, work that needs it is told.
    let mut confined = World::new("us").await;
    confined.connection = viewer;
    let work = confined.deploy(&config("settings", "one"));
    let (queue, target) = (Recorder::default(), work.deployment_target);
    queue.add(work);
    let running = Running::start(&queue);
    queue
        .until(target, |e| {
            e.reports
                .iter()
                .any(|r| matches!(r.outcome, StepOutcome::Retry { .. }))
        })
        .await;
    running.stop().await;
    let told = queue.with(target, |e| {
        e.reports.iter().find_map(|r| match &r.outcome {
            StepOutcome::Retry { error, free, .. } => Some((error.clone(), *free)),
            _ => None,
        })
    });
    let (error, free) = told.unwrap();
    assert!(
        error.contains("forbids it (403)") && error.contains("namespaces") && !free,
        "{error}"
    );
    world.close().await;
}

#[tokio::test]
async fn a_cluster_that_nobody_answers_for_is_unreachable() {
    let mut away = connection("staging");
    away.server = server::nobody();
    let ClusterFault::Unreachable { detail, .. } = check(&away).await.unwrap_err() else {
        panic!()
    };
    assert_eq!(detail, "connection refused");
    away.server = "https://no-such-host.invalid".to_owned();
    assert!(matches!(
        check(&away).await.unwrap_err(),
        ClusterFault::Unreachable { .. }
    ));
    away.server = server::fixed("SSH-2.0-something\r\n").replace("http", "https");
    assert!(matches!(
        check(&away).await.unwrap_err(),
        ClusterFault::Unreachable { .. }
    ));
}

#[tokio::test]
async fn what_is_wrong_with_a_certificate_is_told_apart() {
    let at = |(server, pem): (String, String), trust: bool| Connection {
        server,
        certificate_authority: trust
            .then_some(pem)
            .or_else(|| connection("eu").certificate_authority),
        ..connection("staging")
    };
    for (connection, word) in [
        (at(server::tls("127.0.0.1", 2001, 2002), true), "expired"),
        (at(server::tls("127.0.0.1", 2090, 2095), true), "not valid yet"),
        (
            at(server::tls("elsewhere.example", 2001, 2095), true),
            "another name",
        ),
        (at(server::tls("127.0.0.1", 2001, 2095), false), "not trusted"),
    ] {
        match check(&connection).await.unwrap_err() {
            ClusterFault::Certificate { detail, .. } => assert!(detail.contains(word), "{word}: {detail}"),
            other => panic!("{word}: {other}"),
        }
    }
}

#[tokio::test]
async fn what_a_cluster_asks_to_be_waited_for_is_waited_for_and_costs_no_attempt() {
    let mut world = World::new("staging").await;
    world.connection.server = server::fixed(
        "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 17\r\nContent-Length: 8\r\n\r\ntoo many",
    );
    let fault = check(&world.connection).await.unwrap_err();
    let ClusterFault::TooManyRequests { after, .. } = fault else {
        panic!("{fault}")
    };
    assert_eq!(after.as_secs(), 17);
    let work = world.deploy(&config("settings", "one"));
    let (queue, target) = (Recorder::default(), work.deployment_target);
    queue.add(work);
    let running = Running::start(&queue);
    queue.until(target, |e| !e.reports.is_empty()).await;
    running.stop().await;
    let outcome = queue.with(target, |e| e.reports[0].outcome.clone());
    let StepOutcome::Retry { after, free, .. } = outcome else {
        panic!("{outcome:?}")
    };
    assert!(free && after.as_secs() >= 16, "{after:#}");
}

#[tokio::test]
async fn a_cluster_that_is_away_is_left_alone_and_delays_nobody_else() {
    let queue = Recorder::default();
    let mut away = World::new("staging").await;
    away.connection.server = server::nobody();
    let lost: Vec<_> = (0..8).map(|_| away.deploy(&config("settings", "one"))).collect();
    let mut well = World::new("eu").await;
    let good = well.deploy(&config("settings", "one"));
    let (target, targets) = (
        good.deployment_target,
        lost.iter().map(|w| w.deployment_target).collect::<Vec<_>>(),
    );
    for work in lost {
        queue.add(work);
    }
    let clients = ClientSettings::default();
    let began = Instant::now();
    let running = Running::start_with(&queue, clients, |_| {});
    let left_alone = |e: &mut crate::queue::Entry| {
        e.reports.iter().any(|r| matches!(&r.outcome, StepOutcome::Retry { free: true, error, .. } if error.contains("left alone")))
    };
    // One at a time tries whether it is back, and it may be the same one each time: that one is never left alone.
    let alone = || {
        targets
            .iter()
            .filter(|&&target| queue.with(target, left_alone))
            .count()
    };
    while alone() + 1 < targets.len() {
        assert!(
            began.elapsed() < Duration::from_mins(1),
            "{} were left alone",
            alone()
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // All of them asked once before it was left alone; since then one did after 1 s, 3 s, 7 s, …
    let asked: usize = targets
        .iter()
        .map(|&target| {
            queue.with(target, |e| {
                let counted =
                    |outcome: &StepOutcome| matches!(outcome, StepOutcome::Retry { free: false, .. });
                e.reports.iter().filter(|r| counted(&r.outcome)).count()
            })
        })
        .sum();
    let tries = usize::try_from((began.elapsed().as_secs() + 1).ilog2()).unwrap();
    assert!(asked <= targets.len() + tries, "{asked} requests, {tries} tries");
    queue.add(good);
    let added = Instant::now();
    queue
        .until(target, |e| {
            e.state == crate::queue::State::Over(StepOutcome::Succeeded)
        })
        .await;
    assert!(
        added.elapsed() < Duration::from_secs(4),
        "took {:?} of {:?}",
        added.elapsed(),
        began.elapsed()
    );
    running.stop().await;
    well.close().await;
}
