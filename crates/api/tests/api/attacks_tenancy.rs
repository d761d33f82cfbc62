//! Attacks on what parts teams, environments and clusters, by their numbers in the design (`quality.md`).

use crate::matrix::{Operation, Things, operations, things};
use axum::http::Method;
use secrecy::ExposeSecret as _;
use slipway_app::execution::Queue;
use slipway_domain::{
    ports::{ClaimRequest, WorkQueue as _},
    registry::Credential,
    work::Assignment,
};
use slipway_testkit::{Person, Reply, TestApp, Value, World, json};
use std::collections::BTreeMap;

const ROLES: [&str; 7] = [
    "viewer",
    "operator",
    "engineer",
    "manager",
    "authority",
    "auditor",
    "admin",
];

/// Somebody with every role, but on this alone: `{"team": "bank"}`.
async fn all_on(app: &TestApp, world: &World, subject: &str, scope: &Value) -> Person {
    for role in ROLES {
        let mut binding = json!({"principal": {"subject": subject}, "role": role});
        let fields = binding.as_object_mut().unwrap();
        fields.extend(scope.as_object().unwrap().clone());
        world.admin.post("/v1/role-bindings", binding).await.expect(201);
    }
    app.as_(subject)
}

/// Somebody with every role on team `bank`, who has a component `ledger` and a service `ledger` there.
async fn banker(app: &TestApp, world: &World) -> Person {
    world
        .admin
        .post("/v1/teams", json!({"name": "bank"}))
        .await
        .expect(201);
    let bob = all_on(app, world, "bob", &json!({"team": "bank"})).await;
    for kind in ["services", "components"] {
        let ledger = json!({"name": "ledger", "team": "bank"});
        bob.post(&format!("/v1/{kind}"), ledger).await.expect(201);
    }
    let version = json!({"version": "1.0.0", "manifests": World::manifests("grey")});
    bob.post("/v1/components/ledger/versions", version)
        .await
        .expect(201);
    bob
}

/// How many changes there are in the record, whoever made them.
async fn changes(app: &TestApp, world: &World) -> Value {
    // Who signs in for the first time is written down.
    world.stranger.get("/v1/me").await.expect(200);
    app.settle().await;
    world.auditor.get("/v1/audit/checkpoint").await.expect(200)["entries"].clone()
}

#[tokio::test]
async fn attack_20_an_inner_id_of_another_team_than_the_outer_one() {
    let app = TestApp::start().await;
    let world = World::shop(&app).await;
    let bob = banker(&app, &world).await;
    let things = things(&app, &world).await;
    let theirs = world
        .viewer
        .get("/v1/components/web/versions/1.0.0")
        .await
        .expect(200);
    let inner = theirs["id"].as_str().unwrap();
    let before = changes(&app, &world).await;
    // The outer one is mine, the inner one theirs.
    let reason = || json!({"reason": "mine"});
    let report = json!({"kind": "test_report", "document": "<testsuite><testcase name=\"a\"/></testsuite>"});
    let of_version = format!("/v1/components/ledger/versions/{inner}");
    for (path, body) in [
        (of_version.clone(), None),
        (format!("{of_version}/evidence"), None),
        (format!("{of_version}/evidence"), Some(report)),
        (format!("{of_version}/deprecate"), Some(reason())),
        (format!("{of_version}/recall"), Some(reason())),
    ] {
        let reply = match body {
            None => bob.get(&path).await,
            Some(body) => bob.post(&path, body).await,
        };
        assert_eq!(
            reply.problem(404),
            "not-found",
            "{path} reaches another team's version"
        );
    }
    // What I may do is done to what is theirs, which the body or the query names.
    let part = |name: &str, version: &str| json!([{"name": name, "version": version}]);
    let release = json!({"service": "ledger", "version": "1.0.0", "components": part("web", "1.0.0")});
    let refused = bob.post("/v1/releases", release).await;
    assert_eq!(
        refused.pointers(),
        ["/components/0/version"],
        "a release takes another team's component"
    );
    let release = json!({"service": "storefront", "version": "7.0.0", "components": part("ledger", "1.0.0")});
    assert_eq!(bob.post("/v1/releases", release).await.pointers(), ["/service"]);
    let target =
        json!({"service": "storefront", "environment": "staging", "cluster": "eu", "namespace": "bank"});
    assert_eq!(bob.post("/v1/targets", target).await.pointers(), ["/service"]);
    let process = json!({"name": "theirs", "service": "storefront",
        "document": {"stages": [{"name": "all", "place": "any"}]}});
    assert_eq!(bob.post("/v1/processes", process).await.pointers(), ["/service"]);
    let mine = json!({"service": "ledger", "version": "1.0.0", "components": part("ledger", "1.0.0")});
    bob.post("/v1/releases", mine).await.expect(201);
    let diff = bob
        .get("/v1/releases/ledger@1.0.0/diff?against=storefront@1.0.0")
        .await;
    assert_eq!(
        diff.problem(404),
        "not-found",
        "a diff shows another team's release"
    );
    let deploy = json!({"release": "storefront@1.0.0", "environment": "staging"});
    assert_eq!(
        bob.post("/v1/deployments", deploy).await.problem(404),
        "not-found"
    );
    let tried = json!({"deployment": things["deployment"], "document": {"rules": [
        {"name": "all", "expression": "true", "message": {"text": "seen"}, "effect": "warn"}]}});
    assert_eq!(
        bob.post("/v1/policies/evaluate", tried).await.problem(404),
        "not-found"
    );
    let taken = bob
        .patch("/v1/services/storefront", "*", json!({"team": "bank"}))
        .await;
    assert_eq!(taken.problem(404), "not-found");
    let given = bob
        .patch("/v1/services/ledger", "*", json!({"team": "shop"}))
        .await;
    assert_eq!(
        given.problem(403),
        "forbidden",
        "a service is pushed onto another team"
    );
    // `ledger@1.0.0` was mine to make; nothing else happened.
    let after = changes(&app, &world).await;
    assert_eq!(
        after.as_i64(),
        before.as_i64().map(|n| n + 1),
        "something was changed"
    );
}

