//! Who is let in, and with what. The numbers are those of the attacks that Slipway must withstand.

mod support;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use secrecy::ExposeSecret as _;
use serde::{Serialize, ser::SerializeMap as _};
use serde_json::{Value, json};
use slipway_app::{
    App, Config, Error, IssuerConfig, KeySource, PemKey, SecretKey, Unauthenticated,
    identity::{
        self,
        role_bindings::{self, Create as Grant},
        tokens::{self, Create as NewToken},
    },
};
use slipway_domain::identity::{Actor, Permission, Place, PrincipalKind, Role};
use slipway_testkit::{AUDIENCE, Clusters, ISSUER, Issuer, TestApp, TestDb};
use std::sync::Arc;
use support::{Everything, actor, authenticate, faults, refused};

/// The public key of the tests' issuer, as anybody may know it.
fn public_pem(app: &TestApp) -> String {
    match app.issuer.config().keys {
        KeySource::Pem(mut keys) => keys.remove(0).pem,
        other => panic!("{other:?}"),
    }
}

fn unsigned(header: &Value, claims: &Value, signature: &str) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.{signature}", part(header), part(claims))
}

fn spoiled(change: impl FnOnce(&mut Value)) -> Value {
    let mut claims = Issuer::claims("ana", 3600);
    change(&mut claims);
    claims
}

fn without(claim: &str) -> Value {
    spoiled(|claims| {
        claims.as_object_mut().unwrap().remove(claim);
    })
}

#[tokio::test]
async fn attack_1_a_token_for_another_audience_is_refused() {
    let app = TestApp::start().await;
    for audience in [
        json!("another"),
        json!(["another", "yet-another"]),
        json!([]),
        json!(""),
        json!(null),
        json!(7),
    ] {
        let token = app
            .issuer
            .sign(&spoiled(|claims| claims["aud"] = audience.clone()));
        let detail = refused(&app.app, &token).await;
        assert!(
            detail.contains("audience") || detail.contains("aud"),
            "{audience}: {detail}"
        );
    }
    let among_others = app
        .issuer
        .sign(&spoiled(|claims| claims["aud"] = json!(["another", AUDIENCE])));
    assert!(authenticate(&app.app, &among_others).await.is_ok());
}

#[tokio::test]
async fn attack_2_times_that_are_no_numbers_and_missing_claims_are_refused() {
    let app = TestApp::start().await;
    let good = Issuer::claims("ana", 3600);
    for claim in ["exp", "iat", "nbf"] {
        let as_text = app
            .issuer
            .sign(&spoiled(|claims| claims[claim] = json!(good[claim].to_string())));
        assert!(
            refused(&app.app, &as_text).await.contains("required claim"),
            "{claim}"
        );
    }
    for claim in ["exp", "iat", "iss", "aud", "sub"] {
        refused(&app.app, &app.issuer.sign(&without(claim))).await;
        refused(
            &app.app,
            &app.issuer.sign(&spoiled(|claims| claims[claim] = Value::Null)),
        )
        .await;
    }
    assert!(
        authenticate(&app.app, &app.issuer.sign(&without("nbf")))
            .await
            .is_ok(),
        "nbf may be absent"
    );
}

#[tokio::test]
async fn attack_2_unsigned_tokens_are_refused() {
    let app = TestApp::start().await;
    let claims = Issuer::claims("ana", 3600);
    for algorithm in ["none", "None", "NONE", ""] {
        for signature in ["", "AAAA"] {
            let token = unsigned(&json!({"alg": algorithm, "typ": "JWT"}), &claims, signature);
            refused(&app.app, &token).await;
        }
    }
    refused(&app.app, &unsigned(&json!({"typ": "JWT"}), &claims, "")).await;
    let good = app.issuer.sign(&claims);
    let (message, _) = good.rsplit_once('.').unwrap();
    refused(&app.app, &format!("{message}.")).await;
    let (header, _) = message.split_once('.').unwrap();
    let admin = URL_SAFE_NO_PAD.encode(Issuer::claims("root", 3600).to_string());
    let signature = good.rsplit_once('.').unwrap().1;
    let detail = refused(&app.app, &format!("{header}.{admin}.{signature}")).await;
    assert!(detail.contains("signature"), "{detail}");
}

