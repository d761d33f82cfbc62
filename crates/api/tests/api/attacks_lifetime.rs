//! Attacks 4 and 5 of the design (`quality.md`): what outlives what it came from, or may more. Each goes through the API, as
//! whoever attacks would.

use crate::events::Stream;
use slipway_api::ApiConfig;
use slipway_testkit::{ISSUER, Person, Publisher, TestApp, Value, World, json};
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// Within so long a stream must end, with what a machine with much to do adds.
const SOON: Duration = Duration::from_secs(3);

/// Reads a stream to its end; says how long after the change that was.
async fn ends(mut stream: Stream, changed: Instant) -> Duration {
    while stream.next().await.is_some() {}
    changed.elapsed()
}

async fn api_token(person: &Person, role: &str) -> (Person, String) {
    let body = json!({"name": "wall", "roles": [role], "expires_in": "PT10M"});
    let made = person.post("/v1/tokens", body).await.expect(201);
    let path = format!("/v1/tokens/{}", made["token"]["id"].as_str().unwrap());
    (person.with_token(made["secret"].as_str().unwrap()), path)
}

#[tokio::test]
async fn attack_04_an_open_stream_outlives_a_revoked_token_a_role_a_key_or_its_time() {
    let publisher = Publisher::start().await;
    let config = publisher.config(&json!({
        "fetch": {"refresh_seconds": 1, "max_age_seconds": 60, "loopback_http": true},
        "roles": [{"claim": "groups", "value": "viewers", "role": "viewer"}],
    }));
    // With the limits that servers have: what is rechecked every few seconds must not be what ends them.
    let app = TestApp::with_issuers(ApiConfig::default(), vec![config]).await;
    let world = World::people(&app).await;
    app.settle().await;

    let (bearer, path) = api_token(&world.viewer, "viewer").await;
    let stream = Stream::open(&bearer, "", None).await;
    world.viewer.delete(&path).await.expect(204);
    let took = ends(stream, Instant::now()).await;
    assert!(took < SOON, "a revoked token: {took:?}");

    let role = json!({"principal": {"subject": "new", "issuer": ISSUER}, "role": "viewer"});
    let role = world.admin.post("/v1/role-bindings", role).await.ok(201);
    let new = app.as_("new");
    let (bearer, _) = api_token(&new, "viewer").await;
    let streams = [
        Stream::open(&new, "", None).await,
        Stream::open(&bearer, "", None).await,
    ];
    world.admin.delete(role.header("location")).await.expect(204);
    let changed = Instant::now();
    for stream in streams {
        let took = ends(stream, changed).await;
        assert!(took < SOON, "a role that was taken away: {took:?}");
    }
    assert_eq!(new.get("/v1/events").await.problem(403), "forbidden");

    publisher.add("two");
    let viewer = json!({"groups": ["viewers"]});
    let by = |kid: &str| app.nobody().with_token(publisher.token(kid, "kim", &viewer));
    let (stolen, kept) = (by("one"), by("two"));
    let stream = Stream::open(&stolen, "", None).await;
    let mut other = Stream::open(&kept, "", None).await;
    publisher.remove("one");
    let took = ends(stream, Instant::now()).await;
    // The refresh, and then soon.
    assert!(
        took < Duration::from_secs(1) + SOON,
        "a key that was removed: {took:?}"
    );
    assert!(
        timeout(Duration::from_millis(700), other.next()).await.is_err(),
        "the other key is still good"
    );

    let short = app.nobody().with_token(app.issuer.token_for("vic", 1));
    let opened = Instant::now();
    let took = ends(Stream::open(&short, "", None).await, opened).await;
    assert!(took < SOON, "a token that ended: {took:?}");
}