#[tokio::test]
async fn attack_20_a_grant_on_one_environment_does_nothing_in_another() {
    let app = TestApp::start().await;
    let world = World::shop(&app).await;
    let things = things(&app, &world).await;
    let sid = all_on(&app, &world, "sid", &json!({"environment": "staging"})).await;
    let (deployment, approval) = (&things["deployment"], &things["approval"]);
    let digest = world
        .viewer
        .get("/v1/releases/storefront@1.0.0")
        .await
        .expect(200)["digest"]
        .clone();
    let before = changes(&app, &world).await;
    let decision = json!({"decision": "approve", "digest": digest});
    let path = format!("/v1/approvals/{approval}/decisions");
    let decided = sid.post(&path, decision).await;
    assert_eq!(
        decided.problem(404),
        "not-found",
        "an approver of staging decides on production"
    );
    for verb in ["pause", "resume", "cancel", "retry", "rollback"] {
        let reply = sid.act(&format!("/v1/deployments/{deployment}/{verb}")).await;
        assert_eq!(reply.problem(404), "not-found", "{verb} in another environment");
    }
    let deploy = json!({"release": "storefront@1.0.0", "environment": "guarded"});
    let asked = sid.post("/v1/deployments", deploy).await;
    assert_eq!(
        asked.problem(403),
        "forbidden",
        "an operator of staging deploys to production"
    );
    for name in ["guarded", "production"] {
        let open = json!({"settings": {"approvals": null}});
        let opened = sid.patch(&format!("/v1/environments/{name}"), "*", open).await;
        assert_eq!(
            opened.problem(403),
            "forbidden",
            "an admin of staging changes {name}"
        );
    }
    let target =
        json!({"service": "storefront", "environment": "guarded", "cluster": "eu", "namespace": "sid"});
    // Which service it is he is not told either: his grants are on no team.
    assert_eq!(sid.post("/v1/targets", target).await.pointers(), ["/service"]);
    assert_eq!(changes(&app, &world).await, before, "something was changed");
}

