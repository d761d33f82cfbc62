//! Issuers that publish their keys: found, refreshed, gone and back. And what their tokens give.

use slipway_api::ApiConfig;
use slipway_testkit::{Person, Publisher, Reply, TestApp, Value, World, json};
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(20);

async fn with(publisher: &Publisher, more: Value) -> TestApp {
    TestApp::with_issuers(ApiConfig::default(), vec![publisher.config(&more)]).await
}

async fn me(app: &TestApp, token: &str) -> Reply {
    app.nobody().with_token(token).get("/v1/me").await
}

/// Waits until a token is answered so.
async fn until(app: &TestApp, token: &str, status: u16) {
    let waiting = async {
        while me(app, token).await.status != status {
            sleep(Duration::from_millis(20)).await;
        }
    };
    let waited = timeout(PATIENCE, waiting).await;
    assert!(waited.is_ok(), "never answered {status}");
}

fn often() -> Value {
    json!({"fetch": {"refresh_seconds": 1, "max_age_seconds": 3, "loopback_http": true}})
}

#[tokio::test]
async fn an_issuer_is_discovered_and_a_new_key_is_found_with_the_first_token_that_names_it() {
    let publisher = Publisher::start().await;
    let app = with(&publisher, json!({})).await;
    let subject = me(&app, &publisher.token("one", "ana", &json!({})))
        .await
        .expect(200);
    assert_eq!(subject["principal"]["issuer"], publisher.issuer());
    let asked = publisher.asked();
    publisher.add("two");
    let new = publisher.token("two", "ana", &json!({}));
    // Many at once: all are let in, and the keys are fetched once.
    let replies = futures::future::join_all((0..5).map(|_| me(&app, &new))).await;
    for reply in replies {
        reply.expect(200);
    }
    assert_eq!(publisher.asked(), asked + 1);
    // Strangers cannot have them fetched again and again.
    publisher.add("three");
    publisher.remove("three");
    let unknown = publisher.token("three", "eve", &json!({}));
    for _ in 0..5 {
        assert_eq!(me(&app, &unknown).await.problem(401), "unauthenticated");
    }
    assert_eq!(publisher.asked(), asked + 1);
}

#[tokio::test]
async fn a_key_that_the_issuer_removed_is_not_accepted_after_the_next_refresh_not_even_where_it_was_before() {
    let publisher = Publisher::start().await;
    let app = with(&publisher, often()).await;
    let token = publisher.token("one", "ana", &json!({}));
    me(&app, &token).await.expect(200);
    publisher.add("two");
    let other = publisher.token("two", "ana", &json!({}));
    until(&app, &other, 200).await;
    publisher.remove("one");
    let removed = Instant::now();
    // Asked all the time, so that it is remembered.
    until(&app, &token, 401).await;
    assert!(
        removed.elapsed() < Duration::from_secs(3),
        "{:?}",
        removed.elapsed()
    );
    me(&app, &other).await.expect(200);
}