#[tokio::test]
async fn attack_04_a_removed_member_still_deploys() {
    let publisher = Publisher::start().await;
    let roles = json!({"roles": [{"claim": "groups", "value": "operators", "role": "operator"}]});
    let app = TestApp::with_issuers(ApiConfig::default(), vec![publisher.config(&roles)]).await;
    let world = World::shop(&app).await;
    world.sealed("1.0.0").await;
    let role = json!({"principal": {"subject": "leo", "issuer": ISSUER}, "role": "operator"});
    let role = world.admin.post("/v1/role-bindings", role).await.ok(201);
    let leo = app.as_("leo");
    let (bearer, _) = api_token(&leo, "operator").await;
    let body = json!({"release": "storefront@1.0.0", "environment": "staging"});
    let made = leo.post("/v1/deployments", body.clone()).await.expect(201);
    let path = format!("/v1/deployments/{}", made["id"].as_str().unwrap());
    bearer.get(&path).await.expect(200);
    world.admin.delete(role.header("location")).await.expect(204);
    // Neither may they, nor are they told what is there.
    for removed in [&leo, &bearer] {
        removed.post("/v1/deployments", body.clone()).await.problem(404);
        for verb in ["pause", "cancel"] {
            removed.act(&format!("{path}/{verb}")).await.problem(404);
        }
    }
    // Whom the issuer calls no operator any more is none with the token that says so.
    let member = |groups: &str| {
        app.nobody()
            .with_token(publisher.token("one", "lea", &json!({"groups": [groups]})))
    };
    member("operators").get(&path).await.expect(200);
    member("former").post("/v1/deployments", body).await.problem(404);
    let there = world.operator.get("/v1/deployments").await.expect(200);
    assert_eq!(there["items"].as_array().unwrap().len(), 1, "{there:#}");
}

#[tokio::test]
async fn attack_05_a_short_lived_token_mints_a_longer_one_or_one_that_may_more() {
    let publisher = Publisher::start().await;
    let ci = Publisher::start().await;
    let roles = json!({"roles": [{"claim": "groups", "value": "admins", "role": "admin"}]});
    let trust = json!({"subjects": "machines", "trust": [
        {"name": "ci", "claims": {"repository": "shop/web"}, "roles": [{"role": "operator"}]},
    ]});
    let issuers = vec![publisher.config(&roles), ci.config(&trust)];
    let app = TestApp::with_issuers(ApiConfig::default(), issuers).await;
    let world = World::shop(&app).await;
    world
        .admin
        .post("/v1/teams", json!({"name": "bank"}))
        .await
        .expect(201);
    let ask = |role: &str, life: &str| json!({"name": "nightly", "roles": [role], "expires_in": life});

    let brief = app.nobody().with_token(app.issuer.token_for("vic", 60));
    let longer = brief.post("/v1/tokens", ask("viewer", "PT2M")).await;
    assert_eq!(longer.pointers(), ["/expires_in"]);
    longer.problem(422);
    let (bearer, _) = api_token(&world.viewer, "viewer").await;
    assert_eq!(
        bearer
            .post("/v1/tokens", ask("viewer", "PT1S"))
            .await
            .problem(403),
        "refused"
    );

    // What a sign-in brings ends with it, and an API token would not.
    let kim = |more: Value| app.nobody().with_token(publisher.token("one", "kim", &more));
    let admin = kim(json!({"groups": ["admins"]}));
    admin.get("/v1/servers").await.expect(200);
    let refused = admin.post("/v1/tokens", ask("admin", "PT10M")).await;
    assert!(
        refused.body.to_string().contains("by your sign-in alone"),
        "{:#}",
        refused.body
    );
    assert_eq!(refused.pointers(), ["/roles/0"]);
    refused.problem(422);

    let run = app
        .nobody()
        .with_token(ci.token("one", "run", &json!({"repository": "shop/web"})));
    run.get("/v1/servers").await.expect(200);
    assert_eq!(
        run.post("/v1/tokens", ask("operator", "PT1S")).await.problem(403),
        "refused"
    );

    // A role that is held in one team is a token's in that team only.
    let role = json!({"principal": {"subject": "tom", "issuer": ISSUER}, "role": "engineer", "team": "shop"});
    world.admin.post("/v1/role-bindings", role).await.expect(201);
    let (bearer, _) = api_token(&app.as_("tom"), "engineer").await;
    let component = |team: &str| json!({"name": format!("{team}-lib"), "team": team});
    bearer.post("/v1/components", component("shop")).await.expect(201);
    assert_eq!(
        bearer
            .post("/v1/components", component("bank"))
            .await
            .problem(403),
        "forbidden"
    );
    // And a binding besides a claim is all that a token has of somebody who holds the role by both.
    let role = json!({"principal": {"subject": "kim", "issuer": publisher.issuer()}, "role": "admin", "team": "shop"});
    world.admin.post("/v1/role-bindings", role).await.expect(201);
    let (bearer, _) = api_token(&admin, "admin").await;
    admin.post("/v1/teams", json!({"name": "tax"})).await.expect(201);
    assert_eq!(
        bearer
            .post("/v1/teams", json!({"name": "law"}))
            .await
            .problem(403),
        "forbidden"
    );
}
