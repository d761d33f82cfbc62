//! Attacks 1 to 3, 6 and 7 of the design (`quality.md`): who somebody is. Each goes through the API, as whoever attacks would.
//! 4 and 5 are in [`super::attacks_lifetime`].

use axum::http::Method;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use slipway_api::ApiConfig;
use slipway_app::{IssuerConfig, KeySource};
use slipway_testkit::{AUDIENCE, ISSUER, Issuer, Publisher, Reply, TestApp, Value, World, json};
use std::time::Duration;
use tokio::time::timeout;

/// The claims of a good token of `root`, spoiled.
fn spoiled(change: impl FnOnce(&mut Value)) -> Value {
    let mut claims = Issuer::claims("root", 3600);
    change(&mut claims);
    claims
}

async fn me(app: &TestApp, token: &str) -> Reply {
    app.nobody().with_token(token).get("/v1/me").await
}

async fn is_refused(app: &TestApp, token: &str, case: &str) {
    let reply = me(app, token).await;
    assert_eq!(reply.status, 401, "{case}: {:#}", reply.body);
    assert_eq!(reply.problem(401), "unauthenticated", "{case}");
}

#[tokio::test]
async fn attack_01_a_token_for_another_audience() {
    let publisher = Publisher::start().await;
    let other = json!({"audience": "another-slipway"});
    let app = TestApp::with_issuers(ApiConfig::default(), vec![publisher.config(&other)]).await;
    app.person("root", &["admin"]).await;
    let both = spoiled(|claims| claims["aud"] = json!(["x", AUDIENCE]));
    me(&app, &app.issuer.sign(&both)).await.expect(200);
    for audience in [
        json!("another"),
        json!(format!("{AUDIENCE}-2")),
        json!(AUDIENCE.to_uppercase()),
        json!(""),
        json!([]),
        json!(["another"]),
        json!([[AUDIENCE]]),
        json!({AUDIENCE: true}),
        json!(7),
        json!(null),
    ] {
        let claims = spoiled(|claims| claims["aud"] = audience.clone());
        is_refused(&app, &app.issuer.sign(&claims), &audience.to_string()).await;
    }
    // The audience of one issuer is nobody else's.
    is_refused(
        &app,
        &publisher.token("one", "root", &json!({})),
        "the other's issuer",
    )
    .await;
    let own = publisher.token("one", "root", &json!({"aud": "another-slipway"}));
    me(&app, &own).await.expect(200);
}

/// A JWT as somebody would write it by hand.
fn by_hand(header: &Value, claims: &Value, signature: &str) -> String {
    let part = |value: &Value| base64url(value.to_string().as_bytes());
    format!("{}.{}.{signature}", part(header), part(claims))
}

fn base64url(bytes: &[u8]) -> String {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    URL_SAFE_NO_PAD.encode(bytes)
}

#[tokio::test]
async fn attack_02_claims_of_another_type_no_algorithm_and_a_public_key_as_a_secret() {
    let rsa = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap();
    let rsa_pem = rsa.public_key_pem();
    let keys: KeySource =
        serde_json::from_value(json!({"pem": [{"kid": "rsa", "algorithm": "RS256", "pem": rsa_pem}]}))
            .unwrap();
    let ci = IssuerConfig::new("https://ci.test", AUDIENCE, keys);
    let app = TestApp::with_issuers(ApiConfig::default(), vec![ci]).await;
    app.person("root", &["admin"]).await;
    me(&app, &app.issuer.sign(&spoiled(|_| {}))).await.expect(200);
    // Each would be good as a number: it is refused for its type alone.
    let (past, later) = (1_700_000_000_i64, 9_999_999_999_i64);
    for (claim, at) in [("exp", later), ("nbf", past), ("iat", past)] {
        let good = spoiled(|claims| claims[claim] = json!(at));
        me(&app, &app.issuer.sign(&good)).await.expect(200);
        for wrong in [
            json!(at.to_string()),
            json!(true),
            json!([at]),
            json!({}),
            json!(""),
        ] {
            let claims = spoiled(|claims| claims[claim] = wrong.clone());
            is_refused(&app, &app.issuer.sign(&claims), &format!("{claim} {wrong}")).await;
        }
    }
    for claim in ["exp", "iat", "iss", "aud", "sub"] {
        let claims = spoiled(|claims| {
            claims.as_object_mut().unwrap().remove(claim);
        });
        is_refused(&app, &app.issuer.sign(&claims), &format!("no {claim}")).await;
    }
    let good = spoiled(|_| {});
    for none in ["none", "None", "NONE", "nOnE", ""] {
        for signature in ["", "AAAA"] {
            let token = by_hand(
                &json!({"alg": none, "typ": "JWT", "kid": "test-1"}),
                &good,
                signature,
            );
            is_refused(&app, &token, &format!("alg {none:?}")).await;
        }
    }
    let of_ci = spoiled(|claims| claims["iss"] = json!("https://ci.test"));
    let signed = |algorithm, key: &EncodingKey| {
        let mut header = Header::new(algorithm);
        header.kid = Some("rsa".to_owned());
        jsonwebtoken::encode(&header, &of_ci, key).unwrap()
    };
    let private = EncodingKey::from_rsa_pem(rsa.serialize_pem().as_bytes()).unwrap();
    me(&app, &signed(Algorithm::RS256, &private)).await.expect(200);
    for algorithm in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
        for secret in [
            rsa_pem.as_bytes(),
            rsa_pem.trim().as_bytes(),
            rsa.public_key_raw(),
        ] {
            let token = signed(algorithm, &EncodingKey::from_secret(secret));
            is_refused(&app, &token, &format!("{algorithm:?} with the public key")).await;
        }
    }
    // Another way to sign with the same key was never agreed on.
    is_refused(&app, &signed(Algorithm::RS384, &private), "RS384").await;
}

