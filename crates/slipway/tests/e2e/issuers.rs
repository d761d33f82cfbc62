//! Issuers as a server in a process of its own has them: found over HTTP by what they say of themselves, away when it
//! starts, with other keys later. People come by a claim, machines by a rule.

use serde_json::{Value, json};
use slipway_testkit::{
    AUDIENCE, Publisher,
    live::{Database, Person, ServerOptions, World, manifests::config, within},
};
use std::time::Duration;

/// How long what must come may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a server is told of an issuer whose keys it finds by itself, looking every second.
fn discovered(publisher: &Publisher, more: &str) -> String {
    format!(
        "[[issuers]]\nissuer = '{}'\naudience = '{AUDIENCE}'\nkeys = {{ discovery = {{}} }}\n\
         fetch = {{ refresh_seconds = 1, max_age_seconds = 4, loopback_http = true }}\n{more}\n",
        publisher.issuer()
    )
}

async fn status(person: &Person) -> u16 {
    person.get("/v1/me").await.status.as_u16()
}

async fn until(person: &Person, wanted: u16, what: &str) {
    within(PATIENCE, what, async || status(person).await == wanted).await;
}

#[tokio::test]
async fn keys_are_found_when_their_issuer_comes_and_followed_when_they_change() {
    let publisher = Publisher::start().await;
    publisher.be_away(true);
    let roles = "[[issuers.roles]]\nclaim = 'realm_access.roles'\nvalue = 'onlooker'\nrole = 'viewer'";
    let options = ServerOptions::roles("api").settings(&discovered(&publisher, roles));
    // It starts without the keys, and the people of another issuer come and go.
    let world = World::empty_with("issuers", Database::create().await, &[options]).await;
    let onlooker = json!({"realm_access": {"roles": ["onlooker", "cook"]}});
    let olga = world.vera.with_token(&publisher.token("one", "olga", &onlooker));
    let refused = olga.get("/v1/me").await;
    assert_eq!(refused.header("retry-after"), "5");
    refused.problem(503, "unavailable").says(&publisher.issuer());
    let ready = world.vera.get("/readyz?verbose").await.expect(200);
    let line = format!("issuer {}: ", publisher.issuer());
    assert!(ready.as_str().unwrap().contains(&line), "{ready}");

    publisher.be_away(false);
    until(&olga, 200, "the issuer's people are let in when it is back").await;
    let me = olga.get("/v1/me").await.expect(200);
    assert_eq!(me["principal"]["issuer"], publisher.issuer());
    let held = |me: &Value| -> Vec<Value> {
        let roles = me["roles"].as_array().unwrap().iter();
        roles.map(|one| one["role"].clone()).collect()
    };
    assert_eq!(held(&me), ["viewer"], "{me:#}");
    let service = format!("/v1/services/{}", world.service);
    olga.get(&service).await.expect(200);
    let cook = json!({"realm_access": {"roles": ["cook"]}});
    let carl = olga.with_token(&publisher.token("one", "carl", &cook));
    assert_eq!(held(&carl.get("/v1/me").await.expect(200)), Vec::<Value>::new());
    carl.get(&service).await.problem(404, "not-found");

    publisher.add("two");
    let new = olga.with_token(&publisher.token("two", "olga", &onlooker));
    until(&new, 200, "a new key is found").await;
    publisher.remove("one");
    until(&olga, 401, "a key that was removed is believed no more").await;
    new.get("/v1/me").await.expect(200);

    // Away: what was fetched is good for a while, and no longer.
    publisher.be_away(true);
    new.get("/v1/me").await.expect(200);
    until(&new, 503, "keys that are too old are believed no more").await;
    world.vera.get("/v1/me").await.expect(200);
    publisher.be_away(false);
    until(&new, 200, "it goes on when the issuer is back").await;
    world.audit_holds();
    world.close().await;
}

#[tokio::test]
async fn a_build_is_trusted_by_its_claims_and_the_record_says_by_which_rule() {
    let publisher = Publisher::start().await;
    let trust = "subjects = 'machines'\n[[issuers.trust]]\nname = 'build'\n\
        claims = { repository = 'shop/storefront', ref = { glob = 'refs/tags/v*' } }\nroles = [{ role = 'engineer', team = 'shop' }]";
    let options = ServerOptions::roles("api,scheduler").settings(&discovered(&publisher, trust));
    let world = World::empty_with("trust", Database::create().await, &[options]).await;
    let of = |repository: &str, tag: &str| {
        let claims = json!({"repository": repository, "ref": tag});
        let subject = format!("repo:{repository}:{tag}");
        world.vera.with_token(&publisher.token("one", &subject, &claims))
    };
    let build = of("shop/storefront", "refs/tags/v1.0.0");
    let path = format!("/v1/components/{}/versions", world.service);
    let version = json!({"version": "1.0.0", "manifests": config("web", "blue")});
    for stranger in [
        of("eve/storefront", "refs/tags/v1.0.0"),
        of("shop/storefront", "refs/heads/main"),
    ] {
        stranger.get("/v1/me").await.problem(401, "unauthenticated");
        stranger
            .post(&path, version.clone())
            .await
            .problem(401, "unauthenticated");
    }
    build.post(&path, version).await.expect(201);
    let mut entry = Value::Null;
    within(PATIENCE, "the record has the version", async || {
        let subject = format!("{}@1.0.0", world.service);
        let query = format!("/v1/audit/entries?subject={subject}");
        entry = world.iris.get(&query).await.expect(200)["items"][0].clone();
        !entry.is_null()
    })
    .await;
    assert_eq!(entry["data"]["by"]["trust"], json!(["build"]), "{entry:#}");
    assert_eq!(entry["data"]["by"]["issuer"], publisher.issuer());
    // It is trusted with what the rule gives, and nothing besides.
    build
        .post("/v1/releases", world.composition("1.0.0"))
        .await
        .problem(403, "forbidden");
    world.audit_holds();
    world.close().await;
}