#[tokio::test]
async fn attack_2_the_public_key_is_no_shared_secret() {
    let app = TestApp::start().await;
    let pem = public_pem(&app);
    let claims = Issuer::claims("ana", 3600);
    for algorithm in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
        for secret in [pem.as_bytes(), pem.trim().as_bytes()] {
            let mut header = Header::new(algorithm);
            header.kid = Some("test-1".to_owned());
            let token = jsonwebtoken::encode(&header, &claims, &EncodingKey::from_secret(secret)).unwrap();
            let detail = refused(&app.app, &token).await;
            assert!(detail.contains("algorithm"), "{detail}");
        }
    }
}

/// An application with an RSA issuer beside an elliptic one.
async fn two_issuers() -> (TestDb, App, rcgen::KeyPair, Issuer) {
    let db = TestDb::create().await;
    let rsa = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap();
    let elliptic = Issuer::generate();
    let ci = IssuerConfig {
        issuer: "https://ci.test".to_owned(),
        audience: "slipway-ci".to_owned(),
        algorithms: vec![slipway_app::Algorithm::Rs256],
        keys: KeySource::Pem(vec![PemKey {
            kid: Some("ci-1".to_owned()),
            algorithm: slipway_app::Algorithm::Rs256,
            pem: rsa.public_key_pem(),
        }]),
        subjects: slipway_app::Subjects::Machines,
        name_claim: None,
    };
    let key = SecretKey::parse("secret_key", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=").unwrap();
    let config = Config::new(vec![elliptic.config(), ci], key);
    let app = App::new(db.database.clone(), config, Arc::new(Clusters::default())).unwrap();
    (db, app, rsa, elliptic)
}

fn rsa_token(rsa: &rcgen::KeyPair, algorithm: Algorithm, change: impl FnOnce(&mut Value)) -> String {
    let claims = spoiled(|claims| {
        claims["iss"] = json!("https://ci.test");
        claims["aud"] = json!("slipway-ci");
        change(claims);
    });
    let key = EncodingKey::from_rsa_pem(rsa.serialize_pem().as_bytes()).unwrap();
    jsonwebtoken::encode(&Header::new(algorithm), &claims, &key).unwrap()
}

/// Claims in which `exp` comes twice: long ago, and to come.
struct Twice(Value);

impl Serialize for Twice {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("exp", &1)?;
        for (key, value) in self.0.as_object().expect("claims") {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

#[tokio::test]
async fn attack_2_a_claim_that_comes_twice_is_refused() {
    let (_db, app, rsa, _) = two_issuers().await;
    let claims = spoiled(|claims| {
        claims["iss"] = json!("https://ci.test");
        claims["aud"] = json!("slipway-ci");
    });
    let key = EncodingKey::from_rsa_pem(rsa.serialize_pem().as_bytes()).unwrap();
    let once = jsonwebtoken::encode(&Header::new(Algorithm::RS256), &claims, &key).unwrap();
    assert!(authenticate(&app, &once).await.is_ok());
    // Which of them counts must not be a matter of taste.
    let twice = jsonwebtoken::encode(&Header::new(Algorithm::RS256), &Twice(claims), &key).unwrap();
    refused(&app, &twice).await;
}

#[tokio::test]
async fn attack_2_an_issuer_is_believed_with_its_own_keys_algorithm_and_audience_only() {
    let (_db, app, rsa, elliptic) = two_issuers().await;
    let robot = authenticate(&app, &rsa_token(&rsa, Algorithm::RS256, |_| {}))
        .await
        .unwrap();
    assert_eq!(robot.principal.kind, PrincipalKind::Machine);
    assert!(
        !robot.is_person_signed_in(),
        "a continuous integration is no person"
    );

    // HS256 with the RSA key's public half as the secret.
    let claims = spoiled(|claims| {
        claims["iss"] = json!("https://ci.test");
        claims["aud"] = json!("slipway-ci");
    });
    let secret = EncodingKey::from_secret(rsa.public_key_pem().as_bytes());
    let forged = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &secret).unwrap();
    assert!(refused(&app, &forged).await.contains("algorithm"));
    // The right key, with an algorithm that is not configured.
    for algorithm in [Algorithm::RS384, Algorithm::RS512, Algorithm::PS256] {
        assert!(
            refused(&app, &rsa_token(&rsa, algorithm, |_| {}))
                .await
                .contains("algorithm")
        );
    }
    // One issuer's key under another issuer's name.
    let detail = refused(
        &app,
        &rsa_token(&rsa, Algorithm::RS256, |claims| claims["iss"] = json!(ISSUER)),
    )
    .await;
    assert!(detail.contains("signature"), "{detail}");
    assert!(refused(&app, &elliptic.sign(&claims)).await.contains("algorithm"));
    // One issuer's audience in another's token.
    let detail = refused(
        &app,
        &rsa_token(&rsa, Algorithm::RS256, |claims| claims["aud"] = json!(AUDIENCE)),
    )
    .await;
    assert!(detail.contains("audience"), "{detail}");
    for issuer in [
        json!("https://ci.test/"),
        json!("HTTPS://CI.TEST"),
        json!("https://other.test"),
        json!(""),
        json!(["https://ci.test"]),
    ] {
        refused(
            &app,
            &rsa_token(&rsa, Algorithm::RS256, |claims| claims["iss"] = issuer),
        )
        .await;
    }
}

#[tokio::test]
async fn attack_2_keys_that_a_token_brings_itself_are_not_looked_at() {
    let app = TestApp::start().await;
    let attacker = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let key = EncodingKey::from_ec_pem(attacker.serialize_pem().as_bytes()).unwrap();
    let mut header = Header::new(Algorithm::ES256);
    header.jwk = Some(jsonwebtoken::jwk::Jwk::from_encoding_key(&key, Algorithm::ES256).unwrap());
    header.jku = Some("https://evil.test/jwks.json".to_owned());
    header.kid = Some("test-1".to_owned());
    let token = jsonwebtoken::encode(&header, &Issuer::claims("root", 3600), &key).unwrap();
    assert!(refused(&app.app, &token).await.contains("signature"));
}

#[tokio::test]
async fn attack_3_a_subject_that_is_none_is_refused() {
    let app = TestApp::start().await;
    let long = "x".repeat(256);
    for subject in [
        json!(""),
        json!("   "),
        json!(null),
        json!(7),
        json!(["ana"]),
        json!("a\nb"),
        json!("a\u{0}"),
        json!(long),
    ] {
        let token = app
            .issuer
            .sign(&spoiled(|claims| claims["sub"] = subject.clone()));
        refused(&app.app, &token).await;
    }
    let registered: i64 = sqlx::query_scalar("SELECT count(*) FROM principals")
        .fetch_one(app.app.database().pool())
        .await
        .unwrap();
    assert_eq!(registered, 0, "nobody is registered by a token that is refused");
}

#[tokio::test]
async fn what_is_no_token_or_is_too_large_is_refused_without_being_repeated() {
    let app = TestApp::start().await;
    let large = app
        .issuer
        .sign(&spoiled(|claims| claims["pad"] = json!("x".repeat(9000))));
    let junk = [
        "",
        ".",
        "..",
        "...",
        "a.b.c",
        "Bearer x",
        "slp_",
        "slp_AAAA",
        "🦀.🦀.🦀",
        "s3cret",
    ];
    for token in junk.into_iter().chain([large.as_str()]) {
        let detail = refused(&app.app, token).await;
        assert!(token.len() < 4 || !detail.contains(token), "{detail}");
    }
    assert!(refused(&app.app, &large).await.contains("too large"));
}

#[tokio::test]
async fn a_token_holds_from_its_beginning_to_its_end_by_the_databases_clock() {
    let app = TestApp::start().await;
    assert!(
        refused(&app.app, &app.issuer.token_for("ana", -60))
            .await
            .contains("expired")
    );
    let now = Issuer::claims("ana", 0)["exp"].as_i64().unwrap();
    let later = app
        .issuer
        .sign(&spoiled(|claims| claims["nbf"] = json!(now + 300)));
    assert!(refused(&app.app, &later).await.contains("not valid yet"));
    let from_the_future = app
        .issuer
        .sign(&spoiled(|claims| claims["iat"] = json!(now + 300)));
    assert!(
        refused(&app.app, &from_the_future)
            .await
            .contains("not valid yet")
    );
    let good = authenticate(&app.app, &app.issuer.token_for("ana", 600))
        .await
        .unwrap();
    assert_eq!(good.until().unwrap().as_second(), now + 600);
}

#[tokio::test]
async fn whoever_is_new_is_registered_once_and_without_any_right() {
    let app = TestApp::start().await;
    let token = app.issuer.token("ana");
    let at_once = futures::future::join_all((0..8).map(|_| authenticate(&app.app, &token))).await;
    let ids: Vec<_> = at_once.into_iter().map(|actor| actor.unwrap()).collect();
    assert!(ids.iter().all(|actor| actor.principal.id == ids[0].principal.id));
    assert!(ids[0].rights.grants().is_empty());
    let everything = Everything::read(&app.app).await;
    assert_eq!(everything.rows("principals"), 1);
    assert_eq!(everything.count("audit_entries", "principal.register"), 1);
}

#[tokio::test]
async fn what_an_issuer_says_of_somebody_counts_from_then_on() {
    let app = TestApp::start().await;
    let robot = app
        .issuer
        .sign(&spoiled(|claims| claims["kind"] = json!("machine")));
    assert_eq!(
        authenticate(&app.app, &robot).await.unwrap().principal.kind,
        PrincipalKind::Machine
    );
    // Nothing said: it stays what it was.
    let silent = authenticate(&app.app, &app.issuer.sign(&spoiled(|_| {})))
        .await
        .unwrap();
    assert_eq!(silent.principal.kind, PrincipalKind::Machine);
    let renamed = app.issuer.sign(&spoiled(|claims| {
        claims["kind"] = json!("human");
        claims["name"] = json!("Ana Author");
    }));
    let ana = authenticate(&app.app, &renamed).await.unwrap();
    assert_eq!(
        (ana.principal.kind, ana.principal.name.as_str()),
        (PrincipalKind::Human, "Ana Author")
    );
    assert_eq!(Everything::read(&app.app).await.rows("principals"), 1);
}

#[tokio::test]
async fn attack_4_whoever_loses_a_role_or_a_token_has_lost_it_for_the_next_request() {
    let app = TestApp::start().await;
    app.bootstrap("root").await;
    let root = actor(&app, "root").await;
    let mut tx = app.app.begin().await.unwrap();
    let grant = Grant {
        subject: "otto".to_owned(),
        role: "operator".to_owned(),
        ..Grant::default()
    };
    let binding = role_bindings::create(&mut tx, &app.app, &root, grant)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let otto = actor(&app, "otto").await;
    let secret = mint(&app, &otto, &["operator"], "PT30M").await.unwrap();
    let carried = authenticate(&app.app, &secret).await.unwrap();
    assert!(
        carried
            .rights
            .allows(Permission::DeploymentCreate, &Place::everywhere())
    );

    let mut tx = app.app.begin().await.unwrap();
    role_bindings::delete(&mut tx, &root, &binding.id.to_string())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    for token in [&app.issuer.token("otto"), &secret] {
        let actor = authenticate(&app.app, token).await.unwrap();
        assert!(
            !actor
                .rights
                .allows(Permission::DeploymentCreate, &Place::everywhere())
        );
    }
    let mut tx = app.app.begin().await.unwrap();
    let token = tokens::list(&mut tx, &otto, false, None, 10)
        .await
        .unwrap()
        .remove(0);
    tokens::revoke(&mut tx, &otto, &token.id.to_string())
        .await
        .unwrap();
    let again = tokens::revoke(&mut tx, &otto, &token.id.to_string())
        .await
        .unwrap();
    assert!(again.revoked_at.is_some(), "revoking again is no fault");
    tx.commit().await.unwrap();
    assert!(refused(&app.app, &secret).await.contains("revoked"));
}

#[tokio::test]
async fn an_api_token_ends_by_the_databases_clock() {
    let app = TestApp::start().await;
    app.person("eve", &["engineer"]).await;
    let eve = actor(&app, "eve").await;
    let secret = mint(&app, &eve, &["engineer"], "PT30M").await.unwrap();
    assert!(authenticate(&app.app, &secret).await.is_ok());
    sqlx::query("UPDATE api_tokens SET expires_at = now()")
        .execute(app.app.database().pool())
        .await
        .unwrap();
    assert!(refused(&app.app, &secret).await.contains("expired"));
}

async fn mint(app: &TestApp, actor: &Actor, roles: &[&str], life: &str) -> Result<String, Error> {
    let mut tx = app.app.begin().await?;
    let input = NewToken {
        name: "nightly".to_owned(),
        roles: roles.iter().map(|role| (*role).to_owned()).collect(),
        expires_in: life.to_owned(),
    };
    let made = tokens::create(&mut tx, &app.app, actor, input).await?;
    tx.commit().await?;
    Ok(made.secret.expose_secret().to_owned())
}

#[tokio::test]
async fn attack_5_a_token_never_outlives_what_it_was_made_with() {
    let app = TestApp::start().await;
    app.person("eve", &["engineer"]).await;
    let eve = authenticate(&app.app, &app.issuer.token_for("eve", 3600))
        .await
        .unwrap();
    for life in ["PT2H", "P1D", "P400D", "PT0S", "-PT1H", "P1M", "tomorrow", ""] {
        assert_eq!(
            faults(mint(&app, &eve, &["engineer"], life).await),
            ["/expires_in"],
            "{life}"
        );
    }
    let first = authenticate(&app.app, &mint(&app, &eve, &["engineer"], "PT30M").await.unwrap())
        .await
        .unwrap();
    assert!(first.until().unwrap() <= eve.until().unwrap());
    assert_eq!(
        faults(mint(&app, &first, &["engineer"], "PT45M").await),
        ["/expires_in"]
    );
    let second = authenticate(
        &app.app,
        &mint(&app, &first, &["engineer"], "PT20M").await.unwrap(),
    )
    .await
    .unwrap();
    assert!(second.until().unwrap() <= first.until().unwrap());
}

#[tokio::test]
async fn attack_5_a_token_never_may_more_than_what_it_was_made_with() {
    let app = TestApp::start().await;
    app.person("mia", &["engineer", "viewer", "authority"]).await;
    let mia = actor(&app, "mia").await;
    for (roles, pointer) in [
        (&["authority"][..], "/roles/0"),
        (&["engineer", "admin"], "/roles/1"),
        (&["engineer", "engineer"], "/roles/1"),
        (&["boss"], "/roles/0"),
        (&[], "/roles"),
    ] {
        assert_eq!(
            faults(mint(&app, &mia, roles, "PT10M").await),
            [pointer],
            "{roles:?}"
        );
    }
    let viewer = authenticate(&app.app, &mint(&app, &mia, &["viewer"], "PT30M").await.unwrap())
        .await
        .unwrap();
    assert!(
        !viewer
            .rights
            .allows(Permission::ComponentWrite, &Place::everywhere())
    );
    assert!(!viewer.is_person_signed_in(), "nobody approves with an API token");
    assert_eq!(
        faults(mint(&app, &viewer, &["engineer"], "PT10M").await),
        ["/roles/0"]
    );
    // Even where the row says so: whatever wrote it.
    sqlx::query("UPDATE api_tokens SET roles = '{viewer,authority}'")
        .execute(app.app.database().pool())
        .await
        .unwrap();
    let secret = mint(&app, &mia, &["viewer"], "PT30M").await.unwrap();
    sqlx::query("UPDATE api_tokens SET roles = '{viewer,authority}'")
        .execute(app.app.database().pool())
        .await
        .unwrap();
    let altered = authenticate(&app.app, &secret).await.unwrap();
    assert!(
        !altered
            .rights
            .allows(Permission::ApprovalDecide, &Place::everywhere())
    );
}

#[tokio::test]
async fn other_peoples_tokens_are_an_admins_business() {
    let app = TestApp::start().await;
    app.person("eve", &["engineer"]).await;
    app.person("root", &["admin"]).await;
    app.person("vic", &["viewer"]).await;
    let (eve, root, vic) = (
        actor(&app, "eve").await,
        actor(&app, "root").await,
        actor(&app, "vic").await,
    );
    mint(&app, &eve, &["engineer"], "PT30M").await.unwrap();
    let mut tx = app.app.begin().await.unwrap();
    let token = tokens::list(&mut tx, &root, true, None, 10)
        .await
        .unwrap()
        .remove(0);
    assert!(matches!(
        tokens::list(&mut tx, &vic, true, None, 10).await,
        Err(Error::Lacking(_))
    ));
    assert!(
        tokens::list(&mut tx, &vic, false, None, 10)
            .await
            .unwrap()
            .is_empty()
    );
    let id = token.id.to_string();
    assert!(matches!(
        tokens::revoke(&mut tx, &vic, &id).await,
        Err(Error::NotFound { .. })
    ));
    assert!(
        tokens::revoke(&mut tx, &root, &id)
            .await
            .unwrap()
            .revoked_at
            .is_some()
    );
}

#[tokio::test]
async fn a_secret_is_shown_once_and_stored_nowhere() {
    let app = TestApp::start().await;
    app.person("eve", &["engineer"]).await;
    let eve = actor(&app, "eve").await;
    let secret = mint(&app, &eve, &["engineer"], "PT30M").await.unwrap();
    let everything = Everything::read(&app.app).await;
    assert_eq!(everything.count("audit_entries", "token.create"), 1);
    everything.assert_lacks(&secret);
    everything.assert_lacks(secret.strip_prefix("slp_").unwrap());
}

#[tokio::test]
async fn only_who_manages_identities_grants_roles() {
    let app = TestApp::start().await;
    for (subject, role) in [
        ("eve", "engineer"),
        ("ana", "manager"),
        ("ada", "authority"),
        ("otto", "operator"),
        ("aud", "auditor"),
        ("vic", "viewer"),
    ] {
        app.person(subject, &[role]).await;
        let actor = actor(&app, subject).await;
        let mut tx = app.app.begin().await.unwrap();
        let grant = Grant {
            subject: subject.to_owned(),
            role: "admin".to_owned(),
            ..Grant::default()
        };
        let refused = role_bindings::create(&mut tx, &app.app, &actor, grant).await;
        assert!(matches!(refused, Err(Error::Lacking(_))), "{role}");
        assert!(matches!(
            role_bindings::list(&mut tx, &actor, &role_bindings::Filter::default(), None, 10).await,
            Err(Error::Lacking(_))
        ));
    }
}

#[tokio::test]
async fn nobody_makes_themselves_an_authority() {
    let app = TestApp::start().await;
    app.bootstrap("root").await;
    let root = actor(&app, "root").await;
    let by_token = authenticate(&app.app, &mint(&app, &root, &["admin"], "PT10M").await.unwrap())
        .await
        .unwrap();
    let mut tx = app.app.begin().await.unwrap();
    let grant = |subject: &str, role: &str| Grant {
        subject: subject.to_owned(),
        role: role.to_owned(),
        ..Grant::default()
    };
    for actor in [&root, &by_token] {
        let refused = role_bindings::create(&mut tx, &app.app, actor, grant("root", "authority")).await;
        assert!(
            matches!(
                refused,
                Err(Error::Refused {
                    code: "self-grant",
                    ..
                })
            ),
            "{refused:?}"
        );
    }
    role_bindings::create(&mut tx, &app.app, &root, grant("root", "manager"))
        .await
        .unwrap();
    role_bindings::create(&mut tx, &app.app, &root, grant("ada", "authority"))
        .await
        .unwrap();
    let again = role_bindings::create(&mut tx, &app.app, &root, grant("ada", "authority")).await;
    assert!(matches!(again, Err(Error::Conflict { code: "exists", .. })));
}

#[tokio::test]
async fn a_machine_is_never_an_authority() {
    let app = TestApp::start().await;
    app.bootstrap("root").await;
    let root = actor(&app, "root").await;
    let mut tx = app.app.begin().await.unwrap();
    let grant = Grant {
        subject: "robot".to_owned(),
        kind: Some("machine".to_owned()),
        role: "authority".to_owned(),
        ..Grant::default()
    };
    assert_eq!(
        faults(role_bindings::create(&mut tx, &app.app, &root, grant).await),
        ["/role"]
    );
}

#[tokio::test]
async fn every_fault_of_a_grant_is_found_at_once() {
    let app = TestApp::start().await;
    app.bootstrap("root").await;
    let root = actor(&app, "root").await;
    let mut tx = app.app.begin().await.unwrap();
    let grant = Grant {
        issuer: Some("https://other.test".to_owned()),
        subject: " ".to_owned(),
        kind: Some("robot".to_owned()),
        role: "boss".to_owned(),
        team: Some("nobody".to_owned()),
        environment: None,
    };
    let found = faults(role_bindings::create(&mut tx, &app.app, &root, grant).await);
    assert_eq!(
        found,
        [
            "/principal/issuer",
            "/principal/subject",
            "/principal/kind",
            "/role",
            "/team"
        ]
    );
}

#[tokio::test]
async fn the_last_admin_stays_and_the_first_are_made_only_once() {
    let app = TestApp::start().await;
    app.bootstrap("root").await;
    app.bootstrap("intruder").await;
    let intruder = actor(&app, "intruder").await;
    assert!(intruder.rights.grants().is_empty(), "there was an admin already");
    let root = actor(&app, "root").await;
    let mut tx = app.app.begin().await.unwrap();
    let filter = role_bindings::Filter {
        role: Some(Role::Admin),
        ..role_bindings::Filter::default()
    };
    let own = role_bindings::list(&mut tx, &root, &filter, None, 10)
        .await
        .unwrap()
        .remove(0);
    let kept = role_bindings::delete(&mut tx, &root, &own.id.to_string()).await;
    assert!(matches!(kept, Err(Error::Conflict { code: "in-use", .. })));
    let grant = Grant {
        subject: "ria".to_owned(),
        role: "admin".to_owned(),
        ..Grant::default()
    };
    role_bindings::create(&mut tx, &app.app, &root, grant)
        .await
        .unwrap();
    role_bindings::delete(&mut tx, &root, &own.id.to_string())
        .await
        .unwrap();
}

#[tokio::test]
async fn me_says_who_one_is_and_what_one_may_do() {
    let app = TestApp::start().await;
    app.person("ana", &["manager", "viewer"]).await;
    let ana = actor(&app, "ana").await;
    let mut tx = app.app.read().await.unwrap();
    let me = identity::me(&mut tx, &ana).await.unwrap();
    assert_eq!(me.principal.subject, "ana");
    assert_eq!(
        me.roles.iter().map(|held| held.role).collect::<Vec<_>>(),
        [Role::Viewer, Role::Manager]
    );
    assert!(me.roles[1].permissions.contains(&Permission::ReleaseSeal));
    assert_eq!(me.until, ana.until());
}

#[tokio::test]
async fn a_database_that_is_gone_is_no_reason_to_doubt_a_token() {
    let app = TestApp::start().await;
    let token = app.issuer.token("ana");
    app.app.database().pool().close().await;
    let failed = authenticate(&app.app, &token).await;
    assert!(
        matches!(failed, Err(Unauthenticated::Failed(Error::Unavailable { .. }))),
        "{failed:?}"
    );
}