#[tokio::test]
async fn attack_02_a_token_brings_its_own_key() {
    let (evil, good) = (Publisher::start().await, Publisher::start().await);
    let app = TestApp::with_issuers(ApiConfig::default(), vec![good.config(&json!({}))]).await;
    me(&app, &good.token("one", "ana", &json!({}))).await.expect(200);
    let forged = evil.token("one", "root", &json!({"iss": good.issuer()}));
    is_refused(&app, &forged, "another's key under the same name").await;
    let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let key = EncodingKey::from_ec_pem(pair.serialize_pem().as_bytes()).unwrap();
    let mut header = Header::new(Algorithm::ES256);
    header.kid = Some("one".to_owned());
    header.jku = Some(format!("{}/keys", evil.issuer()));
    header.jwk = Some(jsonwebtoken::jwk::Jwk::from_encoding_key(&key, Algorithm::ES256).unwrap());
    let claims = good.claims("root", &json!({}));
    let token = jsonwebtoken::encode(&header, &claims, &key).unwrap();
    is_refused(&app, &token, "its own key").await;
    assert_eq!(evil.asked(), 0, "a token had an address asked");
}

#[tokio::test]
async fn attack_03_an_empty_or_absent_subject() {
    let publisher = Publisher::start().await;
    let roles = json!({"roles": [{"claim": "groups", "value": "admins", "role": "admin"}]});
    let app = TestApp::with_issuers(ApiConfig::default(), vec![publisher.config(&roles)]).await;
    let admin = json!({"groups": ["admins"]});
    let long = "x".repeat(256);
    for subject in [
        json!(""),
        json!(" "),
        json!("\t"),
        json!("ana\n"),
        json!("a\u{0}b"),
        json!(null),
        json!(0),
        json!(["ana"]),
        json!({"id": "ana"}),
        json!(long),
    ] {
        let mut said = admin.clone();
        said["sub"] = subject.clone();
        is_refused(&app, &publisher.token("one", "ana", &said), &subject.to_string()).await;
        let claims = spoiled(|claims| claims["sub"] = subject.clone());
        is_refused(&app, &app.issuer.sign(&claims), &subject.to_string()).await;
    }
    // Nobody came of it.
    let root = app.nobody().with_token(publisher.token("one", "root", &admin));
    root.get("/v1/me").await.expect(200);
    let auditor = app.person("aud", &["auditor"]).await;
    app.settle().await;
    let registered = auditor
        .get("/v1/audit/entries?action=principal.register")
        .await
        .expect(200);
    let subjects: Vec<_> = registered["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["subject"])
        .collect();
    assert_eq!(subjects, ["root"], "{registered:#}");
}

/// Slipway has no login with a password, and so no limiter that could be evicted or deceived about an address. What is there
/// instead: tokens that were accepted are remembered, and a flood of others must neither push them out nor reach the database;
/// and no header says where a request comes from.
#[tokio::test]
async fn attack_06_a_flood_of_bad_tokens_evicts_nobody_and_costs_the_database_nothing() {
    let app = TestApp::start().await;
    app.person("vic", &["viewer"]).await;
    let vic = app.as_("vic");
    vic.get("/v1/me").await.expect(200);
    assert_eq!(app.app.remembered_tokens(), 1);
    let forger = Issuer::generate();
    // The database has no connection left: whatever needs one waits, and is told 503.
    let pool = app.app.database().pool();
    let mut held = Vec::new();
    while u32::try_from(held.len()).unwrap() < pool.options().get_max_connections() {
        held.push(pool.acquire().await.unwrap());
    }
    let flood = async {
        for n in 0..300 {
            let name = format!("name-{n}");
            for token in [
                forger.token(&name),
                app.issuer.sign(&spoiled(|claims| claims["aud"] = json!(name))),
                app.issuer.sign(&spoiled(|claims| claims["iss"] = json!(name))),
                name,
            ] {
                let address = format!("10.0.{}.{}", n / 250, n % 250);
                let request = app.nobody().with_token(&token).request(Method::GET, "/v1/me");
                let reply = request.header("x-forwarded-for", &address).send().await;
                assert_eq!(reply.problem(401), "unauthenticated");
            }
        }
    };
    timeout(Duration::from_mins(1), flood)
        .await
        .expect("answers without the database");
    assert_eq!(app.app.remembered_tokens(), 1, "who was refused took room");
    drop(held);
    // Nor do those that must be looked up to be refused.
    for n in 0..20 {
        let made_up = format!("slp_{}{n:03}", "A".repeat(40));
        is_refused(&app, &made_up, "a made-up API token").await;
    }
    assert_eq!(app.app.remembered_tokens(), 1, "who was refused took room");
    vic.get("/v1/me").await.expect(200);
}

#[tokio::test]
async fn attack_06_no_header_says_where_somebody_comes_from() {
    let app = TestApp::start().await;
    let world = World::people(&app).await;
    for header in [
        "x-forwarded-for",
        "forwarded",
        "x-real-ip",
        "x-forwarded-user",
        "x-remote-user",
    ] {
        for value in ["127.0.0.1", "for=127.0.0.1;by=slipway", "root"] {
            let nobody = app
                .nobody()
                .request(Method::GET, "/v1/me")
                .header(header, value)
                .send();
            assert_eq!(nobody.await.problem(401), "unauthenticated", "{header}: {value}");
            let stranger = world
                .stranger
                .request(Method::POST, "/v1/teams")
                .header(header, value);
            let reply = stranger.json(&json!({"name": "mine"})).send().await;
            assert_eq!(reply.problem(403), "forbidden", "{header}: {value}");
        }
    }
    let spoof = world
        .admin
        .request(Method::POST, "/v1/teams")
        .header("x-forwarded-for", "203.0.113.9");
    spoof.json(&json!({"name": "shop"})).send().await.expect(201);
    app.settle().await;
    let entries = world.auditor.get("/v1/audit/entries").await.expect(200);
    assert!(!entries.to_string().contains("203.0.113.9"), "{entries:#}");
    assert!(entries.to_string().contains(ISSUER));
}

/// What is good for one use here: the answer with the secret of a new API token, which is given once, and an idempotency key,
/// under which a change happens once. There are no login links, codes or refresh tokens: sign-in is the issuer's.
#[tokio::test]
async fn attack_07_what_is_good_once_is_used_twice_at_once() {
    let app = TestApp::start().await;
    let world = World::shop(&app).await;
    world.sealed("1.0.0").await;
    let token = json!({"name": "once", "roles": ["operator"], "expires_in": "PT10M"});
    let deployment = json!({"release": "storefront@1.0.0", "environment": "staging"});
    for (path, body) in [("/v1/tokens", token), ("/v1/deployments", deployment)] {
        let same = || {
            let request = world.operator.request(Method::POST, path);
            request.header("idempotency-key", "once").json(&body).send()
        };
        let replies = futures::future::join_all((0..8).map(|_| same())).await;
        let fresh = replies
            .iter()
            .filter(|reply| reply.status == 201 && reply.header("idempotency-replayed").is_empty())
            .count();
        assert_eq!(fresh, 1, "{path}");
        let secrets = replies
            .iter()
            .filter(|reply| reply.body["secret"].is_string())
            .count();
        assert_eq!(secrets, usize::from(path == "/v1/tokens"), "{path}");
        let there = world.operator.get(path).await.expect(200);
        assert_eq!(there["items"].as_array().unwrap().len(), 1, "{path}");
    }
}