#[tokio::test]
async fn attack_22_one_grant_does_not_reach_into_all_clusters() {
    let app = TestApp::start().await;
    let world = World::shop(&app).await;
    let bob = banker(&app, &world).await;
    let sid = all_on(&app, &world, "sid", &json!({"environment": "staging"})).await;
    let before = changes(&app, &world).await;
    let us = world.viewer.get("/v1/clusters/us").await.ok(200);
    for (who, scope) in [(&bob, "a team"), (&sid, "an environment")] {
        let cluster = json!({"name": "mine", "server": "https://mine.example", "credential": {"token": "t"}});
        let environment = json!({"name": "mine", "tier": "staging", "clusters": ["eu", "us"]});
        for (path, body) in [
            ("clusters", cluster),
            ("environments", environment),
            ("clusters/us/check", json!({})),
        ] {
            let reply = who.post(&format!("/v1/{path}"), body).await;
            assert_eq!(reply.problem(403), "forbidden", "an admin of {scope}: {path}");
        }
        for change in [
            json!({"server": "https://evil.example", "credential": {"token": "t"}}),
            json!({"grants": {"cluster_scoped_kinds": ["*"]}}),
            json!({"labels": {"region": "eu"}}),
            json!({}),
        ] {
            let reply = who.patch("/v1/clusters/us", &us.etag(), change.clone()).await;
            assert_eq!(
                reply.problem(403),
                "forbidden",
                "an admin of {scope} changes a cluster: {change}"
            );
        }
        // Who cannot change a cluster cannot take it into their own environment either.
        let taken = who
            .patch("/v1/environments/staging", "*", json!({"clusters": ["eu", "us"]}))
            .await;
        assert_eq!(
            taken.problem(403),
            "forbidden",
            "an admin of {scope} reaches a cluster of another environment"
        );
    }
    let everything = json!({"principal": {"subject": "sid"}, "role": "admin"});
    for who in [&bob, &sid] {
        let granted = who.post("/v1/role-bindings", everything.clone()).await;
        assert_eq!(granted.problem(403), "forbidden");
    }
    assert_eq!(changes(&app, &world).await, before, "something was changed");
    let own = sid
        .patch(
            "/v1/environments/staging",
            "*",
            json!({"settings": {"drift": "heal"}}),
        )
        .await;
    assert_eq!(
        own.expect(200)["settings"]["drift"],
        "heal",
        "what is theirs they may"
    );
}

/// A name or id of the same shape that nothing has.
fn missing(kind: &str, there: &str) -> String {
    match kind {
        "release" => "storefrant@2.0.0".to_owned(),
        "version" => "9.9.9".to_owned(),
        "number" => "77".to_owned(),
        _ if there.contains('_') => {
            let (rest, last) = there.split_at(there.len() - 1);
            format!("{rest}{}", if last == "0" { "1" } else { "0" })
        }
        _ => {
            let (rest, last) = there.split_at(there.len() - 1);
            format!("{rest}{}", if last == "q" { "w" } else { "q" })
        }
    }
}

/// What somebody is told, with one name for what is asked about.
fn told(reply: &Reply, names: &[(String, String)]) -> String {
    let mut body = reply.body.clone();
    if let Some(fields) = body.as_object_mut() {
        fields.remove("instance");
    }
    let headers: BTreeMap<_, _> = reply
        .headers
        .iter()
        .filter(|(name, _)| *name != "x-request-id")
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap_or_default().to_owned()))
        .collect();
    let mut text = format!("{} {headers:?} {body:#}", reply.status);
    for (there, not_there) in names {
        text = text
            .replace(there.as_str(), "NAME")
            .replace(not_there.as_str(), "NAME");
    }
    text
}

/// Asks with a header more, if there is one.
async fn ask(who: &Person, operation: &Operation, things: &Things, with: &With<'_>) -> Reply {
    let query: Vec<(&str, &str)> = with
        .query
        .map(|name| (name, things[name_of(name)].as_str()))
        .into_iter()
        .collect();
    let query: &[(&str, &str)] = match (operation.id.as_str(), query.as_slice()) {
        ("diff_release", []) => &[("against", "storefront@1.0.0")],
        ("get_compliance_report", []) => &[("release", "storefront@1.0.0")],
        (_, query) => query,
    };
    let mut request = who.request(operation.method.clone(), &operation.path_to(things, query));
    for (name, value) in &with.headers {
        request = request.header(name, value);
    }
    match operation.body_about(things) {
        Some(body) => request.json(&body).send().await,
        None => request.send().await,
    }
}

/// How an operation is asked.
#[derive(Default)]
struct With<'a> {
    query: Option<&'a str>,
    headers: Vec<(&'static str, String)>,
}

/// What a parameter of a query names.
fn name_of(parameter: &str) -> &str {
    match parameter {
        "against" => "release",
        other => other,
    }
}