#[tokio::test]
async fn keys_stay_while_the_issuer_is_away_but_not_for_ever_and_the_server_says_so() {
    let publisher = Publisher::start().await;
    let app = with(&publisher, often()).await;
    let ready = async || {
        let text = app.nobody().get("/readyz?verbose").await.expect(200);
        let text = text.as_str().unwrap().to_owned();
        let name = format!("issuer {}: ", publisher.issuer());
        text.lines()
            .find_map(|line| line.strip_prefix(&name))
            .unwrap()
            .to_owned()
    };
    let token = publisher.token("one", "ana", &json!({}));
    me(&app, &token).await.expect(200);
    assert!(ready().await.starts_with("keys fetched "));
    publisher.be_away(true);
    let stale = async {
        while !ready().await.contains("still used") {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, stale)
        .await
        .expect("a server that says that keys are stale");
    me(&app, &token).await.expect(200);
    until(&app, &token, 503).await;
    let refused = me(&app, &token).await;
    assert_eq!(refused.header("retry-after"), "5");
    let detail = refused.body["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains(&publisher.issuer()), "{detail}");
    assert!(ready().await.contains("too old"));
    // Others are nobody's concern.
    app.as_("sam").get("/v1/me").await.expect(200);
    publisher.be_away(false);
    until(&app, &token, 200).await;
    assert!(ready().await.starts_with("keys fetched "));
}

#[tokio::test]
async fn a_server_starts_without_the_keys_of_an_issuer_and_takes_its_tokens_when_they_come() {
    let publisher = Publisher::start().await;
    publisher.be_away(true);
    let app = with(&publisher, json!({})).await;
    let token = publisher.token("one", "ana", &json!({}));
    let refused = me(&app, &token).await;
    assert_eq!(refused.header("retry-after"), "5");
    assert_eq!(refused.problem(503), "unavailable");
    app.nobody().get("/readyz").await.expect(200);
    publisher.be_away(false);
    until(&app, &token, 200).await;
}

#[tokio::test]
async fn a_document_of_another_issuer_makes_nobody_believed() {
    let publisher = Publisher::start().await;
    publisher.pretend("https://other.example");
    let app = with(&publisher, json!({})).await;
    let token = publisher.token("one", "ana", &json!({}));
    assert_eq!(me(&app, &token).await.problem(503), "unavailable");
    assert_eq!(
        publisher.asked(),
        0,
        "keys were asked for that are not this issuer's"
    );
}

#[tokio::test]
async fn roles_come_by_claims_besides_role_bindings_and_go_with_them() {
    let publisher = Publisher::start().await;
    let roles = json!({"name_claim": "name", "roles": [
        {"claim": "groups", "value": "platform", "role": "admin"},
        {"claim": "realm_access.roles", "value": "shop", "role": "engineer", "team": "shop"},
        {"claim": "realm_access.roles", "value": "shop", "role": "operator", "environment": "nowhere"},
    ]});
    let app = with(&publisher, roles).await;
    let world = World::shop(&app).await;
    let binding = json!({"principal": {"subject": "kim", "issuer": publisher.issuer()}, "role": "viewer"});
    world.admin.post("/v1/role-bindings", binding).await.expect(201);
    let kim = |more: Value| app.nobody().with_token(publisher.token("one", "kim", &more));
    let held = async |kim: &Person| {
        let me = kim.get("/v1/me").await.expect(200);
        let roles = me["roles"].as_array().unwrap().clone();
        let one = |role: &Value| {
            let by = role["by"].as_str().unwrap_or_default();
            let team = role["team"].as_str().unwrap_or_default();
            format!(
                "{} {} {by} {team}",
                role["role"].as_str().unwrap(),
                role["from"].as_str().unwrap()
            )
        };
        roles.iter().map(one).collect::<Vec<_>>()
    };
    let all = kim(json!({"groups": ["x", "platform"], "realm_access": {"roles": ["shop"]}}));
    let wanted = [
        "viewer role_binding  ",
        "engineer claim realm_access.roles=shop shop",
        "admin claim groups=platform ",
    ];
    assert_eq!(held(&all).await, wanted);
    all.post("/v1/teams", json!({"name": "bank"})).await.expect(201);
    let component = |team: &str| json!({"name": format!("{team}-lib"), "team": team});
    all.post("/v1/components", component("shop")).await.expect(201);
    all.post("/v1/components", component("bank")).await.problem(403);
    // The next token says no more so.
    let less = kim(json!({"groups": ["platforms"], "realm_access": {"roles": "Shop"}}));
    assert_eq!(held(&less).await, ["viewer role_binding  "]);
    assert_eq!(
        less.post("/v1/teams", json!({"name": "tax"})).await.problem(403),
        "forbidden"
    );
}

fn ci() -> Value {
    json!({"subjects": "machines", "trust": [
        {"name": "deploy-main", "claims": {"repository": "shop/web", "ref": "refs/heads/main"},
            "roles": [{"role": "engineer", "team": "shop"}]},
        {"name": "tags", "claims": {"repository": "shop/web", "ref": {"glob": "refs/tags/v*"}},
            "roles": [{"role": "viewer"}]},
        {"name": "web", "claims": {"repository": "shop/web"}, "roles": [{"role": "operator", "environment": "staging"}]},
    ]})
}

#[tokio::test]
async fn a_machine_is_trusted_as_far_as_rules_fit_and_the_record_says_which() {
    let publisher = Publisher::start().await;
    let app = with(&publisher, ci()).await;
    let world = World::shop(&app).await;
    let run = |more: Value| {
        app.nobody()
            .with_token(publisher.token("one", "repo:shop/web", &more))
    };
    let main = run(json!({"repository": "shop/web", "ref": "refs/heads/main"}));
    let me = main.get("/v1/me").await.expect(200);
    assert_eq!(
        (&me["principal"]["kind"], &me["principal"]["name"]),
        (&json!("machine"), &json!("deploy-main+web: repo:shop/web"))
    );
    let rules: Vec<_> = me["roles"]
        .as_array()
        .unwrap()
        .iter()
        .map(|role| role["by"].clone())
        .collect();
    assert_eq!(rules, ["web", "deploy-main"]);
    main.post("/v1/components", json!({"name": "lib", "team": "shop"}))
        .await
        .expect(201);
    app.settle().await;
    let entries = world
        .auditor
        .get("/v1/audit/entries?action=component.create")
        .await
        .expect(200);
    let newest = entries["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|entry| entry["subject"] == "lib")
        .unwrap();
    assert!(
        newest["data"]
            .to_string()
            .contains(r#""trust":["deploy-main","web"]"#),
        "{newest:#}"
    );
    let tag = run(json!({"repository": "shop/web", "ref": "refs/tags/v2"}));
    assert_eq!(
        tag.post("/v1/components", json!({"name": "b", "team": "shop"}))
            .await
            .problem(403),
        "forbidden"
    );
    for stranger in [
        json!({}),
        json!({"repository": "shop/web2", "ref": "refs/heads/main"}),
        json!({"repository": ["shop/web"], "ref": "refs/heads/main"}),
    ] {
        let refused = run(stranger).get("/v1/me").await;
        let said = refused.body.to_string();
        assert!(said.contains("no trust rule of its issuer fits"), "{said}");
        assert!(
            !said.contains("deploy-main") && !said.contains("repository"),
            "{said}"
        );
        assert_eq!(refused.problem(401), "unauthenticated");
    }
}

#[tokio::test]
async fn a_machine_never_approves_whatever_a_claim_gives() {
    let publisher = Publisher::start().await;
    let roles = json!({
        "subjects": {"claim": {"claim": "kind", "machine": "robot"}},
        "roles": [{"claim": "groups", "value": "deciders", "role": "authority"}],
    });
    let app = with(&publisher, roles).await;
    let decider = |kind: &str| {
        let said = json!({"groups": ["deciders"], "kind": kind});
        app.nobody().with_token(publisher.token("one", kind, &said))
    };
    let person = decider("person").get("/v1/me").await.expect(200);
    assert_eq!(person["roles"][0]["role"], "authority");
    let robot = decider("robot").get("/v1/me").await.expect(200);
    assert_eq!(robot["roles"], json!([]));
}