/// Asks everything there is about what is there, and about what is not: whoever may not see these kinds of things is told the
/// same. Says how many were asked.
async fn cannot_tell(
    who: &Person,
    insider: &Person,
    things: &Things,
    private: &[&'static str],
    called: &str,
) -> usize {
    let mut asked = 0;
    for operation in operations() {
        let body = operation.body_about(things).unwrap_or_default().to_string();
        let in_body = |kind: &&&str| body.contains(&format!("{:?}", things[**kind]));
        let in_path = |kind: &&&str| operation.path.contains(&format!("{{{kind}}}"));
        let named: Vec<&'static str> = private
            .iter()
            .filter(|kind| in_path(kind) || in_body(kind))
            .copied()
            .collect();
        let of_query = operation.query.iter().filter_map(|name| {
            let kind = private.iter().find(|kind| **kind == name_of(name))?;
            Some((vec![*kind], Some(name.as_str())))
        });
        // Each by itself, all at once, and each in the query.
        let mut cases: Vec<(Vec<&'static str>, Option<&str>)> =
            named.iter().map(|kind| (vec![*kind], None)).collect();
        cases.push((named, None));
        cases.extend(of_query);
        for (kinds, query) in cases.into_iter().filter(|(kinds, _)| !kinds.is_empty()) {
            let mut not_there = things.clone();
            let mut found = Vec::new();
            for kind in &kinds {
                let (real, made_up) = (things[kind].clone(), missing(kind, &things[kind]));
                not_there.insert(kind, made_up.clone());
                found.push((real, made_up));
            }
            // A release's name holds its service's.
            found.sort_by_key(|(real, _)| std::cmp::Reverse(real.len()));
            let mut headers = vec![Vec::new()];
            match operation.method {
                Method::GET => {
                    let with = With {
                        query,
                        headers: Vec::new(),
                    };
                    let etag = ask(insider, &operation, things, &with).await.etag();
                    headers.push(vec![("if-none-match", etag)]);
                    headers.push(vec![("if-none-match", "*".to_owned())]);
                }
                Method::PATCH => {
                    headers = ["*", "\"1\"", "\"99\""]
                        .map(|tag| vec![("if-match", tag.to_owned())])
                        .into();
                }
                _ => {}
            }
            for headers in headers
                .into_iter()
                .filter(|all| all.iter().all(|(_, value)| !value.is_empty()))
            {
                let with = With { query, headers };
                let real = ask(who, &operation, things, &with).await;
                let made_up = ask(who, &operation, &not_there, &with).await;
                assert_eq!(
                    told(&real, &found),
                    told(&made_up, &found),
                    "{} tells {called} whether there is {kinds:?} (query: {query:?}, {:?})",
                    operation.id,
                    with.headers,
                );
                asked += 1;
            }
        }
    }
    asked
}

#[tokio::test]
async fn attack_22_names_are_not_told_to_those_who_may_not_see_them() {
    let app = TestApp::start().await;
    let world = World::shop(&app).await;
    let bob = banker(&app, &world).await;
    let lab = json!({"name": "lab", "tier": "test", "clusters": ["us"]});
    world.admin.post("/v1/environments", lab).await.expect(201);
    let lab = all_on(&app, &world, "lars", &json!({"environment": "lab"})).await;
    let things = things(&app, &world).await;
    // What a team owns, and what happens to it.
    let owned = [
        "service",
        "component",
        "version",
        "release",
        "deployment",
        "approval",
        "evidence",
        "process",
        "target",
        "drift",
    ];
    let of_all = ["binding", "token"];
    let by_team = [&owned[..], &of_all[..]].concat();
    // Whoever may see an environment may see what can come there: releases, and the way that they go.
    let by_environment: Vec<&str> = by_team
        .iter()
        .filter(|kind| !["release", "process"].contains(kind))
        .copied()
        .collect();
    let everything: Vec<&str> = things.keys().copied().collect();
    let before = changes(&app, &world).await;
    let mut asked = 0;
    for (who, called, private) in [
        (&bob, "somebody of another team", &by_team),
        (&lab, "somebody in another environment", &by_environment),
        (&world.stranger, "somebody without a role", &everything),
    ] {
        asked += cannot_tell(who, &world.admin, &things, private, called).await;
    }
    assert!(asked > 250, "only {asked} questions");
    assert_eq!(changes(&app, &world).await, before, "asking changed something");
}

#[tokio::test]
async fn attack_22_no_list_shows_what_is_anothers() {
    let app = TestApp::start().await;
    let world = World::shop(&app).await;
    let bob = banker(&app, &world).await;
    let things = things(&app, &world).await;
    app.settle().await;
    // Names that nothing public has: whatever holds one of them tells of the shop.
    let private = [
        "storefront",
        "component `web`",
        "\"web\"",
        &things["deployment"],
        &things["approval"],
    ];
    let mut lists = 0;
    for operation in operations() {
        // What the facts of policies look like is shown by an example.
        let is_list = operation.method == Method::GET && !operation.path.contains('{');
        if !is_list || operation.path == "/v1/schemas/policy-facts" {
            continue;
        }
        let path = operation.path_to(&things, &[]);
        let reply = bob.get(&path).await;
        let text = reply.body.to_string();
        for name in private {
            assert!(
                !text.contains(name),
                "{path} tells somebody of another team of {name}: {:#}",
                reply.body
            );
        }
        lists += usize::from(reply.status.is_success());
        // The filter of a list asks no more than the list shows.
        for kind in operation
            .query
            .iter()
            .filter(|kind| ["service", "release", "deployment"].contains(&kind.as_str()))
        {
            let query = [(kind.as_str(), things[kind.as_str()].as_str())];
            let reply = bob.get(&operation.path_to(&things, &query)).await;
            let shows = reply.status.is_success() && reply.body["items"] != json!([]);
            assert!(!shows, "{path}?{kind} shows another team's: {:#}", reply.body);
        }
    }
    assert!(lists >= 12, "only {lists} lists");
    let seen = world.viewer.get("/v1/processes").await.expect(200).to_string();
    assert!(seen.contains("storefront"), "who may see it does: {seen}");
    // Whose name is taken is told to nobody, only that it is: names are unique to all of Slipway.
    let taken = bob
        .post("/v1/services", json!({"name": "storefront", "team": "bank"}))
        .await;
    let detail = taken.body.to_string();
    assert!(!detail.contains("shop"), "{detail}");
}

#[tokio::test]
async fn attack_22_a_kept_answer_is_replayed_to_nobody_else() {
    let app = TestApp::start().await;
    let world = World::shop(&app).await;
    let bob = banker(&app, &world).await;
    let body = json!({"service": "storefront", "version": "1.0.0", "components": [{"name": "web", "version": "1.0.0"}]});
    let keyed = async |who: &Person| {
        let request = who.request(Method::POST, "/v1/releases");
        request.header("idempotency-key", "k-1").json(&body).send().await
    };
    keyed(&world.manager).await.ok(201);
    let again = keyed(&world.manager).await.ok(201);
    assert_eq!(again.header("idempotency-replayed"), "true");
    for who in [&bob, &world.viewer, &world.stranger] {
        let reply = keyed(who).await;
        assert_eq!(
            reply.header("idempotency-replayed"),
            "",
            "another's answer is replayed: {:#}",
            reply.body
        );
        assert!(!reply.status.is_success(), "{:#}", reply.body);
    }
}

/// What an executor would be given.
async fn claim(app: &TestApp) -> Vec<Assignment> {
    let queue = Queue::new(app.app.clone(), app.app.database().clone()).looking_at_everything();
    let request = ClaimRequest {
        holder: "executor".to_owned(),
        max: 100,
        lease: jiff::SignedDuration::from_secs(30),
        cluster_labels: BTreeMap::new(),
    };
    let claimed = queue.claim(&request).await;
    claimed.unwrap_or_else(|error| panic!("no executor is given any work: {error:?}"))
}

fn token_of(work: &Assignment) -> &str {
    match &work.connection.credential {
        Credential::Token(token) => token.expose_secret(),
        Credential::ClientCertificate { .. } => "",
    }
}

/// An environment on both clusters, each with a credential and grants of its own.
async fn two_clusters(world: &World) {
    for (name, kinds) in [
        ("eu", json!([])),
        ("us", json!(["ClusterRole.rbac.authorization.k8s.io"])),
    ] {
        let change = json!({
            "credential": {"token": format!("token-of-{name}")}, "grants": {"cluster_scoped_kinds": kinds},
        });
        world
            .admin
            .patch(&format!("/v1/clusters/{name}"), "*", change)
            .await
            .expect(200);
    }
    let both = json!({"name": "both", "tier": "test", "clusters": ["eu", "us"]});
    world.admin.post("/v1/environments", both).await.expect(201);
}

#[tokio::test]
async fn attack_24_what_is_applied_is_applied_as_that_very_cluster_allows() {
    let app = TestApp::start().await;
    let world = World::shop(&app).await;
    two_clusters(&world).await;
    world.sealed("1.0.0").await;
    for cluster in ["eu", "us"] {
        let on = json!({"name": format!("on-{cluster}"), "tier": "test", "clusters": [cluster]});
        world.admin.post("/v1/environments", on).await.expect(201);
        world.deploy("storefront@1.0.0", &format!("on-{cluster}")).await;
    }
    // In one claim, which reads once what its units have in common.
    let all = claim(&app).await;
    assert_eq!(all.len(), 2, "one for each cluster");
    for work in &all {
        let name = work.environment.as_str().trim_start_matches("on-");
        assert_eq!(work.connection.name.as_str(), name, "the way to another cluster");
        assert_eq!(
            token_of(work),
            format!("token-of-{name}"),
            "the credential of another cluster"
        );
        assert_eq!(
            work.connection.server,
            format!("https://{name}.kube.example:6443")
        );
        let granted = !work.grants.cluster_scoped_kinds.is_empty();
        assert_eq!(granted, name == "us", "the grants of another cluster");
        assert_eq!(work.namespace.as_str(), "storefront");
    }
}

#[tokio::test]
async fn attack_24_a_credential_that_was_moved_to_another_cluster_is_used_for_nothing() {
    let app = TestApp::start().await;
    let world = World::shop(&app).await;
    two_clusters(&world).await;
    world.sealed("1.0.0").await;
    world.deploy("storefront@1.0.0", "both").await;
    let moved = "UPDATE clusters SET credential = us.credential, credential_key = us.credential_key \
                 FROM clusters us WHERE us.name = 'us' AND clusters.name = 'eu'";
    app.damage(moved).await.unwrap();
    let mut all = claim(&app).await;
    all.extend(claim(&app).await);
    let given: Vec<_> = all
        .iter()
        .map(|work| (work.connection.name.as_str(), token_of(work)))
        .collect();
    // And nobody else's work waits for it.
    assert_eq!(
        given,
        [("us", "token-of-us")],
        "a credential goes out to another cluster, or keeps the others waiting"
    );
    let checked = world.admin.act("/v1/clusters/eu/check").await;
    assert!(!checked.status.is_success(), "{:#}", checked.body);
}

#[tokio::test]
async fn attack_24_rendering_goes_beyond_no_grant_of_the_cluster_it_is_for() {
    let app = TestApp::start().await;
    let world = World::shop(&app).await;
    two_clusters(&world).await;
    let beyond = |extra: &str| format!("{}---\n{extra}", World::manifests("red"));
    let role =
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: all}\nrules: []\n";
    let elsewhere = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: cm, namespace: kube-system}\n";
    let namespace = "apiVersion: v1\nkind: Namespace\nmetadata: {name: kube-system}\n";
    let binding = "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\nmetadata: {name: all}\n\
        roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}\n";
    // A grant on `us` is none on `eu`, and one of a kind is none of another kind.
    for (version, extra, refused_on) in [
        ("2.0.0", role, &["eu"][..]),
        ("3.0.0", elsewhere, &["eu", "us"]),
        ("4.0.0", namespace, &["eu", "us"]),
        ("5.0.0", binding, &["eu", "us"]),
    ] {
        let body = json!({"version": version, "manifests": beyond(extra)});
        world
            .engineer
            .post("/v1/components/web/versions", body)
            .await
            .expect(201);
        world.sealed(version).await;
        let ask = json!({"release": format!("storefront@{version}"), "environment": "both"});
        let reply = world.operator.post("/v1/deployments", ask).await;
        let mut on: Vec<String> = Vec::new();
        for fault in reply.body["errors"].as_array().into_iter().flatten() {
            let detail = fault["detail"].as_str().unwrap();
            let cluster = detail.strip_prefix("on ").and_then(|rest| rest.split(':').next());
            on.push(cluster.unwrap().to_owned());
        }
        on.dedup();
        assert_eq!(reply.status, 422, "{extra} is rendered: {:#}", reply.body);
        assert_eq!(on, refused_on, "{extra}: {:#}", reply.body);
    }
    assert_eq!(claim(&app).await.len(), 0, "something of it would be applied");
}
